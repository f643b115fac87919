"""Clocks of simulated machines: the computer's, or one that runs only when somebody waits."""

from __future__ import annotations

import time
from typing import Protocol


class MachineClock(Protocol):
    """Seconds from any zero, never backwards."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class WallClock:
    """The computer's clock."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class VirtualClock:
    """A clock that runs only when somebody waits on it, so that hours pass at once. For one thread."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += max(0.0, seconds)
