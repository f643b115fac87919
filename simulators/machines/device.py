"""A machine as the line sees it, and the time that its work takes."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Protocol

from simulators.machines.clock import MachineClock


class SimulatedDevice(Protocol):
    """Bytes in, and bytes out when their time has come; the caller waits. All methods may come from any thread."""

    @property
    def clock(self) -> MachineClock: ...

    def receive(self, data: bytes) -> None:
        """Bytes from the host. A machine without power does not notice them."""
        ...

    def tick(self) -> bytes:
        """Do what is due by now; the bytes to the host that came out since the last call."""
        ...

    @property
    def due(self) -> float | None:
        """When the next thing happens by itself, on the clock; None: when the host sends something."""
        ...

    def power_off(self) -> None:
        """The power fails now, whatever the machine does; safe to call twice."""
        ...

    def power_on(self) -> None: ...


class Timetable:
    """Actions with their times, in the order of these."""

    def __init__(self, clock: MachineClock) -> None:
        self._clock = clock
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def after(self, seconds: float, action: Callable[[], None]) -> int:
        """Plan an action; its number, with which it can be called off."""
        self._number += 1
        heapq.heappush(self._entries, (self._clock.now() + seconds, self._number, action))
        return self._number

    def call_off(self, number: int) -> None:
        """Without effect for an action that was done, or is called off."""
        self._entries = [entry for entry in self._entries if entry[1] != number]
        heapq.heapify(self._entries)

    def clear(self) -> None:
        self._entries.clear()

    @property
    def due(self) -> float | None:
        return self._entries[0][0] if self._entries else None

    def run(self) -> None:
        """Do what is due by now."""
        while self._entries and self._entries[0][0] <= self._clock.now():
            heapq.heappop(self._entries)[2]()
