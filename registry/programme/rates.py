"""What the union pays a merchant for a redemption: by contract an amount for each unit, a share of the price, or both.

Amounts are in fen. Above zero the union owes the merchant, below zero the merchant owes the union. Rates are added and
never changed: the rate of a redemption is the newest of those that are valid on its day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from registry.db.context import RegistryContext, reason_given
from registry.db.tables import merchants, settlement_rates
from registry.errors import NotOnRecord, RegistryConflict
from registry.programme.changes import MerchantChange, MerchantChangeKind, change_on_record, request_change
from registry.programme.merchants import BENEFIT

WHOLE: Final = 10_000
"""A share of one, in ten-thousandths."""
MOST: Final = 100_000_000
"""The highest rate for a unit, in fen."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What is paid for a redemption from a day on: ``per_unit`` in fen, ``share`` of the amount in ten-thousandths.
    ``benefit_class`` is the class that cards count, or the code of a benefit that the union counts online."""

    benefit_class: str
    valid_from: date
    per_unit: int = 0
    share: int = 0

    def due(self, quantity: int, amount: int) -> int:
        """Fen for a redemption; the share is rounded once, half a fen away from zero."""
        size = (2 * amount * abs(self.share) + WHOLE) // (2 * WHOLE)
        return quantity * self.per_unit + (size if self.share >= 0 else -size)


@dataclass(frozen=True, slots=True)
class RateView:
    """A rate on record. ``in_use``: no newer one of the same day has replaced it. ``approved_by`` is None in one of an
    earlier version of this program."""

    rate: Rate
    at: datetime
    by: str
    reason: str
    in_use: bool
    approved_by: str | None


class RateBook:
    """The rates of one merchant."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        """``rates`` in the order in which they were recorded."""
        self._of_class: dict[str, dict[date, Rate]] = defaultdict(dict)
        for rate in rates:
            self._of_class[rate.benefit_class][rate.valid_from] = rate

    def due(self, benefit_class: str, day: date, quantity: int, amount: int) -> int:
        """Fen for a redemption; zero where the contract has no rate on that day."""
        days: Mapping[date, Rate] = self._of_class.get(benefit_class, {})
        valid = [first for first in days if first <= day]
        return days[max(valid)].due(quantity, amount) if valid else 0


class Rates:
    """Repository of rates."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def request(self, merchant: str, rate: Rate, *, by: str, reason: str) -> MerchantChange:
        """Request a rate, which is in force once a second person approves; it takes the place of one of the same class
        and day. Raises NotOnRecord, RegistryConflict for a rate out of range."""
        why = reason_given(reason)
        if not BENEFIT.fullmatch(rate.benefit_class):
            raise RegistryConflict(
                "a benefit is a class of four digits, or the code of one that the union counts online",
                reason="rate-class",
            )
        if abs(rate.share) > WHOLE or abs(rate.per_unit) > MOST:
            sentence = "a rate is at most 1,000,000 yuan for a unit and 100 % of the amount, in either direction"
            raise RegistryConflict(sentence, reason="rate-range")
        facts: dict[str, str | int] = {
            "benefit": rate.benefit_class,
            "valid_from": rate.valid_from.isoformat(),
            "per_unit": rate.per_unit,
            "share": rate.share,
        }
        with self._context.write() as conn:
            row = conn.execute(select(merchants).where(merchants.c.id == merchant_id(conn, merchant))).one()
            number = request_change(conn, self._context, row, MerchantChangeKind.RATE, facts, by=by, reason=why)
            self._context.audit(
                conn, by, "merchant.change-request", f"merchant:{merchant}", why, number=number, change="rate", **facts
            )
            return change_on_record(conn, number)

    def of(self, merchant: str) -> list[RateView]:
        """All rates of a merchant, by class and day. Raises NotOnRecord."""
        with self._context.read() as conn:
            return _views(conn, merchant_id(conn, merchant))


def rate_book(conn: Connection, merchant: int) -> RateBook:
    """The rates of a merchant by its id in this table."""
    chosen = select(settlement_rates).where(settlement_rates.c.merchant_id == merchant).order_by(settlement_rates.c.id)
    return RateBook(_rate(row) for row in conn.execute(chosen))


def merchant_id(conn: Connection, number: str) -> int:
    """The row of a merchant. Raises NotOnRecord."""
    row_id = conn.execute(select(merchants.c.id).where(merchants.c.number == number)).scalar_one_or_none()
    if row_id is None:
        raise NotOnRecord(f"there is no merchant {number}", reason="merchant", merchant=number)
    return int(row_id)


def _views(conn: Connection, merchant: int) -> list[RateView]:
    this = settlement_rates.c
    chosen = select(settlement_rates).where(this.merchant_id == merchant)
    rows = conn.execute(chosen.order_by(this.benefit_class, this.valid_from, this.id)).all()
    newest = {(row.benefit_class, row.valid_from): row.id for row in rows}
    return [
        RateView(
            rate=_rate(row),
            at=row.at,
            by=row.by,
            reason=row.reason,
            in_use=newest[row.benefit_class, row.valid_from] == row.id,
            approved_by=row.approved_by,
        )
        for row in rows
    ]


def _rate(row: Row[Any]) -> Rate:
    return Rate(row.benefit_class, date.fromisoformat(row.valid_from), row.per_unit, row.share)
