"""Disputes about single redemptions: raised by the merchant or a reviewer, decided by a second person.

A disputed redemption is in no statement before it is decided. Where it has been settled already, refusing it takes it
back in the next month.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from registry.db.actors import refuse_same_person
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import disputes, merchants, outlets, redemptions
from registry.errors import NotOnRecord, RegistryConflict
from registry.programme.entries import of_merchant

DECISIONS: Final = ("accepted", "refused")
"""Whether the redemption is accepted as it is booked."""
_D: Final = disputes.c
_R: Final = redemptions.c
_NAMED: Final = merchants.alias("named")
_VIEW: Final[Select[Any]] = (
    select(disputes, func.coalesce(_NAMED.c.name, merchants.c.name).label("merchant_name"))
    .add_columns(outlets.c.name.label("outlet_name"), _R.benefit_class, _R.day, _R.amount)
    .join(redemptions, _R.id == _D.redemption_id)
    .join(outlets, outlets.c.id == _R.outlet_id)
    .join(merchants, merchants.c.id == outlets.c.merchant_id)
    .join(_NAMED, _NAMED.c.number == _R.merchant, isouter=True)
)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute, raised by the merchant or by the union (``party``). ``decision`` is accepted (the redemption is
    settled as it is booked) or refused (it is not settled, or taken back); None while it is open. ``merchant`` to
    ``amount`` are those of the redemption."""

    number: int
    redemption: int
    merchant: str
    outlet_name: str
    benefit_class: str
    day: date
    amount: int
    party: str
    at: datetime
    by: str
    reason: str
    decided_at: datetime | None
    decided_by: str | None
    decision: str | None
    decided_reason: str | None


class Disputes:
    """Repository of disputes."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def raise_one(self, redemption: int, *, by: str, reason: str, outlet: int = 0) -> Dispute:
        """Dispute a redemption, once: as the office, or as the merchant of an ``outlet``. Raises NotOnRecord, also for
        the redemption of another merchant; RegistryConflict for one that was disputed before."""
        why = reason_given(reason)
        with self._context.write() as conn:
            _redemption(conn, redemption, outlet)
            if (
                known := conn.execute(select(_D.id).where(_D.redemption_id == redemption)).scalar_one_or_none()
            ) is not None:
                sentence = f"this redemption has been disputed already: dispute {known}"
                raise RegistryConflict(sentence, reason="dispute-known", dispute=known)
            values = {
                "redemption_id": redemption,
                "party": "merchant" if outlet else "office",
                "at": self._context.clock(),
                "by": by,
                "reason": why,
            }
            number: int = conn.execute(insert(disputes).values(values).returning(_D.id)).scalar_one()
            self._context.audit(conn, by, "dispute.raise", f"dispute:{number}", why, redemption=redemption)
            return _dispute(_row(conn, number))

    def decide(self, number: int, decision: str, *, by: str, reason: str) -> Dispute:
        """Decide a dispute, for ever. Raises NotOnRecord; RegistryConflict for one that is decided, another decision
        than accepted and refused, and, as OWN_WORK, for the person who raised it."""
        why = reason_given(reason)
        if decision not in DECISIONS:
            raise RegistryConflict("a disputed redemption is accepted or refused", reason="dispute-decision")
        with self._context.write() as conn:
            row = _row(conn, number)
            refuse_same_person(
                conn, row.by, by, "a dispute is decided by another person than the one who raised it", dispute=number
            )
            values = {
                "decided_at": self._context.clock(),
                "decided_by": by,
                "decision": decision,
                "decided_reason": why,
            }
            open_one = (_D.id == number, _D.decided_at.is_(None))
            if not conn.execute(update(disputes).where(*open_one).values(values)).rowcount:
                raise RegistryConflict(f"dispute {number} is decided already", reason="dispute-decided", dispute=number)
            self._context.audit(conn, by, "dispute.decide", f"dispute:{number}", why, decision=decision)
            return _dispute(_row(conn, number))

    def dispute(self, number: int) -> Dispute:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return _dispute(_row(conn, number))

    def page(self, cursor: str | None = None, limit: int = 50, *, decided: bool = False) -> Page[Dispute]:
        """Open disputes, or decided ones, the oldest first. Raises BadCursor."""
        state = _D.decided_at.is_not(None) if decided else _D.decided_at.is_(None)
        chosen = _VIEW.where(state).order_by(_D.id).limit(cut(limit) + 1)
        if cursor is not None:
            chosen = chosen.where(_D.id > read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _dispute, lambda row: [row.id])


def _redemption(conn: Connection, number: int, outlet: int) -> None:
    """Raises NotOnRecord for a redemption that is not on record, or not settled with the merchant of the outlet."""
    chosen: Select[Any] = select(redemptions.c.id)
    if outlet:
        chosen = of_merchant(conn.execute(select(outlets.c.merchant_id).where(outlets.c.id == outlet)).scalar_one())
    if conn.execute(chosen.where(redemptions.c.id == number)).one_or_none() is None:
        raise NotOnRecord(f"there is no redemption {number}", reason="redemption", redemption=number)


def _row(conn: Connection, number: int) -> Row[Any]:
    row = conn.execute(_VIEW.where(_D.id == number)).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no dispute {number}", reason="dispute", dispute=number)
    return row


def _dispute(row: Row[Any]) -> Dispute:
    return Dispute(
        number=row.id,
        redemption=row.redemption_id,
        merchant=row.merchant_name,
        outlet_name=row.outlet_name,
        benefit_class=row.benefit_class,
        day=date.fromisoformat(row.day),
        amount=row.amount,
        party=row.party,
        at=row.at,
        by=row.by,
        reason=row.reason,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        decision=row.decision,
        decided_reason=row.decided_reason,
    )
