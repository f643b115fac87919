"""The printer at a line: bytes in and out in their time, with faults of the line and of the power."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Generator
from typing import Final

from simulators.machines.body import BodyFault
from simulators.machines.clock import MachineClock, WallClock
from simulators.machines.device import Timetable
from simulators.machines.evolis.answers import PrinterError
from simulators.machines.evolis.commands import CommandReader, HostCommand
from simulators.machines.evolis.printer import EvolisPrinter
from simulators.machines.faults import WireFault, WireFaultKind, WireFaults
from terminal.errors import CodecError

_GAP: Final = 10.0
"""Seconds of silence in the middle of a command after which it is dropped, with a time-out."""
_NOISE: Final = b"\xa5\x5a"
_LETTERS: Final = {error.letter.decode(): error for error in reversed(PrinterError)}


class SimulatedEvolis:
    """A :class:`~simulators.machines.device.SimulatedDevice`: commands are done one after the other.

    ``gap``: seconds of silence within a command after which it is dropped. Of the faults on the line, ``nak`` refuses a
    command as unknown, ``fail:N:0L`` with the letter L, ``check`` damages the answer; ``no-ack`` and ``silent`` are the
    same. Raises CodecError for a plan that tears the memory of a chip: it lies in a reader of its own.
    """

    def __init__(
        self,
        printer: EvolisPrinter,
        *,
        faults: WireFaults | None = None,
        clock: MachineClock | None = None,
        gap: float = _GAP,
    ) -> None:
        self.printer = printer
        self._clock = clock or WallClock()
        self._gap = gap
        self._lock = threading.RLock()
        self._reader = CommandReader()
        self._times = Timetable(self._clock)
        self._commands: deque[HostCommand] = deque()
        self._work: Generator[float, None, bytes] | None = None
        self._fault: WireFault | None = None
        self._silence: int | None = None
        self._out = bytearray()
        self.powered = True
        self.set_faults(faults or WireFaults())

    @property
    def clock(self) -> MachineClock:
        return self._clock

    @property
    def due(self) -> float | None:
        with self._lock:
            return self._times.due

    def set_faults(self, faults: WireFaults) -> None:
        """A new plan; commands are counted from now on."""
        if faults.page is not None:
            raise CodecError(f"{faults.page} does not go with a printer: its chip lies in a reader of its own")
        with self._lock:
            self._faults = faults

    def receive(self, data: bytes) -> None:
        with self._lock:
            if not self.powered:
                return
            self._commands.extend(self._reader.receive(self._faults.incoming(data)))
            if self._silence is not None:
                self._times.call_off(self._silence)
            self._silence = self._times.after(self._gap, self._stop_waiting) if self._reader.waiting else None
            self._begin()

    def tick(self) -> bytes:
        with self._lock:
            self._times.run()
            out = bytes(self._out)
            self._out.clear()
            return out

    def power_off(self) -> None:
        with self._lock:
            self.powered = False
            self._times.clear()
            self._commands.clear()
            self._reader.forget()
            self._out.clear()
            work, self._work = self._work, None
            if work is not None:
                work.close()
            self.printer.power_off()

    def power_on(self) -> None:
        with self._lock:
            if not self.powered:
                self.powered = True
                self.printer.power_on()

    def _stop_waiting(self) -> None:
        self._silence = None
        self._reader.forget()
        self._put(self.printer.timed_out())

    def _begin(self) -> None:
        while self.powered and self._work is None and self._commands:
            command = self._commands.popleft()
            self._fault = fault = self._faults.command()
            kind = fault.kind if fault is not None else None
            if kind is WireFaultKind.POWER_BEFORE:
                self._dip()
            elif fault is not None and kind in (WireFaultKind.FAIL, WireFaultKind.NAK):
                self._put(self.printer.refused(_LETTERS.get(fault.detail[-1:].upper(), PrinterError.COMMAND)))
            else:
                if kind is WireFaultKind.JAM:
                    self.printer.body.damage(BodyFault.JAM)
                self._work = self.printer.execute(command)
                self._go_on()

    def _go_on(self) -> None:
        """Work on the command until it takes time."""
        work = self._work
        while work is not None and work is self._work:
            try:
                seconds = next(work)
            except StopIteration as end:
                self._finish(end.value)
                return
            if self._fault is not None and self._fault.kind is WireFaultKind.POWER_DURING:
                self._times.after(seconds / 2, self._dip)
                return
            if seconds > 0:
                self._times.after(seconds, self._continue)
                return

    def _continue(self) -> None:
        self._go_on()
        self._begin()

    def _finish(self, answer: bytes) -> None:
        fault = self._fault
        match fault.kind if fault is not None else None:
            case WireFaultKind.POWER_AFTER | WireFaultKind.POWER_DURING:
                self._dip()
                return
            case WireFaultKind.LATE if fault is not None and fault.seconds < math.inf:
                self._times.after(fault.seconds, lambda: self._deliver_late(answer))
                return
            case WireFaultKind.NO_ACK | WireFaultKind.SILENT | WireFaultKind.LATE:
                answer = b""
            case WireFaultKind.TWICE:
                answer *= 2
            case WireFaultKind.NOISE:
                answer = _NOISE + answer
            case WireFaultKind.CHECK if answer:
                answer = bytes((answer[0] ^ 0x10,)) + answer[1:]
        self._deliver(answer)

    def _deliver(self, answer: bytes) -> None:
        self._work = self._fault = None
        self._put(answer)

    def _deliver_late(self, answer: bytes) -> None:
        self._deliver(answer)
        self._begin()

    def _put(self, answer: bytes) -> None:
        self._out += self._faults.outgoing(answer)

    def _dip(self) -> None:
        """The power fails, and comes back after a while."""
        fault = self._fault
        self.power_off()
        self._fault = None
        if fault is not None and fault.seconds < math.inf:
            self._times.after(fault.seconds, self.power_on)
