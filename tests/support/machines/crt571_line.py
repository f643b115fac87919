"""Lines to a CRT-571 in virtual time: one that holds exactly one conversation, and one to a small model of the machine.

The model has what a conversation needs: frames, ACK and NAK, a stacker, one card and two bins. A byte of the
conversation may be lost, doubled, flipped or late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import xor

ACK, NAK, EOT = b"\x06", b"\x15", b"\x04"


def framed(*parts: str) -> bytes:
    """The frame with these bytes in hex from CMT to the end of DATA."""
    body = bytes.fromhex("".join(parts))
    raw = b"\xf2\x00" + len(body).to_bytes(2, "big") + body + b"\x03"
    return raw + bytes((reduce(xor, raw),))


class ScriptedLink:
    """Holds exactly one conversation: pairs of what the host writes at once, and what comes then.

    A reply is bytes, or seconds of silence before the next one.
    """

    def __init__(self, *turns: tuple[bytes, tuple[bytes | float, ...]]) -> None:
        self._turns = deque(turns)
        self._replies: deque[bytes | float] = deque()
        self.clock = 0.0
        self.open = True

    def now(self) -> float:
        return self.clock

    def write(self, data: bytes) -> None:
        assert self._turns, f"nothing more was expected, and {data.hex()} came"
        expected, replies = self._turns.popleft()
        assert data.hex() == expected.hex()
        self._replies.extend(replies)

    def read(self, seconds: float) -> bytes:
        until = self.clock + seconds
        while self._replies:
            reply = self._replies[0]
            if isinstance(reply, bytes):
                self._replies.popleft()
                return reply
            if self.clock + reply > until:
                self._replies[0] = reply - (until - self.clock)
                break
            self.clock += reply
            self._replies.popleft()
        self.clock = until
        return b""

    def discard(self) -> None:
        self._replies.clear()

    def close(self) -> None:
        self.open = False

    def finished(self) -> bool:
        return not self._turns and not self._replies


@dataclass(frozen=True)
class LineMishap:
    """What happens to one byte, counted from 0 over both directions: ``lost``, ``doubled``, ``flipped`` by ``mask``, or
    ``late`` with all that follow it, by ``seconds``."""

    at: int
    kind: str
    mask: int = 1
    seconds: float = 0.0


@dataclass
class CardMover:
    """The machine of the model. ``errors`` are answered, once each, to the command with this CM and PM."""

    stacker: int = 3
    place: str = "none"
    """none, exit, or inside."""
    out: int = 0
    rejected: int = 0
    fed: int = 0
    seconds: float = 1.5
    answer_to: Callable[[bytes], bytes] = lambda apdu: b"\x90\x00"
    executed: list[bytes] = field(default_factory=list)
    errors: dict[tuple[int, int], str] = field(default_factory=dict)
    initialized: bool = False
    powered: bool = False
    reject_full: bool = False
    mute: bool = False
    marker: int = 0x4E
    reset_data: bytes = bytes.fromhex("313BF81800008131FE454A434F5076323431BC")
    entry: bool = False
    pms: list[tuple[int, int]] = field(default_factory=list)
    """CM and PM of each command that was executed."""

    def sensors(self) -> bytes:
        place = {"none": 0x30, "exit": 0x31, "inside": 0x32}[self.place]
        return bytes((place, 0x30 if not self.stacker else 0x32, 0x31 if self.reject_full else 0x30))

    def execute(self, body: bytes) -> tuple[float, bytes]:
        """Seconds of work, and CMT to DATA of the answer."""
        cm, pm, data = body[1], body[2], body[3:]
        self.pms.append((cm, pm))
        error = self.errors.pop((cm, pm), "")
        if not error and not self.initialized and cm not in (0x30, 0x31):
            error = "B0"
        seconds, answer = (0.0, b"") if error else self._work(cm, pm, data)
        if error or answer is None:
            return 0.01, bytes((self.marker, cm, pm)) + (error or "A0").encode()
        return seconds, bytes((0x50, cm, pm)) + self.sensors() + answer

    def _work(self, cm: int, pm: int, data: bytes) -> tuple[float, bytes | None]:
        if cm == 0x30:
            self.initialized = True
            if pm in (0x31, 0x35) and self.place == "inside":
                self.place, self.rejected = "none", self.rejected + 1
            return 0.5, b"CRT-571 V1.0"
        if cm == 0x32:
            return self._move(pm)
        if cm == 0x33:
            self.entry = pm == 0x30
        if cm in (0x51, 0x60):
            return 0.1, self._chip(cm, pm, data)
        return 0.01, {0xA2: b"SN 0815", 0xA4: b"1.20", 0xA5: b"%d" % self.rejected}.get(cm, b"")

    def _move(self, pm: int) -> tuple[float, bytes | None]:
        self.powered = False
        if self.place == "none":
            if not self.stacker:
                return 0.01, None
            self.stacker, self.fed = self.stacker - 1, self.fed + 1
        self.place = "inside"
        if pm == 0x39:
            self.place, self.out = "exit", self.out + 1
        elif pm == 0x33:
            self.place, self.rejected = "none", self.rejected + 1
        return self.seconds, b""

    def _chip(self, cm: int, pm: int, data: bytes) -> bytes:
        if pm in (0x30, 0x38):
            self.powered = True
            return self.reset_data if cm == 0x51 else b"A\x04\x11\x22\x33\x44"
        if pm in (0x33, 0x34, 0x35, 0x39):
            self.executed.append(data)
            return self.answer_to(data)
        self.powered = False
        return b""


class ModelLink:
    """A link to a model. Time passes only while nothing comes."""

    def __init__(self, machine: CardMover, mishap: LineMishap | None = None) -> None:
        self.machine = machine
        self.mishap = mishap
        self.clock = 0.0
        self.open = True
        self.passed = 0
        self._coming: deque[tuple[float, int]] = deque()
        self._frame = bytearray()
        self._heard = self._busy = self._late = 0.0
        self._last = b""

    def now(self) -> float:
        return self.clock

    def write(self, data: bytes) -> None:
        at = self.clock
        for value in data:
            for byte, wait in self._pass(value):
                at += wait
                self._receive(byte, at)

    def read(self, seconds: float) -> bytes:
        if not self._coming or self._coming[0][0] > self.clock + seconds:
            self.clock += seconds
            return b""
        self.clock = max(self.clock, self._coming[0][0])
        data = bytearray()
        while self._coming and self._coming[0][0] <= self.clock:
            data.append(self._coming.popleft()[1])
        return bytes(data)

    def discard(self) -> None:
        self._coming.clear()

    def close(self) -> None:
        self.open = False

    def _pass(self, value: int) -> list[tuple[int, float]]:
        """One byte on the line: as it arrives, and after which silence."""
        number, self.passed = self.passed, self.passed + 1
        mishap = self.mishap
        if mishap is None or mishap.at != number:
            return [(value, 0.0)]
        if mishap.kind == "late":
            return [(value, mishap.seconds)]
        if mishap.kind == "flipped":
            return [(value ^ mishap.mask, 0.0)]
        return [(value, 0.0)] * (2 if mishap.kind == "doubled" else 0)

    def _send(self, data: bytes, at: float) -> None:
        at = max(at, self._late)
        for value in data:
            for byte, wait in self._pass(value):
                at += wait
                self._coming.append((at, byte))
        self._late = at

    def _receive(self, byte: int, at: float) -> None:
        """A machine that is at work looks at its line afterwards."""
        at = max(at, self._busy, self._heard)
        if self.machine.mute:
            return
        if self._frame and at - self._heard > 2:
            self._frame.clear()
        self._heard = at
        if not self._frame:
            if byte == 0xF2:
                self._frame.append(byte)
            elif byte == NAK[0] and self._last:
                self._send(self._last, at)
            elif byte in (ACK[0], EOT[0]):
                self._last = b""
            return
        self._frame.append(byte)
        if len(self._frame) >= 4 and len(self._frame) == 6 + int.from_bytes(self._frame[2:4], "big"):
            frame = bytes(self._frame)
            self._frame.clear()
            if frame[1] or frame[-2] != 3 or reduce(xor, frame) or frame[4] != 0x43 or len(frame) < 9:
                self._send(NAK, at)
                return
            self._send(ACK, at)
            seconds, body = self.machine.execute(frame[4:-2])
            self._busy = at + seconds
            self._last = framed(body.hex())
            self._send(self._last, self._busy)
