"""The card's decision on a redemption: TC or AAC, and the card verification results (CVR) that give the reasons.

Pure: reads values and changes nothing. docs/redemption.md, GENERATE AC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import IntFlag
from typing import Final

from simulators.applets.member.entitlements import SIZE, CardEntitlement, find_entitlement

LAST_ATC: Final = 0xFFFF


class MemberCvr(IntFlag):
    """Bytes 2 to 4 of the card verification results; byte 1 is their length, bits 4-1 of byte 4 count script commands.
    docs/redemption.md, table CVR."""

    TC = 0x400000
    PIN_VERIFIED = 0x200000
    PIN_FAILED = 0x100000
    NO_PIN_TRY = 0x080000
    BLOCKED = 0x040000
    SCRIPT_EXECUTED = 0x020000
    SCRIPT_MAC_FAILED = 0x010000
    CLASS_UNKNOWN = 0x008000
    LIMIT_EXCEEDED = 0x004000
    PIN_MISSING = 0x002000
    DATE_BEFORE_LAST = 0x001000
    NO_DATE = 0x000800
    NO_QUANTITY = 0x000400
    ATC_USED_UP = 0x000200
    NOT_ACTIVATED = 0x000100
    NEW_PERIOD = 0x000080
    DATE_BEFORE_PERIOD = 0x000040
    AAC_REQUESTED = 0x000020


DENIALS: Final = (
    MemberCvr.BLOCKED
    | MemberCvr.CLASS_UNKNOWN
    | MemberCvr.LIMIT_EXCEEDED
    | MemberCvr.PIN_MISSING
    | MemberCvr.DATE_BEFORE_LAST
    | MemberCvr.NO_DATE
    | MemberCvr.NO_QUANTITY
    | MemberCvr.ATC_USED_UP
    | MemberCvr.NOT_ACTIVATED
    | MemberCvr.DATE_BEFORE_PERIOD
    | MemberCvr.AAC_REQUESTED
)
"""The results with which there is no TC."""


@dataclass(frozen=True, slots=True)
class MemberDecision:
    """What the card answers, and the entitlement of the class after this command: as stored with an AAC, None for a
    class that the card does not have."""

    cvr: MemberCvr
    entitlement: CardEntitlement | None
    changed: bytes | None = None
    """With a TC the value of DF28 to store."""

    @property
    def approved(self) -> bool:
        """Whether the answer is a TC."""
        return self.changed is not None


@dataclass(frozen=True, slots=True)
class RedemptionValues:
    """What the terminal requests: ``day`` is None where 9A is no date."""

    day: date | None
    benefit_class: bytes
    quantity: int
    approval: bool
    """Whether the terminal wants a TC."""


def decide(
    values: RedemptionValues,
    entitlements: bytes,
    results: MemberCvr,
    *,
    atc: int,
    last: date | None,
    activated: bool,
) -> MemberDecision:
    """Decide one GENERATE AC. ``entitlements`` is the value of DF28, ``results`` what holds without looking at the
    request (PIN, scripts, block), ``atc`` that of the last TC and ``last`` its date."""
    cvr, day = results, values.day
    cvr |= MemberCvr(0) if values.approval else MemberCvr.AAC_REQUESTED
    cvr |= MemberCvr(0) if activated else MemberCvr.NOT_ACTIVATED
    cvr |= MemberCvr.ATC_USED_UP if atc >= LAST_ATC else MemberCvr(0)
    cvr |= MemberCvr(0) if values.quantity else MemberCvr.NO_QUANTITY
    if day is None:
        cvr |= MemberCvr.NO_DATE
    elif last is not None and day < last:
        cvr |= MemberCvr.DATE_BEFORE_LAST
    place = find_entitlement(entitlements, values.benefit_class)
    if place is None:
        return MemberDecision(cvr | MemberCvr.CLASS_UNKNOWN, None)
    at, stored = place
    current = stored if day is None else stored.on(day)
    if day is not None and day < stored.start:
        cvr |= MemberCvr.DATE_BEFORE_PERIOD
    if current.used + values.quantity > current.limit:
        cvr |= MemberCvr.LIMIT_EXCEEDED
    if current.demands_pin and not cvr & MemberCvr.PIN_VERIFIED:
        cvr |= MemberCvr.PIN_MISSING
    if cvr & DENIALS:
        return MemberDecision(cvr, stored)
    cvr |= MemberCvr.TC | (MemberCvr(0) if current.start == stored.start else MemberCvr.NEW_PERIOD)
    after = current.after(values.quantity)
    return MemberDecision(cvr, after, entitlements[:at] + after.encode() + entitlements[at + SIZE :])
