"""`membercard card activate`, `pin`, `updates`, `change`, `changes`, `withdraw-change`: changes of issued chips.

These commands belong to the group of ``membercard.commands.counter.card``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from membercard import language, output, settings
from membercard.commands.card_options import ReaderUrl, Wait
from membercard.commands.counter.card import app, exit_as, judge, verdict_panel, warn_of
from membercard.commands.counter.card_values import entitlement_of, kind_word, value_word
from membercard.commands.counter.cashiers import typed_pin
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.errors import CardNotChanged
from membercard.language import text
from membercard.wiring import identity
from membercard.wiring.advice import advice_on
from membercard.wiring.counter_lists import load_lists
from membercard.wiring.readers import card_in
from terminal.apdu import Sender, stack

if TYPE_CHECKING:
    from personalize.updates import UpdateReport, UpdateRunner
    from reader_service.services.counter.changes import ScriptIssuer
    from registry.members.wanted import UpdateKind, WantedChange
    from registry.store import Registry
    from terminal.member.outcome import Verdict

__all__ = ["app"]

_CATEGORIES: Final = ("in-post", "retired", "dispatched", "model-worker", "in-hardship")
_STATES: Final = {
    "proposed": "waits for a second person",
    "pending": "waits for the card",
    "sent": "sent, outcome unknown",
    "done": "on the card",
    "refused": "refused by the card",
    "withdrawn": "taken back",
}
_FORM: Final = "%Y-%m-%d"
Reason = Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)]
LastDate = Annotated[
    datetime | None,
    typer.Option(
        help="Set the last date of a redemption back, where a counter with a wrong clock locked the card.",
        formats=[_FORM],
        show_default=False,
    ),
]
Entitlements = Annotated[
    list[str] | None,
    typer.Option(
        help="CLASS:LIMIT:PERIOD:START and perhaps :pin, such as 0101:12:year:2027-01-01; give all of the card.",
        show_default=False,
    ),
]


@app.command("activate")
def activate(
    reader: ReaderUrl,
    shown: Annotated[
        str,
        typer.Option(
            help="What identified the member, who is present: ID card, passport or others", show_default=False
        ),
    ],
    by: By = None,
    wait: Wait = 0,
    json: output.Json = False,
) -> None:
    """Activate a delivered card with its member present. What else is ordered for the card runs too.

    A card that left too early is finished by the same command, or at its next insertion. Exit codes as those of
    `card verify`, for the card afterwards.

    Example: membercard card activate --reader pcsc:0 --shown "ID card" --by 王芳
    """

    def work(runner: UpdateRunner, sender: Sender, verdict: Verdict) -> UpdateReport:
        from terminal.member.outcome import VerdictCode

        if verdict.card is None or verdict.code not in (VerdictCode.NOT_ACTIVATED, VerdictCode.ACTIVE):
            raise CardNotChanged(verdict.sentence)
        return runner.activate(sender, verdict.card, shown)

    _insertion(reader, by, wait, json, work)


@app.command("pin")
def pin(
    reader: ReaderUrl,
    shown: Annotated[
        str,
        typer.Option(
            help="What identified the member, who is present: ID card, passport or others", show_default=False
        ),
    ],
    second: Annotated[
        str, typer.Option(help="The second person, who consents where the PIN is blocked.", show_default=False)
    ] = "",
    by: By = None,
    wait: Wait = 0,
    json: output.Json = False,
) -> None:
    """Give a card a new PIN, which its member types twice without being shown. What else is ordered runs too.

    Exit codes as those of `card verify`, for the card afterwards.

    Example: membercard card pin --reader pcsc:0 --shown "ID card"
    """
    new = typed_pin("New PIN")
    if not (4 <= len(new) <= 12 and new.reveal().isdigit()):
        raise typer.BadParameter(text("a PIN has 4 to 12 digits"))
    if typed_pin("New PIN once more") != new:
        raise typer.BadParameter(text("the two PINs differ"))

    def work(runner: UpdateRunner, sender: Sender, verdict: Verdict) -> UpdateReport:
        from terminal.member.outcome import VerdictCode

        if verdict.card is None or verdict.code not in (VerdictCode.NOT_ACTIVATED, VerdictCode.ACTIVE):
            raise CardNotChanged(verdict.sentence)
        return runner.change_pin(sender, verdict.card, shown, new, second=consenting)

    consenting = second_person(second) if second else ""
    _insertion(reader, by, wait, json, work)


@app.command("updates")
def updates(reader: ReaderUrl, by: By = None, wait: Wait = 0, json: output.Json = False) -> None:
    """Run the changes that are ordered for the card in the reader, and finish those that were torn.

    Online counters do so by themselves. Where the settings name an office elsewhere (upload_url), it gives the changes,
    by the token of the outlet. Exit codes as those of `card verify`, for the card afterwards.

    Example: membercard card updates --reader pcsc:0
    """
    from membercard.wiring.http_scripts import script_issuer

    if (issuer := script_issuer()) is not None:
        _at_distant_counter(reader, wait, json, issuer)
        return

    def work(runner: UpdateRunner, sender: Sender, verdict: Verdict) -> UpdateReport:
        if verdict.card is None:
            raise CardNotChanged(verdict.sentence)
        return runner.run(sender, verdict.card, only_block=verdict.check == "hotlist")

    _insertion(reader, by, wait, json, work)


@app.command("change")
def change(
    reason: Reason,
    card: Annotated[str, typer.Argument(help="The number of the card.", show_default=False)] = "",
    batch: Annotated[str, typer.Option(help="Every card of this batch in use.", show_default=False)] = "",
    valid_through: Annotated[
        datetime | None, typer.Option(help="Last day of the membership.", formats=[_FORM], show_default=False)
    ] = None,
    cover_ends: Annotated[
        datetime | None, typer.Option(help="Last day of the cover.", formats=[_FORM], show_default=False)
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(help="in-post, retired, dispatched, model-worker or in-hardship.", show_default=False),
    ] = None,
    entitlement: Entitlements = None,
    block: Annotated[
        bool | None, typer.Option("--block/--unblock", help="Block or unblock the application.", show_default=False)
    ] = None,
    unblock_pin: Annotated[bool, typer.Option("--unblock-pin", help="Give all tries of the PIN again.")] = False,
    last_date: LastDate = None,
    by: By = None,
) -> None:
    """Order changes of a card, or of a batch's; they run once, at the next insertion at a window or an online counter.

    What lifts a block (--unblock, --unblock-pin, --last-date) waits for a second person: `card consent`. So do
    validity, cover, category and entitlements where `card rights-rule` requires two people.

    Example: membercard card change 6212260000000000012 --valid-through 2032-12-31 --reason "renewed"
    """
    from personalize.updates import encoded
    from reader_service.principal import Permission
    from registry.members.wanted import UpdateKind
    from terminal.member.values import Category

    if category is not None and category not in _CATEGORIES:
        raise typer.BadParameter("a category is in-post, retired, dispatched, model-worker or in-hardship")
    wanted: dict[UpdateKind, object] = {
        UpdateKind.VALIDITY: valid_through and valid_through.date(),
        UpdateKind.COVER: cover_ends and cover_ends.date(),
        UpdateKind.CATEGORY: category and Category[category.upper().replace("-", "_")],
        UpdateKind.ENTITLEMENTS: tuple(entitlement_of(one) for one in entitlement) if entitlement else None,
        UpdateKind.BLOCK: block,
        UpdateKind.PIN_UNBLOCK: unblock_pin or None,
        UpdateKind.LAST_DATE: last_date and last_date.date(),
    }
    if last_date is not None and last_date.date() > settings.load().today():
        raise typer.BadParameter(text("the last date cannot be a day to come"))
    values = {kind: encoded(kind, value) for kind, value in wanted.items() if value is not None}
    if not values:
        raise typer.BadParameter("say what is to change")
    if bool(card) is bool(batch):
        raise typer.BadParameter("give either a card or --batch")
    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.CARDS_CHANGE)
        numbers = [card] if card else _in_use(registry, batch)
        ordered = [one for number in numbers for one in registry.updates.want(number, values, by=person, reason=reason)]
    _say_ordered(ordered, card, len(numbers))
    identity.note_unproven(person)


@app.command("changes")
def changes(
    card: Annotated[str | None, typer.Argument(help="Only of this card.", show_default=False)] = None,
    json: output.Json = False,
) -> None:
    """List the changes of chips that were ordered, newest first."""
    with settings.open_registry() as registry:
        listed = every(lambda cursor: registry.updates.page(cursor, 500, card_number=card))
    if json:
        output.as_json([_shown(one) for one in listed])
        return
    if not listed:
        output.say("no change is ordered")
        return
    rows = [
        (
            one.id,
            f"{one.card_number}-{one.sequence:02d}",
            kind_word(one.kind),
            value_word(one),
            text(_STATES[one.state.value]),
            output.local_time(one.ended_at or one.wanted_at),
            language.person(one.ended_by or one.wanted_by),
        )
        for one in listed
    ]
    columns = ["change", "card", "what", "value", "state", "time", "who"]
    output.show(output.table("Changes of chips", columns, rows))


@app.command("withdraw-change")
def withdraw_change(
    number: Annotated[int, typer.Argument(help="The number of the change.", min=1, show_default=False)],
    reason: Reason,
    by: By = None,
) -> None:
    """Take back a change that was not sent to its card yet.

    Example: membercard card withdraw-change 7 --reason "ordered for the wrong card"
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.CARDS_CHANGE)
        registry.updates.withdraw(number, by=person, reason=reason)
    output.say("change {number} is taken back", number=number)
    identity.note_unproven(person)


