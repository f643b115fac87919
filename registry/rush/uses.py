"""Uses of tickets, as counters report them: each counter once, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, func, insert, or_, select

from registry.db.context import RegistryContext
from registry.db.tables import rush_claims, ticket_uses
from registry.errors import RegistryConflict
from registry.rush.values import ClaimState

_U: Final = ticket_uses.c
_C: Final = rush_claims.c


@dataclass(frozen=True, slots=True)
class TicketUse:
    """A ticket that a counter took. ``number`` is that of the ticket."""

    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class TicketFinding:
    """A ticket that more than one counter took (``twice``), or one that had gone back or was void (``ended``)."""

    number: int
    rush: int
    lot: str
    kind: str
    counters: tuple[str, ...]
    first: datetime


@dataclass(frozen=True, slots=True)
class UsesReport:
    """What became of an upload: uses that are new, those that were on record, numbers of no ticket."""

    added: int
    known: int
    unknown: tuple[int, ...]


class TicketUses:
    """Repository of uses."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def report(self, counter: str, uses: Sequence[TicketUse], *, by: str) -> UsesReport:
        """Record the uses of a counter; sent again they are on record. Raises RegistryConflict for a counter without a
        name (``counter-name``)."""
        if not counter.strip():
            raise RegistryConflict("name the counter that took the tickets", reason="counter-name")
        now = self._context.clock()
        first = {use.number: use for use in reversed(uses)}
        with self._context.write() as conn:
            there = set(conn.execute(select(_C.id).where(_C.id.in_(first))).scalars())
            mine = select(_U.claim_id).where(_U.claim_id.in_(first), _U.counter == counter)
            known = set(conn.execute(mine).scalars())
            rows = [
                {"claim_id": number, "counter": counter, "at": use.at, "uploaded_at": now, "by": by}
                for number, use in sorted(first.items())
                if number in there - known
            ]
            if rows:
                conn.execute(insert(ticket_uses), rows)
                self._context.audit(conn, by, "ticket.uses", f"counter:{counter}", "", uses=len(rows))
        return UsesReport(len(rows), len(known), tuple(sorted(set(first) - there)))

    def findings(self, rush: int | None = None) -> list[TicketFinding]:
        """Tickets that were taken by two counters, or had ended, the first ones first."""
        twice = select(_U.claim_id).group_by(_U.claim_id).having(func.count() > 1)
        ended: ColumnElement[bool] = _C.state != ClaimState.GRANTED.value
        chosen = (
            select(_C.id, _C.rush_id, _C.lot, _C.state, _U.counter, _U.at)
            .join(ticket_uses, _U.claim_id == _C.id)
            .where(or_(ended, _C.id.in_(twice)))
            .order_by(_C.id, _U.at, _U.id)
        )
        if rush is not None:
            chosen = chosen.where(_C.rush_id == rush)
        with self._context.read() as conn:
            rows = conn.execute(chosen).all()
        grouped: dict[int, list[Row[*tuple[Any, ...]]]] = {}
        for row in rows:
            grouped.setdefault(row.id, []).append(row)
        return [_finding(one) for one in grouped.values()]

    def ended(self, rush: int) -> list[int]:
        """Numbers of the tickets of a rush that went back or are void: counters refuse them."""
        over = (ClaimState.RETURNED.value, ClaimState.VOID.value)
        chosen = select(_C.id).where(_C.rush_id == rush, _C.state.in_(over), _C.granted_at.is_not(None))
        with self._context.read() as conn:
            return list(conn.execute(chosen.order_by(_C.id)).scalars())


def _finding(rows: Sequence[Row[*tuple[Any, ...]]]) -> TicketFinding:
    first = rows[0]
    kind = "twice" if len(rows) > 1 else "ended"
    return TicketFinding(first.id, first.rush_id, first.lot, kind, tuple(row.counter for row in rows), first.at)
