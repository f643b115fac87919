"""Entitlements (DF28) and their periods, as the chip counts them. docs/redemption.md, GENERATE AC."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from simulators.card.applet import Refuse

SIZE: Final = 8
"""Bytes of one entitlement: class n 4, limit b 1, used b 1, period b 1, start n 6."""
_PIN: Final = 0x80
_KIND: Final = 0x0F
_DAY, _ONCE = 1, 5
_MONTHS: Final = {2: 1, 3: 3, 4: 12}
"""Months of the periods that are counted in months: month, quarter, year."""


@dataclass(frozen=True, slots=True)
class CardEntitlement:
    """What a member may still have of one benefit in the period that begins at ``start``."""

    benefit_class: bytes
    """Two bytes of decimal digits."""
    limit: int
    used: int
    period: int
    """Bits 4-1 the kind: 1 day, 2 month, 3 quarter, 4 year, 5 once; bit 8: the PIN is demanded."""
    start: date

    @classmethod
    def decode(cls, value: bytes) -> CardEntitlement:
        """From eight bytes. Raises Refuse: 6A80 for another length, digits, kind of period or date."""
        start = card_date(value[5:])
        kind = value[4] & ~_PIN if len(value) == SIZE else 0
        if start is None or not value[:2].hex().isdecimal() or not (kind in _MONTHS or kind in (_DAY, _ONCE)):
            raise Refuse(0x6A80)
        return cls(value[:2], value[2], value[3], value[4], start)

    def encode(self) -> bytes:
        return self.benefit_class + bytes((self.limit, self.used, self.period)) + encode_date(self.start)

    @property
    def count(self) -> bytes:
        """Used, limit and start, as issuer application data (9F10) end with them."""
        return bytes((self.used, self.limit)) + encode_date(self.start)

    @property
    def demands_pin(self) -> bool:
        return bool(self.period & _PIN)

    def on(self, day: date) -> CardEntitlement:
        """The entitlement in the period of ``day``: itself, or with nothing used since a later start."""
        start = self.start
        if self.period & _KIND == _DAY:
            start = max(start, day)
        elif months := _MONTHS.get(self.period & _KIND):
            while (following := _months_later(start, months)) <= day:
                start = following
        return self if start == self.start else replace(self, used=0, start=start)

    def after(self, quantity: int) -> CardEntitlement:
        """The same with this much more used."""
        return replace(self, used=self.used + quantity)


def decode_entitlements(value: bytes) -> list[CardEntitlement]:
    """A whole DF28. Raises Refuse: 6A80 for a part of an entitlement, one out of form, or a class that comes twice."""
    entitlements = [CardEntitlement.decode(value[at : at + SIZE]) for at in range(0, len(value), SIZE)]
    if len({entitlement.benefit_class for entitlement in entitlements}) != len(entitlements):
        raise Refuse(0x6A80)
    return entitlements


def find_entitlement(value: bytes, benefit_class: bytes) -> tuple[int, CardEntitlement] | None:
    """The first entitlement of a class in DF28, with its offset. None without one, or if that one is out of form."""
    for at in range(0, len(value), SIZE):
        if value[at : at + 2] == benefit_class:
            try:
                return at, CardEntitlement.decode(value[at : at + SIZE])
            except Refuse:
                return None
    return None


def card_date(value: bytes) -> date | None:
    """A date of three bytes n 6 YYMMDD, 00 to 49 as 20xx; None for what is no date."""
    digits = value.hex()
    if len(value) != 3 or not digits.isdecimal():
        return None
    year, month, day = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    try:
        return date(year + (2000 if year < 50 else 1900), month, day)
    except ValueError:
        return None


def encode_date(day: date) -> bytes:
    """Three bytes n 6 YYMMDD."""
    return bytes.fromhex(f"{day:%y%m%d}")


def _months_later(start: date, months: int) -> date:
    """The same day so many months later, limited to the length of that month."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))
