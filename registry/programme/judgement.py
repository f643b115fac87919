"""What the office makes of a redemption: pure functions over evidence, the merchant's contract and the card's record.

Nothing here raises for what a counter has uploaded: whatever is wrong with it is a mark, and becomes a finding. A
genuine TC is booked whatever else is wrong, because the chip has counted it; marks that hold keep it from being
settled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from terminal.errors import CodecError
from terminal.member.journal_rows import JournalRow, RowKind
from terminal.member.redemption.evidence import TC, RedemptionEvidence

Prove = Callable[[RedemptionEvidence], bool]
"""Whether the card of an evidence computed its cryptogram (``terminal.member.issuing.proves``)."""
REDEMPTION_LIST: Final = bytes.fromhex("9F02069F1A025F2A029A039F21039C019F37049F1C089F160FDF3102DF32019505")
"""CDOL1 of docs/redemption.md. The cryptogram covers the values and not the list: under another one, the bytes of a
date could be those of an amount."""
_AHEAD: Final = timedelta(days=1)
"""How far a counter's date may be ahead of the day of the upload, for zones and clocks."""
_ANSWERED: Final = timedelta(minutes=10)
"""How long after the request the row of its result may be written: over midnight it has another day."""


class FindingKind(StrEnum):
    """What a person has to look at."""

    MALFORMED = "malformed"
    """The row or its evidence is in no form that a counter writes. Not booked."""
    NOT_APPROVED = "not-approved"
    """The evidence is of an AAC. Not booked."""
    WRONG_CRYPTOGRAM = "wrong-cryptogram"
    """The card did not compute this: the row was invented or changed. Not booked."""
    UNKNOWN_CARD = "unknown-card"
    """No such card was ever verified here. Not booked."""
    ATC_DOUBLED = "atc-doubled"
    """Two different redemptions have one transaction counter: a copied chip. The second is not booked."""
    UNKNOWN_MERCHANT = "unknown-merchant"
    UNKNOWN_TERMINAL = "unknown-terminal"
    """No such terminal is on record, or it was retired before that day."""
    OTHER_OUTLET = "other-outlet"
    """Redeemed at another merchant or outlet than the one that has uploaded it."""
    NO_CONTRACT = "no-contract"
    """The merchant had no contract on that day."""
    BENEFIT_NOT_AGREED = "benefit-not-agreed"
    DATE_AHEAD = "date-ahead"
    """The counter's clock was ahead: the card takes no earlier date any more."""
    DATE_ORDER = "date-order"
    """A later transaction counter has an earlier date, which no sound card answers."""
    COUNT = "count"
    """The used count does not follow from the redemption before."""
    CLOCK = "clock"
    """The row has another day than the card was asked with."""
    NOT_ALLOWED = "not-allowed"
    """The programme does not allow it, by all that the office knows of the member."""
    PRICE = "price"
    """The programme has another price for it."""
    ROW_DOUBLED = "row-doubled"
    """Another redemption has the same row number of the journal: a copy of it went on. Both are booked."""
    ENDED_CARD = "ended-card"
    """Redeemed after the day on which the card was lost, withdrawn or replaced."""
    LATE_UPLOAD = "late-upload"
    """Redeemed before the card ended, and uploaded after. Booked."""
    ATC_GAP = "atc-gap"
    """Transaction counters of a card that no counter has uploaded."""
    UNKNOWN_OUTCOME = "unknown-outcome"
    """The counter could not find out whether the card had counted."""
    NOT_PROVEN = "not-proven"
    """A card at the counter answered what proves nothing."""
    GRANT_UNKNOWN = "grant-unknown"
    """A benefit that the office counts was given, and the office had not counted it. Not booked."""
    GRANT_LATE = "grant-late"
    """It was given, and the counter uploads that so late that the office had counted it no more. Booked."""
    REVERSAL_UNKNOWN = "reversal-unknown"
    """A reversal of what is not booked, or was reversed before."""
    REVERSAL_LATE = "reversal-late"
    """A reversal on another day than the redemption, put among rows on record, or dated before what it follows. Booked
    when a person accepts it."""
    JOURNAL_GAP = "journal-gap"
    """Rows of a counter's journal are missing."""
    JOURNAL_FORKED = "journal-forked"
    """The rows do not follow from those uploaded before: an older copy of the journal went on."""
    JOURNAL_TIME = "journal-time"
    """A row is dated before the row before it, or before an upload that did not have it yet."""
    JOURNAL_CUT = "journal-cut"
    """A half-written row was removed."""
    JOURNAL_ACKNOWLEDGED = "journal-acknowledged"
    """A person at the counter took note of damaged rows or of a clock that was set back."""


