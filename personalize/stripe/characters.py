"""Characters of a track on the stripe: code, parity, sentinels, longitudinal redundancy check, and bits.

ISO/IEC 7811-6:2018, coded character sets (alphanumeric, 7 bits, track 1; numeric, 5 bits, tracks 2 and 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import xor
from typing import Final

from personalize.errors import StripeError


class TrackDamage(StrEnum):
    """What is wrong with a track that was read."""

    NO_START = "no-start"
    """No start sentinel: a blank track, another density, or no stripe."""
    PARITY = "parity"
    NO_END = "no-end"
    CHECK = "check"
    """The longitudinal redundancy check is another one."""
    LENGTH = "length"
    CHARACTER = "character"


class TrackDamaged(StripeError):
    """A track is not readable. ``fault`` is its kind, ``place`` the number of the character, 0 for the start sentinel.

    The message has no character of the track.
    """

    def __init__(self, text: str, fault: TrackDamage, place: int) -> None:
        self.fault, self.place = fault, place
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class CharacterCode:
    """The code of one kind of track: ``bits`` of a character with parity, its first character in ASCII, the sentinels,
    and the longest text between them. ``letters`` are the characters that text may have."""

    bits: int
    first: int
    start: str
    longest: int
    letters: frozenset[str]
    end: str = "?"

    def check(self, text: str) -> None:
        """Raises TrackDamaged (LENGTH, CHARACTER) for a text that the track cannot hold."""
        if len(text) > self.longest:
            sentence = f"{len(text)} characters, and the track holds {self.longest}"
            raise TrackDamaged(sentence, TrackDamage.LENGTH, self.longest + 1)
        for place, character in enumerate(text, 1):
            if character not in self.letters:
                raise TrackDamaged(f"character {place} is not one that it may have", TrackDamage.CHARACTER, place)

    def encode(self, text: str) -> bytes:
        """The characters as on the stripe, one in each byte: parity in the highest of its bits. Start sentinel, text,
        end sentinel, check character. An empty text gives nothing. Raises TrackDamaged (LENGTH, CHARACTER)."""
        self.check(text)
        if not text:
            return b""
        values = [ord(character) - self.first for character in f"{self.start}{text}{self.end}"]
        return bytes(self._with_parity(value) for value in (*values, reduce(xor, values)))

    def decode(self, characters: bytes) -> str:
        """The inverse of ``encode``; what follows the check character is ignored. Raises TrackDamaged."""
        start, end = (ord(sentinel) - self.first for sentinel in (self.start, self.end))
        values = bytearray()
        for place, character in enumerate(characters):
            value = character & self._data
            if not place and character != self._with_parity(start):
                raise TrackDamaged("there is no start sentinel", TrackDamage.NO_START, 0)
            if place == self.longest + 2:
                break
            if character != self._with_parity(value):
                raise TrackDamaged(f"the parity of character {place} is wrong", TrackDamage.PARITY, place)
            values.append(value)
            if value == end:
                return self._checked(bytes(values), characters[place + 1 : place + 2])
        if not values:
            raise TrackDamaged("there is no start sentinel", TrackDamage.NO_START, 0)
        raise TrackDamaged("there is no end sentinel", TrackDamage.NO_END, len(values))

    def bits_of(self, text: str) -> tuple[int, ...]:
        """The bits in the order in which they pass the head: the lowest of each character first, parity last. Without
        the zeros before and after, which the encoder adds. Raises TrackDamaged (LENGTH, CHARACTER)."""
        return tuple(character >> bit & 1 for character in self.encode(text) for bit in range(self.bits))

    def text_of(self, bits: Sequence[int]) -> str:
        """The text of bits as a head gives them, zeros before and after, in either direction of the swipe. Few tracks
        can be read both ways; the right way leaves no bits over, and so gives the longer text. Raises TrackDamaged, of
        the forward direction."""
        try:
            forwards = self._forwards(bits)
        except TrackDamaged as fault:
            try:
                return self._forwards(bits[::-1])
            except TrackDamaged:
                raise fault from None
        try:
            return max(forwards, self._forwards(bits[::-1]), key=len)
        except TrackDamaged:
            return forwards

    def _forwards(self, bits: Sequence[int]) -> str:
        if 1 not in bits:
            raise TrackDamaged("there is no start sentinel", TrackDamage.NO_START, 0)
        at = list(bits).index(1)  # both start sentinels begin with a one
        whole = (bits[place : place + self.bits] for place in range(at, len(bits) - self.bits + 1, self.bits))
        return self.decode(bytes(sum(bit << weight for weight, bit in enumerate(one)) for one in whole))

    def _checked(self, values: bytes, check: bytes) -> str:
        place = len(values)
        if check != bytes((self._with_parity(reduce(xor, values)),)):
            raise TrackDamaged("the check character (LRC) is wrong", TrackDamage.CHECK, place)
        text = "".join(chr(value + self.first) for value in values[1:-1])
        self.check(text)
        return text

    @property
    def _data(self) -> int:
        return (1 << (self.bits - 1)) - 1

    def _with_parity(self, value: int) -> int:
        """Odd parity: an odd number of ones in the character."""
        return value | (value.bit_count() + 1) % 2 << (self.bits - 1)


_TRACK1 = frozenset(" $()-./^0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NUMERIC = frozenset("0123456789=")

TRACK_CODES: Final = (
    CharacterCode(7, 0x20, "%", 76, _TRACK1),
    CharacterCode(5, 0x30, ";", 37, _NUMERIC),
    CharacterCode(5, 0x30, ";", 104, _NUMERIC),
)
"""Tracks 1, 2 and 3: 79, 40 and 107 characters with sentinels and check character. ISO/IEC 7813:2006; ISO/IEC
4909:2006, 8. Characters for control and national use are none of these."""
