"""Lanes: one thread per reader, each processing chips until the batch is done.

A lane never decides what a chip is for: the registry binds chips to dossiers, and the chip shows how far it came.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from personalize.errors import LineStopped
from personalize.line.body import CardBody
from personalize.line.execute import process
from personalize.line.handling import CardHandling
from personalize.line.job import Job
from personalize.line.outcome import NO_CHIP, CardOutcome, CardReport
from personalize.line.rejects import BATCH_DONE, dead_chip
from personalize.machines.faults import WAITS_FOR_A_PERSON, MachineFault, MachineFaultCode
from personalize.machines.reader import machine_of
from personalize.reasons import NOTHING, Reason, RejectCode, reason_for
from registry.errors import RegistryConflict, RegistryUnavailable
from terminal.apdu import Disposition, Reader
from terminal.awake import AwakeClock
from terminal.errors import MembercardError, NoCard, TransportError

POLL = 0.5
"""Seconds between checks for a stop while the slot is empty or the reader is out of order."""
CLEAR_AFTER = 5.0
"""Seconds between a fault of a machine and the attempt to clear it, where no sensor shows whether its cause is gone."""
_STEP: Final = 5.0
"""Seconds that one check may count against a lane's idle time: a machine that was paused used up none of it."""

STOPPED: Final = Reason("stopped", RejectCode.STOPPED)
NO_BLANKS: Final = Reason("no blank cards left", RejectCode.NO_BLANKS)

_UNIDENTIFIED = (RejectCode.NO_IDENTITY, RejectCode.TWINS, RejectCode.DOUBLED)
"""Chips put aside that a lane stops for when they come one after another, as for rejects: the stock is not fit."""


class LaneState(StrEnum):
    WAITING = "waiting"
    WORKING = "working"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class LaneEvent:
    """Event of a running lane. ``report`` is set at the end of a card, ``reason`` at the end of the lane or while it
    waits for its reader."""

    lane: str
    state: LaneState
    step: str = ""
    card_number: str = ""
    report: CardReport | None = None
    reason: Reason = NOTHING

    @property
    def message(self) -> str:
        return self.reason.sentence


@dataclass(frozen=True, slots=True)
class LaneResult:
    """How a lane ended, as a sentence and as a code (personalize.reasons). ``fault``: it did not end in good order;
    ``away``: the registry was unavailable, and the same lane may go on when it is back."""

    lane: str
    counts: dict[CardOutcome, int]
    message: str
    code: str
    params: Mapping[str, str]
    fault: bool
    away: bool = False

    @property
    def reason(self) -> Reason:
        return Reason(self.message, self.code, self.params)


@dataclass(frozen=True, slots=True)
class LineSettings:
    """``tries``: how often one chip may fail before it is rejected. ``idle``: seconds that a lane waits for the next
    card, or for a reader that is out of order or in use."""

    max_consecutive_failures: int = 5
    tries: int = 3
    idle: float = 120.0