def _say_ordered(ordered: Sequence[WantedChange], card: str, count: int) -> None:
    from registry.members.wanted import UpdateState

    kinds = text(", ").join(dict.fromkeys(kind_word(one.kind) for one in ordered))
    if card:
        output.say("card {card}: {changes} at its next insertion", card=card, changes=kinds)
    else:
        output.say("{count} cards: {changes} at their next insertions", count=count, changes=kinds)
    for one in ordered:
        if one.state is UpdateState.PROPOSED:
            output.say(
                "change {number} waits for a second person: membercard card consent {number} --by NAME", number=one.id
            )


def second_person(name: str) -> str:
    """The person who consents, with their own password where users are on record."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        return identity.actor(registry, name, Permission.ROSTERS_APPROVE, in_person=True)


def _shown(wanted: WantedChange) -> WantedChange:
    """Without a PIN, which is stored enciphered until its card has it."""
    from registry.members.wanted import UpdateKind

    return replace(wanted, value=b"") if wanted.kind is UpdateKind.PIN_CHANGE else wanted


def _in_use(registry: Registry, batch: str) -> list[str]:
    """The numbers of the cards of a batch that have not ended. Raises NotOnRecord."""
    from registry.members.cards import ENDS
    from registry.values import CardState

    over = (*ENDS, CardState.REPLACED)
    registry.batches.batch(batch)
    return [card.card_number for card in registry.cards.of_batch(batch) if card.state not in over]


def _insertion(
    reader: str,
    by: str | None,
    wait: float,
    json: bool,
    work: Callable[[UpdateRunner, Sender, Verdict], UpdateReport],
) -> None:
    """Verify the card, change it, and show the verdict afterwards with what was changed."""
    lists = load_lists(None, None, None)
    warn_of(lists)
    with _runner(by) as runner, card_in(reader, wait) as transport:
        sender = stack(transport)
        verdict = judge(sender, lists)
        report = work(runner, sender, verdict)
        after = judge(sender, lists) if report.done else verdict
    _show(after, report, json)
    identity.note_unproven(runner.by)
    exit_as(after)


def _at_distant_counter(reader: str, wait: float, json: bool, issuer: ScriptIssuer) -> None:
    """Verify the card, have what an office elsewhere wants run on it, and show the verdict afterwards."""
    from reader_service.services.counter.changes import DistantChanges

    lists, away = load_lists(None, None, None), threading.Event()
    warn_of(lists)
    with card_in(reader, wait) as transport:
        sender = stack(transport)
        verdict = judge(sender, lists)
        if verdict.card is None:
            raise CardNotChanged(verdict.sentence)
        report = DistantChanges(issuer, away.set).run(sender, verdict.card)
        after = judge(sender, lists) if report.kinds or report.declined else verdict
    _show(after, report, json)
    if away.is_set():
        output.say("the office did not answer in time: what waits for this card runs at its next insertion", err=True)
    elif report.unfinished:
        output.say("what was begun on this card is finished at its next insertion, or at a window", err=True)
    exit_as(after)


def _show(after: Verdict, report: UpdateReport, json: bool) -> None:
    advice = advice_on(after)
    if json:
        refused = [{"kind": kind.value, "why": why} for kind, why in report.refused]
        changed = {"updates": [kind.value for kind in report.kinds], "refused": refused}
        output.as_json(after.to_json() | advice.to_json() | changed | {"update_unfinished": report.unfinished})
        return
    output.show(verdict_panel(after, advice))
    done = text(", ").join(kind_word(kind) for kind in report.kinds)
    output.say("changed on the card: {changes}", changes=done or text("nothing"))
    for kind, why in report.refused:
        output.say("not changed: {what} ({fault})", what=kind_word(kind), fault=language.sentence(why))


@contextmanager
def _runner(by: str | None) -> Iterator[UpdateRunner]:
    from personalize.updates import UpdateRunner
    from reader_service.principal import Permission

    current, keystore = settings.load(), settings.open_keystore()
    with settings.open_registry(keystore) as registry:
        person = identity.actor(registry, by, Permission.CARDS_ACTIVATE)
        yield UpdateRunner(registry.updates, keystore, person, current.station, current.today())
