"""`membercard rush`: limited tickets (限量抢票): announced, claimed at a window, returned and closed."""

from __future__ import annotations

import secrets
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from membercard import language, output, settings
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.errors import SettingsError
from membercard.language import Language, text
from membercard.wiring import identity
from membercard.wiring.counter_lists import key_in_use
from membercard.wiring.programme_edition import published_edition
from terminal import private_files

if TYPE_CHECKING:
    from registry.rush.values import ClaimView, RushView

app = typer.Typer()

_USED: Final = "used-tickets"
_PICTURES: Final = (".png", ".svg", ".pdf")
_KINDS: Final = {"twice": "taken twice", "ended": "taken after its end"}

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


@app.command("ticket")
def ticket(
    number: Number,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="A picture of it: a file .png, .svg or .pdf.", show_default=False),
    ] = None,
    json: output.Json = False,
) -> None:
    """Print the signed code of a ticket, or write it as a QR code. Whoever shows it first goes in.

    Example: membercard rush ticket 12 -o ticket.pdf
    """
    from programme.records.tickets import ticket_of
    from reader_service.services.programme.list_signer import ListSigner

    keystore = settings.open_keystore()
    signer = ListSigner(keystore)
    with settings.open_registry(keystore) as registry:
        one = ticket_of(registry, number)
    code = one.write(signer.key(), signer.sign)
    if out is not None:
        private_files.replace(out, _picture(code, out.suffix.lower()))
    if json:
        output.as_json({"ticket": one, "code": code})
    elif out is None:
        typer.echo(code)
    else:
        output.say("ticket {number} is written to {file}", number=number, file=out)


@app.command("check")
def check(
    code: Annotated[str, typer.Argument(help="The code of the ticket, as it was scanned.", show_default=False)],
    json: output.Json = False,
) -> None:
    """Take a ticket at this counter, once, without a network. Exit code 1: it is refused.

    Example: membercard rush check "$(cat scanned.txt)"
    """
    from reader_service.redemptions.used_tickets import UsedTickets
    from terminal.member.ticket import Ticket

    current = settings.load()
    one, now = Ticket.read(code, key_in_use()), current.now()
    days = (one.first, one.last)
    valid = days[0] <= now.astimezone(current.zone).date() <= days[1]
    before = UsedTickets(current.data_dir / _USED).take(one.number, now) if valid else None
    accepted = valid and before is None
    if json:
        output.as_json({"ticket": one, "accepted": accepted, "used": before})
    elif not valid:
        output.say(
            "refused: ticket {number} is valid from {first} through {last}",
            number=one.number,
            first=days[0].isoformat(),
            last=days[1].isoformat(),
        )
    elif before is not None:
        output.say("refused: ticket {number} was used {at}", number=one.number, at=output.local_time(before))
    else:
        output.say(
            "accepted: ticket {number}, lot {lot}, card …{tail}", number=one.number, lot=one.lot, tail=one.card_tail
        )
    if not accepted:
        raise typer.Exit(1)


@app.command("upload")
def upload(
    counter: Annotated[str, typer.Argument(help="The name of the counter that took them.", show_default=False)],
    folder: Annotated[
        Path | None,
        typer.Option("--from", help="A counter's folder of used tickets, if not of this machine.", show_default=False),
    ] = None,
    by: By = None,
) -> None:
    """Report the tickets that a counter took. Sent again they are on record.

    Example: membercard rush upload "east entrance"
    """
    from reader_service.principal import Permission
    from reader_service.redemptions.used_tickets import UsedTickets

    uses = UsedTickets(folder or settings.load().data_dir / _USED).uses()
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        report = registry.ticket_uses.report(counter, uses, by=person)
    output.say("{added} uses are new, {known} were on record", added=report.added, known=report.known)
    for number in report.unknown:
        output.say("there is no ticket {number} here", number=number)
    identity.note_unproven(person)


@app.command("findings")
def findings(json: output.Json = False) -> None:
    """List tickets that two counters took, and those that were taken after they had gone back. Exit code 1: there are
    some."""
    with settings.open_registry() as registry:
        listed = registry.ticket_uses.findings()
    if json:
        output.as_json(listed)
    elif listed:
        rows = [
            (one.number, one.lot, text(_KINDS[one.kind]), ", ".join(one.counters), output.local_time(one.first))
            for one in listed
        ]
        output.show(output.table("Tickets to look into", ["ticket", "lot", "finding", "taken by", "time"], rows))
    else:
        output.say("no ticket was taken twice")
    if listed:
        raise typer.Exit(1)


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


def _picture(code: str, suffix: str) -> bytes:
    """Raises SettingsError for another kind of file."""
    import segno

    if suffix not in _PICTURES:
        raise SettingsError("a ticket is written to a file that ends in .png, .svg or .pdf")
    file = BytesIO()
    segno.make(code, error="m", micro=False).save(file, kind=suffix.removeprefix("."), scale=4)
    return file.getvalue()


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
