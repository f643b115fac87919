"""`membercard loss`: cards that are lost, their replacement, and the reports for the bank."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from membercard import language, output, settings
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity

if TYPE_CHECKING:
    from registry.members.identity import Caller
    from registry.members.losses import CollectionPoint, Loss
    from registry.store import Registry
    from terminal.keys import KeyCustody

app = typer.Typer()

Number = Annotated[int, typer.Argument(help="The number of the loss.", min=1, show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)]
CollectAt = Annotated[
    str, typer.Option(help="Order a replacement, which is collected at this place.", show_default=False)
]
CollectOn = Annotated[
    datetime | None,
    typer.Option(
        help="The day from which it is collected; a week ahead, if not given.",
        formats=["%Y-%m-%d"],
        show_default=False,
    ),
]


@app.command("report")
def report(
    card: Annotated[str, typer.Argument(help="The number of the card.", show_default=False)],
    reason: Reason,
    collect_at: CollectAt = "",
    collect_on: CollectOn = None,
    caller: Annotated[
        str,
        typer.Option(help="Who calls the hotline: member, relative, unit or other.", show_default=False),
    ] = "",
    answer: Annotated[
        list[str] | None,
        typer.Option(
            help="An answer of the caller: name=, id-end=, mobile-end= or unit=; three have to be right.",
            show_default=False,
        ),
    ] = None,
    by: By = None,
    json: output.Json = False,
) -> None:
    """Report a card as lost: it is on the hotlist at once. With --collect-at a replacement is ordered too.

    Example: membercard loss report 6212260000000000012 --reason "lost at the market" --collect-at "window 3"
    """
    from reader_service.principal import Permission

    calling = _caller(caller, answer or [])
    point = _point(collect_at, collect_on) if collect_at else None
    keystore = settings.open_keystore()
    with settings.open_registry(keystore) as registry:
        person = identity.actor(registry, by, Permission.CARDS_CHANGE)
        loss = registry.losses.report(card, by=person, reason=reason, caller=calling, collection=point)
        edition = _publish(keystore, registry, person)
    if json:
        output.as_json({"loss": loss, "edition": edition})
    else:
        output.say(
            "loss {number}: card {card} is on the hotlist, edition {edition}",
            number=loss.number,
            card=f"{loss.card_number}-{loss.sequence:02d}",
            edition=edition,
        )
        _say_next(loss)
    identity.note_unproven(person)


@app.command("order")
def order(
    number: Number,
    reason: Reason,
    collect_at: Annotated[str, typer.Option(help="Where the new card is collected.", show_default=False)],
    collect_on: CollectOn = None,
    by: By = None,
) -> None:
    """Order the replacement of a card that was reported lost before; a second person approves it.

    Example: membercard loss order 12 --collect-at "window 3" --reason "came in person"
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.CARDS_CHANGE)
        loss = registry.losses.order(number, _point(collect_at, collect_on), by=person, reason=reason)
    _say_next(loss)
    identity.note_unproven(person)


@app.command("unlist")
def unlist(number: Number, reason: Reason, by: By = None) -> None:
    """Unlist a card that was found, until its replacement is being made; a new hotlist is published.

    Two people: the first one's command notes that the card is there, the same command of another person unlists it.

    Example: membercard loss unlist 12 --reason "found at home"
    """
    from reader_service.principal import Permission

    keystore = settings.open_keystore()
    with settings.open_registry(keystore) as registry:
        person = identity.actor(registry, by, Permission.CARDS_CHANGE)
        loss = registry.losses.unlist(number, by=person, reason=reason)
        if loss.listed:
            output.say(
                "loss {number}: the card was found; another person unlists it: "
                "membercard loss unlist {number} --reason REASON --by NAME",
                number=loss.number,
            )
            identity.note_unproven(person)
            return
        edition = _publish(keystore, registry, person)
    output.say(
        "loss {number}: card {card} is off the hotlist, edition {edition}; it is {state} again",
        number=loss.number,
        card=f"{loss.card_number}-{loss.sequence:02d}",
        edition=edition,
        state=text(loss.card_state.value),
    )
    identity.note_unproven(person)


