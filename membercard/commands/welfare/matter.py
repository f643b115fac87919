"""`membercard matter`: what members come with to three levels of windows (市、区、站) and the hotline."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity
from membercard.wiring.programme_edition import published_edition

if TYPE_CHECKING:
    from registry.matters.values import Matter
    from registry.members.views import MemberView
    from registry.store import Registry

app = typer.Typer()

Number = Annotated[int, typer.Argument(help="The number of the matter.", min=1, show_default=False)]
Window = Annotated[str, typer.Option(help="The code of your window in the programme.", show_default=False)]
Words = Annotated[str, typer.Option(help="What it is about; sealed like personal data.", show_default=False)]
Reason = Annotated[str, typer.Option(help="Why; sealed like personal data.", show_default=False)]
_STEPS = {
    "open": "opened",
    "up": "handed up",
    "down": "handed down",
    "note": "noted",
    "close": "brought to an end",
    "reopen": "opened again",
}


@app.command("find")
def find(
    number: Annotated[
        str, typer.Argument(help="A card number, member number, phone or ID number.", show_default=False)
    ],
    json: output.Json = False,
) -> None:
    """Find a member by a number, and show what a window needs, masked: cards, covers, claims, payments, open matters.

    Example: membercard matter find 6212260000000017
    """
    with settings.open_registry() as registry:
        members = registry.members.find(number, None, 5).items
        if json:
            matters = registry.matters
            output.as_json(
                [{"member": one, "matters": matters.page(None, 100, member=one.member_id).items} for one in members]
            )
            return
        for member in members:
            _show_member(registry, member)
    if not members:
        output.say("no member has this number")


@app.command("open")
def open_matter(
    kind: Annotated[str, typer.Argument(help="The kind of matter in the programme.", show_default=False)],
    window: Window,
    words: Words = "",
    card: Annotated[
        str, typer.Option(help="The number of the member's card; nobody's, if left out.", show_default=False)
    ] = "",
    phone: Annotated[bool, typer.Option("--phone", help="It came by telephone.")] = False,
    by: By = None,
    json: output.Json = False,
) -> None:
    """Open a matter at a window, of a member or of somebody who does not say who they are.

    Example: membercard matter open legal --window dongcheng --card 6212260000000017 --words "overtime is not paid"
    """
    from programme.records.windows import new_matter
    from reader_service.principal import Permission
    from registry.matters.values import MatterChannel

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        member = registry.cards.card(card).member_id if card else None
        channel = MatterChannel.HOTLINE if phone else MatterChannel.WINDOW
        programme = published_edition(registry).programme
        new = new_matter(programme, kind, window, channel=channel, words=words, member=member)
        matter = registry.matters.open(new, by=person)
    _show([matter], json=json)
    identity.note_unproven(person)


@app.command("list")
def show_all(
    window: Annotated[str, typer.Option(help="Only those that this window holds.", show_default=False)] = "",
    overdue: Annotated[bool, typer.Option("--overdue", help="Only open ones whose day has passed.")] = False,
    every_one: Annotated[bool, typer.Option("--all", help="Those that are closed too.")] = False,
    json: output.Json = False,
) -> None:
    """List open matters, the newest first."""
    with settings.open_registry() as registry:
        items = every(
            lambda cursor: registry.matters.page(
                cursor, 500, holder=window or None, still_open=not every_one, overdue=overdue
            )
        )
    _show(items, json=json)


@app.command("show")
def show(number: Number, by: By = None, json: output.Json = False) -> None:
    """Show a matter with its words and every step. The audit keeps who saw it."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_UNMASK)
        matter, steps = registry.matters.opened(number, by=person)
    if json:
        output.as_json({"matter": matter, "steps": steps})
        return
    _show([matter])
    rows = [
        (
            step.number,
            output.local_time(step.at),
            language.person(step.by),
            text(_STEPS[step.kind]),
            step.window.code,
            step.words,
        )
        for step in steps
    ]
    output.show(output.table("", ["step", "time", "person", "what was done", "window", "words"], rows))
    identity.note_unproven(person)


