"""A clock for deadlines that a pause of the machine does not use up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class AwakeClock:
    """Seconds of which at most ``longest`` pass between two readings; from any thread.

    A suspended machine, a paused virtual machine and a stopped process (SIGSTOP) use up no deadline on this clock: the
    first reading afterwards, whoever takes it, leaves the pause out. So somebody has to read it at shorter intervals
    than ``longest`` while a deadline runs. ``ticks`` is the clock below, CLOCK_MONOTONIC by default: it goes on during
    a stop of the process and in most virtual machines (clock_gettime(2)).
    """

    def __init__(self, longest: float, ticks: Callable[[], float] = time.monotonic) -> None:
        self._longest, self._ticks = longest, ticks
        self._lock = threading.Lock()
        self._last = ticks()
        self.left_out = 0.0
        """Seconds that were left out so far."""

    def __call__(self) -> float:
        with self._lock:
            now = self._ticks()
            self.left_out += max(0.0, now - self._last - self._longest)
            self._last = now
            return now - self.left_out
