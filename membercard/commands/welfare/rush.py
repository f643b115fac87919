"""`membercard rush`: limited tickets (限量抢票): announced, claimed at a window, returned and closed."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.language import Language, text
from membercard.wiring import identity
from membercard.wiring.programme_edition import published_edition

if TYPE_CHECKING:
    from registry.rush.values import ClaimView, RushView

app = typer.Typer()

Code = Annotated[str, typer.Argument(help="The code of the rush in the programme.", show_default=False)]
Number = Annotated[int, typer.Argument(help="The number of the ticket or claim.", min=1, show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)]
_STATES = {
    "announced": "opens by itself",
    "open": "open",
    "closed": "closed",
    "cancelled": "cancelled",
    "granted": "ticket",
    "waiting": "waiting",
    "returned": "returned",
    "withdrawn": "left the list",
    "void": "void",
}


@app.command("list")
def show_all(json: output.Json = False) -> None:
    """List rushes on record, the newest first, and those of the programme that are not announced."""
    with settings.open_registry() as registry:
        listed = every(lambda cursor: registry.rushes.page(cursor, 500))
        waiting = [] if registry.programme_editions.newest() is None else [*published_edition(registry).programme.rush]
    if json:
        output.as_json(listed)
        return
    rows = [
        (
            one.number,
            one.code,
            text(_STATES[one.state]),
            output.local_time(one.opens_at),
            output.local_time(one.closes_at),
            sum(lot.units for lot in one.lots),
            sum(lot.left for lot in one.lots),
            sum(lot.waiting for lot in one.lots),
        )
        for one in listed
    ]
    if rows:
        heads = ["number", "rush", "state", "opens", "closes", "tickets", "left", "waiting"]
        output.show(output.table("Rushes", heads, rows))
    known = {one.code for one in listed}
    for code in waiting:
        if code not in known:
            output.say("{code} is not announced: membercard rush announce {code}", code=code)
    if not rows and not waiting:
        output.say("no rush is on record, and the published programme has none")


@app.command("announce")
def announce(code: Code, by: By = None, json: output.Json = False) -> None:
    """Announce a rush of the programme in force. It opens by itself, by the clock of the registry.

    Announced again it is the same rush.

    Example: membercard rush announce ski-tickets --by 王芳
    """
    from programme.records.rush_rules import rush_terms
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.PROGRAMMES_APPROVE)
        edition = published_edition(registry)
        terms = rush_terms(edition.programme, code, edition.issue.version, settings.load().zone)
        view = registry.rushes.announce(terms, by=person)
    if json:
        output.as_json(view)
    else:
        _show(view)
    identity.note_unproven(person)


@app.command("show")
def show(code: Code, json: output.Json = False) -> None:
    """Show a rush: what is left of each lot, and the tickets of the last minutes."""
    with settings.open_registry() as registry:
        view = registry.rushes.find(code)
        minutes = registry.rushes.per_minute(view.number)
    if json:
        output.as_json({"rush": view, "minutes": minutes})
        return
    _show(view)
    if minutes:
        rows = [(output.local_time(minute), tickets) for minute, tickets in minutes]
        output.show(output.table("Tickets by the minute", ["minute", "tickets"], rows))


@app.command("claim")
def claim(
    code: Code,
    lot: Annotated[str, typer.Argument(help="The code of the lot.", show_default=False)],
    card: Annotated[str, typer.Argument(help="The number of the member's card.", show_default=False)],
    key: Annotated[
        str, typer.Option(help="A key of your own: given again, it is the same claim.", show_default=False)
    ] = "",
    by: By = None,
    json: output.Json = False,
) -> None:
    """Claim a ticket for a member who is there: a ticket, or a place on the waiting list. Exit code 1: neither.

    Example: membercard rush claim ski-tickets wanlong 6212260000000017
    """
    from programme.records.rush_rules import ProgrammeRushRules
    from reader_service.principal import Permission
    from registry.rush.values import ClaimRefused, ClaimRequest

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        number = registry.rushes.find(code).number
        wanted = ClaimRequest(key or f"command-{secrets.token_hex(12)}", number, lot, card, person)
        answer = registry.rush_claims.claim(wanted, ProgrammeRushRules())
    if json:
        output.as_json(answer)
    elif isinstance(answer, ClaimRefused):
        output.say("no ticket: {why}", why=answer.zh if language.current() is Language.CHINESE else answer.en)
    elif answer.position is not None:
        output.say("claim {number} waits at place {position}", number=answer.number, position=answer.position)
    else:
        output.say("ticket {number}", number=answer.number)
    identity.note_unproven(person)
    if isinstance(answer, ClaimRefused):
        raise typer.Exit(1)


@app.command("return")
def give_back(number: Number, by: By = None) -> None:
    """Return a ticket, which goes to the first on the waiting list at once; or leave the waiting list."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        done = registry.rush_claims.give_back(number, by=person)
    output.say("claim {number}: {state}", number=number, state=text(_STATES[done.state]))
    identity.note_unproven(person)


@app.command("waiting")
def waiting(code: Code, json: output.Json = False) -> None:
    """List who waits, in order."""
    _list(code, json=json, waiting=True)


@app.command("tickets")
def tickets(code: Code, json: output.Json = False) -> None:
    """List all claims of a rush in the order in which they came."""
    _list(code, json=json, waiting=False)


@app.command("close")
def close(code: Code, reason: Reason, by: By = None) -> None:
    """Close a rush before its time: no more claims; tickets stay valid."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.PROGRAMMES_APPROVE)
        registry.rushes.close(registry.rushes.find(code).number, by=person, reason=reason)
    output.say("rush {code} is closed", code=code)
    identity.note_unproven(person)


@app.command("cancel")
def cancel(code: Code, reason: Reason, by: By = None) -> None:
    """Cancel a rush: all its tickets and its waiting lists are void."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.PROGRAMMES_APPROVE)
        registry.rushes.cancel(registry.rushes.find(code).number, by=person, reason=reason)
    output.say("rush {code} is cancelled: its tickets are void", code=code)
    identity.note_unproven(person)


def _list(code: str, *, json: bool, waiting: bool) -> None:
    from registry.rush.values import ClaimState

    chosen = ClaimState.WAITING if waiting else None
    with settings.open_registry() as registry:
        number = registry.rushes.find(code).number
        listed = every(lambda cursor: registry.rushes.claims(number, cursor, 500, state=chosen))
    if json:
        output.as_json(listed)
        return
    if not listed:
        output.say("nobody waits" if waiting else "no ticket was claimed")
        return
    heads = ["claim", "lot", "state", "place", "card", "time"]
    output.show(output.table("Claims", heads, [_row(one) for one in listed]))


def _row(one: ClaimView) -> tuple[object, ...]:
    place = "" if one.position is None else one.position
    return one.number, one.lot, text(_STATES[one.state]), place, f"…{one.card_tail}", output.local_time(one.at)


def _show(view: RushView) -> None:
    title = text("Rush {number}: {code}, {state}", number=view.number, code=view.code, state=text(_STATES[view.state]))
    rows = [(lot.code, lot.units, lot.taken, lot.left, lot.waiting) for lot in view.lots]
    output.show(output.table(title, ["lot", "tickets", "given out", "left", "waiting"], rows))
    output.say(
        "opens {opens}, closes {closes}; tickets go back until {returns}",
        opens=output.local_time(view.opens_at),
        closes=output.local_time(view.closes_at),
        returns=output.local_time(view.returns_at),
    )
