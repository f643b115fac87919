"""What is told about batches: where each stands, its journal, its rejects, its timings, the chips it waits for."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, exists, func, or_, select

from registry.db.context import RegistryContext
from registry.db.paging import BadCursor, Page, cut, page_of, read_cursor
from registry.db.tables import batches, cards, chips, claims, dossiers, journal, roster_rows, units
from registry.errors import no_batch
from registry.values import Batch, BatchState, BoundChip, JournalEvent, JournalLine, Reject, Timing


class Reports:
    """What ``Registry`` tells about batches."""

    _ground: RegistryContext

    def batches(self) -> list[Batch]:
        """All batches, oldest first."""
        with self._ground.read() as conn:
            return all_batches(conn)

    def batches_page(
        self, cursor: str | None = None, limit: int = 50, *, unit: str | None = None, stage: str | None = None
    ) -> Page[Batch]:
        """Newest first. ``stage`` is draft, approved, closed or discarded. Raises BadCursor."""
        with self._ground.read() as conn:
            return page(conn, cursor, limit, unit, stage)

    def batch(self, batch_id: str) -> Batch:
        with self._ground.read() as conn:
            return batch(conn, batch_id)

    def bound_chips(self, batch_id: str) -> list[BoundChip]:
        """Claimed dossiers and the chips they are bound to."""
        with self._ground.read() as conn:
            return bound_chips(conn, batch_id, self._ground.clock())

    def journal_of(self, batch_id: str) -> list[JournalLine]:
        with self._ground.read() as conn:
            return journal_of(conn, batch_id)

    def rejects(self, batch_id: str) -> list[Reject]:
        """Chips that were refused, oldest first."""
        with self._ground.read() as conn:
            return rejects(conn, batch_id)

    def rejects_page(self, batch_id: str, cursor: str | None = None, limit: int = 50) -> Page[Reject]:
        """The same in pages. Raises NotOnRecord, BadCursor."""
        with self._ground.read() as conn:
            batch(conn, batch_id)
            return rejects_page(conn, batch_id, cursor, limit)

    def timings(self, batch_id: str) -> list[Timing]:
        with self._ground.read() as conn:
            return timings(conn, batch_id)


def all_batches(conn: Connection) -> list[Batch]:
    return [_batch(row) for row in conn.execute(_batches().order_by(batches.c.imported_at, batches.c.id))]


def page(conn: Connection, cursor: str | None, limit: int, unit: str | None, stage: str | None) -> Page[Batch]:
    order = (batches.c.imported_at.desc(), batches.c.id.desc())
    chosen = _batches().order_by(*order).limit(cut(limit) + 1)
    if unit is not None:
        chosen = chosen.where(units.c.name == unit)
    if stage is not None:
        chosen = chosen.where(batches.c.stage == stage)
    if cursor is not None:
        told, batch_id = read_cursor(cursor, str, str)
        at = _time(told)
        same_time = and_(batches.c.imported_at == at, batches.c.id < batch_id)
        chosen = chosen.where(or_(batches.c.imported_at < at, same_time))
    rows = conn.execute(chosen).all()
    return page_of(rows, limit, _batch, lambda row: [row.imported_at.isoformat(), row.id])


def batch(conn: Connection, batch_id: str) -> Batch:
    row = conn.execute(_batches().where(batches.c.id == batch_id)).one_or_none()
    if row is None:
        raise no_batch(batch_id)
    return _batch(row)


def bound_chips(conn: Connection, batch_id: str, now: datetime) -> list[BoundChip]:
    chosen = (
        select(dossiers.c.id, dossiers.c.card_number, dossiers.c.sequence, chips.c.serial)
        .add_columns(claims.c.lane, claims.c.lease_until)
        .join(chips, chips.c.dossier_id == dossiers.c.id)
        .join(claims, claims.c.token == dossiers.c.token)
        .where(dossiers.c.batch_id == batch_id, dossiers.c.state == "claimed")
        .order_by(dossiers.c.id)
    )
    return [
        BoundChip(
            dossier_id=row.id,
            card_number=row.card_number,
            sequence=row.sequence,
            chip_serial=row.serial,
            lane=row.lane,
            lease_until=row.lease_until,
            missing=row.lease_until <= now,
        )
        for row in conn.execute(chosen)
    ]


def journal_of(conn: Connection, batch_id: str) -> list[JournalLine]:
    chosen = (
        select(journal, chips.c.serial, claims.c.lane)
        .join(dossiers, dossiers.c.id == journal.c.dossier_id)
        .join(chips, chips.c.dossier_id == journal.c.dossier_id)
        .join(claims, claims.c.token == journal.c.token)
        .where(dossiers.c.batch_id == batch_id)
        .order_by(journal.c.id)
    )
    return [
        JournalLine(
            id=row.id,
            at=row.at,
            dossier_id=row.dossier_id,
            chip_serial=row.serial,
            lane=row.lane,
            token=row.token,
            step=row.step,
            event=JournalEvent(row.event),
            block=row.block,
            detail=row.detail,
        )
        for row in conn.execute(chosen)
    ]


def rejects(conn: Connection, batch_id: str) -> list[Reject]:
    return [_reject(row) for row in conn.execute(_rejects(batch_id))]


def rejects_page(conn: Connection, batch_id: str, cursor: str | None, limit: int) -> Page[Reject]:
    chosen = _rejects(batch_id).limit(cut(limit) + 1)
    if cursor is not None:
        told, serial = read_cursor(cursor, str, str)
        at = _time(told)
        same_time = and_(chips.c.ended_at == at, chips.c.serial > serial)
        chosen = chosen.where(or_(chips.c.ended_at > at, same_time))
    rows = conn.execute(chosen).all()
    return page_of(rows, limit, _reject, lambda row: [row.ended_at.isoformat(), row.serial])


def _reject(row: Row[*tuple[Any, ...]]) -> Reject:
    return replace(Reject(*row), params=json.loads(row.params))


def _rejects(batch_id: str) -> Select[Any]:
    return (
        select(chips.c.ended_at, chips.c.serial, chips.c.reason, chips.c.step, chips.c.bin, chips.c.lane)
        .add_columns(dossiers.c.card_number, dossiers.c.sequence, chips.c.code, chips.c.params)
        .join(dossiers, dossiers.c.id == chips.c.dossier_id, isouter=True)
        .where(chips.c.batch_id == batch_id, chips.c.state == "rejected")
        .order_by(chips.c.ended_at, chips.c.serial)
    )


def timings(conn: Connection, batch_id: str) -> list[Timing]:
    chosen = (
        select(cards.c.card_number, claims.c.lane, claims.c.station, cards.c.verified_at, cards.c.seconds)
        .join(dossiers, dossiers.c.id == cards.c.dossier_id)
        .join(claims, claims.c.token == dossiers.c.token)
        .where(dossiers.c.batch_id == batch_id)
        .order_by(cards.c.verified_at, cards.c.card_number)
    )
    return [Timing(*row) for row in conn.execute(chosen)]


def _time(told: str) -> datetime:
    at = None
    with suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(told)
    if at is None or at.utcoffset() != timedelta(0):
        raise BadCursor
    return at


def _batches() -> Select[Any]:
    def rows(verdict: str) -> Any:
        mine = (roster_rows.c.batch_id == batches.c.id, roster_rows.c.verdict == verdict)
        return select(func.count()).where(*mine).correlate(batches).scalar_subquery()

    def of_dossiers(*conditions: Any) -> Any:
        mine = dossiers.c.batch_id == batches.c.id
        return select(func.count()).where(mine, *conditions).correlate(batches).scalar_subquery()

    served = exists().where(
        dossiers.c.member_id == roster_rows.c.member_id,
        dossiers.c.batch_id == roster_rows.c.batch_id,
        dossiers.c.state != "remade",
    )
    wanting = (
        select(func.count())
        .where(roster_rows.c.batch_id == batches.c.id, roster_rows.c.verdict == "accepted", ~served)
        .correlate(batches)
        .scalar_subquery()
    )
    return select(
        batches,
        units.c.name.label("unit"),
        rows("accepted").label("accepted"),
        rows("rejected").label("rejected"),
        wanting.label("to_prepare"),
        of_dossiers().label("dossiers"),
        of_dossiers(dossiers.c.state == "verified").label("verified"),
    ).join(units)


def _batch(row: Row[*tuple[Any, ...]]) -> Batch:
    return Batch(
        id=row.id,
        unit=row.unit,
        state=_state(row),
        source=row.source,
        digest=row.digest,
        imported_by=row.imported_by,
        imported_at=row.imported_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        closed_by=None if row.closed_by is None else (row.closed_by, row.closed_second),
        closed_at=row.closed_at,
        accepted=row.accepted,
        rejected=row.rejected,
        to_prepare=row.to_prepare,
        dossiers=row.dossiers,
        verified=row.verified,
    )


def _state(row: Row[*tuple[Any, ...]]) -> BatchState:
    if row.stage != "approved":
        return BatchState(row.stage)
    if row.verified == row.accepted:
        return BatchState.DONE
    if row.started_at is not None:
        return BatchState.RUNNING
    return BatchState.APPROVED if row.to_prepare else BatchState.PREPARED
