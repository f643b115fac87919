"""Which redemptions a statement takes, and which it leaves out: queries over what is booked.

A redemption is settled once its findings that hold are accepted, and no dispute of it is open or was refused. It is
taken back once it was reversed, or refused after it had been settled.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, func, or_, select

from registry.db.tables import (
    disputes,
    findings,
    merchants,
    outlets,
    redemptions,
    reversals,
    statement_entries,
    statements,
)
from registry.programme.rates import RateBook
from registry.programme.statement import Entry, EntryKind, LeftOut, Month
from terminal.emv.data.masking import masked_pan

_R: Final = redemptions.c
_OF_CARD: Final = and_(
    findings.c.card_number == _R.card_number,
    findings.c.sequence == _R.sequence,
    or_(
        findings.c.atc == _R.atc,
        and_(_R.atc.is_(None), findings.c.journal == _R.journal, findings.c.number == _R.number),
    ),
    findings.c.holds,
)
"""A finding that holds a redemption: by its transaction counter, or its row where the office has counted."""


def held() -> ColumnElement[bool]:
    """A finding that holds is open or was refused."""
    return exists().where(_OF_CARD, or_(findings.c.closed_at.is_(None), findings.c.decision == "refused"))


def _refused() -> ColumnElement[bool]:
    by_finding = exists().where(_OF_CARD, findings.c.decision == "refused")
    return or_(by_finding, exists().where(disputes.c.redemption_id == _R.id, disputes.c.decision == "refused"))


def _disputed() -> ColumnElement[bool]:
    undecided = or_(disputes.c.decision.is_(None), disputes.c.decision == "refused")
    return exists().where(disputes.c.redemption_id == _R.id, undecided)


def _in_force(kind: EntryKind, without: int) -> Select[Any]:
    """What the redemption has in a closed statement, other than the one that is being replaced."""
    entry = statement_entries.alias("entry")
    this = (
        entry.c.redemption_id == _R.id,
        entry.c.kind == kind.value,
        entry.c.in_force,
        entry.c.statement_id != without,
    )
    return select(entry.c.due).where(*this).correlate(redemptions)


def of_merchant(merchant: int) -> Select[Any]:
    """Redemptions of a merchant: of the one that the card has signed; where that is unknown, of the outlet's."""
    named = merchants.alias("named")
    outlet = outlets.alias("outlet")
    return (
        select(
            _R.id,
            _R.day,
            _R.clock,
            _R.outlet_id,
            outlet.c.name.label("outlet_name"),
            _R.benefit_class,
            _R.quantity,
            _R.amount,
            _R.card_number,
            _R.atc,
        )
        .join(outlet, outlet.c.id == _R.outlet_id)
        .join(named, named.c.number == _R.merchant, isouter=True)
        .where(func.coalesce(named.c.id, outlet.c.merchant_id) == merchant)
    )


def unsettled(conn: Connection, merchant: int, last: date, without: int = 0) -> list[Row[Any]]:
    """Redemptions up to a day that can be settled and are in no statement in force, each with ``back``, which is what
    a later statement has taken back of it already. ``without`` is the statement that is being replaced."""
    back = _in_force(EntryKind.TAKEN_BACK, without)
    chosen = (
        of_merchant(merchant)
        .add_columns(back.scalar_subquery().label("back"))
        .where(
            _R.day <= last.isoformat(),
            ~_in_force(EntryKind.REDEEMED, without).exists(),
            or_(back.exists(), and_(~held(), ~_disputed())),
        )
        .order_by(_R.day, _R.clock, _R.id)
    )
    return list(conn.execute(chosen))


def left_out(conn: Connection, merchant: int, last: date, without: int = 0) -> LeftOut:
    """What is left for a later month, as somebody has to decide about it first. What was refused is not counted."""
    open_ones = and_(_R.day <= last.isoformat(), ~_in_force(EntryKind.REDEEMED, without).exists(), ~_refused())
    sums = []
    for condition in (held(), and_(_disputed(), ~held())):
        chosen = of_merchant(merchant).where(open_ones, condition).subquery()
        row = conn.execute(select(func.count(), func.coalesce(func.sum(chosen.c.amount), 0)).select_from(chosen)).one()
        sums += [int(row[0]), int(row[1])]
    return LeftOut(*sums)


