"""`membercard grant`: grants (补助) by lists, within a budget, paid once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity
from membercard.wiring.programme_edition import published_edition

if TYPE_CHECKING:
    from registry.aid.values import AidFinding, AidList

app = typer.Typer()

Number = Annotated[int, typer.Argument(help="The number of the list of grants.", min=1, show_default=False)]
Kind = Annotated[str, typer.Argument(help="The kind of grant in the programme.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)]
Year = Annotated[int, typer.Option(help="The year of the budget; this one, if left out.", min=0, max=2099)]
_STATES = {"drafted": "waits for approval", "approved": "approved by two", "discarded": "given up"}


@app.command("list")
def show_all(json: output.Json = False) -> None:
    """List the lists of grants, the newest first, and what is left of each budget."""
    with settings.open_registry() as registry:
        items = every(lambda cursor: registry.aid_lists.page(cursor, 500))
        budgets = registry.aid_lists.budgets()
    if json:
        output.as_json({"lists": items, "budgets": budgets})
        return
    _show(items)
    for one in budgets:
        output.say(
            "{kind} {year}: {spent} of {amount} yuan granted",
            kind=one.kind,
            year=one.year,
            spent=_yuan(one.spent),
            amount=_yuan(one.amount),
        )


@app.command("take-in")
def take_in(
    kind: Kind,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The list: xlsx, xls or csv.", exists=True)],
    year: Year = 0,
    by: By = None,
    json: output.Json = False,
) -> None:
    """Take in a list of grants: a member on each row by card, member or identity number, with the name. Rows that do
    not stand are findings, the others a draft that a second person approves. Exit code 1: no row stands.

    Example: membercard grant take-in promotion technicians.xlsx --by 王芳
    """
    from personalize.intake import Limits
    from programme.records.aid_terms import aid_terms
    from reader_service.principal import Permission
    from reader_service.services.programme.grant_sheet import read_grants

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        terms = aid_terms(published_edition(registry).programme, kind, year or settings.load().today().year)
        requests, digest = read_grants(path, Limits())
        drafted, findings = registry.aid_lists.take_in(terms, requests, source=path.name, digest=digest, by=person)
    if json:
        output.as_json({"list": drafted, "findings": findings})
    else:
        _show_findings(findings)
        if drafted is not None:
            _show([drafted])
    identity.note_unproven(person)
    if drafted is None:
        output.say("no row of this list stands; nothing was recorded", err=True)
        raise typer.Exit(1)


@app.command("draw-up")
def draw_up(kind: Kind, year: Year = 0, by: By = None, json: output.Json = False) -> None:
    """Draw up a list of everybody whose card is activated and who did not have this grant, such as an opening grant.

    Example: membercard grant draw-up opening --by 王芳
    """
    from programme.records.aid_terms import aid_terms, grant_kind
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        programme = published_edition(registry).programme
        if not grant_kind(programme, kind).on_activation:
            raise typer.BadParameter(text("{kind} is not granted on activation; take in a list of it", kind=kind))
        terms = aid_terms(programme, kind, year or settings.load().today().year)
        drafted = registry.aid_lists.draw_up(terms, by=person)
    if json:
        output.as_json(drafted)
    elif drafted is None:
        output.say("nobody waits for this grant")
    else:
        _show([drafted])
    identity.note_unproven(person)


@app.command("show")
def show(number: Number, json: output.Json = False) -> None:
    """Show a list of grants: its rows with masked names, and the rows that were not taken."""
    with settings.open_registry() as registry:
        one = registry.aid_lists.aid_list(number)
        rows = every(lambda cursor: registry.aid_lists.rows(number, cursor, 500))
        findings = registry.aid_lists.findings(number)
    if json:
        output.as_json({"list": one, "rows": rows, "findings": findings})
        return
    _show([one])
    lines = [(row.row, row.name_masked, row.unit, row.choice, _yuan(row.amount)) for row in rows]
    output.show(output.table("", ["row", "name", "unit", "grade or choice", "amount"], lines, right=["amount"]))
    _show_findings(findings)


@app.command("approve")
def approve(number: Number, by: By = None) -> None:
    """Approve a list of grants, as the second person: its sum is taken from the budget, and its payments are ordered.

    Example: membercard grant approve 4 --by 李娜
    """
    from programme.records.aid_terms import budget_of
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_SIGN)
        one = registry.aid_lists.aid_list(number)
        budget = budget_of(published_edition(registry).programme, one.kind, one.year)
        one = registry.aid_lists.approve(number, budget, by=person)
    output.say(
        "list {number} is approved: {rows} payments of {amount} yuan wait for a bank batch",
        number=number,
        rows=one.rows,
        amount=_yuan(one.amount),
    )
    identity.note_unproven(person)


@app.command("discard")
def discard(number: Number, reason: Reason, by: By = None) -> None:
    """Give up a list of grants that is not approved."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.SETTLEMENTS_PREPARE)
        registry.aid_lists.discard(number, by=person, reason=reason)
    output.say("list {number} of grants is discarded", number=number)
    identity.note_unproven(person)


def _show(items: list[AidList]) -> None:
    rows = [
        (one.id, one.kind, one.year, one.source, one.rows, _yuan(one.amount), one.rejected, text(_STATES[one.state]))
        for one in items
    ]
    heads = ["number", "grant", "year", "source", "rows", "amount", "not taken", "state"]
    output.show(output.table("Lists of grants", heads, rows, right=["rows", "amount", "not taken"]))


def _show_findings(items: list[AidFinding]) -> None:
    from reader_service.services.programme.grant_sheet import RULES

    chinese = language.current() is language.Language.CHINESE
    rows = [(one.row, RULES[one.rule].zh if chinese else RULES[one.rule].en) for one in items]
    if rows:
        output.show(output.table("Rows that were not taken", ["row", "finding"], rows))


def _yuan(fen: int) -> str:
    from personalize.sheets.statement import yuan

    return yuan(fen)
