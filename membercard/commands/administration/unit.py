"""`membercard unit`: units and their levels."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from membercard import output, settings
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.wiring import identity

app = typer.Typer()


@app.command("list")
def show(
    text: Annotated[str, typer.Argument(help="Only units with this text in their name.", show_default=False)] = "",
    json: output.Json = False,
) -> None:
    """List units with the unit above each, its members (those below it included) and its plan."""
    with settings.open_registry() as registry:
        listed = every(lambda cursor: registry.units.page(cursor, 500, text=text))
    if json:
        output.as_json(listed)
        return
    if not listed:
        output.say("no unit fits; units come with rosters: membercard roster import FILE")
        return
    rows = [
        (one.unit, one.known_as, one.code, one.registered, "" if one.planned is None else one.planned) for one in listed
    ]
    output.show(output.table("Units", ("unit", "known as", "code", "members", "planned"), rows))


@app.command("place")
def place(
    unit: Annotated[str, typer.Argument(help="The unit, by its whole name.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)],
    above: Annotated[
        str | None, typer.Option(help="The unit that it is put below, by its whole name.", show_default=False)
    ] = None,
    top: Annotated[bool, typer.Option("--top", help="Put it at the highest level.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Record the unit above where it is not on record.")] = False,
    by: By = None,
    json: output.Json = False,
) -> None:
    """Put a unit below another one, so that the plan of that unit counts its members; or at the highest level.

    Code, members, plan and cards of the unit stay. Forms may still name a unit of the highest level as before.

    Example: membercard unit place 石家庄铁道大学工会 --above 河北省教育工会 --reason "letter of 2026-11-20"
    """
    from reader_service.principal import Permission
    from registry.unit_names import levels

    if top == bool(levels(above or "")):
        raise typer.BadParameter("give either --above or --top")
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.PLANS_SET)
        placed = registry.units.place(unit, above or "", by=person, reason=reason, new=new)
    if json:
        output.as_json(placed)
    else:
        back = f"--above {shlex.quote(placed.above_before)}" if placed.above_before else "--top"
        output.say("{before} is {unit} now", before=placed.unit_before, unit=placed.unit)
        unit = shlex.quote(placed.unit)
        output.say("undo this with: membercard unit place {unit} {back} --reason undo", unit=unit, back=back)
    identity.note_unproven(person)
