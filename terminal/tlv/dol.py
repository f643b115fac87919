"""Data object lists: the data that a card requests from the terminal. EMV 4.4 Book 3, 5.4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from terminal.errors import TlvError
from terminal.tlv.ber import Tag, tag_length
from terminal.tlv.cached_parse import cached_parse


class DolFormat(StrEnum):
    """Data element formats. EMV 4.4 Book 3, 4.3."""

    A = "a"
    AN = "an"
    ANS = "ans"
    B = "b"
    CN = "cn"
    N = "n"


class DolEntry(NamedTuple):
    """One requested data object: its tag and the length of its value in bytes, 0 to 255."""

    tag: Tag
    length: int


@dataclass(frozen=True, slots=True)
class Dol:
    """A data object list: tags and lengths in the order in which the values are concatenated."""

    entries: tuple[DolEntry, ...]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises TlvError with the offset when a tag or its length byte is truncated or invalid."""
        return cls(_entries(data))

    @classmethod
    def of(cls, *entries: tuple[int, int]) -> Self:
        """A list from (tag, length) pairs. Raises TlvError for a length over 255."""
        for tag, length in entries:
            if not 0 <= length <= 0xFF:
                raise TlvError(f"a data object list cannot ask for {length} bytes of {tag:02X}")
        return cls(tuple(DolEntry(Tag(tag), length) for tag, length in entries))

    def encode(self) -> bytes:
        return b"".join([entry.tag.encode() + bytes((entry.length,)) for entry in self.entries])

    @property
    def length(self) -> int:
        """Length of the concatenated values in bytes."""
        return sum(entry.length for entry in self.entries)

    def fill(self, values: Mapping[int, bytes], formats: Mapping[int, DolFormat] | None = None) -> bytes:
        """The concatenated values, ``self.length`` bytes.

        A tag without a value, and every template tag, is filled with zeros. A value of another length is truncated or
        padded by its format in ``formats`` (b where it has none). EMV 4.4 Book 3, 5.4, rules 1 to 3.
        """
        by_tag = formats or {}
        parts = []
        for tag, length in self.entries:
            value = values.get(tag)
            if value is None or tag.constructed:
                value = bytes(length)
            elif len(value) != length:
                value = fit(value, length, by_tag.get(tag, DolFormat.B))
            parts.append(value)
        return b"".join(parts)

    def split(self, data: bytes) -> dict[Tag, bytes]:
        """The concatenated values by tag, as a card reads them. Raises TlvError for data of another length."""
        if len(data) != self.length:
            raise TlvError(f"{len(data)} bytes for a data object list of {self.length}")
        values, at = {}, 0
        for tag, length in self.entries:
            values[tag] = data[at : at + length]
            at += length
        return values

    def __iter__(self) -> Iterator[DolEntry]:
        return iter(self.entries)


def asks_for(dol: bytes, tag: int) -> bool:
    """Whether an encoded list requests a tag, at least a byte of it; a malformed list requests none."""
    try:
        return any([entry[0] == tag and entry[1] > 0 for entry in _entries(dol)])
    except TlvError:
        return False


@cached_parse
def _entries(data: bytes) -> tuple[DolEntry, ...]:
    entries, at = [], 0
    while at < len(data):
        try:
            stop = at + tag_length(data, at, 0)
            entries.append(DolEntry(Tag(int.from_bytes(data[at:stop], "big")), data[stop]))
        except IndexError:
            raise TlvError("a data object list ends inside an entry", at) from None
        at = stop + 1
    return tuple(entries)


def fit(value: bytes, length: int, form: DolFormat) -> bytes:
    """A value truncated or padded to ``length`` bytes. EMV 4.4 Book 3, 5.4.

    Format n is truncated and zero-padded on the left; cn is truncated and padded with FF on the right; every other
    format is truncated and zero-padded on the right.
    """
    if form is DolFormat.N:
        return value[len(value) - length :] if len(value) > length else value.rjust(length, b"\x00")
    return value[:length].ljust(length, b"\xff" if form is DolFormat.CN else b"\x00")
