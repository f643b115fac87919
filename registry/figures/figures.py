"""Figures of a year: cards against members, redemptions by benefit and month, and what was paid."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, distinct, exists, func, not_, or_, select

from registry.db.context import RegistryContext
from registry.db.tables import (
    card_events,
    cards,
    claims_filed,
    instructions,
    losses,
    matters,
    members,
    merchant_benefits,
    merchants,
    outlets,
    plans,
    redemptions,
    reversals,
    rush_claims,
)
from registry.figures.values import BenefitFigures, MonthCoverage, YearFigures
from registry.paying.instructions import InstructionState, PaymentKind
from registry.values import CardState

_E: Final = card_events.c
_R: Final = redemptions.c
_I: Final = instructions.c
_DAY: Final = timedelta(days=1)
_HANDED_OVER: Final = and_(_E.event == CardState.DELIVERED.value, not_(_E.undone))
_TICKET: Final = rush_claims.c.state == "granted"
_OPEN: Final = (InstructionState.WAITING.value, InstructionState.BATCHED.value)


class YearStatistics:
    """Repository of the figures of a year. Days are those of the registry's zone, the first and the last included."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def year(self, first: date, last: date) -> YearFigures:
        """What a federation reports of these days."""
        begin, end = self._instant(first), self._instant(last + _DAY)
        days = (first.isoformat(), last.isoformat())
        contract = and_(
            merchants.c.contract_from <= days[1],
            merchants.c.contract_until >= days[1],
            _before(merchants.c.ended_at, end),
        )
        sites = (
            select(func.count()).select_from(outlets.join(merchants)).where(contract, _before(outlets.c.closed_at, end))
        )
        offered = select(func.count(distinct(merchant_benefits.c.benefit_class))).select_from(
            merchant_benefits.join(merchants)
        )
        waiting = select(func.count(), func.coalesce(func.sum(_I.amount), 0)).where(_I.state.in_(_OPEN))
        with self._context.read() as conn:
            uses = conn.execute(_uses(days).with_only_columns(*_SUMS)).one()
            registered = _count(conn, members, members.c.member_number.is_not(None), members.c.withdrawn_at.is_(None))
            planned = conn.execute(select(func.coalesce(func.sum(plans.c.planned), 0))).scalar_one()
            open_count, open_amount = conn.execute(waiting).one()
            claims = self._paid(conn, PaymentKind.CLAIM, days)
            grants = self._paid(conn, PaymentKind.GRANT, days)
            return YearFigures(
                members=int(planned) or registered,
                registered=registered,
                cards=_count(conn, card_events, _HANDED_OVER, _E.at < end),
                active=_count(conn, cards, cards.c.state == CardState.ACTIVE.value),
                merchants=_count(conn, merchants, contract),
                sites=conn.execute(sites).scalar_one(),
                benefits=conn.execute(offered.where(contract)).scalar_one(),
                redemptions=uses.redemptions,
                quantity=int(uses.quantity),
                paid_by_members=int(uses.amount),
                claims_filed=_count(conn, claims_filed, claims_filed.c.filed_on.between(*days)),
                claims_paid=claims[0],
                claims_amount=claims[1],
                grants_paid=grants[0],
                grants_amount=grants[1],
                tickets=_count(conn, rush_claims, _TICKET, *_within(rush_claims.c.at, begin, end)),
                matters_opened=_count(conn, matters, matters.c.opened_on.between(*days)),
                matters_closed=_count(conn, matters, matters.c.closed_on.between(*days)),
                losses=_count(conn, losses, *_within(losses.c.at, begin, end)),
                open_payments=open_count,
                open_amount=int(open_amount),
            )

    def coverage(self, first: date, last: date) -> list[MonthCoverage]:
        """Cards handed over by month, every month of these days."""
        chosen = select(_E.at).where(_HANDED_OVER, _E.at < self._instant(last + _DAY))
        counted: dict[str, int] = {}
        before = 0
        with self._context.read() as conn:
            for (at,) in conn.execute(chosen.order_by(_E.at).execution_options(yield_per=10_000)):
                day = self._context.day(at)
                if day < first:
                    before += 1
                else:
                    counted[f"{day:%Y-%m}"] = counted.get(f"{day:%Y-%m}", 0) + 1
        months, total = [], before
        month = first.replace(day=1)
        while month <= last:
            name = f"{month:%Y-%m}"
            total += counted.get(name, 0)
            months.append(MonthCoverage(name, counted.get(name, 0), total))
            month = (month + timedelta(days=32)).replace(day=1)
        return months

    def benefits(self, first: date, last: date) -> list[BenefitFigures]:
        """Redemptions by benefit and month, in that order."""
        month = func.substr(_R.day, 1, 7)
        chosen = _uses((first.isoformat(), last.isoformat()))
        grouped = chosen.with_only_columns(_R.benefit_class, month.label("month"), *_SUMS)
        grouped = grouped.group_by(_R.benefit_class, month).order_by(_R.benefit_class, month)
        with self._context.read() as conn:
            return [
                BenefitFigures(row.benefit_class, row.month, row.redemptions, int(row.quantity), int(row.amount))
                for row in conn.execute(grouped)
            ]

    def _instant(self, day: date) -> datetime:
        return datetime.combine(day, time(), self._context.zone)

    @staticmethod
    def _paid(conn: Connection, kind: PaymentKind, days: tuple[str, str]) -> tuple[int, int]:
        mine = (_I.kind == kind.value, _I.state == InstructionState.PAID.value, _I.outcome_on.between(*days))
        count, amount = conn.execute(select(func.count(), func.coalesce(func.sum(_I.amount), 0)).where(*mine)).one()
        return count, int(amount)


_SUMS: Final = (
    func.count().label("redemptions"),
    func.coalesce(func.sum(_R.quantity), 0).label("quantity"),
    func.coalesce(func.sum(_R.amount), 0).label("amount"),
)


def _uses(days: tuple[str, str]) -> Any:
    taken_back = exists().where(reversals.c.redemption_id == _R.id)
    return select(redemptions).where(_R.day.between(*days), ~taken_back)


def _count(conn: Connection, table: Any, *conditions: ColumnElement[bool]) -> int:
    return int(conn.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one())


def _before(column: Any, end: datetime) -> ColumnElement[bool]:
    """Whether something has not ended before that instant."""
    return or_(column.is_(None), column >= end)


def _within(column: Any, begin: datetime, end: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return column >= begin, column < end
