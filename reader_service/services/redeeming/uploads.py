"""The upload of a counter's journal in the background: at once, later while the office is away, and again by itself."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from reader_service.redemptions.errors import JournalError
from reader_service.redemptions.journal import RedemptionJournal
from reader_service.redemptions.receiver import ReceiverAway, UploadFaultCode, UploadReceiver, UploadRefused
from reader_service.redemptions.uploads import Uploader, UploadFault, fault_on_record, note_fault


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: between looks at the journal; before the next attempt while the office is away, doubled up to the
    longest; after a refusal, which a person has to mend. An attempt is up to a quarter earlier or later, so that the
    counters of an office do not all come at once when it is back."""

    look: float = 0.5
    first: float = 1.0
    longest: float = 300.0
    refused: float = 60.0


_PACE: Final = Pace()
_JOIN: Final = 5.0
"""Seconds that the end of the service waits for an upload; what it cuts off is sent again at the next start."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Failures:
    """Attempts that failed one after another."""

    count: int = 0
    fault: UploadFault | None = None
    next_at: datetime | None = field(default=None)


class UploadLoop:
    """One thread that uploads. ``changed`` is called after each success and each new fault."""

    def __init__(
        self,
        journal: RedemptionJournal,
        receiver: UploadReceiver,
        folder: Path,
        clock: Callable[[], datetime],
        changed: Callable[[], None] = lambda: None,
        *,
        pace: Pace = _PACE,
    ) -> None:
        self._journal, self._folder, self._clock, self._changed, self._pace = journal, folder, clock, changed, pace
        self._uploader = Uploader(journal, receiver, clock)
        self._failures = _Failures(fault=fault_on_record(folder))
        self._closing, self._now = threading.Event(), threading.Event()
        self._ended = threading.Condition()
        self._refused = 0
        self._thread = threading.Thread(target=self._work, name="upload", daemon=True)

    @property
    def fault(self) -> UploadFault | None:
        """Why rows wait; None after a success."""
        return self._failures.fault

    @property
    def next_at(self) -> datetime | None:
        """The next attempt, after a failed one."""
        return self._failures.next_at

    def reached(self) -> bool:
        """Whether the office was reached, and took what it got, at the last attempt."""
        return self._failures.fault is None

    def start(self) -> None:
        self._thread.start()

    def now(self) -> None:
        """Try at once, whatever the last attempt came to. From any thread."""
        self._now.set()

    def delivered(self, row: int, seconds: float) -> bool:
        """Upload at once, and whether the office has that row of the journal within these seconds. No later than an
        attempt that fails."""
        with self._ended:
            refused = self._refused
            self._now.set()
            self._ended.wait_for(lambda: self._journal.through >= row or self._refused != refused, seconds)
            return self._journal.through >= row

    def close(self) -> None:
        """End; an exchange that does not end is left. Safe to call twice."""
        self._closing.set()
        self._now.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN)

    def _work(self) -> None:
        compared = False
        while not self._closing.is_set():
            if self._journal.waiting or not compared or self._now.is_set():
                self._now.clear()
                compared = self._attempt()
                with self._ended:
                    self._refused += not compared
                    self._ended.notify_all()
                pause = self._pace.look if compared else self._pause()
            else:
                pause = self._pace.look
            if not self._closing.is_set():  # the call of close may have been cleared above
                self._now.wait(pause)

    def _attempt(self) -> bool:
        try:
            uploaded = self._uploader.run(self._closing.is_set)
        except (ReceiverAway, UploadRefused, JournalError) as fault:
            self._failed(fault)
            return False
        except Exception as fault:  # uploads would end for good
            _log.error("the redemption journal is not uploaded", exc_info=fault)
            self._failed(ReceiverAway(type(fault).__name__))
            return False
        had_fault = self._failures.fault is not None
        self._failures = _Failures()
        if had_fault:
            note_fault(self._folder, None)
        if had_fault or uploaded.rows:
            self._changed()
        return True

    def _failed(self, fault: ReceiverAway | UploadRefused | JournalError) -> None:
        if self._closing.is_set():
            return
        kind, before = _fault_of(fault), self._failures.fault
        new = before is None or before.fault is not kind
        if new or before is None:
            before = UploadFault(kind, self._clock())
            note_fault(self._folder, before)
        self._failures = _Failures(self._failures.count + 1, before)
        if new:
            _log.warning("redemptions wait: %s", fault)
        self._changed()

    def _pause(self) -> float:
        """Seconds before the next attempt."""
        failures, pace = self._failures, self._pace
        away = failures.fault is None or failures.fault.fault is UploadFaultCode.AWAY
        seconds = min(pace.longest, pace.first * 2 ** min(failures.count - 1, 20)) if away else pace.refused
        seconds *= random.uniform(0.75, 1.25)  # noqa: S311  # no secret
        failures.next_at = self._clock() + timedelta(seconds=seconds)
        return seconds


def _fault_of(fault: ReceiverAway | UploadRefused | JournalError) -> UploadFaultCode:
    if isinstance(fault, UploadRefused):
        return fault.fault
    return UploadFaultCode.AWAY if isinstance(fault, ReceiverAway) else UploadFaultCode.DISK