@app.command("up")
def hand_up(number: Number, window: Window, reason: Reason, by: By = None) -> None:
    """Hand a matter to the window above yours.

    Example: membercard matter up 7 --window station-3 --reason "needs a lawyer"
    """
    from programme.records.windows import window_above
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        to = window_above(published_edition(registry).programme, window)
        matter = registry.matters.hand(number, window, to, by=person, reason=reason, up=True)
    output.say("window {window} has matter {number} now", window=matter.holder.code, number=number)
    identity.note_unproven(person)


@app.command("down")
def hand_down(
    number: Number,
    window: Window,
    to: Annotated[str, typer.Option(help="The code of the window below.", show_default=False)],
    reason: Reason,
    by: By = None,
) -> None:
    """Hand a matter to a window below yours."""
    from programme.records.windows import window_below
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        place = window_below(published_edition(registry).programme, window, to)
        matter = registry.matters.hand(number, window, place, by=person, reason=reason, up=False)
    output.say("window {window} has matter {number} now", window=matter.holder.code, number=number)
    identity.note_unproven(person)


@app.command("note")
def note(number: Number, words: Words, by: By = None) -> None:
    """Note something about a matter."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        registry.matters.note(number, words, by=person)
    output.say("matter {number} has a note more", number=number)
    identity.note_unproven(person)


@app.command("close")
def close(
    number: Number,
    result: Annotated[str, typer.Option(help="What came of it; sealed like personal data.", show_default=False)],
    by: By = None,
) -> None:
    """Close a matter with its result."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        registry.matters.close(number, result, by=person)
    output.say("matter {number} is closed", number=number)
    identity.note_unproven(person)


@app.command("reopen")
def reopen(number: Number, reason: Reason, by: By = None) -> None:
    """Open a closed matter again."""
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.MEMBERS_CHANGE)
        registry.matters.reopen(number, reason, by=person)
    output.say("matter {number} is open again", number=number)
    identity.note_unproven(person)


@app.command("figures")
def figures(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day.", show_default=False)],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day.", show_default=False)],
    json: output.Json = False,
) -> None:
    """Show how many matters were opened on these days, by kind and window: closed, late, handed on, days to their end.

    Example: membercard matter figures --from 2026-01-01 --to 2026-12-31
    """
    with settings.open_registry() as registry:
        items = registry.matters.figures(first.date(), last.date())
    if json:
        output.as_json(items)
        return
    rows = [
        (
            one.kind,
            one.window,
            one.opened,
            one.closed,
            one.late,
            one.handed,
            "" if one.days is None else f"{one.days:.1f}",
        )
        for one in items
    ]
    counted = ["opened", "brought to an end", "late", "handed on", "days to the end"]
    output.show(output.table("", ["matter kind", "window", *counted], rows, right=counted))


def _show(items: list[Matter], *, json: bool = False) -> None:
    if json:
        output.as_json(items if len(items) != 1 else items[0])
        return
    today = settings.load().today()
    rows = [
        (
            one.number,
            one.kind,
            one.name_masked or text("nobody named"),
            one.unit or "",
            one.holder.code,
            output.local_time(one.opened_at),
            one.due.isoformat(),
            text("open at a window" if one.open and one.due >= today else "late" if one.open else "brought to an end"),
        )
        for one in items
    ]
    heads = ["number", "matter kind", "name", "unit", "window", "opened", "due by", "state"]
    output.show(output.table("Matters", heads, rows))


def _show_member(registry: Registry, member: MemberView) -> None:
    """What a window sees of a member, masked."""
    number = member.member_id
    card = member.card_number or text("none")
    output.say("member {name} of {unit}, card number {card}", name=member.name_masked, unit=member.unit, card=card)
    for code, one in registry.member_covers.covers_of(number, settings.load().today()).items():
        state = "covered today" if one.uncovered is None else "not covered today"
        output.say("cover {cover}: {state}", cover=code, state=text(state))
    claims = registry.claims.page(None, 100, member=number).items
    payments = registry.instructions.page(None, 100, member=number).items
    output.say("claims: {claims}, payments: {payments}", claims=len(claims), payments=len(payments))
    if matters := registry.matters.page(None, 100, member=number, still_open=True).items:
        _show(list(matters))
