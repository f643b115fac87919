"""Characters between the protocols and the line: convention, echo, guard time, and what is waiting to be read."""

from __future__ import annotations

from typing import Final

from terminal.apdu.serial.line import SerialLine
from terminal.errors import LineFault, ReaderFault

SLACK: Final = 0.25
"""Seconds added to every waiting time of a card: converters collect characters, and a busy machine is late."""
INVERSE: Final = bytes(int(f"{~value & 0xFF:08b}"[::-1], 2) for value in range(256))
"""A character of the inverse convention as a UART receives and sends it. ISO/IEC 7816-3:2006, 7.2."""
_PROLOGUE = 3
_CHARACTER = 12
"""Elementary time units of a character with its guard time. ISO/IEC 7816-3:2006, 7.2."""
_TURNAROUND = 6
"""Units from the end of a received character to the next one sent: 16 between leading edges. EMV 4.4 Book 1,
9.2.2.1."""


class Characters:
    """Sends and receives bytes of a card in its convention.

    ``echo`` is whether the line returns what is sent, None as long as it is not known. ``unit`` is the elementary time
    unit in seconds and ``guard`` the additional time between characters sent. ``marked`` is whether any character
    taken since :meth:`settle` had wrong parity.
    """

    def __init__(self, line: SerialLine, *, unit: float, inverse: bool = False, echo: bool | None = None) -> None:
        self.line = line
        self.unit = unit
        self.inverse = inverse
        self.echo = echo
        self.guard = 0.0
        self.marked = False
        self._buffer = bytearray()

    @property
    def character(self) -> float:
        """Seconds that one character takes."""
        return _CHARACTER * self.unit

    def send(self, data: bytes) -> bool:
        """Send ``data``; whether its echo, where there is one, is the same. Raises ReaderFault where an echo stays
        away."""
        line = self.line
        raw = data.translate(INVERSE) if self.inverse else data
        if self.guard:
            for value in raw:
                line.write(bytes((value,)))
                line.drain()
                line.pause(self.guard)
        else:
            line.write(raw)
        return self.echo is False or self._echoed(data)

    def _echoed(self, data: bytes) -> bool:
        wait = len(data) * (self.character + self.guard) + SLACK
        if self.echo is None:
            self.echo = self._find_echo(data, wait)
            return True
        back = self.take(len(data), wait)
        if not back:
            raise ReaderFault(
                "the line does not return what was sent: the reader has no power or another wiring "
                "(echo=0 is for a line without echo)"
            )
        return back == data

    def _find_echo(self, data: bytes, wait: float) -> bool:
        """Whether what was sent comes back. What differs is the card's answer and stays."""
        for count in range(1, len(data) + 1):
            if not self._fill(count, wait) or self._buffer[count - 1] != data[count - 1]:
                return False
        del self._buffer[: len(data)]
        return True

    def put_back(self, data: bytes) -> None:
        """Have ``data`` read again, before anything else."""
        self._buffer[:0] = data

    def take(self, count: int, first: float, then: float | None = None) -> bytes:
        """``count`` bytes, or fewer when one stays away: the first for ``first`` seconds, any other for ``then``."""
        if len(self._buffer) < count and (self._buffer or self._fill(1, first)):
            self._fill(count, first if then is None else then)
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def take_block(self, epilogue: int, first: float, then: float) -> bytes:
        """A block of T=1 whose error detection code has ``epilogue`` bytes, or as much of it as comes; waits as
        :meth:`take` does."""
        buffer = self._buffer
        if (buffer or self._fill(1, first)) and (len(buffer) >= _PROLOGUE or self._fill(_PROLOGUE, then)):
            length = _PROLOGUE + buffer[_PROLOGUE - 1] + epilogue
            if len(buffer) < length:
                self._fill(length, then)
        else:
            length = _PROLOGUE
        taken = bytes(buffer[:length])
        del buffer[:length]
        return taken

    @property
    def pending(self) -> bool:
        """Whether more has been read than was taken."""
        return bool(self._buffer)

    def _fill(self, count: int, wait: float) -> bool:
        while len(self._buffer) < count:
            data, marked = self.line.read(wait)
            if not data:
                return False
            self.marked = self.marked or bool(marked)
            self._buffer += data.translate(INVERSE) if self.inverse else data
        return True

    def surplus(self, characters: int = 0) -> bool:
        """Whether more is there than was taken, or comes within the time of so many characters."""
        wait = characters * self.character if self.line.paced else 0.0
        return bool(self._buffer) or self._fill(1, wait)

    def turn(self) -> None:
        """Wait until the terminal may send after a character of the card."""
        if self.line.paced:
            self.line.pause(_TURNAROUND * self.unit)

    def settle(self, silence: float = 0.0) -> None:
        """Forget what is there and what comes until nothing does for ``silence`` seconds, marks included."""
        self._buffer.clear()
        while self._fill(1, silence):
            self._buffer.clear()
        self.marked = False


def lost(doing: str, what: str) -> LineFault:
    """The fault of characters that were lost, doubled or altered on the line."""
    return LineFault(f"{doing}: {what}; check the contacts, the cable and the rate, then try again")
