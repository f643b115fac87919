"""Values of a settlement: a merchant's statement of a month, its entries and its sums. Amounts are in fen.

``amount`` is what members paid, as their cards have signed it or the union has granted it. ``due`` is what the union
owes the merchant; below zero the merchant owes the union.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Self


class StatementState(StrEnum):
    """Where a version of a statement stands."""

    DRAFT = "draft"
    SIGNED = "signed"
    """The first person has signed."""
    CLOSED = "closed"
    """The second person has signed; its entries are in force."""
    SUPERSEDED = "superseded"
    """A later version was closed in its place."""
    DISCARDED = "discarded"


class EntryKind(StrEnum):
    """What an entry does."""

    REDEEMED = "redeemed"
    TAKEN_BACK = "taken-back"
    """A redemption that was reversed, or refused after it had been settled."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month in the zone of the registry's users."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> Self:
        return cls(day.year, day.month)

    @classmethod
    def parse(cls, text: str) -> Self:
        """``2026-11``. Raises ValueError."""
        if len(text) != 7:
            raise ValueError("a month is written as 2026-11")
        return cls.of(date.fromisoformat(f"{text}-01"))

    @property
    def last(self) -> date:
        """Its last day."""
        if (self.year, self.number) == (date.max.year, date.max.month):
            return date.max
        following = date(self.year + self.number // 12, self.number % 12 + 1, 1)
        return following - timedelta(days=1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


@dataclass(frozen=True, slots=True)
class BenefitName:
    """The name of a benefit in both languages."""

    zh: str
    en: str


NameOf = Callable[[str, date], BenefitName | None]
"""The name of a benefit by its class and the day; None where no edition of the programme has it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A redemption in a statement. ``amount`` and ``due`` are below zero where it is taken back; ``late``: it is of an
    earlier month. ``card`` is masked. ``benefit`` is the name on its day, None where it is not known. Where the union
    has counted it online, ``benefit_class`` is the code of the benefit, and ``atc`` is None."""

    redemption: int
    kind: EntryKind
    day: date
    clock: str
    outlet: int
    outlet_name: str
    benefit_class: str
    quantity: int
    amount: int
    due: int
    late: bool
    card: str
    atc: int | None
    benefit: BenefitName | None = None

    @property
    def key(self) -> tuple[int, str, int, int]:
        """What a signature is about."""
        return self.redemption, self.kind.value, self.amount, self.due

    def taken_back(self) -> Entry:
        """The entry that takes this one back."""
        return replace(self, kind=EntryKind.TAKEN_BACK, amount=-self.amount, due=-self.due)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of entries. ``uses`` and ``quantity`` are those redeemed; ``back`` is what was taken back, as amounts below
    zero; ``amount`` and ``due`` have both."""

    uses: int = 0
    quantity: int = 0
    redeemed: int = 0
    backs: int = 0
    back: int = 0
    amount: int = 0
    due: int = 0

    def plus(self, entry: Entry) -> Totals:
        amount, due = self.amount + entry.amount, self.due + entry.due
        if entry.kind is EntryKind.TAKEN_BACK:
            return replace(self, backs=self.backs + 1, back=self.back + entry.amount, amount=amount, due=due)
        uses, quantity = self.uses + 1, self.quantity + entry.quantity
        return replace(
            self, uses=uses, quantity=quantity, redeemed=self.redeemed + entry.amount, amount=amount, due=due
        )


@dataclass(frozen=True, slots=True)
class StatementLine:
    """The sums of one benefit at one outlet. ``benefit`` has the names of its redemptions, more than one where it was
    renamed."""

    outlet: int
    outlet_name: str
    benefit_class: str
    totals: Totals
    benefit: BenefitName | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Redemptions of the month and before that are left for a later one, with what members paid for them."""

    held: int = 0
    held_amount: int = 0
    disputed: int = 0
    disputed_amount: int = 0


@dataclass(frozen=True, slots=True)
class Statement:
    """A version of a merchant's statement of a month. ``reason`` is that of a reopening; ``entries`` counts them."""

    number: int
    merchant: str
    name: str
    name_en: str
    month: str
    version: int
    state: StatementState
    created_at: datetime
    created_by: str
    reason: str
    entries: int
    amount: int
    due: int
    left_out: LeftOut
    digest: str
    signed_at: datetime | None
    signed_by: str | None
    closed_at: datetime | None
    closed_by: str | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class StatementSheet:
    """A statement with all of it, as it is printed."""

    statement: Statement
    lines: tuple[StatementLine, ...]
    entries: tuple[Entry, ...]

    @property
    def totals(self) -> Totals:
        return totals(self.entries)

    def named(self, name_of: NameOf) -> StatementSheet:
        """The same with the names of benefits."""
        entries = tuple(replace(entry, benefit=name_of(entry.benefit_class, entry.day)) for entry in self.entries)
        return replace(self, entries=entries, lines=lines_of(entries))


def totals(entries: Iterable[Entry]) -> Totals:
    whole = Totals()
    for entry in entries:
        whole = whole.plus(entry)
    return whole


def lines_of(entries: Iterable[Entry]) -> tuple[StatementLine, ...]:
    """Sums by outlet and benefit, in this order."""
    lines: dict[tuple[int, str], StatementLine] = {}
    names: dict[tuple[int, str], dict[BenefitName, None]] = {}
    for entry in entries:
        key = entry.outlet, entry.benefit_class
        line = lines.get(key, StatementLine(entry.outlet, entry.outlet_name, entry.benefit_class, Totals()))
        lines[key] = replace(line, totals=line.totals.plus(entry))
        if entry.benefit is not None:
            names.setdefault(key, {})[entry.benefit] = None
    return tuple(replace(lines[key], benefit=_joined(names.get(key, ()))) for key in sorted(lines))


def _joined(names: Iterable[BenefitName]) -> BenefitName | None:
    listed = tuple(names)
    if not listed:
        return None
    zh, en = (" / ".join(dict.fromkeys(texts)) for texts in zip(*((one.zh, one.en) for one in listed), strict=True))
    return BenefitName(zh, en)


def digest_of(merchant: str, month: str, version: int, entries: Sequence[Entry]) -> str:
    """SHA-256 over merchant, month, version and the entries in the order of their redemptions, as hex digits: what both
    people sign, and what is printed on the statement."""
    content = [merchant, month, version, sorted(entry.key for entry in entries)]
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()
