"""The clock of a counter against the office's, as far as the office has said what time it is.

A card takes no date before the last one it was shown, so a clock that is ahead makes it useless until that day; one
that was set back counts in a period that is over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

CLOCK_LIMIT: Final = timedelta(minutes=15)
"""How far the clocks of counter and office may differ."""
REST_LIMIT: Final = timedelta(days=31)
"""How long a counter may rest before somebody has to confirm its clock: the office, or a person."""


def _since_boot() -> float:
    """Seconds by a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class IssuerTime:
    """The office's time: as its last answer had it, and since then by a clock that nobody sets. Safe for many
    threads."""

    def __init__(self, tick: Callable[[], float] = _since_boot) -> None:
        self._tick = tick
        self._lock = threading.Lock()
        self._answer: tuple[datetime, float] | None = None

    def heard(self, at: datetime) -> None:
        """Note an answer that was given at this time."""
        with self._lock:
            self._answer = at, self._tick()

    def now(self) -> datetime | None:
        """The office's time now; None before its first answer."""
        with self._lock:
            if self._answer is None:
                return None
            at, then = self._answer
            return at + timedelta(seconds=self._tick() - then)
