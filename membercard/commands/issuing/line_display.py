"""Preparing and running a batch at a terminal: progress bars, live display of the lanes, and Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import get_context
from os import cpu_count

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from membercard import output, settings
from membercard.errors import Interrupted
from membercard.language import reason, sentence, text
from membercard.wiring.faces import refuse_unprintable_cards, refuse_unprintable_members
from membercard.wiring.line import StationLine, open_payment_pool, pool_levels
from membercard.wiring.readers import open_readers
from personalize.keypool import KeyPool
from personalize.line.job import BodyMaking
from personalize.line.lanes import LaneEvent, LaneResult, LaneState, LineSettings, PersonalizationLine
from personalize.line.outcome import CardOutcome, CardReport
from personalize.machines.protocols import OperatedMachine
from personalize.machines.reader import machine_of, refuse_shared
from personalize.preparation.batch import prepare_batch, refuse_wrong_day, worker_spec
from personalize.preparation.preparer import Preparer
from personalize.profiles.profile import Profile
from registry.store import Registry
from terminal.apdu import Reader
from terminal.keys import MemoryCustody


def prepare_with_progress(
    registry: Registry,
    batch_id: str,
    profile: Profile,
    custody: MemoryCustody,
    pool: KeyPool,
    progress: Progress,
    *,
    workers: int = 1,
    by: str,
) -> int:
    """Fill the key pool and make every missing dossier; returns how many. ``workers`` 0: one for each core."""
    batch, now = registry.batches.batch(batch_id), settings.load().now()
    refuse_wrong_day(batch, now, settings.load().dossier_days)
    refuse_unprintable_members(registry, profile, batch_id, now.date())
    missing = batch.to_prepare
    payment_pool = open_payment_pool(custody, profile, pool)
    for keys, level in pool_levels(missing, pool, payment_pool).items():
        chip_keys = progress.add_task(text("chip keys"), total=max(0, level - len(keys)))
        keys.fill(level, tick=partial(progress.advance, chip_keys))
    task = progress.add_task(text("dossiers"), total=missing)
    preparer = Preparer(profile, custody, today=now.date())
    with ExitStack() as stack:
        executor = None
        if workers != 1:
            # Ctrl-C reaches the whole process group; workers ignore it, and this process drops the chunks not begun.
            processes = ProcessPoolExecutor(
                workers or cpu_count(),
                mp_context=get_context("forkserver"),
                initializer=signal.signal,
                initargs=(signal.SIGINT, signal.SIG_IGN),
            )
            stack.callback(processes.shutdown, cancel_futures=True)
            executor = (processes, stack.enter_context(worker_spec(preparer, custody)))
        return prepare_batch(
            registry,
            batch_id,
            preparer,
            pool,
            payment_pool=payment_pool,
            executor=executor,
            tick=lambda count: progress.advance(task, count),
            by=by,
        )


def run_line(
    registry: Registry,
    batch_id: str,
    profile: Profile,
    custody: MemoryCustody,
    readers: Sequence[str | Reader],
    *,
    names: Sequence[str] = (),
    line_settings: LineSettings | None = None,
    body: BodyMaking | None = None,
    console: Console | None = None,
) -> list[LaneResult]:
    """Run a batch over these readers with a live display on ``console``; ``names`` are those of the lanes.

    Raises Interrupted after Ctrl-C, once the current cards are done; ReaderBusy for a machine that is named twice.
    """
    if body is BodyMaking.HERE:
        refuse_unprintable_cards(registry, custody, profile, batch_id)
    station = StationLine(registry, profile, custody, settings.load().station)
    with (
        open_readers(readers) as opened,
        Display(registry, batch_id, len(opened), console or output.console(stderr=True)) as display,
    ):
        for place, reader in enumerate(opened):
            refuse_shared(reader, [other.name for other in opened[:place]])
        line = PersonalizationLine(
            station.job(batch_id, body),
            remake=partial(station.remake, batch_id),
            settings=line_settings,
            on_event=display.show,
        )
        show_prompts(opened, display.say)
        with station.pools_filled(len(opened)), _interruptible(line, display):
            return line.run(opened, names)


def show_prompts(readers: Iterable[Reader], say: Callable[[str], None]) -> None:
    """Say what machines want of a person, each line with its machine: a card to swipe, a bin to put it into."""
    for reader in readers:
        machine = machine_of(reader)
        if isinstance(machine, OperatedMachine):
            machine.screen.show = lambda line, name=reader.name: say(f"{name}: {sentence(line)}")


@contextmanager
def _interruptible(line: PersonalizationLine, display: Display) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the lanes after their current cards; repeated signals change nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread handles signals
        return
    received: list[int] = []

    def stop(number: int, _frame: object) -> None:
        received.append(number)
        line.stop()
        display.say(text("stopping after the cards in hand"))

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        raise Interrupted("stopped after the cards in hand; the same command goes on with the rest")


class Display(Live):
    """Live table of the lanes and the batch's progress; plain lines where standard error is not a terminal."""

    def __init__(self, registry: Registry, batch_id: str, lanes: int, console: Console) -> None:
        accounts = registry.batches.accounts(batch_id)
        self._batch_id = batch_id
        self._lock_events = threading.Lock()
        self._lanes: dict[str, LaneEvent] = {
            f"lane {n}": LaneEvent(f"lane {n}", LaneState.WAITING) for n in range(1, lanes + 1)
        }
        self._last: dict[str, str] = {}
        self._last_message: dict[str, str] = {}
        self._done: Counter[tuple[str, CardOutcome]] = Counter()
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TextColumn(text("verified")),
            TimeElapsedColumn(),
            TextColumn(text("to go")),
            TimeRemainingColumn(),
            console=console,
        )
        self._task: TaskID = self._progress.add_task(batch_id, total=accounts.members, completed=accounts.verified)
        self._plain = not console.is_terminal
        super().__init__(console=console, refresh_per_second=12, transient=False, get_renderable=self._render)

    def show(self, event: LaneEvent) -> None:
        """Show one event; called from the lanes' threads."""
        with self._lock_events:
            self._lanes[event.lane] = event
            report = event.report
            if report is not None and report.outcome is not CardOutcome.NOTHING_LEFT:
                self._done[event.lane, report.outcome] += 1
                self._last[event.lane] = _in_short(report)
                if report.outcome is CardOutcome.VERIFIED:
                    self._progress.advance(self._task)
                if self._plain or report.outcome in (CardOutcome.REJECTED, CardOutcome.ASIDE):
                    self.say(f"{sentence(event.lane)}: {_what_happened(event)}")
            if event.message and event.message != self._last_message.get(event.lane) and self._plain:
                self.say(f"{sentence(event.lane)}: {_trouble(event)}")
            self._last_message[event.lane] = event.message

    def say(self, line: str) -> None:
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _render(self) -> Group:
        if self._plain:
            return Group()
        table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(text("lane"), no_wrap=True, min_width=7)
        table.add_column(text("now"), no_wrap=True, min_width=12, max_width=36)
        table.add_column(text("card"), no_wrap=True, min_width=19)
        table.add_column(text("ok"), no_wrap=True, justify="right", min_width=4)
        table.add_column(text("bad"), no_wrap=True, justify="right", min_width=4)
        table.add_column(text("last"), no_wrap=True)
        with self._lock_events:
            for lane, event in sorted(self._lanes.items()):
                table.add_row(
                    sentence(lane),
                    _now(event),
                    event.card_number if event.state is LaneState.WORKING else "",
                    f"[green]{self._done[lane, CardOutcome.VERIFIED]}",
                    f"[red]{self._done[lane, CardOutcome.REJECTED] or ''}",
                    self._last.get(lane, ""),
                )
        return Group(table, self._progress)


