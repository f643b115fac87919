"""The members of the demo use their cards: benefits at the merchant's counter, the upload, the merchant's statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from membercard import language, output
from membercard.demo.clock import DemoTime
from membercard.demo.counters import DemoCounter, Served, Wish
from membercard.demo.merchant import (
    MERCHANT,
    NAME,
    DemoContract,
    counted_by_profile,
    demo_counter,
    statement_papers,
)
from membercard.demo.papers import write_papers
from membercard.language import Language, text
from membercard.wiring.profile import profile_in_use
from personalize.sheets.statement import yuan
from programme.outcome import Refused
from reader_service.redemptions.day_paper import day_pdf
from reader_service.redemptions.receipt import WORDS, receipt_text
from reader_service.redemptions.record import CounterOutcome, CounterRecord
from registry.db.actors import unproven_actor
from registry.programme.statement import StatementLine, StatementSheet, StatementState
from registry.store import Registry
from terminal.keys import MemoryCustody

CASHIER: Final = "王芳"
_SHOW: Final = "小城之春"
_PASS: Final = Wish("park-pass", "new", answers=frozenset({"transit-card"}))
_TICKETS: Final = Wish("film", "ticket", quantity=2, price=4500, event=_SHOW)
_TORN: Final = Wish("film", "ticket", price=4500, event="乌鸦与麻雀", torn=True)
_FIRST: Final = Wish("gym", "first-visit")
_VISIT: Final = Wish("gym", "visit")
_CHAIN: Final = Wish("gym", "pass", price=100_000)


@dataclass(frozen=True, slots=True)
class Scene:
    """What one of the members does: on a day of the month, at an hour, with which outcome; None is a refusal by the
    programme, or for want of a line. Without a wish the card is only inserted. ``line``: whether the office can be
    reached."""

    member: int
    day: int
    hour: int
    wish: Wish | None
    ends: CounterOutcome | None
    line: bool = True


SCENES: Final = (
    Scene(0, 20, 10, _PASS, CounterOutcome.DONE),
    Scene(1, 20, 14, _FIRST, CounterOutcome.DONE),
    Scene(2, 20, 19, _TICKETS, CounterOutcome.DONE),
    Scene(2, 20, 20, Wish("film", "ticket", price=4500, event=_SHOW), None),
    Scene(1, 21, 8, _VISIT, CounterOutcome.DONE),
    Scene(1, 21, 18, _VISIT, CounterOutcome.DONE),
    Scene(1, 22, 7, _VISIT, CounterOutcome.DONE),
    Scene(1, 22, 8, _CHAIN, CounterOutcome.DONE),
    Scene(0, 22, 9, _PASS, None, line=False),
    Scene(2, 22, 15, _FIRST, None, line=False),
    Scene(2, 22, 18, _TORN, CounterOutcome.TORN, line=False),
    Scene(2, 22, 19, None, CounterOutcome.RECOVERED, line=False),
)
"""What three members do: a pass, and not a second one; two tickets, and not a third; a free visit to the gym, three
that are paid, and the pass of its chain. Without a line: no visit to the gym, and a ticket that is torn and found
again."""
UPLOADED: Final = 23
"""Day of the month on which the line to the office is back."""


def play(
    counter: DemoCounter, chips: Sequence[Path], time: DemoTime, scenes: Sequence[Scene] = SCENES
) -> Iterator[tuple[Scene, Served]]:
    """Play scenes at a counter; ``chips`` are the cards of the members. The clock stands at each scene, and the line
    is as the scene has it."""
    for scene in scenes:
        time.set_to(scene.day, scene.hour, 12)
        counter.line.up = scene.line
        yield scene, counter.serve(chips[scene.member], scene.wish)


def use_cards(
    console: Console,
    contract: DemoContract,
    registry: Registry,
    custody: MemoryCustody,
    out: Path,
    chips: Sequence[Path],
    time: DemoTime,
) -> bool:
    """Three members redeem benefits at the merchant's counter, whose line breaks in between; each step is shown.
    Whether each ended as expected."""
    if not counted_by_profile():
        return _nobody(console)
    time.set_to(12, 9)
    contract.record_merchants(first=unproven_actor("clerk"), second=unproven_actor("treasurer"))
    edition = contract.publish(out, first=unproven_actor("clerk"), second=unproven_actor("reviewer"))
    published = text(
        "the programme is at the counter of {name}, signed, to be used until {until}",
        name=NAME,
        until=output.local_time(edition.expires),
    )
    console.print(f"   {published}", markup=False, soft_wrap=True)
    online = text("visits to the gym are counted by the union, so this counter asks online")
    console.print(f"   {online}", markup=False, soft_wrap=True)
    ended, receipt = [], ""
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ({"style": "dim", "no_wrap": True}, {"no_wrap": True}, {"overflow": "fold"}):
        grid.add_column(**column)
    with demo_counter(registry, custody, time.clock, CASHIER) as counter:
        up = True
        for scene, served in play(counter, chips, time):
            if up and not scene.line:
                grid.add_row("", "", Text(text("from here on the counter has no line to the office"), "dim"))
            up = scene.line
            ended.append(_outcome(served) is scene.ends)
            grid.add_row(f"{time.clock.local():%m-%d %H:%M}", _member(served), _shown(served))
            receipt = receipt or _receipt(served)
        day = time.days.of_month(SCENES[0].day)
        sheet = counter.redemptions.day_sheet(day, time.clock())
    console.print(Padding(grid, (0, 0, 1, 3)))
    console.print(Padding(Text(receipt.rstrip(), "dim"), (0, 0, 1, 6)))
    for path in write_papers(console, {out / f"day-{day}.pdf": lambda: day_pdf(sheet)}):
        console.print(f"   {text('end-of-day sheet: {path}', path=path)}", markup=False, soft_wrap=True)
    return all(ended)


def settle_accounts(
    console: Console, contract: DemoContract, registry: Registry, custody: MemoryCustody, out: Path, time: DemoTime
) -> bool:
    """The counter uploads its journal, twice; the office draws up the merchant's statement, which two people sign.
    Whether all of it came to what the members did."""
    if not counted_by_profile():
        return _nobody(console)
    time.set_to(UPLOADED, 8)
    with demo_counter(registry, custody, time.clock, CASHIER) as counter:
        done, again = (counter.upload() for _ in range(2))
    findings = sum(done.findings.values())
    booked = text(
        "{rows} rows of the journal uploaded: {booked} redemptions booked, {findings} findings; left to upload: {left}",
        rows=done.rows,
        booked=done.booked,
        findings=findings,
        left=again.rows,
    )
    console.print(f"   {booked}", markup=False, soft_wrap=True)
    time.clock.set(0)
    sheet = contract.settle(first=unproven_actor("accountant"), second=unproven_actor("treasurer"))
    _show_statement(console, sheet)
    papers = statement_papers(sheet, out, time.clock.local())
    for path in write_papers(console, papers):
        console.print(f"   {text('statement: {path}', path=path)}", markup=False, soft_wrap=True)
    proven = sum(scene.ends is not None and scene.ends.proven for scene in SCENES)
    closed = sheet.statement.state is StatementState.CLOSED
    return closed and not done.findings and proven == done.booked == sheet.statement.entries


def _nobody(console: Console) -> bool:
    nobody = text("the profile {name} does not count these benefits: nobody redeems", name=profile_in_use().profile)
    console.print(f"   {nobody}", style="dim")
    return True


def _outcome(served: Served) -> CounterOutcome | None:
    shown = served.recovered if served.result is None else served.result
    return shown.outcome if isinstance(shown, CounterRecord) else None


def _member(served: Served) -> str:
    facts = served.verdict.member
    return "" if facts is None else facts.name


def _shown(served: Served) -> Text:
    """The benefit with its price and what became of it; of a refusal its sentence."""
    shown = served.recovered if served.result is None else served.result
    if isinstance(shown, Refused):
        return Text().append("✗ ", "red").append(_word(shown.sentence))
    if not isinstance(shown, CounterRecord):
        return Text()
    line = Text(f"{_word(shown.title)} × {shown.quantity}  {yuan(shown.amount)}  ")
    if not shown.outcome.proven:
        return line.append(f"? {_word(WORDS[shown.outcome])}", "yellow")
    line.append(f"✓ {_word(WORDS[shown.outcome])}", "green")
    if shown.left is not None:
        line.append(text(", {left} left", left=shown.left))
    elif shown.used is not None and shown.limit is not None:
        line.append(text(", {left} of {limit} left", left=shown.limit - shown.used, limit=shown.limit))
    return line


def _receipt(served: Served) -> str:
    """The receipt of a redemption."""
    record = served.result
    return receipt_text(record, NAME, language.current().value) if isinstance(record, CounterRecord) else ""


def _show_statement(console: Console, sheet: StatementSheet) -> None:
    columns = ["benefit", "redemptions", "quantity", "members paid", "owed to the merchant"]
    rows = [
        (_benefit(line), line.totals.uses, line.totals.quantity, yuan(line.totals.amount), yuan(line.totals.due))
        for line in sheet.lines
    ]
    whole = sheet.totals
    rows.append((text("total"), whole.uses, whole.quantity, yuan(whole.amount), yuan(whole.due)))
    console.print(output.table("", columns, rows, right=columns[1:]))
    statement = sheet.statement
    console.print(
        "   "
        + text(
            "statement {number} of {merchant} for {month}, digest {digest}: signed by {first} and {second}, closed",
            number=statement.number,
            merchant=MERCHANT,
            month=statement.month,
            digest=statement.digest[:8],
            first=language.person(statement.signed_by or ""),
            second=language.person(statement.closed_by or ""),
        ),
        markup=False,
        soft_wrap=True,
    )


def _benefit(line: StatementLine) -> str:
    return line.benefit_class if line.benefit is None else f"{line.benefit_class} {_word(line.benefit)}"


def _word(sentence: object) -> str:
    """A text with ``zh`` and ``en`` in the language of the command."""
    return str(getattr(sentence, "zh" if language.current() is Language.CHINESE else "en"))