def wanted_entries(conn: Connection, merchant: int, month: Month, book: RateBook, without: int = 0) -> list[Entry]:
    """The entries of a statement as it would be drawn up now."""
    rows = unsettled(conn, merchant, month.last, without)
    new = [_entry(row, month, _due(row, book)) for row in rows]
    reversed_ones = _reversed_among(conn, [row.id for row in rows if row.back is None])
    back = [entry.taken_back() for entry in new if entry.redemption in reversed_ones]
    return [*new, *back, *_settled_and_undone(conn, merchant, month, without)]


def _due(row: Row[Any], book: RateBook) -> int:
    """By the rates; of what a later statement has taken back, the same as there."""
    if row.back is not None:
        return -int(row.back)
    return book.due(row.benefit_class, date.fromisoformat(row.day), row.quantity, row.amount)


def _reversed_among(conn: Connection, numbers: list[int]) -> set[int]:
    among: set[int] = set()
    for start in range(0, len(numbers), 500):
        part = numbers[start : start + 500]
        among.update(
            conn.execute(select(reversals.c.redemption_id).where(reversals.c.redemption_id.in_(part))).scalars()
        )
    return among


def _settled_and_undone(conn: Connection, merchant: int, month: Month, without: int) -> Iterator[Entry]:
    """What an earlier statement of the merchant has settled, and was reversed or refused since."""
    entry = statement_entries.c
    undone = or_(exists().where(reversals.c.redemption_id == _R.id), _refused())
    chosen: Select[Any] = (
        select(
            _R.id,
            _R.day,
            _R.clock,
            _R.outlet_id,
            outlets.c.name.label("outlet_name"),
            _R.benefit_class,
            _R.quantity,
            entry.amount,
            entry.due,
            _R.card_number,
            _R.atc,
        )
        .select_from(redemptions)
        .join(outlets, outlets.c.id == _R.outlet_id)
        .join(statement_entries, entry.redemption_id == _R.id)
        .join(statements, statements.c.id == entry.statement_id)
        .where(
            statements.c.merchant_id == merchant,
            statements.c.month <= str(month),
            entry.kind == EntryKind.REDEEMED.value,
            entry.in_force,
            entry.statement_id != without,
            undone,
            ~_in_force(EntryKind.TAKEN_BACK, without).exists(),
        )
        .order_by(_R.id)
    )
    for row in conn.execute(chosen):
        yield _entry(row, month, row.due).taken_back()


def stored_entries(conn: Connection, statement: int, month: Month) -> list[Entry]:
    """The entries of a statement as they were drawn up, by day and time."""
    entry = statement_entries.c
    chosen: Select[Any] = (
        select(
            _R.id,
            _R.day,
            _R.clock,
            _R.outlet_id,
            outlets.c.name.label("outlet_name"),
            _R.benefit_class,
            _R.quantity,
            entry.amount,
            entry.due,
            entry.kind,
            _R.card_number,
            _R.atc,
        )
        .select_from(statement_entries)
        .join(redemptions, _R.id == entry.redemption_id)
        .join(outlets, outlets.c.id == _R.outlet_id)
        .where(entry.statement_id == statement)
        .order_by(_R.day, _R.clock, _R.id, entry.kind)
    )
    return [_entry(row, month, row.due, EntryKind(row.kind)) for row in conn.execute(chosen)]


def _entry(row: Row[*tuple[Any, ...]], month: Month, due: int, kind: EntryKind = EntryKind.REDEEMED) -> Entry:
    day = date.fromisoformat(row.day)
    return Entry(
        redemption=row.id,
        kind=kind,
        day=day,
        clock=row.clock,
        outlet=row.outlet_id,
        outlet_name=row.outlet_name,
        benefit_class=row.benefit_class,
        quantity=row.quantity,
        amount=row.amount,
        due=due,
        late=Month.of(day) < month,
        card=masked_pan(row.card_number),
        atc=row.atc,
    )