def _now(event: LaneEvent) -> Text:
    if event.state is LaneState.WORKING:
        return Text(text(event.step), "cyan")
    trouble = event.message and event.state is LaneState.WAITING
    return Text(_trouble(event) or text(event.state.value), "yellow" if trouble else "dim")


def _trouble(event: LaneEvent) -> str:
    """Why the lane waits or ended."""
    return reason(event.reason.code, event.reason.params, event.message) if event.message else ""


def _what_happened(event: LaneEvent) -> str:
    report = event.report
    if report is None:
        return ""
    why = reason(report.code, report.params, report.reason)
    match report.outcome:
        case CardOutcome.VERIFIED:
            return text("verified {number} in {seconds:.2f} s", number=report.card_number, seconds=report.seconds)
        case CardOutcome.REJECTED:
            return text("REJECT, bin {bin}: {reason}", bin=text(report.bin), reason=why)
        case CardOutcome.AGAIN:
            return text("present the chip again: {reason}", reason=why)
        case _:
            return f"{text(report.outcome.value)}: {why}"


def _in_short(report: CardReport) -> str:
    number = f"…{report.card_number[-6:]} " if report.card_number else ""
    return f"{number}{text(report.outcome.value)}, {report.seconds:.2f} s"


def rate(results: Sequence[LaneResult], seconds: float) -> float:
    """Verified cards an hour."""
    verified = sum(result.counts.get(CardOutcome.VERIFIED, 0) for result in results)
    return verified / seconds * 3600 if seconds else 0.0
