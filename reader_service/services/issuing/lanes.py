"""The lanes of this station: a reader, a batch, and a thread that personalizes cards until none is left."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from personalize.line.job import Job
from personalize.line.lanes import LaneEvent, LaneResult, LaneState, LineSettings, PersonalizationLine
from personalize.line.outcome import CardOutcome, CardReport
from personalize.reasons import NOTHING, Reason, RejectCode, reason_for
from reader_service.errors import Conflict, Invalid, NotFound, ReaderOut, Unavailable
from reader_service.events import EventBus
from reader_service.masking import masked
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.readers.manager import ReaderManager
from reader_service.readers.values import Mode
from reader_service.readers.worker import ReaderSession
from reader_service.registry_errors import translate_registry_errors
from reader_service.services.issuing.lane_commands import LaneCommand
from reader_service.services.issuing.lane_machines import show_prompts, without_limit
from reader_service.services.issuing.lane_status import LaneStatus, LastCard
from registry.db.audit_chain import AuditEntry
from registry.errors import RegistryUnavailable
from registry.values import BatchState
from terminal.errors import MembercardError

IDLE: Final = 1800.0
"""Seconds that a lane waits for the next card: operators have breaks."""
SIGN_OF_LIFE: Final = 90.0
"""Seconds without a sign of life after which a lane counts as hung; the longest step is preparing a dossier again."""
_AGAIN: Final = 2.0
"""Seconds between retries of a lane whose registry is away."""
_WINDOW: Final = 600.0
"""Seconds over which the rate of a lane is taken."""
_FRESH: Final = 5.0
"""Seconds for which the count of a batch's remaining cards is reused."""
_PACED: Final = 1.0
"""Seconds for which its cards per hour are reused."""
_CLOSING: Final = 60.0
_LOOK: Final = 0.2
"""Seconds between checks whether a lane that has to end is stuck."""
_OF_READER: Final = {"hung": RejectCode.READER_HUNG, "closed": RejectCode.READER_CLOSED}
_log = logging.getLogger(__name__)
_NO_LANES: Final = {
    BatchState.DRAFT: "waits for a second person; have it approved first",
    BatchState.DISCARDED: "was given up",
    BatchState.DONE: "is done",
    BatchState.CLOSED: "is closed",
}


class _Batch:
    """The values that the lanes of one batch share while any of them runs."""

    def __init__(self, parts: ServiceParts, batch_id: str, lanes: int) -> None:
        self.id = batch_id
        self.lanes = 0
        self.job: Job = parts.line.job(batch_id)
        self.left: int | None = None
        self.verified_here = 0
        self.counted = self.paced = float("-inf")
        self.pace = 0.0
        self._line = parts.line
        self._remaking = threading.Lock()
        self._stack = ExitStack()
        self._stack.enter_context(parts.line.pools_filled(lanes))

    def remake(self) -> None:
        """Prepare missing dossiers again, one lane at a time; a second one finds none left."""
        with self._remaking:
            self._line.remake(self.id)

    def close(self) -> None:
        self._stack.close()


@dataclass(eq=False, slots=True)
class _LaneRun:
    """One lane from start to end; changed under the service's lock."""

    reader: str
    name: str
    batch: _Batch
    by: str
    started_at: datetime
    began: float
    line: PersonalizationLine = field(init=False)
    future: Future[LaneResult] = field(init=False)
    session: ReaderSession | None = None
    state: LaneState = LaneState.WAITING
    step: str = ""
    number: str = ""
    ok: int = 0
    bad: int = 0
    last: LastCard | None = None
    reason: Reason = NOTHING
    fault: bool = False
    verified: deque[float] = field(default_factory=deque)

    @property
    def ended(self) -> bool:
        return self.state is LaneState.ENDED

    def rate(self, now: float) -> float:
        """Verified cards per hour, over the last minutes."""
        since = max(self.began, now - _WINDOW)
        while self.verified and self.verified[0] < since:
            self.verified.popleft()
        return len(self.verified) / max(now - since, 1.0) * 3600

    def take(self, report: CardReport, at: datetime, now: float) -> LastCard:
        """Count the result of a card."""
        number, seconds = report.card_number[-6:], round(report.seconds, 3)
        reason = (report.code, report.params)
        self.last = LastCard(report.outcome, number, report.bin, masked(report.reason), seconds, at, *reason)
        if report.outcome is CardOutcome.VERIFIED:
            self.ok += 1
            self.verified.append(now)
            self.batch.verified_here += 1
            if self.batch.left:
                self.batch.left -= 1
        self.bad += report.outcome is CardOutcome.REJECTED
        return self.last


