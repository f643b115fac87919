"""`membercard findings`: what booking found to be wrong with uploaded redemptions, and the decisions about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from membercard import language, output, settings
from membercard.commands.listing import every
from membercard.commands.person_options import By
from membercard.language import text
from membercard.wiring import identity

if TYPE_CHECKING:
    from programme.booking_rules import BookingRules
    from reader_service.pages.words import Words
    from registry.programme.findings import Finding
    from registry.store import Registry

app = typer.Typer()

Number = Annotated[int, typer.Argument(help="The number of the finding.", min=1, show_default=False)]


@app.command("list")
def show_all(
    kind: Annotated[
        str | None, typer.Option(help="Only those of this kind, such as unknown-card.", show_default=False)
    ] = None,
    outlet: Annotated[
        int | None, typer.Option(help="Only those of the outlet with this number.", min=1, show_default=False)
    ] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Decided findings instead of open ones.")] = False,
    json: output.Json = False,
) -> None:
    """List findings of booking, the oldest first: a work list of what is open.

    Example: membercard findings list --kind unknown-card
    """
    from registry.programme.judgement import FindingKind

    if kind is not None and kind not in set(FindingKind):
        raise typer.BadParameter(text("there is no kind of finding {kind}", kind=kind))
    with settings.open_registry() as registry:
        listed = every(lambda cursor: registry.findings.page(cursor, 500, kind=kind, outlet=outlet, closed=closed))
    if json:
        output.as_json(listed)
        return
    if not listed:
        output.say("no finding")
        return
    heads = ["finding", "kind", "facts", "outlet", "card", "counter (ATC)", "time", "effect"]
    output.show(output.table("Findings of booking", heads, [_cells(_words(), one) for one in listed]))


@app.command("show")
def show(number: Number, json: output.Json = False) -> None:
    """Show a finding with its facts, and its decision where it has one."""
    with settings.open_registry() as registry:
        finding = registry.findings.finding(number)
    if json:
        output.as_json(finding)
        return
    words = _words()
    names = ["finding", "kind", "facts", "outlet", "card", "counter (ATC)", "time", "effect"]
    rows = [(text(name), value) for name, value in zip(names, _cells(words, finding), strict=True)]
    if finding.journal is not None:
        rows.append((text("journal, row"), f"{finding.journal}, {finding.number}"))
    for person, at, reason in (
        (finding.first_by, finding.first_at, finding.first_reason),
        (finding.closed_by, finding.closed_at, finding.reason),
    ):
        if person is not None:
            rows.append((words.actor(person), f"{output.local_time(at)}  {words.note(reason or '')}"))
    output.show(output.table(text("Finding {number}", number=number), ["name", "value"], rows))


@app.command("decide")
def decide(
    number: Number,
    decision: Annotated[str, typer.Argument(help="accepted or refused.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why; it goes into the audit.", show_default=False)],
    by: By = None,
) -> None:
    """Accept or refuse a finding, once. One that holds a redemption is accepted by two people; each may refuse it.

    A late reversal that is accepted takes the redemption back, and the member's later uses are judged again.

    Example: membercard findings decide 7 accepted --reason "a terminal on loan" --by "Wang Fang"
    """
    from reader_service.principal import Permission

    with settings.open_registry() as registry:
        person = identity.actor(registry, by, Permission.FINDINGS_CLOSE, in_person=True)
        closed = registry.findings.close(number, decision, by=person, reason=reason, rules=_rules(registry))
    if closed.closed_at is None:
        output.say("finding {number} is accepted by the first person; another one accepts it too", number=number)
    else:
        output.say("finding {number} is decided", number=number)
    identity.note_unproven(person)


@app.command("book")
def book(
    number: Annotated[
        int | None, typer.Argument(help="The number of the finding; without it, all that may be booked.", min=1)
    ] = None,
    by: By = None,
    json: output.Json = False,
) -> None:
    """Book redemptions again whose card was not on record, or whose key was away: each once, with its findings.

    What still proves nothing stays a finding.

    Example: membercard findings book 7 --by "Wang Fang"
    """
    from reader_service.principal import Permission
    from reader_service.services.programme.booking import prove_with

    custody = settings.open_keystore()
    with settings.open_registry(custody) as registry:
        person = identity.actor(registry, by, Permission.FINDINGS_CLOSE, in_person=True)
        prove, rules = prove_with(custody), _rules(registry)
        if number is None:
            done = registry.booking.again_all(prove, by=person, rules=rules)
        else:
            done = (registry.booking.again(number, prove, by=person, rules=rules),)
    if json:
        output.as_json(done)
    else:
        booked = sum(one.booked for one in done)
        new = sum(count for one in done for count in one.findings.values())
        output.say("{booked} redemptions booked, {new} new findings", booked=booked, new=new)
    identity.note_unproven(person)


def _rules(registry: Registry) -> BookingRules:
    from programme.booking_rules import BookingRules

    return BookingRules(registry.programme_editions, settings.load().zone).refreshed()


def _words() -> Words:
    from reader_service.pages.words import Words  # slow to import

    return Words(language.current(), settings.load().zone)


def _cells(words: Words, finding: Finding) -> tuple[object, ...]:
    """As the page words them; beside a kind its code, which is the value of an option."""
    from reader_service.pages.programme.finding_words import effect, facts
    from terminal.emv.data.masking import masked_pan

    last = finding.atc_until if finding.atc_until not in (None, finding.atc) else None
    return (
        finding.id,
        f"{words(f'findings.kind-{finding.kind}')} {finding.kind}",
        facts(words, finding),
        finding.outlet or "",
        masked_pan(finding.card_number) if finding.card_number else "",
        f"{finding.atc or ''}{f'–{last}' if last else ''}",
        output.local_time(finding.at),
        effect(words, finding),
    )
