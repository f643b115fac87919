"""Data elements and records as a card holds them: what the data preparation of every application shares."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from personalize.errors import PrepareError
from terminal.tlv import tlv

MAX_RECORD = 254
"""Bytes of a whole record. EMV 4.4 Book 3, 6.5.11 (Le is one byte), and issue practice."""

Item = tuple[int, bytes]
"""Tag and value of one data element."""

_FRAME = 3
"""Bytes of tag 70 and a length of 128 or more."""


def join(*items: Item) -> bytes:
    return b"".join(tlv(tag, value).encode() for tag, value in items)


def record(content: bytes) -> bytes:
    """A whole record. Raises PrepareError when it is longer than a card can return."""
    whole = tlv(0x70, content).encode()
    if len(whole) > MAX_RECORD:
        raise PrepareError(f"a record of {len(whole)} bytes; {MAX_RECORD} is the most a card can return")
    return whole


def inside(whole: bytes) -> bytes:
    """The content of a 70 template of at most 254 bytes."""
    return whole[3:] if whole[1] == 0x81 else whole[2:]


def pack(items: Sequence[Item]) -> list[bytes]:
    """Records for these elements, few and full: the longest first, each into the first record that has room.

    Raises PrepareError naming the tag of an element that fits no record.
    """
    contents: list[bytearray] = []
    for tag, value in sorted(items, key=lambda item: len(item[1]), reverse=True):
        element = join((tag, value))
        if len(element) + _FRAME > MAX_RECORD:
            raise PrepareError(
                f"{tag:02X} takes {len(element)} bytes; with its template that is more than {MAX_RECORD}, "
                "the most that one record holds"
            )
        room = next((c for c in contents if len(c) + len(element) + _FRAME <= MAX_RECORD), None)
        if room is None:
            contents.append(room := bytearray())
        room += element
    return [record(bytes(content)) for content in contents]


def yymmdd(day: date) -> bytes:
    return bytes.fromhex(f"{day:%y%m%d}")


def years_after(day: date, years: int) -> date:
    """The same day ``years`` later; 29 February becomes 28 February."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)