NOT_BOOKED: Final = frozenset(
    (
        FindingKind.MALFORMED,
        FindingKind.NOT_APPROVED,
        FindingKind.WRONG_CRYPTOGRAM,
        FindingKind.UNKNOWN_CARD,
        FindingKind.ATC_DOUBLED,
    )
)
AGAIN: Final = frozenset((FindingKind.WRONG_CRYPTOGRAM, FindingKind.UNKNOWN_CARD))
"""What is booked later, once the key is in custody or the card on record."""
HOLDS: Final = NOT_BOOKED | {
    FindingKind.UNKNOWN_MERCHANT,
    FindingKind.UNKNOWN_TERMINAL,
    FindingKind.OTHER_OUTLET,
    FindingKind.NO_CONTRACT,
    FindingKind.BENEFIT_NOT_AGREED,
    FindingKind.DATE_AHEAD,
    FindingKind.DATE_ORDER,
    FindingKind.COUNT,
    FindingKind.CLOCK,
    FindingKind.NOT_ALLOWED,
    FindingKind.PRICE,
    FindingKind.ENDED_CARD,
    FindingKind.GRANT_LATE,
    FindingKind.REVERSAL_LATE,
}
"""Findings of a redemption that is not settled before a person has decided."""

Facts = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that is wrong, with short facts for a sentence about it. No fact is personal."""

    kind: FindingKind
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class ProvenUse:
    """One use of a benefit that the office has proven to itself."""

    card_number: str
    sequence: int
    atc: int
    merchant: str
    terminal: str
    benefit_class: str
    quantity: int
    amount: int
    day: date
    clock: time
    used: int
    limit: int
    start: date | None
    scripts: int
    signed: bool
    cryptogram: bytes
    evidence: bytes
    request: str = ""
    """All values that the card was asked with, as the counter's intent has them, in hex."""

    @property
    def card(self) -> tuple[str, int]:
        """Card number and sequence."""
        return self.card_number, self.sequence

    def as_booked(self) -> BookedUse:
        """As later redemptions of the card are compared with it."""
        return BookedUse(
            self.atc,
            self.day,
            self.benefit_class,
            self.quantity,
            self.used,
            self.start,
            self.scripts,
            self.cryptogram,
        )


@dataclass(frozen=True, slots=True)
class BookedUse:
    """What the registry has of a redemption of the same card."""

    atc: int
    day: date
    benefit_class: str
    quantity: int
    used: int
    start: date | None
    scripts: int
    cryptogram: bytes


@dataclass(frozen=True, slots=True, repr=False)
class RuledUse:
    """A booked redemption as the rules look at it. ``details`` are the counter's own values about it, which no card has
    signed; empty where the counter uploaded none. ``issued`` is the day on which the card was made."""

    member: int
    card_number: str
    sequence: int
    atc: int
    benefit_class: str
    quantity: int
    amount: int
    day: date
    clock: time
    details: Facts
    reversed: bool
    category: int
    issued: date
    journal: str
    number: int
    outlet: int

    @property
    def order(self) -> tuple[date, time, str, int, int]:
        """By time; at one time by card and transaction counter."""
        return self.day, self.clock, self.card_number, self.sequence, self.atc


@dataclass(frozen=True, slots=True)
class TerminalPlace:
    """Where a terminal is, and the day on which it was retired, None for one in use."""

    outlet: int
    retired: date | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """What is agreed with the merchant of the outlet that uploads. ``terminals`` are those named in the upload, each
    with its outlet; ``merchants`` the merchant identifiers on record among those named."""

    outlet: int
    merchant: str
    first: date
    last: date
    benefits: Collection[str]
    terminals: Mapping[str, TerminalPlace]
    merchants: Collection[str]


def proven_use(row: JournalRow, prove: Prove) -> ProvenUse | Mark:
    """The redemption of a counter's row, or why it is none."""
    try:
        encoded = row.octets("evidence")
        evidence = RedemptionEvidence.decode(encoded)
        named = (row.text("card"), row.amount("sequence"), row.amount("counter"))
        if evidence.wanted != REDEMPTION_LIST:
            return Mark(FindingKind.MALFORMED, {"part": "CDOL1"})
        if named != (evidence.card_number, evidence.sequence, evidence.counter):
            return Mark(FindingKind.MALFORMED, {"part": "card"})
        request, data = evidence.request, evidence.data
    except CodecError:
        return Mark(FindingKind.MALFORMED, {"part": "evidence"})
    if evidence.cid != TC or not data.approved or not evidence.counter:
        return Mark(FindingKind.NOT_APPROVED)
    if not prove(evidence):
        return Mark(FindingKind.WRONG_CRYPTOGRAM)
    return ProvenUse(
        card_number=evidence.card_number,
        sequence=evidence.sequence,
        atc=evidence.counter,
        merchant=request.merchant,
        terminal=request.terminal,
        benefit_class=request.benefit_class,
        quantity=request.quantity,
        amount=request.amount,
        day=request.day,
        clock=request.clock,
        used=data.used,
        limit=data.limit,
        start=data.start,
        scripts=data.scripts,
        signed=bool(evidence.signature),
        cryptogram=evidence.cryptogram,
        evidence=encoded,
        request=request.encode().hex(),
    )


