"""Frames between host and CRT-571, without a line.

A command is ``F2 ADDR LEN 43 CM PM DATA 03 BCC``, an answer has ``50`` and three sensors, or ``4E`` (some firmware
``45``) and two digits of an error. LEN (2, big endian) counts from CMT to the end of DATA; BCC is the exclusive-or of
all bytes before it. DATA may hold any byte: only LEN ends a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from operator import eq
from typing import Final, TypeAlias

STX: Final = 0xF2
ETX: Final = 0x03
_COMMAND: Final = 0x43
_SUCCESS: Final = 0x50
_FAILURE: Final = (0x4E, 0x45)
_HEADER, _TRAILER = 4, 2
_LEAST: Final = 5
"""CMT, CM, PM and the two digits of an error."""
SHORT: Final = 512
"""No answer to a short APDU is longer."""
LONG: Final = 0xFFFF
_FOLDS: Final = tuple(8 << power for power in reversed(range(17)))


class LineSignal(IntEnum):
    """A byte outside frames."""

    EOT = 0x04
    """Clears the line."""
    ACK = 0x06
    NAK = 0x15


class FrameDamage(Enum):
    """What came was a frame, and is not one that the machine sent."""

    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class MachineOrder:
    """A command: CM, PM and DATA."""

    cm: int
    pm: int
    data: bytes = b""

    def encode(self, address: int) -> bytes:
        length = 3 + len(self.data)
        raw = bytes((STX, address, length >> 8, length & 0xFF, _COMMAND, self.cm, self.pm)) + self.data + b"\x03"
        return raw + bytes((check_byte(raw),))

    def __str__(self) -> str:
        return f"command {self.cm:02X} {self.pm:02X}"

    def __repr__(self) -> str:
        """Without DATA, which may be an APDU with a PIN."""
        return f"<MachineOrder {self.cm:02X} {self.pm:02X}, {len(self.data)} bytes>"


@dataclass(frozen=True, slots=True)
class MachineAnswer:
    """An answer: of success with ``sensors`` (ST0, ST1, ST2), or of failure with ``error`` (E1 E0 as two digits)."""

    cm: int
    pm: int
    sensors: bytes
    error: str
    data: bytes

    def answers(self, order: MachineOrder) -> bool:
        return self.cm == order.cm and self.pm == order.pm

    def __repr__(self) -> str:
        """Without DATA, which may be an answer of a card."""
        outcome = f"error {self.error}" if self.error else self.sensors.decode("latin-1")
        return f"<MachineAnswer {self.cm:02X} {self.pm:02X} {outcome}, {len(self.data)} bytes>"


Received: TypeAlias = LineSignal | MachineAnswer | FrameDamage


def check_byte(raw: bytes) -> int:
    """Exclusive-or of all bytes."""
    value = int.from_bytes(raw, "big")
    for shift in _FOLDS[0 if len(raw) > 512 else 8 :]:
        value ^= value >> shift
    return value & 0xFF


class AnswerDecoder:
    """Finds answers and signals in what arrives, in any pieces.

    Bytes that belong to nothing are skipped. After a frame that is damaged everything is dropped: its DATA may look
    like signals or like a frame of its own.
    """

    def __init__(self, address: int, most: int = SHORT) -> None:
        self._address = address
        self._most = most
        self._raw = bytearray()
        self.noise = False
        """Whether bytes were skipped since the last frame."""
        self.doubtful = False
        """Whether the last frame may be one with a doubled byte, whose check byte is still to come: the check byte of
        an answer that was shifted so is the 03 before it."""

    @property
    def unfinished(self) -> bool:
        """Whether something arrived that is nothing yet: the beginning of a frame, or noise."""
        return bool(self._raw) or self.noise

    def feed(self, raw: bytes) -> None:
        self._raw += raw

    def forget(self) -> None:
        """Drop all that arrived."""
        self._raw.clear()
        self.noise = False

    def next(self) -> Received | None:
        """What came next; None where more bytes are needed."""
        raw = self._raw
        while raw:
            first = raw[0]
            if first == STX:
                if len(raw) < _HEADER:
                    return None
                length = raw[2] << 8 | raw[3]
                if raw[1] == self._address and _LEAST <= length <= self._most:
                    end = _HEADER + length + _TRAILER
                    return self._frame(end) if len(raw) >= end else None
            elif first in _SIGNALS:
                del raw[0]
                return _SIGNALS[first]
            self.noise = True
            del raw[0]
        return None

    def _frame(self, end: int) -> Received:
        frame = bytes(self._raw[:end])
        kind, data = frame[4], frame[_HEADER + 1 : -_TRAILER]
        sound = frame[-2] == ETX and check_byte(frame) == 0
        if sound and kind == _SUCCESS and len(data) > 4:
            answer = MachineAnswer(data[0], data[1], data[2:5], "", data[5:])
        elif sound and kind in _FAILURE:
            answer = MachineAnswer(data[0], data[1], b"", data[2:4].decode("latin-1"), data[4:])
        else:
            self.forget()
            return FrameDamage.DAMAGED
        del self._raw[:end]
        self.noise = False
        """Whether bytes were skipped since the last frame."""
        self.doubtful = frame[-1] == ETX and any(map(eq, frame, frame[1:]))
        return answer


_SIGNALS: Final = {int(signal): signal for signal in LineSignal}
