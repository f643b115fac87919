"""Booked redemptions, read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, select

from registry.db.context import RegistryContext
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import redemptions, reversals
from registry.programme.entries import held


@dataclass(frozen=True, slots=True)
class RedemptionView:
    """A booked redemption. ``amount`` is in fen. ``held``: an open finding keeps it from being settled, or a person has
    refused it. ``grant`` is the number under which the union has counted it online: then no card has signed it, ``atc``
    is None, and ``benefit_class`` the code of the benefit."""

    id: int
    card_number: str
    sequence: int
    atc: int | None
    outlet: int
    merchant: str
    terminal: str
    benefit_class: str
    quantity: int
    amount: int
    day: date
    clock: str
    signed: bool
    booked_at: datetime
    reversed_at: datetime | None
    held: bool
    grant: int | None


class Redemptions:
    """Repository of booked redemptions."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def page(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        merchant: str | None = None,
        outlet: int | None = None,
        card_number: str | None = None,
        first: date | None = None,
        last: date | None = None,
    ) -> Page[RedemptionView]:
        """Redemptions, the last booked first; ``first`` and ``last`` are days of redemption. Raises BadCursor."""
        this = redemptions.c
        chosen = select(redemptions, reversals.c.at.label("reversed_at"), held().label("held"))
        chosen = chosen.join(reversals, reversals.c.redemption_id == this.id, isouter=True)
        for column, value in ((this.merchant, merchant), (this.outlet_id, outlet), (this.card_number, card_number)):
            if value is not None:
                chosen = chosen.where(column == value)
        if first is not None:
            chosen = chosen.where(this.day >= first.isoformat())
        if last is not None:
            chosen = chosen.where(this.day <= last.isoformat())
        if cursor is not None:
            chosen = chosen.where(this.id < read_cursor(cursor, int)[0])
        chosen = chosen.order_by(this.id.desc()).limit(cut(limit) + 1)
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _view_of, lambda row: [row.id])


def _view_of(row: Row[Any]) -> RedemptionView:
    return RedemptionView(
        id=row.id,
        card_number=row.card_number,
        sequence=row.sequence,
        atc=row.atc,
        outlet=row.outlet_id,
        merchant=row.merchant,
        terminal=row.terminal,
        benefit_class=row.benefit_class,
        quantity=row.quantity,
        amount=row.amount,
        day=date.fromisoformat(row.day),
        clock=row.clock,
        signed=row.signed,
        booked_at=row.booked_at,
        reversed_at=row.reversed_at,
        held=bool(row.held),
        grant=row.grant_id,
    )