class PersonalizationLine:
    """The lanes of one station for one batch.

    ``job`` holds what all cards share; ``remake`` prepares missing dossiers after a reject and is called under a lock.
    """

    def __init__(
        self,
        job: Job,
        *,
        remake: Callable[[], object],
        settings: LineSettings | None = None,
        on_event: Callable[[LaneEvent], None] = lambda event: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.job = job
        self.settings = settings or LineSettings()
        self.on_event = on_event
        self.monotonic = AwakeClock(_STEP, monotonic)
        self._remake = remake
        self._remaking = threading.Lock()
        self._stop = threading.Event()
        self._clear = threading.Event()
        self._go = threading.Event()
        self._go.set()

    def run(self, readers: Sequence[Reader], names: Sequence[str] = ()) -> list[LaneResult]:
        """Run until the batch is done, the blanks are used up, or every lane has stopped.

        A fault ends its own lane only. ``names`` are those of the lanes, by default "lane 1" and so on.
        """
        names = names or [f"lane {number}" for number in range(1, len(readers) + 1)]
        with ThreadPoolExecutor(max(1, len(readers)), thread_name_prefix="lane") as workers:
            lanes = zip(readers, names, strict=True)
            futures = [workers.submit(self.lane, reader, name) for reader, name in lanes]
            try:
                return [future.result() for future in futures]
            except BaseException:
                self.stop()
                raise

    def lane(self, reader: Reader, name: str) -> LaneResult:
        """Run one lane on the caller's thread, beside other lanes of the same line."""
        return _Lane(self, name, reader).run()

    def stop(self) -> None:
        """End every lane after its current card."""
        self._stop.set()
        self._go.set()

    def pause(self) -> None:
        """Hold every lane after its current card, until ``resume``."""
        self._go.clear()

    def resume(self) -> None:
        self._go.set()

    def clear(self) -> None:
        """Clear the fault of a machine at the lane's next look: a person removed its cause."""
        self._clear.set()

    def clear_wanted(self) -> bool:
        """Whether ``clear`` was called since the last look."""
        wanted = self._clear.is_set()
        self._clear.clear()
        return wanted

    @property
    def paused(self) -> bool:
        return not self._go.is_set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def wait_while_paused(self) -> None:
        self._go.wait()

    def wait_or_stop(self, seconds: float) -> None:
        """Wait, at most until ``stop``."""
        self._stop.wait(seconds)

    def remake_missing(self) -> bool:
        """Prepare the dossiers that rejects left missing, one lane at a time; whether any dossier waits now.

        This does not prepare a batch that was never prepared.
        """
        with self._remaking:
            accounts = self.job.registry.batches.accounts(self.job.batch_id)
            if accounts.to_prepare and accounts.remade:
                try:
                    self._remake()
                except RegistryConflict:  # another station prepared the same ones: prepare what it left
                    self._remake()
                accounts = self.job.registry.batches.accounts(self.job.batch_id)
            return accounts.waiting > 0


class _Lane:
    def __init__(self, line: PersonalizationLine, name: str, reader: Reader) -> None:
        self._line = line
        self._name = name
        self._reader = reader
        machine = machine_of(reader)
        self._body = CardBody(machine, line.job.render, line.job.body)
        self._handling = CardHandling(
            line.job, name, reader, machine, clear_after=CLEAR_AFTER, monotonic=line.monotonic
        )
        self._fell_out: Counter[str] = Counter()
        self._held = NO_CHIP
        self._counts: Counter[CardOutcome] = Counter()
        self._failures = 0
        self._idle_since = 0.0
        self._reader_lost = False
        self._machine_failed = False

    def run(self) -> LaneResult:
        fault = away = False
        try:
            self._line.job.refuse_wrong_dates()
            self._body.refuse_lacking(self._line.job.next_dossier())
            reason = self._until_the_end()
        except (MembercardError, OSError) as e:
            # The current dossier stays bound to its chip, and the chip itself shows how far it came.
            reason, fault = reason_for(e), True
            away = isinstance(e, RegistryUnavailable) and e.retryable
        self._tell(LaneState.ENDED, reason=reason)
        return LaneResult(self._name, dict(self._counts), reason.sentence, reason.code, reason.params, fault, away)

    def _until_the_end(self) -> Reason:
        self._idle_since = self._line.monotonic()
        waiting_for = NOTHING
        while True:
            if self._line.paused:
                self._tell(LaneState.PAUSED)
                self._line.wait_while_paused()
                self._held = self._held.unwatched()
            if self._line.stopping:
                return STOPPED
            if self._failures >= self._line.settings.max_consecutive_failures:
                raise LineStopped(
                    f"{self._failures} failures in a row: look at reader and stock, then run the batch again"
                )
            self._tell(LaneState.WAITING, reason=waiting_for)
            try:
                ended = self._look_at_the_slot()
                waiting_for = NOTHING
            except TransportError as fault:
                if not fault.retryable or self._idle_for() > self._line.settings.idle:
                    if _feeder_is_empty(fault):
                        return NO_BLANKS
                    raise
                # PC/SC service down, reader unplugged or in use: it may come back, or other lanes may finish.
                waiting_for = reason_for(fault)
                self._line.wait_or_stop(POLL)
                ended = self._when_done()
            if ended:
                return ended

    def _look_at_the_slot(self) -> Reason:
        """Process the card in the slot or wait for one; the reason when the lane is done, else NOTHING. Raises
        TransportError for faults of the reader or machine."""
        since = self._line.monotonic()
        self._handling.recover(at_once=self._line.clear_wanted())
        try:
            if self._handling.empty() and (ended := self._handling.nothing_to_feed(self._line.remake_missing)):
                return ended
            present = self._handling.wait_for_card(POLL)
        except TransportError as fault:
            self._failed(fault)
            raise
        if self._reader_lost:
            # The reader failed, not the chip, which gets all its tries again. But a chip that makes its reader fail
            # every time has to stop the lane.
            self._reader_lost = False
            self._held = NO_CHIP
            self._fell_out.clear()
            self._failures += 1
        if not present:
            return self._empty_slot(since)
        try:
            ended = self._one_card()
        except MachineFault as fault:
            if not self._machine_failed:
                self._idle_since = self._line.monotonic()
            self._machine_failed = True
            self._failed(fault)
            raise
        self._machine_failed = False
        self._idle_since = self._line.monotonic()
        return ended

    def _failed(self, fault: TransportError) -> None:
        """Remember that the reader failed, or the machine, which a person may then have opened. One that only waits for
        a person failed because of no card."""
        if isinstance(fault, MachineFault):
            self._handling.failed(fault)
            self._held = NO_CHIP
            if fault.code in WAITS_FOR_A_PERSON:
                return
        self._reader_lost = True

    def _empty_slot(self, since: float) -> Reason:
        self._held = NO_CHIP
        if self._line.monotonic() - since < POLL / 2:
            return NO_BLANKS
        if self._idle_for() > self._line.settings.idle:
            seconds = f"{self._line.settings.idle:g}"
            return Reason(f"no card came within {seconds} s", RejectCode.NO_CARD, {"seconds": seconds})
        return self._when_done()

    def _idle_for(self) -> float:
        return self._line.monotonic() - self._idle_since

    def _when_done(self) -> Reason:
        return BATCH_DONE if self._line.job.done() else NOTHING

    def _one_card(self) -> Reason:
        """Process the card in the slot; the reason when the lane is done, else NOTHING."""
        try:
            transport = self._reader.connect()
        except NoCard as e:
            if not self._reader.wait_for_card(0):
                return NOTHING  # It was removed before it was powered.
            # A chip without an answer to reset may only have bad contact.
            if not self._last_try(self._held.serial):
                self._fell_out[self._held.serial] += 1
                self._reader.release(Disposition.KEEP)
                return NOTHING
            serial = self._held.serial or self._handling.unread()
            return self._finish(dead_chip(self._line.job, self._name, e, serial))
        job, unread = self._line.job, self._handling.unread
        try:
            report = process(transport, job, self._name, self._last_try, self._step, self._held, self._body, unread)
        finally:
            transport.close()
        return self._finish(report)

    def _last_try(self, serial: str) -> bool:
        return self._fell_out[serial] + 1 >= self._line.settings.tries

    def _finish(self, report: CardReport) -> Reason:
        if report.outcome is CardOutcome.AGAIN:
            self._held = self._held.after(report)
            self._fell_out[self._held.serial] += 1
        else:
            self._held = NO_CHIP
            self._fell_out.clear()
        self._counts[report.outcome] += 1
        if report.outcome is CardOutcome.VERIFIED:
            self._failures = 0
        elif report.outcome is CardOutcome.REJECTED or report.code in _UNIDENTIFIED:
            self._failures += 1
        self._tell(LaneState.WAITING, card_number=report.card_number, report=report)
        # A reader that fails now keeps its card; the registry knows the chip when it is presented again.
        self._handling.release(report)
        if spoiler := self._body.spoiler():
            self._handling.failed(spoiler)
        if report.outcome is CardOutcome.REJECTED:
            self._line.remake_missing()
        elif report.outcome is CardOutcome.NOTHING_LEFT and not self._line.remake_missing():
            return Reason(report.reason, report.code, report.params)
        return NOTHING

    def _step(self, step: str, card_number: str) -> None:
        self._tell(LaneState.WORKING, step=step, card_number=card_number)

    def _tell(
        self,
        state: LaneState,
        *,
        step: str = "",
        card_number: str = "",
        report: CardReport | None = None,
        reason: Reason = NOTHING,
    ) -> None:
        self._line.on_event(LaneEvent(self._name, state, step, card_number, report, reason))


def _feeder_is_empty(fault: TransportError) -> bool:
    return isinstance(fault, MachineFault) and fault.code is MachineFaultCode.FEEDER_EMPTY