def marks_of_place(use: ProvenUse, contract: Contract, today: date) -> Iterator[Mark]:
    """What is wrong with merchant, terminal, contract and date."""
    if use.merchant not in contract.merchants:
        yield Mark(FindingKind.UNKNOWN_MERCHANT, {"merchant": use.merchant})
    elif use.merchant != contract.merchant:
        yield Mark(FindingKind.OTHER_OUTLET, {"merchant": use.merchant})
    place = contract.terminals.get(use.terminal)
    if place is None:
        yield Mark(FindingKind.UNKNOWN_TERMINAL, {"terminal": use.terminal})
    elif place.outlet != contract.outlet and use.merchant == contract.merchant:
        yield Mark(FindingKind.OTHER_OUTLET, {"terminal": use.terminal})
    elif place.retired is not None and use.day > place.retired:
        retired = place.retired.isoformat()
        yield Mark(FindingKind.UNKNOWN_TERMINAL, {"terminal": use.terminal, "retired": retired})
    if not contract.first <= use.day <= contract.last:
        yield Mark(FindingKind.NO_CONTRACT, {"day": use.day.isoformat()})
    if use.benefit_class not in contract.benefits:
        yield Mark(FindingKind.BENEFIT_NOT_AGREED, {"benefit": use.benefit_class})
    if use.day > today + _AHEAD:
        yield Mark(FindingKind.DATE_AHEAD, {"day": use.day.isoformat(), "today": today.isoformat()})


def mark_of_clock(row: JournalRow, use: ProvenUse, day_of: Callable[[datetime], date]) -> Mark | None:
    """A row of another day than the card was asked with; what was torn is found again on a later one."""
    first, last = day_of(row.at - _ANSWERED), day_of(row.at)
    if use.day <= last if row.kind is RowKind.RECOVERED else first <= use.day <= last:
        return None
    return Mark(FindingKind.CLOCK, {"day": use.day.isoformat(), "row": last.isoformat()})


def mark_of_ended_card(use: ProvenUse, ended: date | None) -> Mark | None:
    """What the end of a card means for a redemption; None for a card that has not ended."""
    if ended is None:
        return None
    kind = FindingKind.LATE_UPLOAD if use.day <= ended else FindingKind.ENDED_CARD
    return Mark(kind, {"day": use.day.isoformat(), "ended": ended.isoformat()})


def marks_of_order(use: ProvenUse, booked: Sequence[BookedUse]) -> Iterator[Mark]:
    """What contradicts the other redemptions of the card, which are in the order of their transaction counters."""
    before = [one for one in booked if one.atc < use.atc]
    after = next((one for one in booked if one.atc > use.atc), None)
    if before and before[-1].day > use.day:
        yield Mark(FindingKind.DATE_ORDER, {"day": use.day.isoformat(), "before": before[-1].day.isoformat()})
    elif after is not None and after.day < use.day:
        yield Mark(FindingKind.DATE_ORDER, {"day": use.day.isoformat(), "after": after.day.isoformat()})
    if not use.quantity <= use.used <= use.limit:
        yield Mark(FindingKind.COUNT, {"used": use.used, "expected": use.quantity})
        return
    expected = _expected(use.as_booked(), before)
    if expected is not None and expected != use.used:
        yield Mark(FindingKind.COUNT, {"used": use.used, "expected": expected})
    elif after is not None:
        following = _expected(after, [*before, use.as_booked()])
        if following is not None and following != after.used:
            yield Mark(FindingKind.COUNT, {"used": after.used, "expected": following, "atc": after.atc})


def _expected(use: BookedUse, before: Sequence[BookedUse]) -> int | None:
    """The used count that follows from the last redemption of the same class; None where something that is not booked,
    or a script of the office, may lie between."""
    wanted = use.atc - 1
    for one in reversed(before):
        if one.atc != wanted or one.scripts != use.scripts:
            return None
        if one.benefit_class == use.benefit_class:
            return one.used + use.quantity if one.start == use.start else use.quantity
        wanted -= 1
    return None
