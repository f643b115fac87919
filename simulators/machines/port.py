"""A simulated machine at the far end of a pseudo-terminal, as if it were at a serial port of the host."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from typing import Final, Self

from simulators.machines.device import SimulatedDevice
from simulators.readers.serial.terminal import PseudoTerminal

_POLL: Final = 0.01
"""Seconds between looks for a program that opens the port."""
_LONGEST: Final = 0.05
"""Seconds between looks at the machine: persons act from other threads."""
_TOLERANCE: Final = 0.05
"""How far the port's rate may be from the machine's: a character of ten bits is read wrong beyond it."""


class DevicePort:
    """A pseudo-terminal with a machine behind it, served by a thread. ``port`` is the device that a program opens.

    The machine runs on the computer's clock and has power of its own: it goes on while nobody has the port open, and
    what it sends then is lost. ``rate`` is the one that it is set to, in bits a second (0: any); a port at another one
    is noise to it. ``report`` gets one line for each event that a person should know.
    """

    def __init__(
        self, device: SimulatedDevice, *, rate: int = 9600, report: Callable[[str], None] = lambda _: None
    ) -> None:
        self._device, self._rate, self._report = device, rate, report
        self._terminal = PseudoTerminal()
        self.port = self._terminal.port
        self._closing, self._noted = False, 0
        self._thread = threading.Thread(target=self._run, name=f"machine at {self.port}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread. The machine keeps its card and its power."""
        self._closing = True
        self._thread.join()
        self._terminal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing:
            events = self._terminal.wait(self._pause())
            if events & select.POLLIN:
                self._serve()
            out = self._device.tick()
            if events & select.POLLHUP:
                time.sleep(_POLL)
            else:
                self._terminal.write(out)

    def _pause(self) -> float:
        due = self._device.due
        return _LONGEST if due is None else min(_LONGEST, max(0.0, due - self._device.clock.now()))

    def _serve(self) -> None:
        data, rate = self._terminal.read(), self._terminal.rate
        if self._rate and abs(rate / self._rate - 1) > _TOLERANCE:
            if rate != self._noted:
                self._noted = rate
                self._report(f"{self.port} is set to {rate} bit/s, and the machine to {self._rate}")
            return
        self._device.receive(data)
