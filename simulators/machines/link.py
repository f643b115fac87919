"""A line in memory between a driver and a simulated machine: no port, no thread, and time as the machine's clock has
it."""

from __future__ import annotations

import math

from simulators.machines.device import SimulatedDevice
from terminal.errors import ReaderFault

_SLICE = 0.02
"""Seconds between looks at the machine while the host waits: persons act from other threads."""


class MemoryLine:
    """The host's end: ``write``, ``read``, ``discard``, ``open`` and ``close`` as of a serial port.

    ``read`` waits on the machine's clock. With a virtual one it returns at once, and the time has passed.
    """

    def __init__(self, device: SimulatedDevice) -> None:
        self._device = device
        self._buffer = bytearray()
        self._open = True

    @property
    def open(self) -> bool:
        return self._open

    def write(self, data: bytes) -> None:
        """Raises ReaderFault once closed."""
        self._check()
        self._device.receive(data)
        self._buffer += self._device.tick()

    def read(self, seconds: float) -> bytes:
        """What arrived, at least one byte, or nothing within ``seconds``. Raises ReaderFault once closed."""
        self._check()
        clock = self._device.clock
        deadline = clock.now() + seconds
        while True:
            self._buffer += self._device.tick()
            left = deadline - clock.now()
            if self._buffer or left <= 0:
                data = bytes(self._buffer)
                self._buffer.clear()
                return data
            due = self._device.due
            clock.sleep(max(0.0, min(left, _SLICE, math.inf if due is None else due - clock.now())))

    def discard(self) -> None:
        """Drop what arrived and was not read."""
        self._check()
        self._device.tick()
        self._buffer.clear()

    def close(self) -> None:
        self._open = False

    def _check(self) -> None:
        if not self._open:
            raise ReaderFault("the line is closed")
