"""The end-of-day sheet of a counter: what was redeemed and taken back on a local day, and what is not certain.

A redemption belongs to the day on which the journal has its result, as the member pays then: one that was torn in the
evening and found again the next morning is on the next day's sheet. A sheet of an earlier day shows what was open at
its end, so that it is the same whenever it is printed. Amounts in fen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from typing import Any, Final

from programme.wording import Sentence
from reader_service.redemptions.intents import Intent
from reader_service.redemptions.record import CounterOutcome, CounterRecord, open_record, record_of
from terminal.member.journal_rows import ENDS_INTENT, GIVES, JournalRow, RowKind

_DOUBTFUL: Final = frozenset((CounterOutcome.UNKNOWN, CounterOutcome.LOGGED, CounterOutcome.REPEATED))
"""Outcomes after which nothing is open at the counter, and which a person should know of."""


@dataclass(frozen=True, slots=True)
class DaySums:
    """Redemptions that were proven, and those of them, or of earlier days, that were taken back."""

    redemptions: int = 0
    units: int = 0
    amount: int = 0
    saved: int = 0
    reversals: int = 0
    returned: int = 0

    @property
    def due(self) -> int:
        """What members paid, less what they got back."""
        return self.amount - self.returned

    def with_redemption(self, record: CounterRecord) -> DaySums:
        return replace(
            self,
            redemptions=self.redemptions + 1,
            units=self.units + record.quantity,
            amount=self.amount + record.amount,
            saved=self.saved + record.saved,
        )

    def with_reversal(self, record: CounterRecord) -> DaySums:
        return replace(self, reversals=self.reversals + 1, returned=self.returned + record.amount)

    def to_json(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__} | {"due": self.due}


@dataclass(frozen=True, slots=True)
class BenefitSums:
    """The sums of one product of a benefit."""

    benefit: str
    product: str
    title: Sentence
    sums: DaySums


@dataclass(frozen=True, slots=True)
class CashierSums:
    """The sums of one cashier. ``counted``: what the cashier counted in the till; None where nobody counted."""

    cashier: str
    sums: DaySums
    counted: int | None = None

    @property
    def difference(self) -> int | None:
        """What was counted above what is due; negative where something is missing."""
        return None if self.counted is None else self.counted - self.sums.due


@dataclass(frozen=True, slots=True)
class DayReversal:
    """A redemption that was taken back on the day, and by whom."""

    record: CounterRecord
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class DaySheet:
    """The sheet. Benefits and cashiers are in the order in which they first appear on the day, so that a line keeps its
    place while the day goes on. ``uncertain``: requests that were open at the end of the day, and those of the day that
    ended without proof."""

    day: date
    at: datetime
    """When the sheet was written, in the zone of the counter."""
    merchant: str
    terminal: str
    name: str
    benefits: tuple[BenefitSums, ...]
    cashiers: tuple[CashierSums, ...]
    reversals: tuple[DayReversal, ...]
    uncertain: tuple[CounterRecord, ...]
    total: DaySums

    @property
    def counted(self) -> int | None:
        """What all cashiers counted; None until each of them has."""
        amounts = [one.counted for one in self.cashiers if one.counted is not None]
        return sum(amounts) if amounts and len(amounts) == len(self.cashiers) else None

    @property
    def difference(self) -> int | None:
        """What was counted above what is due; None until each cashier has counted."""
        return None if self.counted is None else self.counted - self.total.due

    def with_counted(self, amounts: Sequence[int | None]) -> DaySheet:
        """The sheet with what the cashiers counted, in the order of ``cashiers``; missing amounts are not counted."""
        padded = [*amounts, *[None] * len(self.cashiers)]
        cashiers = (replace(one, counted=amount) for one, amount in zip(self.cashiers, padded, strict=False))
        return replace(self, cashiers=tuple(cashiers))

    def to_json(self) -> dict[str, Any]:
        """For other programs: plain values."""
        return {
            "day": self.day.isoformat(),
            "at": self.at.isoformat(),
            "merchant": self.merchant,
            "terminal": self.terminal,
            "name": self.name,
            "benefits": [
                {"benefit": one.benefit, "product": one.product, "title": {"zh": one.title.zh, "en": one.title.en}}
                | one.sums.to_json()
                for one in self.benefits
            ],
            "cashiers": [
                {"cashier": one.cashier, "counted": one.counted, "difference": one.difference} | one.sums.to_json()
                for one in self.cashiers
            ],
            "reversals": [
                {"redemption": one.record.to_json(), "at": one.at.isoformat(), "by": one.by, "reason": one.reason}
                for one in self.reversals
            ],
            "uncertain": [record.to_json() for record in self.uncertain],
            "total": self.total.to_json() | {"counted": self.counted, "difference": self.difference},
        }


class DayCollector:
    """Follows the rows of a journal, of which those up to the end of a local day count. A clock that was ahead may have
    dated an intent, or a redemption that was taken back, after the day of the row about it. Raises CodecError for a row
    out of form."""

    def __init__(self, day: date, zone: tzinfo) -> None:
        self._day, self._zone = day, zone
        self._intents: dict[int, Intent] = {}
        self._open: dict[int, JournalRow | None] = {}
        self._counted: dict[int, tuple[Intent, JournalRow]] = {}
        self._ended: list[CounterRecord] = []
        self._reversals: list[DayReversal] = []
        self._benefits: dict[tuple[str, str], BenefitSums] = {}
        self._cashiers: dict[str, CashierSums] = {}
        self._total = DaySums()

    def follow(self, rows: Iterable[JournalRow]) -> None:
        for row in rows:
            self._take(row, row.at.astimezone(self._zone).date())

    def sheet(self, merchant: str, terminal: str, name: str, at: datetime) -> DaySheet:
        """The sheet, after all rows."""
        opened = (
            open_record(self._intents[number], self._zone)
            if row is None
            else record_of(self._intents[number], row, self._zone)
            for number, row in self._open.items()
        )
        return DaySheet(
            self._day,
            at.astimezone(self._zone),
            merchant,
            terminal,
            name,
            tuple(self._benefits.values()),
            tuple(self._cashiers.values()),
            tuple(self._reversals),
            (*opened, *self._ended),
            self._total,
        )

    def _take(self, row: JournalRow, day: date) -> None:
        own, past = day == self._day, day <= self._day
        if row.kind is RowKind.INTENT:
            self._intents[row.number] = Intent.of(row)
            if past:
                self._open[row.number] = None
        elif row.kind is RowKind.REVERSED:
            if own and (redemption := self._counted.get(row.amount("redemption"))):
                self._reversed(row, *redemption)
        elif (intent := self._intents.get(int(row.data.get("intent", 0)))) is not None:
            if row.kind not in ENDS_INTENT:
                if past and intent.number in self._open:
                    self._open[intent.number] = row
                return
            if row.kind in GIVES:
                self._counted[row.number] = (intent, row)
            if past:
                self._open.pop(intent.number, None)
            if own:
                self._result(record_of(intent, row, self._zone))

    def _result(self, record: CounterRecord) -> None:
        if record.outcome.proven:
            self._total = self._total.with_redemption(record)
            self._add(record, record.cashier, DaySums.with_redemption)
        elif record.outcome in _DOUBTFUL:
            self._ended.append(record)

    def _reversed(self, row: JournalRow, intent: Intent, counted: JournalRow) -> None:
        record = record_of(intent, counted, self._zone, reversed_since=True)
        by = row.text("by")
        self._reversals.append(DayReversal(record, row.at.astimezone(self._zone), by, row.text("reason")))
        if record.outcome.proven:  # nothing was paid for any other
            self._total = self._total.with_reversal(record)
            self._add(record, by, DaySums.with_reversal)

    def _add(self, record: CounterRecord, cashier: str, change: Callable[[DaySums, CounterRecord], DaySums]) -> None:
        key = (record.benefit, record.product)
        benefit = self._benefits.get(key) or BenefitSums(*key, record.title, DaySums())
        self._benefits[key] = replace(benefit, sums=change(benefit.sums, record))
        person = self._cashiers.get(cashier) or CashierSums(cashier, DaySums())
        self._cashiers[cashier] = replace(person, sums=change(person.sums, record))
