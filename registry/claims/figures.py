"""Figures of claims: how many, what they come to, and how long payment takes."""

from __future__ import annotations

from datetime import date
from typing import Final

from sqlalchemy import and_, literal, select

from registry.claims.values import ClaimFigures, ClaimStage
from registry.db.context import RegistryContext
from registry.db.tables import claims_filed, instructions

_C: Final = claims_filed.c
_I: Final = instructions.c
_PAID: Final = "paid"


class ClaimStatistics:
    """Repository of the figures of claims."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def by_kind(self, first: date, last: date) -> list[ClaimFigures]:
        """Claims that were filed on these days, by kind. Days to payment are those of the bank."""
        reference = literal("claim/").concat(_C.id)
        paid = and_(_I.kind == "claim", _I.state == _PAID, _I.reference == reference)
        chosen = (
            select(_C.kind, _C.stage, _C.amount, _C.filed_on, _I.amount.label("paid"), _I.outcome_on)
            .join_from(claims_filed, instructions, paid, isouter=True)
            .where(_C.filed_on.between(first.isoformat(), last.isoformat()))
            .order_by(_C.kind)
        )
        by_kind: dict[str, list[tuple[str, int, int | None, int]]] = {}
        with self._context.read() as conn:
            for row in conn.execute(chosen):
                days = 0
                if row.outcome_on is not None:
                    days = (date.fromisoformat(row.outcome_on) - date.fromisoformat(row.filed_on)).days
                by_kind.setdefault(row.kind, []).append((row.stage, row.amount, row.paid, days))
        return [_figures(kind, rows) for kind, rows in by_kind.items()]


def _figures(kind: str, rows: list[tuple[str, int, int | None, int]]) -> ClaimFigures:
    approved = [amount for stage, amount, _, _ in rows if stage == ClaimStage.APPROVED]
    paid = [(amount, days) for _, _, amount, days in rows if amount is not None]
    return ClaimFigures(
        kind=kind,
        filed=len(rows),
        approved=len(approved),
        refused=sum(stage == ClaimStage.REFUSED for stage, *_ in rows),
        paid=len(paid),
        approved_amount=sum(approved),
        paid_amount=sum(amount for amount, _ in paid),
        days_to_payment=sum(days for _, days in paid) / len(paid) if paid else None,
    )
