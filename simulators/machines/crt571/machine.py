"""A CRT-571 at the far end of its line: frames, acknowledgements, retransmission, time, power, and faults on demand.

What the facts leave open is an option (:mod:`options`) or, where a choice had to be made, this: a frame with another
address is not answered. Commands that arrive during a move wait until it is over; EOT drops them and the answer, not
the move. Before it is initialized the machine refuses everything else.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from simulators.machines.body import BodyFault, MachineBody
from simulators.machines.clock import MachineClock, WallClock
from simulators.machines.crt571.commands import LACKING, CommandFailed, Crt571Commands, Work
from simulators.machines.crt571.frames import ACK, DAMAGED, EOT, NAK, CommandFrame, FrameReader, failure, success
from simulators.machines.crt571.options import Crt571Options
from simulators.machines.device import Timetable
from simulators.machines.faults import WireFault, WireFaultKind, WireFaults
from terminal.errors import TransportError

_NOISE: Final = bytes.fromhex("00FF5503")
_REPETITIONS: Final = 3
_USUAL: Final = Crt571Options()


class SimulatedCrt571:
    """The machine, switched on. A :class:`simulators.machines.device.SimulatedDevice`.

    ``faults`` is its plan; ``clock`` gives the time of its moves. ``report`` gets one line for each event that a person
    at the machine would see. What persons do to the body is done at ``body``.
    """

    def __init__(
        self,
        body: MachineBody,
        options: Crt571Options = _USUAL,
        *,
        faults: WireFaults | None = None,
        clock: MachineClock | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.body, self.options = body, options
        self._faults, self._clock, self._report = faults or WireFaults(), clock or WallClock(), report
        self._lock = threading.RLock()
        self._times = Timetable(self._clock)
        self._commands = Crt571Commands(body, options)
        self._reader = FrameReader(options.address)
        self._out = bytearray()
        self._waiting: deque[CommandFrame] = deque()
        self._answer, self._repetitions = b"", 0
        self._repetition = self._gap = self._late = 0
        self._work: Work | None = None
        self._command = CommandFrame(0, 0)
        self._fault: WireFault | None = None
        self._muted = False
        self._cut_short = False
        self.powered = True
        self.executed: list[str] = []
        """CM and PM of each command, in the order in which their work began."""
        body.contacts.tear = body.antenna.tear = self._faults.tear

    @property
    def clock(self) -> MachineClock:
        return self._clock

    @property
    def initialized(self) -> bool:
        return self._commands.initialized

    @property
    def busy(self) -> bool:
        """Whether a command is in work."""
        return self._work is not None

    # -- the line -----------------------------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        with self._lock:
            self._times.run()
            if not self.powered:
                return
            for byte in self._faults.incoming(data):
                self._one(byte)
            self._times.call_off(self._gap)
            if self._reader.within:
                self._gap = self._times.after(self.options.gap, self._incomplete)

    def tick(self) -> bytes:
        with self._lock:
            self._times.run()
            out = bytes(self._out)
            self._out.clear()
            return out

    @property
    def due(self) -> float | None:
        with self._lock:
            return self._times.due

    def _send(self, data: bytes) -> None:
        if self.powered:
            self._out += self._faults.outgoing(data)

    def _one(self, byte: int) -> None:
        frame = self._reader.feed(byte)
        if isinstance(frame, CommandFrame):
            self._acknowledged()
            self._waiting.append(frame)
            self._next()
        elif frame == DAMAGED:
            self._send(bytes((NAK,)))
        elif frame == ACK:
            self._acknowledged()
        elif frame == NAK and self._answer:
            self._repeat()
        elif frame == EOT:
            self._waiting.clear()
            self._acknowledged()
            self._times.call_off(self._late)
            self._muted = self._work is not None

    def _incomplete(self) -> None:
        self._reader.drop()
        self._send(bytes((NAK,)))

    def _acknowledged(self) -> None:
        self._answer = b""
        self._times.call_off(self._repetition)

    def _repeat(self) -> None:
        if not self._answer or self._repetitions == _REPETITIONS:
            return
        self._repetitions += 1
        self._send(self._answer)
        self._wait_for_acknowledgement()

    def _wait_for_acknowledgement(self) -> None:
        self._times.call_off(self._repetition)
        if self.options.repeat_after:
            self._repetition = self._times.after(self.options.repeat_after, self._repeat)

    # -- commands -----------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        """Begin the command that waits, if none is in work."""
        while self._waiting and self._work is None and self.powered:
            command = self._waiting.popleft()
            fault = self._faults.command()
            kind = fault.kind if fault else None
            if kind is WireFaultKind.NAK:
                self._send(bytes((NAK,)))
                continue
            if kind is not WireFaultKind.NO_ACK:
                self._send(bytes((ACK,)))
            if fault is not None and kind is WireFaultKind.POWER_BEFORE:
                self._cut(fault.seconds)
                return
            self._begin(command, fault)

    def _begin(self, command: CommandFrame, fault: WireFault | None) -> None:
        self._command, self._fault, self._muted = command, fault, False
        if fault is not None and fault.kind is WireFaultKind.FAIL:
            self._finish(self._failure(fault.detail))
            return
        if fault is not None and fault.kind is WireFaultKind.JAM:
            self.body.damage(BodyFault.JAM)
        self.executed.append(str(command))
        self._work = self._commands.execute(command)
        self._step()

    def _step(self) -> None:
        """Go on with the command in work until it takes time, or ends."""
        work, fault = self._work, self._fault
        if work is None:
            return
        try:
            while True:
                seconds = next(work)
                if fault is not None and fault.kind is WireFaultKind.POWER_DURING:
                    self._times.after(seconds / 2, lambda: self._cut(fault.seconds))
                    return
                if seconds > 0:
                    self._times.after(seconds, self._step)
                    return
        except StopIteration as done:
            answer = self._success(done.value)
        except CommandFailed as failed:
            answer = self._failure(failed.code)
        except TransportError as error:
            answer = self._broken(error)
        if self._cut_short or not self.powered:
            return
        tear, page = self._faults.tear, self._faults.page
        if tear is not None and page is not None and tear.done:
            self._faults.page = None
            self._cut(page.seconds)
            return
        self._finish(answer)

    def _success(self, data: bytes) -> bytes:
        try:
            return success(self.options.address, self._command, self._commands.state, data)
        except TransportError as error:
            return self._broken(error)

    def _broken(self, error: TransportError) -> bytes:
        """The answer where directories of cards cannot be read or written."""
        self._report(str(error))
        return self._failure(LACKING)

    def _failure(self, code: str) -> bytes:
        return failure(self.options.address, self._command, code, self.options.failure_letter)

    def _finish(self, answer: bytes) -> None:
        """The work is done: send the answer, unless the line was cleared meanwhile."""
        self._work = None
        fault, kind = self._fault, self._fault.kind if self._fault else None
        if fault is not None and kind in (WireFaultKind.POWER_AFTER, WireFaultKind.POWER_DURING):
            self._cut(fault.seconds)
            return
        if not self._muted and kind is not WireFaultKind.SILENT:
            if fault is not None and kind is WireFaultKind.LATE:
                self._late = self._times.after(fault.seconds, lambda: self._respond(answer, None))
            else:
                self._respond(answer, kind)
        self._next()

    def _respond(self, answer: bytes, kind: WireFaultKind | None) -> None:
        self._answer, self._repetitions = answer, 0
        if kind is WireFaultKind.NOISE:
            self._send(_NOISE)
        self._send(answer[:-1] + bytes((answer[-1] ^ 0x01,)) if kind is WireFaultKind.CHECK else answer)
        if kind is WireFaultKind.TWICE:
            self._send(answer)
        self._wait_for_acknowledgement()

    # -- power and persons --------------------------------------------------------------------------------------------

    def power_off(self) -> None:
        """The power fails now: also in the middle of a move, or of a memory write of the chip, from any thread."""
        self._cut_short = True
        self.body.contacts.cut()
        self.body.antenna.cut()
        with self._lock:
            self._cut_short = False
            if self.powered:
                self._report("the power is off")
            self.powered = False
            work, self._work = self._work, None
            if work is not None:
                work.close()
            self._times.clear()
            self._waiting.clear()
            self._reader.drop()
            self._answer = b""
            self._commands.power_off()

    def power_on(self) -> None:
        with self._lock:
            if not self.powered:
                self.powered = True
                self._report("the power is on")

    def insert(self, card: Path) -> bool:
        """Push a card in at the gate. False where the machine does not take it: its entry is not enabled, or a card is
        inside."""
        with self._lock:
            return self.powered and self._commands.entry and self.body.insert(card)

    def _cut(self, seconds: float) -> None:
        self.power_off()
        if not math.isinf(seconds):
            self._times.after(seconds, self.power_on)