@app.command("still-lost")
def still_lost(number: Number, reason: Reason, by: By = None) -> None:
    """Take back that a card was found, before a second person unlists it.

    Example: membercard loss still-lost 12 --reason "it was another card"
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.CARDS_CHANGE)
        registry.losses.still_lost(number, by=person, reason=reason)
    output.say("loss {number}: the card stays on the hotlist", number=number)
    identity.note_unproven(person)


@app.command("list")
def show_all(
    listed: Annotated[bool, typer.Option("--listed", help="Only cards that were not found again.")] = False,
    json: output.Json = False,
) -> None:
    """List losses, newest first."""
    with settings.open_registry() as registry:
        losses = every(lambda cursor: registry.losses.page(cursor, 500, listed=True if listed else None))
    if json:
        output.as_json(losses)
        return
    if not losses:
        output.say("no card was reported lost")
        return
    rows = [
        (
            loss.number,
            output.local_time(loss.at),
            f"{loss.card_number}-{loss.sequence:02d}",
            loss.name_masked,
            text(loss.channel.value),
            text("listed" if loss.listed else "found again"),
            loss.batch or "",
        )
        for loss in losses
    ]
    columns = ["loss", "time", "card", "name", "channel", "state", "replacement"]
    output.show(output.table("Lost cards", columns, rows))


@app.command("show")
def show(number: Number, json: output.Json = False) -> None:
    """Show a loss, as on the slip for the member."""
    with settings.open_registry() as registry:
        loss = registry.losses.loss(number)
    if json:
        output.as_json(loss)
        return
    facts = [
        ("loss", str(loss.number)),
        ("time", output.local_time(loss.at)),
        ("name", loss.name_masked),
        ("member number", loss.member_number),
        ("unit", loss.unit),
        ("card", f"{loss.card_number}-{loss.sequence:02d}"),
        ("state", text("listed" if loss.listed else "found again")),
        ("channel", text(loss.channel.value)),
        ("who", language.person(loss.by)),
        ("reason", loss.reason),
    ]
    if loss.batch and loss.listed:
        state = "" if loss.batch_state is None else f" ({text(loss.batch_state.value)})"
        facts += [
            ("replacement", f"{loss.batch}{state}"),
            ("collected at", loss.collect_at or "–"),
            ("collected from", str(loss.collect_on or "–")),
        ]
    table = output.table("", ["", ""], [])
    table.show_header = False
    for label, value in facts:
        table.add([Text(text(label), "dim"), Text(value)])
    output.show(table)


@app.command("bank")
def bank(
    file: Annotated[Path, typer.Argument(help="Where to write it: .xlsx or .csv.", show_default=False)],
    since: Annotated[
        datetime | None,
        typer.Option(
            help="Every loss from this day on, reported before or not.", formats=["%Y-%m-%d"], show_default=False
        ),
    ] = None,
    again: Annotated[int | None, typer.Option(help="Write this report once more.", min=1, show_default=False)] = None,
    by: By = None,
) -> None:
    """Write a report of losses and unlistings for the bank, with account numbers in clear: those that are new.

    Example: membercard loss bank losses.xlsx
    """
    from reader_service.principal import Permission
    from reader_service.services.window.bank_sheet import written  # imports the service

    if file.suffix not in (".xlsx", ".csv"):
        raise typer.BadParameter("the file's name ends in .xlsx or .csv")
    if since is not None and again is not None:
        raise typer.BadParameter("give either --since or --again")
    zone = settings.load().zone
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_UNMASK)
        if since is not None:
            lines = registry.bank_reports.since(datetime.combine(since.date(), time(), zone), by=person)
        else:
            number = registry.bank_reports.make(by=person).number if again is None else again
            lines = registry.bank_reports.lines(number, by=person)
    output.write_file(file, written(lines, zone, "csv" if file.suffix == ".csv" else "xlsx"))
    output.say("{count} lines written to {file}", count=len(lines), file=file)
    identity.note_unproven(person)


def _caller(kind: str, answers: list[str]) -> Caller | None:
    """Raises typer.BadParameter."""
    from registry.members.identity import Caller, CallerKind, Question

    if not kind:
        if answers:
            raise typer.BadParameter("answers go with --caller")
        return None
    pairs = [answer.partition("=") for answer in answers]
    if kind not in list(CallerKind) or any(name not in list(Question) or not given for name, given, _ in pairs):
        raise typer.BadParameter(
            "a caller is member, relative, unit or other; an answer is name=, id-end=, mobile-end= or unit="
        )
    return Caller(CallerKind(kind), {Question(name): value for name, _, value in pairs})


def _point(place: str, day: datetime | None) -> CollectionPoint:
    """Raises typer.BadParameter."""
    from registry.members.losses import CollectionPoint
    from terminal.names import all_visible

    today = settings.load().now().date()
    on: date = today + timedelta(days=7) if day is None else day.date()
    if not all_visible(place.strip()) or on < today:
        raise typer.BadParameter("name the place where the card is collected, and a day that is not over")
    return CollectionPoint(place.strip(), on)


def _publish(keystore: KeyCustody, registry: Registry, by: str) -> int:
    """The version of the new edition of the hotlist."""
    from personalize.lists import publish_hotlist

    return publish_hotlist(keystore, registry, settings.load().zone, by=by).version


def _say_next(loss: Loss) -> None:
    if loss.batch is None:
        output.say("order its replacement with: membercard loss order {number} --collect-at PLACE", number=loss.number)
        return
    output.say(
        "replacement {batch}, collected at {place} from {day}. A second person approves it with: "
        "membercard batch approve {batch} --by NAME",
        batch=loss.batch,
        place=loss.collect_at,
        day=loss.collect_on,
    )
