"""The conversation with a CRT-571: a command, ACK, the answer when the work is done, ACK.

What may be asked twice is asked again after any damage. Other commands, moves and APDUs, are sent once: whoever gave
them learns that the outcome is not known, and looks.

An answer counts only behind an ACK: one that comes before it may be that of the command before. A damaged answer is
asked for again with NAK.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from personalize.machines.crt571.codes import STATUS
from personalize.machines.crt571.frames import (
    LONG,
    SHORT,
    AnswerDecoder,
    FrameDamage,
    LineSignal,
    MachineAnswer,
    MachineOrder,
    Received,
)
from personalize.machines.crt571.options import Crt571Settings
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.links import ByteLink

_ACK: Final = bytes((LineSignal.ACK,))
_NAK: Final = bytes((LineSignal.NAK,))
_EOT: Final = bytes((LineSignal.EOT,))
_BITS: Final = 10
"""Of one character: start, eight data bits, stop."""
_NOISY: Final = 2.0
"""Seconds after which a line that is never silent is given up."""


class Unanswered(MachineFault):
    """No answer, or none that is readable: whether the machine executed the command is not known."""


class Crt571Conversation:
    """The conversation over one open link, by one thread at a time. Raises Unanswered, and what the link raises."""

    def __init__(
        self, link: ByteLink, name: str, options: Crt571Settings, now: Callable[[], float] = monotonic
    ) -> None:
        self._link = link
        self._name = name
        self._options = options
        self._address = options.address
        self._tries = options.tries
        self._now = now
        self._decoder = AnswerDecoder(self._address, LONG if options.extended else SHORT)
        self._open_end = False
        """Whether a command may still be at work whose answer did not come."""
        self._listened = True

    @property
    def link(self) -> ByteLink:
        return self._link

    def exchange(self, order: MachineOrder) -> MachineAnswer:
        """The answer to an order that is never sent twice."""
        if self._open_end:
            self.query(STATUS)
        self._open_end, self._listened = True, False
        answer = self._once(order)
        self._open_end = False
        return answer

    def query(self, order: MachineOrder) -> MachineAnswer:
        """The answer to an order that may be executed twice."""
        if self._open_end and not self._listened:
            self._listened = True
            self._listen()
        left = self._tries
        while True:
            left -= 1
            try:
                answer = self._once(order)
            except Unanswered:
                if not left:
                    raise
                self._quiet(2 * self._options.ack if left == 1 else 0)
                self._link.write(_EOT)
            else:
                self._open_end = False
                return answer

    def _once(self, order: MachineOrder) -> MachineAnswer:
        link = self._link
        if self._decoder.unfinished or link.read(0):
            self._quiet()
        self._decoder.forget()
        frame = order.encode(self._address)
        link.write(frame)
        self._await_acknowledgement(order, len(frame) * _BITS / self._options.rate)
        return self._await_answer(order)

    def _await_acknowledgement(self, order: MachineOrder, sending: float) -> None:
        """``sending``: seconds that the frame is on its way, which is written at once."""
        until = self._now() + sending + self._options.ack
        silent = True
        while (received := self._next(until)) is not None:
            silent = False
            if received is LineSignal.ACK:
                self._decoder.noise = False
                return
            if isinstance(received, LineSignal):
                raise self._unanswered(MachineFaultCode.LINK, f"{order} was not received")
            if isinstance(received, MachineAnswer):
                self._link.write(_ACK)
            else:
                self._quiet()
        if silent and not self._decoder.unfinished:
            raise self._unanswered(MachineFaultCode.NO_ANSWER, f"{order} was not acknowledged")
        raise self._unanswered(MachineFaultCode.LINK, f"{order} was not acknowledged in a readable way")

    def _await_answer(self, order: MachineOrder) -> MachineAnswer:
        until = self._now() + self._options.answer
        damaged = 0
        while True:
            received = self._next(until, by_gap=True)
            if isinstance(received, MachineAnswer):
                if not self._followed():
                    self._link.write(_ACK)
                    if received.answers(order):
                        return received
                    continue
            elif received is LineSignal.EOT:
                raise self._unanswered(MachineFaultCode.LINK, f"the machine left {order} without an answer")
            elif isinstance(received, LineSignal):
                continue
            elif received is None and not self._decoder.unfinished:
                seconds = f"{self._options.answer:g}"
                raise self._unanswered(MachineFaultCode.NO_ANSWER, f"no answer to {order} within {seconds} s")
            damaged += 1
            self._quiet()
            if damaged >= self._tries:
                raise self._unanswered(MachineFaultCode.LINK, f"the answer to {order} is not readable")
            self._link.write(_NAK)

    def _followed(self) -> bool:
        """Whether bytes follow directly on a frame: it was not the machine's, which waits for ACK now."""
        if self._decoder.unfinished:
            return True
        more = self._link.read(self._options.gap if self._decoder.doubtful else 0)
        self._decoder.feed(more)
        return bool(more)

    def _next(self, until: float, *, by_gap: bool = False) -> Received | None:
        """What comes next; None at the end of the time or, ``by_gap``, where a frame stops in its middle."""
        decoder, link = self._decoder, self._link
        while (received := decoder.next()) is None:
            left = until - self._now()
            if left <= 0:
                return None
            raw = link.read(min(left, self._options.gap) if by_gap and decoder.unfinished else left)
            if raw:
                decoder.feed(raw)
            elif by_gap and decoder.unfinished:
                return None
        return received

    def _listen(self) -> None:
        """Wait for the answer of a command that may be at work, which is not trusted."""
        until = self._now() + self._options.settle
        while (received := self._next(until, by_gap=True)) is not None or self._decoder.unfinished:
            if isinstance(received, MachineAnswer):
                self._link.write(_ACK)
                return
            if received is None or isinstance(received, FrameDamage):
                self._quiet()
                return

    def _quiet(self, seconds: float = 0.0) -> None:
        """Drop what arrives until the line is silent for ``seconds``, or for the gap.

        Before the last try that is long enough for a machine that waits for the rest of a damaged frame to forget it.
        """
        until = self._now() + _NOISY
        while self._link.read(seconds or self._options.gap) and self._now() < until:
            pass
        self._decoder.forget()

    def _unanswered(self, code: MachineFaultCode, detail: str) -> Unanswered:
        return Unanswered(self._name, code, detail)
