"""Frames of a CRT-571, from the machine's side, and the control characters between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

STX, ETX, EOT, ACK, NAK = 0xF2, 0x03, 0x04, 0x06, 0x15
_COMMAND, _SUCCESS = 0x43, 0x50
_HEAD: Final = 4
"""STX, the address, and two bytes of length."""
DAMAGED: Final = -1
"""Stands for a frame whose length, end or check byte is wrong."""


def check_byte(data: bytes) -> int:
    """BCC: the exclusive or of every byte from STX to ETX."""
    return reduce(xor, data, 0)


@dataclass(frozen=True, slots=True)
class CommandFrame:
    """A command: its two letters, CM and PM, and its data."""

    cm: int
    pm: int
    data: bytes = b""

    def __str__(self) -> str:
        """Without the data, which may be secret."""
        return f"{self.cm:02X} {self.pm:02X}"


def success(address: int, command: CommandFrame, state: bytes, data: bytes) -> bytes:
    """The frame of a positive answer; ``state`` is ST0 ST1 ST2."""
    return _frame(address, bytes((_SUCCESS, command.cm, command.pm)) + state + data)


def failure(address: int, command: CommandFrame, code: str, letter: int) -> bytes:
    """The frame of a negative answer; ``code`` is E1 E0, ``letter`` the byte that firmware marks it with."""
    return _frame(address, bytes((letter, command.cm, command.pm)) + code.encode("ascii"))


def _frame(address: int, body: bytes) -> bytes:
    raw = bytes((STX, address)) + len(body).to_bytes(2, "big") + body + bytes((ETX,))
    return raw + bytes((check_byte(raw),))


class FrameReader:
    """Puts frames together, byte by byte."""

    def __init__(self, address: int) -> None:
        self._address = address
        self._buffer = bytearray()

    @property
    def within(self) -> bool:
        """Whether a frame began and is not complete."""
        return bool(self._buffer)

    def feed(self, byte: int) -> CommandFrame | int | None:
        """A command to this address once it is complete; DAMAGED for any frame that is not good; EOT, ACK and NAK
        between frames. None within a frame, for a frame to another address, and for bytes that belong to nothing."""
        if not self._buffer and byte != STX:
            return byte if byte in (EOT, ACK, NAK) else None
        self._buffer.append(byte)
        if len(self._buffer) < _HEAD:
            return None
        length = int.from_bytes(self._buffer[2:_HEAD], "big")
        if len(self._buffer) < _HEAD + length + 2:
            return None
        raw = bytes(self._buffer)
        self._buffer.clear()
        return self._taken(raw, length)

    def drop(self) -> None:
        """The rest of a frame does not come."""
        self._buffer.clear()

    def _taken(self, raw: bytes, length: int) -> CommandFrame | int | None:
        good = raw[-2] == ETX and raw[-1] == check_byte(raw[:-1])
        if good and raw[1] != self._address:
            return None
        if not good or length < 3 or raw[_HEAD] != _COMMAND:
            return DAMAGED
        return CommandFrame(raw[_HEAD + 1], raw[_HEAD + 2], raw[_HEAD + 3 : -2])
