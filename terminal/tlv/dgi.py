"""Data grouping identifiers: the units of personalization data that a card stores.

A DGI is its number (two bytes), its length (one byte 00-FE, or FF and two bytes for 255 and more) and its value.
EMV Card Personalization Specification 1.1, 2.2; GlobalPlatform Systems Scripting Language 1.1.0, Annex B.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from terminal.errors import TlvError

MAX_LENGTH: Final = 0xFFFF


class Dgi(NamedTuple):
    """One data grouping: number 0000 to FFFF and value of at most 65535 bytes."""

    number: int
    value: bytes

    def encode(self) -> bytes:
        return header(self.number, len(self.value)) + self.value

    def __repr__(self) -> str:
        """Number and length only: the value may be secret."""
        return f"<Dgi {self.number:04X}, {len(self.value)} bytes>"


def header(number: int, length: int) -> bytes:
    """Number and length field, 3 or 5 bytes. Raises TlvError for a number or a length that does not fit."""
    if not 0 <= number <= 0xFFFF:
        raise TlvError(f"a DGI number of {number:X}")
    if length > MAX_LENGTH:
        raise TlvError(f"DGI {number:04X}: a value of {length} bytes; {MAX_LENGTH} is the most")
    return number.to_bytes(2, "big") + (bytes((length,)) if length < 0xFF else b"\xff" + length.to_bytes(2, "big"))


def encode(groups: Iterable[tuple[int, bytes]]) -> bytes:
    """The concatenated DGIs. Raises TlvError."""
    return b"".join([header(number, len(value)) + value for number, value in groups])


def decode(data: bytes) -> list[Dgi]:
    """Concatenated whole DGIs.

    Raises TlvError with the offset for a truncated one or a length not in its shortest form.
    """
    stream = Stream()
    groups = stream.feed(data)
    stream.finish()
    return groups


class Stream:
    """Decodes DGIs that arrive in blocks; a DGI may continue over any number of them.

    Offsets in errors count from the first byte of the first block. After an error the stream cannot be used.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._consumed = 0

    @property
    def pending(self) -> bool:
        """Whether a DGI has begun and is incomplete; False exactly at a DGI boundary."""
        return bool(self._rest)

    def feed(self, block: bytes) -> list[Dgi]:
        """The DGIs that this block completes, in order. Raises TlvError."""
        data, at, groups = self._rest + block, 0, []
        while (head := _head(data, at, self._consumed)) is not None:
            number, start, stop = head
            if stop > len(data):
                break
            groups.append(Dgi(number, data[start:stop]))
            at = stop
        self._rest = data[at:]
        self._consumed += at
        return groups

    def finish(self) -> None:
        """Raises TlvError when a DGI is incomplete."""
        if self._rest:
            raise TlvError("the last DGI is truncated", self._consumed)


def _head(data: bytes, at: int, base: int) -> tuple[int, int, int] | None:
    """Number, start and end of the value of the DGI at ``at``; None while its header is incomplete."""
    if len(data) < at + 3 or (data[at + 2] == 0xFF and len(data) < at + 5):
        return None
    number = int.from_bytes(data[at : at + 2], "big")
    if data[at + 2] != 0xFF:
        return number, at + 3, at + 3 + data[at + 2]
    length = int.from_bytes(data[at + 3 : at + 5], "big")
    if length < 0xFF:
        raise TlvError(f"DGI {number:04X}: a length that is not in its shortest form", base + at + 2)
    return number, at + 5, at + 5 + length