class LaneService:
    """Lanes over the readers of this station, each on its reader's own thread.

    Events: lane.state (topic: reader id, data: LaneStatus.to_json()) at each change; lane.card (data: {"reader",
    "name", "batch"} and LastCard) at the end of each card; batch.changed (topic: batch id, data: {"batch"})
    when a lane ends. While the registry is away a lane waits for it, with its card.
    """

    def __init__(
        self,
        parts: ServiceParts,
        bus: EventBus,
        readers: ReaderManager,
        *,
        settings: LineSettings | None = None,
        again: float = _AGAIN,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts, self._bus, self._readers, self._monotonic = parts, bus, readers, monotonic
        self._settings = settings or LineSettings(idle=IDLE)
        self._again = again
        self._lock = threading.RLock()
        self._runs: dict[str, _LaneRun] = {}
        self._batches: dict[str, _Batch] = {}
        self._ending = False

    def lanes(self, p: Principal) -> list[LaneStatus]:
        """LANES_VIEW. The running lanes, and the last run of every other reader."""
        p.need(Permission.LANES_VIEW)
        for batch in list(self._batches.values()):
            self._count(batch)
        with self._lock:
            return [self._view(run) for run in self._runs.values()]

    def start(self, p: Principal, batch_id: str, reader_ids: Sequence[str]) -> list[LaneStatus]:
        """LANES_RUN. Start lanes on all of these readers, or on none. Raises Invalid (no reader), NotFound, Conflict
        (the batch has no dossiers, is a draft, done or closed), LeaseHeld, ReaderOut, Unavailable."""
        p.need(Permission.LANES_RUN)
        wanted = list(dict.fromkeys(reader_ids))
        if not wanted:
            raise Invalid("a lane needs a reader", {"readers": "name at least one"})
        with translate_registry_errors():
            self._may_run(batch_id)
            entry = AuditEntry(p.name, "lane.start", f"batch:{batch_id}", facts={"readers": ", ".join(wanted)})
            self._parts.registry.audit.note(entry)
        with ExitStack() as undo:
            for reader_id in wanted:
                view = self._readers.view(reader_id)
                if view.state in ("lost", "hung"):
                    raise ReaderOut(f"reader {reader_id}: {view.detail}", reader=reader_id, code=view.state.value)
                self._readers.leases.occupy(p, reader_id, Mode.LANE)
                undo.callback(self._readers.leases.vacate, reader_id, Mode.LANE)
            batch = self._join(batch_id, len(wanted))
            undo.pop_all()
        self._count(batch)
        runs = [self._begin(p, reader_id, batch) for reader_id in wanted]
        with self._lock:
            return [self._view(run) for run in runs]

    def steer(self, p: Principal, reader_id: str, command: LaneCommand) -> LaneStatus:
        """LANES_RUN. Give a running lane a command of LANE_COMMANDS. Raises NotFound where no lane runs."""
        p.need(Permission.LANES_RUN)
        with self._lock:
            run = self._runs.get(reader_id)
            if run is None or run.ended:
                raise NotFound(f"no lane runs on reader {reader_id}", what="lane", name=reader_id)
            command.apply(run.line)
            self._publish(run)
            status = self._view(run)
        if command.audited:
            with contextlib.suppress(RegistryUnavailable):  # a lane stops whether or not the audit can be written
                self._parts.registry.audit.note(
                    AuditEntry(p.name, f"lane.{command.name}", f"batch:{status.batch}", facts={"readers": reader_id})
                )
        return status

    def clear_machine(self, reader_id: str) -> bool:
        """Have the lane on this reader clear its machine now; whether one runs there."""
        with self._lock:
            run = self._runs.get(reader_id)
            if run is None or run.ended:
                return False
            run.line.clear()
            return True

    def forget(self, reader_id: str) -> None:
        """Forget the last run of a removed reader."""
        with self._lock:
            self._runs.pop(reader_id, None)

    def close(self) -> None:
        """Stop every lane after its current card and wait for them, but not for one whose reader does not answer: its
        chip shows the next start how far it came. No lane starts any more."""
        with self._lock:
            self._ending = True
            running = [run for run in self._runs.values() if not run.ended]
        for run in running:
            run.line.stop()
        until = self._monotonic() + _CLOSING
        while running and self._monotonic() < until:
            wait([run.future for run in running], _LOOK)
            stuck = [run for run in running if not run.future.done() and self._readers.stuck(run.reader)]
            for run in stuck:
                _log.error("the lane on reader %s shows no sign of life; the service ends without it", run.reader)
            running = [run for run in running if not run.future.done() and run not in stuck]

    # --- one lane ----------------------------------------------------------------------------------------------------

    def _may_run(self, batch_id: str) -> None:
        self._parts.registry.restores.refuse_pending()
        batch = self._parts.registry.batches.batch(batch_id)
        if batch.state in _NO_LANES:
            raise Conflict(f"batch {batch_id} {_NO_LANES[batch.state]}", batch=batch_id, state=batch.state.value)
        if not batch.dossiers:
            raise Conflict(f"batch {batch_id} has no dossiers yet; prepare it first", batch=batch_id, state="approved")

    def _join(self, batch_id: str, lanes: int) -> _Batch:
        with self._lock:
            if self._ending:
                raise Unavailable("the service is ending; start the lanes when it is back")
            batch = self._batches.get(batch_id)
            if batch is None:
                batch = self._batches[batch_id] = _Batch(self._parts, batch_id, lanes)
            batch.lanes += lanes
            return batch

    def _begin(self, p: Principal, reader_id: str, batch: _Batch) -> _LaneRun:
        name = self._readers.view(reader_id).name
        run = _LaneRun(reader_id, name, batch, p.name, self._parts.clock(), self._monotonic())
        run.line = PersonalizationLine(
            batch.job, remake=batch.remake, settings=self._settings, on_event=partial(self._on_event, run)
        )
        with self._lock:
            self._runs[reader_id] = run
            if self._ending:
                run.line.stop()
            run.future = self._readers.submit(reader_id, partial(self._work, run), SIGN_OF_LIFE)
            self._publish(run)
        run.future.add_done_callback(partial(self._done, run))
        return run

    def _work(self, run: _LaneRun, session: ReaderSession) -> LaneResult:
        """The lane on its reader's thread, restarted while the registry is away."""
        run.session = session
        show_prompts(session, partial(self._show, run))
        while True:
            result = run.line.lane(session, run.name)
            if not result.away or run.line.stopping:
                return result
            self._show(run, result.reason, LaneState.WAITING)
            session.beat(SIGN_OF_LIFE)
            run.line.wait_or_stop(self._again)

    def _show(self, run: _LaneRun, reason: Reason, state: LaneState = LaneState.WORKING) -> None:
        """Why the lane waits, or what a person does in the middle of a card, until the next event."""
        with self._lock:
            run.state, run.step, run.reason = state, run.step if state is LaneState.WORKING else "", reason
            self._publish(run)

    def _on_event(self, run: _LaneRun, event: LaneEvent) -> None:
        """An event of the lane, on its reader's thread."""
        if run.ended:
            return  # given up as hung before
        if run.session is not None:
            run.session.beat(None if without_limit(event, run.session) else SIGN_OF_LIFE)
        report = event.report
        with self._lock:
            before = (run.state, run.step, run.number, run.reason)
            if event.state is not LaneState.ENDED:
                working = event.state is LaneState.WORKING
                run.state, run.step, run.reason = event.state, event.step, event.reason
                run.number = event.card_number[-6:] if working else ""
            if report is not None and report.outcome is not CardOutcome.NOTHING_LEFT:
                last = run.take(report, self._parts.clock(), self._monotonic())
                run.batch.paced = float("-inf")
                data = {"reader": run.reader, "name": run.name, "batch": run.batch.id, **last.to_json()}
                self._bus.publish("lane.card", run.reader, data)
            elif before == (run.state, run.step, run.number, run.reason):
                return
            self._publish(run)

    def _done(self, run: _LaneRun, future: Future[LaneResult]) -> None:
        """The lane ended, or its reader was given up."""
        run.line.stop()
        error = future.exception()
        if error is None:
            reason, fault = future.result().reason, future.result().fault
        else:
            reason, fault = _reason_of(error), True
            if not isinstance(error, MembercardError):
                _log.error("the lane on reader %s failed", run.reader, exc_info=error)
        with self._lock:
            run.state, run.step, run.number, run.reason, run.fault = LaneState.ENDED, "", "", reason, fault
            run.batch.lanes -= 1
            over = run.batch.lanes == 0 and self._batches.pop(run.batch.id, None) is not None
        if over:
            run.batch.close()
        self._readers.leases.vacate(run.reader, Mode.LANE)
        with self._lock:
            self._publish(run)
        self._bus.publish("batch.changed", run.batch.id, {"batch": run.batch.id})

    # --- as it is shown ----------------------------------------------------------------------------------------------

    def _publish(self, run: _LaneRun) -> None:
        self._bus.publish("lane.state", run.reader, self._view(run).to_json())

    def _view(self, run: _LaneRun) -> LaneStatus:
        now = self._monotonic()
        together, left = self._pace(run.batch, now), run.batch.left
        known = left is not None and together > 0 and not run.ended
        stopping = run.line.stopping and not run.ended
        return LaneStatus(
            reader=run.reader,
            name=run.name,
            batch=run.batch.id,
            state="stopping" if stopping else run.state.value,
            step=run.step,
            number=run.number,
            ok=run.ok,
            bad=run.bad,
            last=run.last,
            message=masked(run.reason.sentence),
            code=run.reason.code,
            params=run.reason.params,
            fault=run.fault,
            rate=round(run.rate(now), 1),
            seconds_left=round((left or 0) / together * 3600, 1) if known else None,
            started_at=run.started_at,
            started_by=run.by,
        )

    def _pace(self, batch: _Batch, now: float) -> float:
        """Cards per hour of the batch's lanes here, summed at most once a second: every step of every lane needs it."""
        if now - batch.paced >= _PACED:
            mine = [run.rate(now) for run in self._runs.values() if run.batch is batch and not run.ended]
            batch.pace, batch.paced = sum(mine), now
        return batch.pace

    def _count(self, batch: _Batch) -> None:
        """Count the cards that the batch still lacks at all stations."""
        now = self._monotonic()
        with self._lock:
            if now - batch.counted < _FRESH:
                return
            batch.counted = now
            before = batch.verified_here
        with contextlib.suppress(RegistryUnavailable):  # then as it was, less what was made here
            accounts = self._parts.registry.batches.accounts(batch.id)
            with self._lock:
                meanwhile = batch.verified_here - before
                batch.left = max(0, accounts.members - accounts.verified - meanwhile)


def _reason_of(error: BaseException) -> Reason:
    """The reason for the end of a lane that could not give one: its reader was given up, or a fault was unexpected. The
    text of the latter may hold anything."""
    if isinstance(error, ReaderOut):
        return Reason(str(error), _OF_READER.get(str(error.params.get("code")), RejectCode.READER_LOST))
    if isinstance(error, MembercardError):
        return reason_for(error)
    return Reason(type(error).__name__, RejectCode.INTERNAL)
