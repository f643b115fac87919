"""`membercard box`: hand-over, receipt and return, steps of many cards, and their undoing."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from membercard import output, settings
from membercard.commands.issuing.box.shared import MOST, BoxId, Reason, lines, show_steps, take_move
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity
from reader_service.principal import Permission

app = typer.Typer()


@app.command("hand-over")
def hand_over(
    box: BoxId,
    level: Annotated[str, typer.Option(help="The level that takes the box: city, district, unit.", show_default=False)],
    recipient: Annotated[str, typer.Option("--to", help="Who takes the box and signs.", show_default=False)],
    by: By = None,
    json: output.Json = False,
) -> None:
    """Hand a closed box over to somebody of a lower level, who signs for it.

    Example: membercard box hand-over X20261122-001 --level unit --to "Zhou Min"
    """
    from registry.handover.values import Level

    if level not in set(Level):
        raise typer.BadParameter("the level is city, district or unit")
    take_move(by, json, lambda registry, person: registry.boxes.hand_over(box, level, recipient, person))


@app.command("receipt")
def receipt(
    box: BoxId,
    recipient: Annotated[
        str, typer.Option("--signed-by", help="The contact of the unit who signed.", show_default=False)
    ],
    unsigned: Annotated[
        list[str] | None,
        typer.Option(
            help="A card that came back unsigned: number, chip serial, or line of the delivery list. May be given "
            "several times.",
            show_default=False,
        ),
    ] = None,
    signed: Annotated[
        int | None, typer.Option(help="The number of signatures on the list, which is compared.", show_default=False)
    ] = None,
    unit: Annotated[str, typer.Option(help="Only the cards of this unit in the box.", show_default=False)] = "",
    day: Annotated[
        str, typer.Option(help="The day of the signature, such as 2026-11-22; today, if not given.", show_default=False)
    ] = "",
    by: By = None,
    json: output.Json = False,
) -> None:
    """Record what the contact of a unit signed: the cards are delivered, but those sent back.

    Example: membercard box receipt X20261122-001 --signed-by "Zhou Min" --signed 38 --unsigned 7 --unsigned 21
    """
    try:
        on = date.fromisoformat(day) if day else settings.load().today()
    except ValueError:
        raise typer.BadParameter("the day has the form 2026-11-22") from None
    take_move(
        by,
        json,
        lambda registry, person: registry.boxes.receipt(
            box,
            recipient,
            on,
            person,
            unsigned=lines(registry, box, unsigned or []),
            unit=unit,
            signed=signed,
        ),
    )


@app.command("return")
def return_cards(
    reason: Reason,
    cards: Annotated[list[str] | None, typer.Argument(help="Card numbers or chip serials.", show_default=False)] = None,
    box: Annotated[str, typer.Option(help="All cards of this box that nobody signed for.", show_default=False)] = "",
    by: By = None,
    json: output.Json = False,
) -> None:
    """Take cards back into stock: named ones, or all of a box that nobody signed for.

    Example: membercard box return --box X20261122-001 --reason "on leave"
    """
    if bool(cards) == bool(box):
        raise typer.BadParameter("give cards or --box, not both")
    if box:
        take_move(by, json, lambda registry, person: registry.moves.return_unsigned(box, person, reason))
    else:
        take_move(by, json, lambda registry, person: registry.moves.return_cards(cards or [], person, reason))


@app.command("step")
def step(
    name: Annotated[
        str,
        typer.Argument(help="The step: pack, deliver, activate, suspend, unlock, loss, withdraw.", show_default=False),
    ],
    cards: Annotated[list[str], typer.Argument(help="Card numbers or chip serials.", show_default=False)],
    reason: Reason,
    by: By = None,
    json: output.Json = False,
) -> None:
    """Take a step with many cards at once: all of them, or none.

    Example: membercard box step deliver 6212260000000000012 6212260000000000020 --reason "called for"
    """
    from reader_service.services.window.cards import CARD_STEPS

    chosen = CARD_STEPS.get(name)
    if chosen is None:
        raise typer.BadParameter("the step is pack, deliver, activate, suspend, unlock, loss or withdraw")
    take_move(
        by,
        json,
        lambda registry, person: registry.moves.take(
            name, chosen.to, cards, person, reason, only_from=chosen.only_from
        ),
    )


@app.command("steps")
def steps(
    box: Annotated[str | None, typer.Option(help="Only the steps of this box.", show_default=False)] = None,
    json: output.Json = False,
) -> None:
    """List the steps of many cards, newest first, and which of them can be undone."""
    with settings.open_registry() as registry:
        moves = registry.moves.page(None, MOST, box_id=box).items
    if json:
        output.as_json(moves)
    else:
        show_steps(moves)


@app.command("undo")
def undo_step(
    step: Annotated[
        int, typer.Argument(help="Number of the step, as `membercard box steps` lists it.", show_default=False)
    ],
    reason: Reason = "",
    by: By = None,
    json: output.Json = False,
) -> None:
    """Undo a step of many cards, until one of them takes the next."""
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.CARDS_CHANGE)
        move = registry.moves.undo(step, person, reason)
    if json:
        output.as_json(move)
    else:
        output.say("{step}: undone, {count} cards are as before", step=text(move.step), count=move.cards)
    identity.note_unproven(person)
