"""Rushes and their lots as they are read, and held until the end of a transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from registry.db.tables import rush_claims, rush_lots, rushes
from registry.errors import NotOnRecord
from registry.rush.values import ClaimState, ClaimView, RushLot, RushState, RushView

_TAIL: Final = 4


def rush_views(conn: Connection, rows: Iterable[Row[Any]], now: datetime) -> list[RushView]:
    """These rows with their lots, in the order of the rows."""
    listed = list(rows)
    lots: dict[int, list[RushLot]] = {row.id: [] for row in listed}
    chosen = select(rush_lots).where(rush_lots.c.rush_id.in_(lots)).order_by(rush_lots.c.rush_id, rush_lots.c.code)
    for lot in conn.execute(chosen):
        lots[lot.rush_id].append(RushLot(lot.code, lot.units, lot.most, lot.taken, lot.waiting))
    return [_view(row, tuple(lots[row.id]), now) for row in listed]


def hold_rushes(conn: Connection, numbers: Iterable[int]) -> list[Row[Any]]:
    """The rows of these rushes, held until the end of the transaction: claims of one rush are decided one after
    another."""
    chosen = select(rushes).where(rushes.c.id.in_(set(numbers))).order_by(rushes.c.id).with_for_update()
    return list(conn.execute(chosen))


def held_rush(conn: Connection, number: int) -> Row[Any]:
    """Raises NotOnRecord."""
    rows = hold_rushes(conn, [number])
    if not rows:
        raise no_rush(number)
    return rows[0]


def no_rush(number: int | str) -> NotOnRecord:
    return NotOnRecord(f"there is no rush {number}", reason="rush", rush=number)


def claim_view(row: Row[Any], position: int | None) -> ClaimView:
    """A row of ``rush_claims``."""
    return ClaimView(
        number=row.id,
        rush=row.rush_id,
        lot=row.lot,
        state=ClaimState(row.state),
        card_tail=row.card_number[-_TAIL:],
        position=position,
        at=row.at,
        by=row.by,
        granted_at=row.granted_at,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
    )


def positions(conn: Connection, claims: Iterable[Row[Any]]) -> Mapping[int, int]:
    """How many stand before each of these claims on its waiting list, and itself, by the number of the claim."""
    lists: dict[tuple[int, str], list[Row[Any]]] = {}
    for claim in claims:
        if claim.state == ClaimState.WAITING:
            lists.setdefault((claim.rush_id, claim.lot), []).append(claim)
    this, places = rush_claims.c, dict[int, int]()
    for (rush, lot), waiting in lists.items():
        mine = (this.rush_id == rush, this.lot == lot, this.state == ClaimState.WAITING.value)
        first, last = min(one.position for one in waiting), max(one.position for one in waiting)
        before = conn.execute(select(func.count()).where(*mine, this.position < first)).scalar_one()
        between = select(this.id).where(*mine, this.position.between(first, last)).order_by(this.position)
        places |= {number: place for place, number in enumerate(conn.execute(between).scalars(), start=before + 1)}
    return {one.id: places[one.id] for waiting in lists.values() for one in waiting}


def state_of(row: Row[Any], now: datetime) -> RushState:
    """The state at that time: a rush opens and closes by the clock."""
    if row.ended is not None:
        return RushState(row.ended)
    if now < row.opens_at:
        return RushState.ANNOUNCED
    return RushState.OPEN if now < row.closes_at else RushState.CLOSED


def _view(row: Row[Any], lots: tuple[RushLot, ...], now: datetime) -> RushView:
    return RushView(
        number=row.id,
        programme=row.programme,
        code=row.code,
        edition=row.edition,
        rules=json.loads(row.rules),
        digest=row.digest,
        opens_at=row.opens_at,
        closes_at=row.closes_at,
        returns_at=row.returns_at,
        price=row.price,
        most=row.most,
        longest=row.longest,
        state=state_of(row, now),
        announced_at=row.announced_at,
        announced_by=row.announced_by,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        reason=row.reason,
        lots=lots,
    )
