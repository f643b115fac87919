"""Data elements and records as a card holds them, for the data preparation of every application."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import TypeVar

from personalize.errors import PrepareError
from terminal.emv.data.elements.element import Element
from terminal.emv.data.tags import TAG_70_RECORD
from terminal.errors import CodecError
from terminal.tlv import Tag, encode_length

MAX_RECORD = 254
"""Bytes of a whole record. EMV 4.4 Book 3, 6.5.11 (Le is one byte), and common practice."""

_BCD = bytes(number // 10 << 4 | number % 10 for number in range(100))
Item = tuple[int, bytes]
"""Tag and encoded value of one data element."""
T = TypeVar("T")

_ROOM = MAX_RECORD - 3
"""Bytes inside a record with tag 70 and a length of 128 or more."""


def item(element: Element[T], value: T) -> Item:
    """A value as its data element holds it. Raises PrepareError for one that does not fit, naming the element."""
    try:
        return element.tag, element.encode(value)
    except CodecError as error:
        raise PrepareError(str(error)) from None


def join(*items: Item) -> bytes:
    """Data elements one after another, each with tag and length."""
    return b"".join([_head(tag, len(value)) + value for tag, value in items])


@cache  # a few dozen tags and lengths, encoded forty times for each card
def _head(tag: int, length: int) -> bytes:
    return Tag(tag).encode() + encode_length(length)


def record(content: bytes) -> bytes:
    """A record with its template. Raises PrepareError when it is longer than a card can return."""
    whole = join((TAG_70_RECORD, content))
    if len(whole) > MAX_RECORD:
        raise PrepareError(f"a record of {len(whole)} bytes; {MAX_RECORD} is the most a card can return")
    return whole


def inside(whole: bytes) -> bytes:
    """The content of a 70 template of at most 254 bytes."""
    return whole[3:] if whole[1] == 0x81 else whole[2:]


def pack(items: Sequence[Item]) -> list[bytes]:
    """Pack elements into few records: the longest first, each into the first record with room.

    Raises PrepareError naming the tag of an element that fits no record.
    """
    contents: list[bytearray] = []
    for tag, value in sorted(items, key=lambda item: len(item[1]), reverse=True):
        element = _head(tag, len(value)) + value
        size = len(element)
        if size > _ROOM:
            raise PrepareError(
                f"{tag:02X} takes {size} bytes; with its template that is more than {MAX_RECORD}, "
                "the most that one record holds"
            )
        for content in contents:
            if len(content) + size <= _ROOM:
                content += element
                break
        else:
            contents.append(bytearray(element))
    return [record(bytes(content)) for content in contents]


def mmyy(day: date) -> bytes:
    """Month and year as certificates hold them. EMV 4.4 Book 2, 5.3."""
    return bytes((_BCD[day.month], _BCD[day.year % 100]))


def years_after(day: date, years: int) -> date:
    """The same day ``years`` later; 29 February becomes 28 February."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)
