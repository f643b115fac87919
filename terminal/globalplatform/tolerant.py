"""Data objects of answers that are no clean BER-TLV: cut lists, padding in front, wrong lengths.

``terminal.tlv`` refuses such bytes as a whole. What a card says of itself is read as far as it goes, and what could
not be read is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_PADDING = (0x00, 0xFF)

Note = Callable[[str], None]
"""Called with a sentence for each part of an answer that could not be read."""

Objects = Sequence[tuple[int, bytes]]
"""Tag and value of the objects of one level, in order."""


def ignore(sentence: str) -> None:
    """The default ``Note``."""


def objects(data: bytes, note: Note = ignore) -> list[tuple[int, bytes]]:
    """The objects of one level. Bytes 00 and FF between them are skipped; a template that is cut keeps what is there, a
    primitive object that is cut is left out."""
    level: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        if data[at] in _PADDING:
            at += 1
            continue
        try:
            tag, length, start = _head(data, at)
        except IndexError:
            note(f"the last {len(data) - at} bytes are the beginning of an object only")
            break
        value = data[start : start + length]
        complete = len(value) == length
        if not complete:
            note(f"{tag:02X} is cut: {len(value)} of {length} bytes")
        if complete or data[at] & 0x20:
            level.append((tag, value))
        at = start + length
    return level


def values(level: Objects, tag: int) -> list[bytes]:
    """The values of every object with this tag."""
    return [value for each, value in level if each == tag]


def says_something(data: bytes) -> bool:
    """Whether data of a chip were ever set: not all 00, and not all FF."""
    return bool(data) and all(set(data) != {unset} for unset in _PADDING)


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, length and offset of the value. Raises IndexError."""
    end = at + 1
    if data[at] & 0x1F == 0x1F:
        while data[end] & 0x80:
            end += 1
        end += 1
    tag = int.from_bytes(data[at:end], "big")
    length, end = data[end], end + 1
    if length >= 0x80:
        width = length & 0x7F
        if end + width > len(data):
            raise IndexError
        length, end = int.from_bytes(data[end : end + width], "big"), end + width
    return tag, length, end
