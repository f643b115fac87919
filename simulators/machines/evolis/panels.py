"""Panels as a printer of Evolis receives them, decoded to dots.

Programming guide A5013, revision E: 4 (data compression, page 5) and D (``Db``, page 14). A panel is 1016 lines of 648
dots. The first line is the left edge of the picture that lies landscape, and its first dot is the one at the bottom.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from terminal.errors import CodecError

LINES: Final = 1016
DOTS: Final = 648
LINE_BYTES: Final = DOTS // 8
BITS: Final = {2: 1, 32: 5, 64: 6, 128: 7}
"""Bits of a dot by the number of levels."""
PANELS: Final = "ymcko"
DYES: Final = "ymc"

Dots = npt.NDArray[np.uint8]
"""One value for each dot, 648 rows of 1016: the top row first, each from left to right."""

_WHITE, _FULL = 0x00, 0xFF
_RUN: Final = 0x80


def size(levels: int) -> int:
    """Bytes of an uncompressed panel."""
    return LINES * DOTS * BITS[levels] // 8


def decode(levels: int, data: bytes) -> Dots:
    """The dots of a panel sent by ``Db``: values from 0 to ``levels`` − 1. Raises CodecError."""
    if len(data) != size(levels):
        raise CodecError(f"a panel of {levels} levels has {size(levels)} bytes, not {len(data)}")
    bits = BITS[levels]
    stream = np.unpackbits(np.frombuffer(data, np.uint8)).reshape(-1, bits)
    weights = (1 << np.arange(bits - 1, -1, -1)).astype(np.uint8)
    return _picture(stream @ weights)


def decode_compressed(panel: str, levels: int, data: bytes) -> Dots:
    """The dots of a panel sent by ``Dbc``. Raises CodecError for data that are no panel, with the line."""
    return _dyes(levels, data) if panel in DYES else _monochrome(levels, data)


def _picture(sequence: npt.NDArray[np.uint8]) -> Dots:
    """Turn dots in the order of transmission into rows: each line is a column from the bottom to the top."""
    return np.ascontiguousarray(sequence.reshape(LINES, DOTS).T[::-1])


def _monochrome(levels: int, data: bytes) -> Dots:
    """Panels k and o: for each line 00, FF, or the number of useful bytes and these."""
    if levels != 2:
        raise CodecError("a panel k or o has two levels")
    lines = bytearray()
    place = 0
    for line in range(LINES):
        if place >= len(data):
            raise CodecError(f"the data end before line {line + 1} of {LINES}")
        head = data[place]
        place += 1
        if head in (_WHITE, _FULL):
            lines += bytes((head,)) * LINE_BYTES
            continue
        useful = data[place : place + head]
        if head > LINE_BYTES or len(useful) < head:
            raise CodecError(f"line {line + 1} announces {head} bytes")
        lines += useful.ljust(LINE_BYTES, b"\0")
        place += head
    if place != len(data):
        raise CodecError(f"{len(data) - place} bytes follow the last line")
    return decode(levels, bytes(lines))


def _dyes(levels: int, data: bytes) -> Dots:
    """Panels y, m and c: a dot, or a value and how often it is repeated; a number of 0 ends the line without dye."""
    bits = BITS[levels]
    if bits == 1:
        raise CodecError("a compressed panel of a dye has 32, 64 or 128 levels")
    highest = levels - 1
    more = [mask for mask in (0x40, 0x20) if mask > highest]
    dots = bytearray()
    place = 0
    while place < len(data):
        head = data[place]
        place += 1
        if not head & _RUN:
            if head > highest:
                raise CodecError(f"line {len(dots) // DOTS + 1} has a dot above level {highest}")
            dots.append(head)
            continue
        if place >= len(data):
            raise CodecError(f"line {len(dots) // DOTS + 1} ends in the middle of a run")
        count = data[place] + 256 * sum(1 for mask in more if head & mask)
        place += 1
        rest = DOTS - len(dots) % DOTS
        if count > rest:
            raise CodecError(f"line {len(dots) // DOTS + 1} has a run beyond its end")
        dots += bytes((head & highest,)) * count if count else bytes(rest)
    if len(dots) != LINES * DOTS:
        raise CodecError(f"the data hold {len(dots)} dots of {LINES * DOTS}")
    return _picture(np.frombuffer(bytes(dots), np.uint8))
