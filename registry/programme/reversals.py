"""Reversals of redemptions: each is booked once, and the card gets back what it counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, and_, insert, select

from registry.db.context import RegistryContext
from registry.db.tables import LIVING, cards, redemptions, reversals
from registry.members.credits import credit_of, order_credit

_CREDITED: Final = (*LIVING, "lost")
"""States of cards that get their uses back: a lost one may be found."""


def book_reversals(conn: Connection, context: RegistryContext, rows: Sequence[Mapping[str, Any]], *, by: str) -> None:
    """Insert these rows of the table, and order for the card of each redemption that its uses are given back: at the
    next insertion where its changes run, in the period in which they were counted."""
    if not rows:
        return
    conn.execute(insert(reversals), [dict(row) for row in rows])
    reasons = {row["redemption_id"]: str(row["reason"]) for row in rows}
    this = redemptions.c
    card = and_(cards.c.card_number == this.card_number, cards.c.sequence == this.sequence)
    chosen = select(redemptions).join(cards, card).where(this.id.in_(list(reasons)))
    chosen = chosen.where(this.period_start.is_not(None), cards.c.state.in_(_CREDITED)).order_by(this.id)
    for row in conn.execute(chosen).all():
        value = credit_of(row.benefit_class, row.quantity, date.fromisoformat(row.period_start))
        reason = " ".join((f"{row.terminal}-{row.number}", reasons[row.id])).strip()
        order_credit(conn, context, (row.card_number, row.sequence), value, by=by, reason=reason)
