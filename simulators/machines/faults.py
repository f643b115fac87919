"""Faults on the line to a simulated machine, and in its power: a plan that strikes at counted bytes and commands.

A fault is written ``KIND:N``, where N counts from 0, and strikes once:

    lose-in:N  double-in:N  flip-in:N      byte N from the host is lost, comes twice, or has one bit flipped
    lose-out:N  double-out:N  flip-out:N   the same with byte N to the host
    nak:N              command N is refused as damaged, and not executed
    no-ack:N           command N is executed and not acknowledged
    noise:N            bytes that belong to nothing come before the answer to command N
    check:N            that answer has a wrong check byte when it is sent first
    late:N:SECONDS     it comes so much later
    silent:N           it never comes
    twice:N            it comes twice
    fail:N:CODE        command N is not executed; its answer is this error code of the machine
    jam:N              the card jams in the move of command N
    power-before:N     the power fails after the acknowledgement of command N, before its work
    power-during:N     the power fails in the middle of its move
    power-after:N      the power fails after its work, before its answer
    power-page:N       the power fails in the middle of page N that chips write in the machine
    random:SEED:EVERY  bytes in both directions are lost, doubled and flipped, on average one of EVERY; always the same
                       ones for a seed

With ``:SECONDS`` behind it the power comes back after so long, else after two seconds. Bytes, commands and pages are
counted from the moment the plan is set, across power cuts.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from simulators.card.memory import TearAt
from terminal.errors import CodecError


class WireFaultKind(StrEnum):
    LOSE_IN = "lose-in"
    DOUBLE_IN = "double-in"
    FLIP_IN = "flip-in"
    LOSE_OUT = "lose-out"
    DOUBLE_OUT = "double-out"
    FLIP_OUT = "flip-out"
    NAK = "nak"
    NO_ACK = "no-ack"
    NOISE = "noise"
    CHECK = "check"
    LATE = "late"
    SILENT = "silent"
    TWICE = "twice"
    FAIL = "fail"
    JAM = "jam"
    POWER_BEFORE = "power-before"
    POWER_DURING = "power-during"
    POWER_AFTER = "power-after"
    POWER_PAGE = "power-page"
    RANDOM = "random"


_Kind = WireFaultKind
_IN: Final = (_Kind.LOSE_IN, _Kind.DOUBLE_IN, _Kind.FLIP_IN)
_OUT: Final = (_Kind.LOSE_OUT, _Kind.DOUBLE_OUT, _Kind.FLIP_OUT)
_CUTS: Final = (_Kind.POWER_BEFORE, _Kind.POWER_DURING, _Kind.POWER_AFTER, _Kind.POWER_PAGE)
_SYNTAX: Final = re.compile(r"(?P<kind>[a-z-]+):(?P<at>\d{1,9})(?::(?P<detail>[0-9A-Za-z.]+))?")
_SECONDS: Final = re.compile(r"\d{1,6}(\.\d+)?|inf")
_CODE: Final = re.compile(r"[0-9A-Za-z]{2}")
_EVERY: Final = re.compile(r"[1-9]\d{0,8}")
_DETAILS: Final = {_Kind.LATE: _SECONDS, _Kind.FAIL: _CODE, _Kind.RANDOM: _EVERY} | dict.fromkeys(_CUTS, _SECONDS)
_DIP: Final = 2.0
"""Seconds that a power cut lasts."""


@dataclass(frozen=True, slots=True)
class WireFault:
    """One fault: its kind, the byte, command or page it strikes at (RANDOM: the seed), and ``detail``: seconds, an
    error code, or how many bytes there are for each fault."""

    kind: WireFaultKind
    at: int
    detail: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """A fault from its text. Raises CodecError, which names the valid forms."""
        match = _SYNTAX.fullmatch(text)
        if match is None or match["kind"] not in list(WireFaultKind):
            raise CodecError(f"{text!r} is no fault of a machine: it must be KIND:N with one of {', '.join(_Kind)}")
        kind, detail = WireFaultKind(match["kind"]), match["detail"] or ""
        form = _DETAILS.get(kind)
        if (form is None and detail) or (form and not form.fullmatch(detail) and (detail or kind not in _CUTS)):
            raise CodecError(
                f"{text!r} is no fault of a machine: late:N:SECONDS, fail:N:CODE, random:SEED:EVERY, power-…:N:SECONDS"
            )
        return cls(kind, int(match["at"]), detail)

    def __str__(self) -> str:
        return f"{self.kind}:{self.at}{':' if self.detail else ''}{self.detail}"

    @property
    def seconds(self) -> float:
        """How late the answer is, or how long the power is away."""
        return float(self.detail or _DIP)


class WireFaults:
    """The plan of one machine. Raises CodecError for two faults at the same byte, command, or in the memory."""

    def __init__(self, faults: Iterable[WireFault] = ()) -> None:
        self._incoming, self._outgoing = _Bytes(), _Bytes()
        self._commands: dict[int, WireFault] = {}
        self._counted = 0
        self.tear: TearAt | None = None
        self.page: WireFault | None = None
        for fault in faults:
            if fault.kind is _Kind.RANDOM:
                for salt, direction in enumerate((self._incoming, self._outgoing)):
                    direction.every = int(fault.detail)
                    direction.random = random.Random(2 * fault.at + salt)  # noqa: S311 (a plan that can be repeated)
            elif fault.kind in _IN:
                self._incoming.add(fault)
            elif fault.kind in _OUT:
                self._outgoing.add(fault)
            elif self.page is not None if fault.kind is _Kind.POWER_PAGE else fault.at in self._commands:
                raise CodecError(f"two faults at once: {fault} can strike only by itself")
            elif fault.kind is _Kind.POWER_PAGE:
                self.page, self.tear = fault, TearAt(fault.at)
            else:
                self._commands[fault.at] = fault

    def incoming(self, data: bytes) -> bytes:
        """What the machine receives of bytes that the host sent."""
        return self._incoming.strike(data)

    def outgoing(self, data: bytes) -> bytes:
        """What the host receives of bytes that the machine sent."""
        return self._outgoing.strike(data)

    def command(self) -> WireFault | None:
        """The fault of the command that came now."""
        self._counted += 1
        return self._commands.pop(self._counted - 1, None)


class _Bytes:
    """The faults of one direction."""

    def __init__(self) -> None:
        self._pending: dict[int, WireFault] = {}
        self._counted = 0
        self.every = 0
        self.random = random.Random(0)  # noqa: S311

    def add(self, fault: WireFault) -> None:
        if fault.at in self._pending:
            raise CodecError(f"two faults at once: {fault} can strike only by itself")
        self._pending[fault.at] = fault

    def strike(self, data: bytes) -> bytes:
        if not self._pending and not self.every:
            self._counted += len(data)
            return data
        struck = bytearray()
        for byte in data:
            fault = self._pending.pop(self._counted, None)
            self._counted += 1
            kind = fault.kind.partition("-")[0] if fault else self._drawn()
            if kind == "double":
                struck.append(byte)
            if kind != "lose":
                struck.append(byte ^ 0x10 if kind == "flip" else byte)
        return bytes(struck)

    def _drawn(self) -> str:
        if not self.every or self.random.randrange(self.every):
            return ""
        return self.random.choice(("lose", "double", "flip"))
