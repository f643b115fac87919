"""The state of the payment application between transactions, in the card's memory. JR/T 0025.5, annex A."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntFlag
from typing import Final, overload

from simulators.applets.payment.data import AMOUNTS
from simulators.card.applet import AppletMemory
from terminal.tlv import Tag

LAST_ATC: Final = 0xFFFF


class Indicator(IntFlag):
    """Indicators of earlier transactions that card risk management evaluates. JR/T 0025.5, annex A."""

    ONLINE_NOT_COMPLETED = 0x01
    ISSUER_AUTHENTICATION_FAILED = 0x02
    SCRIPT_FAILED = 0x04
    STATIC_FAILED = 0x08
    DYNAMIC_FAILED = 0x10
    BLOCKED = 0x80


class _Number:
    """A number of the state in ``width`` bytes: 0 until it is written, and limited to its greatest value."""

    def __init__(self, name: str, width: int) -> None:
        self._name, self._width = name, width

    @overload
    def __get__(self, state: None, owner: type[PaymentState]) -> _Number: ...
    @overload
    def __get__(self, state: PaymentState, owner: type[PaymentState]) -> int: ...
    def __get__(self, state: PaymentState | None, owner: type[PaymentState]) -> _Number | int:
        return self if state is None else int.from_bytes(state.memory.get(self._name, b""), "big")

    def __set__(self, state: PaymentState, value: int) -> None:
        state.memory[self._name] = min(value, 256**self._width - 1).to_bytes(self._width, "big")


class PaymentState:
    """Counters and indicators of one instance. ``memory.transaction`` makes several changes atomic."""

    atc = _Number("atc", 2)
    last_online_atc = _Number("last online atc", 2)
    offline_amount = _Number("offline amount", 8)
    """Total approved offline in the card's currency, in its smallest unit, since the last online transaction."""
    offline_foreign_currency = _Number("offline foreign currency", 1)
    offline_foreign_country = _Number("offline foreign country", 1)
    scripts = _Number("scripts", 1)
    """Script commands received since the start of the last completed online transaction."""
    logged = _Number("logged", 4)
    loads = _Number("loads", 4)
    _indicators = _Number("marks", 1)

    def __init__(self, memory: AppletMemory) -> None:
        self.memory = memory

    @property
    def indicators(self) -> Indicator:
        return Indicator(self._indicators)

    def set_indicator(self, indicators: Indicator, *, on: bool = True) -> None:
        """Set these indicators, or reset them."""
        self._indicators = int(self.indicators | indicators if on else self.indicators & ~indicators)

    @property
    def offline(self) -> int:
        """Transactions since the last online one, including the present one."""
        return self.atc - self.last_online_atc

    def went_online(self) -> None:
        """Reset the offline counters after a completed online transaction."""
        self.last_online_atc = self.atc
        self.offline_amount = self.offline_foreign_currency = self.offline_foreign_country = 0

    def put(self, tag: int, value: bytes) -> None:
        """Store a data object of the card."""
        self.memory[_name(tag)] = value

    def object(self, tag: int) -> bytes | None:
        """A data object of the card."""
        return self.memory.get(_name(tag))

    def number(self, tag: int) -> int | None:
        """A data object as a number: amounts are decimal digits, all others binary."""
        value = self.object(tag)
        if value is None:
            return None
        return int(value.hex()) if tag in AMOUNTS else int.from_bytes(value, "big")


def _name(tag: int) -> str:
    return f"object {tag:X}"


def amount(values: Mapping[Tag, bytes], tag: int = 0x9F02) -> int:
    """An amount among the values of a transaction; 0 if missing or not decimal digits."""
    digits = values.get(Tag(tag), b"").hex()
    return int(digits) if digits.isdecimal() else 0
