"""Faults on demand for a card in any reader: power failure, no response, a flipped bit, delay.

A fault is written ``KIND:N``, where N counts from 0, and strikes once:

    tear-apdu:N       the power fails before the card acts on command N
    tear-apdu:N+      the power fails after command N is executed and before its response
    tear-page:N       the power fails in the middle of the Nth EEPROM page the card writes
    tear-page:N+      the power fails right after the write that page N belongs to
    tear-byte:N       as tear-page for the page that takes the Nth byte; also with +
    mute:N            no response to command N and those after it, until the next reset
    corrupt:N         one bit of response N is flipped
    slow:N:SECONDS    response N is delayed

Commands and pages are counted from the moment the fault is set, across resets and power cycles.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from simulators.card.memory import PAGE, PowerLost, TearAt
from simulators.readers.protocols import CardInSlot, TearableCard
from terminal.errors import CodecError, DeadlineExceeded


class FaultKind(StrEnum):
    TEAR_APDU = "tear-apdu"
    TEAR_PAGE = "tear-page"
    TEAR_BYTE = "tear-byte"
    MUTE = "mute"
    CORRUPT = "corrupt"
    SLOW = "slow"


_SYNTAX: Final = re.compile(r"(?P<kind>[a-z-]+):(?P<at>\d{1,9})(?P<after>\+)?(?::(?P<seconds>\d+(\.\d+)?))?")
_IN_MEMORY: Final = (FaultKind.TEAR_PAGE, FaultKind.TEAR_BYTE)
_WITH_AFTER: Final = (FaultKind.TEAR_APDU, *_IN_MEMORY)


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """One fault: its kind, the command, page or byte it strikes at, and whether after it; ``seconds`` for SLOW."""

    kind: FaultKind
    at: int
    after: bool = False
    seconds: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """A fault from its text. Raises CodecError, which names the valid forms."""
        match = _SYNTAX.fullmatch(text)
        if match is None or match["kind"] not in list(FaultKind):
            kinds = ", ".join(FaultKind)
            raise CodecError(f"{text!r} is no fault: it must be KIND:N with one of {kinds} (slow:N:SECONDS; tear-…:N+)")
        kind = FaultKind(match["kind"])
        if bool(match["after"]) > (kind in _WITH_AFTER) or bool(match["seconds"]) != (kind is FaultKind.SLOW):
            raise CodecError(f"{text!r} is no fault: + goes with tear-…, and seconds belong to slow and only there")
        return cls(kind, int(match["at"]), bool(match["after"]), float(match["seconds"] or 0))

    def __str__(self) -> str:
        seconds = f":{self.seconds:g}" if self.kind is FaultKind.SLOW else ""
        return f"{self.kind}:{self.at}{'+' if self.after else ''}{seconds}"


class Faults:
    """The pending faults of one reader, whichever cards are in it.

    Raises CodecError for two faults at the same command, or two in the memory.
    """

    def __init__(self, faults: Iterable[InjectedFault] = (), *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep
        self._commands = 0
        self._pending: dict[int, InjectedFault] = {}
        self._struck = 0
        self.tear: TearAt | None = None
        for fault in faults:
            if fault.at in self._pending or (fault.kind in _IN_MEMORY and self.tear is not None):
                raise CodecError(f"two faults at once: {fault} can strike only by itself")
            if fault.kind in _IN_MEMORY:
                self.tear = tear_for(fault)
            else:
                self._pending[fault.at] = fault

    def on(self, card: CardInSlot, chip: TearableCard) -> FaultyCard:
        """The card with these faults. ``chip`` is the card whose memory is torn, ``card`` the chip or a wrapper around
        it."""
        if self.tear is not None:
            chip.tear = self.tear
        return FaultyCard(card, self)

    def next_fault(self) -> InjectedFault | None:
        """The fault of the command about to be exchanged."""
        fault = self._pending.pop(self._commands, None)
        self._commands += 1
        self._struck += fault is not None
        return fault

    @property
    def struck(self) -> int:
        """How many faults at commands have struck so far."""
        return self._struck

    def delay(self, seconds: float) -> None:
        self._sleep(seconds)


class FaultyCard:
    """A card on which faults strike; ``Faults.on`` creates it."""

    def __init__(self, card: CardInSlot, faults: Faults) -> None:
        self.card = card
        self._faults = faults
        self._mute = False

    @property
    def atr(self) -> bytes:
        return self.card.atr

    def power_on(self) -> bytes:
        self._mute = False
        return self.card.power_on()

    def reset(self) -> bytes:
        self._mute = False
        return self.card.reset()

    def power_off(self) -> None:
        self.card.power_off()

    def exchange(self, apdu: bytes) -> bytes:
        fault = self._faults.next_fault()
        kind = fault.kind if fault else None
        if self._mute or kind is FaultKind.MUTE:
            self._mute = True
            raise DeadlineExceeded("the card does not respond")
        if fault is None:
            return self.card.exchange(apdu)
        if kind is FaultKind.TEAR_APDU:
            if fault.after:
                self.card.exchange(apdu)
            self.card.power_off()
            raise PowerLost("the card lost its power before it responded")
        response = self.card.exchange(apdu)
        if kind is FaultKind.SLOW:
            self._faults.delay(fault.seconds)
            return response
        return bytes((response[0] ^ 0x01,)) + response[1:]


def tear_for(fault: InjectedFault) -> TearAt:
    """The memory tear for a page or byte fault: EEPROM is written, and torn, by pages."""
    return TearAt(fault.at // PAGE if fault.kind is FaultKind.TEAR_BYTE else fault.at, after=fault.after)
