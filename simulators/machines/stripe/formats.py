"""Characters on a track and back: odd parity for each, start and end sentinel, and a check character over all.

ISO/IEC 7811-2 (coding), 7813 (tracks 1 and 2), 4909 (track 3). A character is recorded with its least significant bit
first, and its parity bit last. The longitudinal redundancy check makes the number of ones even in each column of bits;
its own parity bit is the odd parity of the check character. ISO/IEC 7811-2, 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from terminal.errors import CodecError


class TrackFault(StrEnum):
    """Why a track is not readable."""

    PARITY = "parity"
    CHECK = "check"
    """The check character is not that of the characters."""
    INCOMPLETE = "incomplete"
    """There is no end sentinel, or nothing after it."""
    START = "start"
    """The first character is no start sentinel."""
    DENSITY = "density"
    """The track was written at another density than it is read at."""


class TrackUnreadable(CodecError):
    """A track that is not of its format; ``fault`` says how."""

    def __init__(self, fault: TrackFault) -> None:
        self.fault = fault
        super().__init__(f"the track is not readable: {fault}")


@dataclass(frozen=True, slots=True)
class TrackFormat:
    """How a track is coded: ``bits`` of a character with its parity, the ASCII character of value 0, the longest text.

    ``density`` in bits an inch is that of the standard.
    """

    bits: int
    zero: int
    start: str
    longest: int
    density: int
    end: str = "?"

    def encode(self, text: str) -> str:
        """The bits of a text (without sentinels) as ``0`` and ``1``. Raises CodecError for a text that cannot be
        written."""
        if len(text) > self.longest:
            raise CodecError(f"the text has {len(text)} characters, and the track takes {self.longest}")
        values = [self._value(character) for character in (self.start, *text, self.end)]
        if any(character in (self.start, self.end) for character in text):
            raise CodecError("a sentinel cannot stand in the text of a track")
        check = 0
        for value in values:
            check ^= value
        return "".join(map(self._recorded, [*values, check]))

    def decode(self, bits: str) -> str:
        """The text of a track, which may begin and end with zeros; empty for a track without a one.

        Raises TrackUnreadable.
        """
        first = bits.find("1")
        if first < 0:
            return ""
        values: list[int] = []
        check = 0
        end = self._value(self.end)
        for place in range(first, len(bits), self.bits):
            value = self._read(bits[place : place + self.bits])
            if values and values[-1] == end:
                if value != check:
                    raise TrackUnreadable(TrackFault.CHECK)
                return "".join(chr(self.zero + value) for value in values[1:-1])
            if not values and value != self._value(self.start):
                raise TrackUnreadable(TrackFault.START)
            values.append(value)
            check ^= value
        raise TrackUnreadable(TrackFault.INCOMPLETE)

    def _value(self, character: str) -> int:
        value = ord(character) - self.zero
        if not 0 <= value < 1 << (self.bits - 1):
            raise CodecError("a character of the text is not in the set of its track")
        return value

    def _recorded(self, value: int) -> str:
        data = f"{value:0{self.bits - 1}b}"[::-1]
        return data + ("0" if data.count("1") % 2 else "1")

    def _read(self, bits: str) -> int:
        if len(bits) < self.bits:
            raise TrackUnreadable(TrackFault.INCOMPLETE)
        if bits.count("1") % 2 == 0:
            raise TrackUnreadable(TrackFault.PARITY)
        return int(bits[-2::-1], 2)


ISO_FORMATS: Final = {
    1: TrackFormat(bits=7, zero=0x20, start="%", longest=76, density=210),
    2: TrackFormat(bits=5, zero=0x30, start=";", longest=37, density=75),
    3: TrackFormat(bits=5, zero=0x30, start=";", longest=104, density=210),
}
"""Track 1 (IATA), 2 (ABA) and 3 (THRIFT); the lengths leave room for both sentinels and the check character."""
