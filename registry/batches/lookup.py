"""A batch as it stands, looked up or locked in the caller's transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, exists, func, select

from registry.db.tables import batches, dossiers, roster_rows, units
from registry.errors import no_batch
from registry.values import Batch, BatchKind, BatchState


def batch_on_record(conn: Connection, batch_id: str) -> Batch:
    """Raises NotOnRecord."""
    row = conn.execute(selected_batches().where(batches.c.id == batch_id)).one_or_none()
    if row is None:
        raise no_batch(batch_id)
    return batch_of(row)


def stage_of(conn: Connection, batch_id: str) -> str:
    """Raises NotOnRecord."""
    return _stage(conn, batch_id, select(batches.c.stage).where(batches.c.id == batch_id))


def stage_for_update(conn: Connection, batch_id: str) -> str:
    """The batch's stage, its row locked to the end of the transaction; rows that only refer to it may still be
    inserted. Raises NotOnRecord."""
    chosen = select(batches.c.stage).where(batches.c.id == batch_id)
    return _stage(conn, batch_id, chosen.with_for_update(key_share=True))


def _stage(conn: Connection, batch_id: str, chosen: Select[str]) -> str:
    stage: str | None = conn.execute(chosen).scalar_one_or_none()
    if stage is None:
        raise no_batch(batch_id)
    return stage


def members_without_dossier(batch_id: str) -> Select[int]:
    """Ids of the members of a batch who need a dossier: none is waiting, claimed or verified."""
    return select(roster_rows.c.member_id).where(
        roster_rows.c.batch_id == batch_id, roster_rows.c.verdict == "accepted", ~_has_dossier()
    )


def selected_batches() -> Select[Any]:
    """Batches with their counts, as ``batch_of`` reads them."""

    def rows(*conditions: Any) -> Any:
        counted = select(func.count()).where(roster_rows.c.batch_id == batches.c.id, *conditions)
        return counted.correlate(batches).scalar_subquery()

    def of_dossiers(*conditions: Any) -> Any:
        counted = select(func.count()).where(dossiers.c.batch_id == batches.c.id, *conditions)
        return counted.correlate(batches).scalar_subquery()

    accepted = roster_rows.c.verdict == "accepted"
    return select(
        batches,
        units.c.name.label("unit"),
        rows(accepted).label("accepted"),
        rows(roster_rows.c.verdict == "rejected").label("rejected"),
        rows(roster_rows.c.verdict == "unchanged").label("unchanged"),
        rows(roster_rows.c.verdict == "change").label("changes"),
        rows(accepted, ~_has_dossier()).label("to_prepare"),
        of_dossiers().label("dossiers"),
        of_dossiers(dossiers.c.state == "verified").label("verified"),
    ).join(units)


def batch_of(row: Row[*tuple[Any, ...]]) -> Batch:
    return Batch(
        id=row.id,
        kind=BatchKind(row.kind),
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
        unchanged=row.unchanged,
        changes=row.changes,
        needs_confirmation=row.needs_confirmation,
    )


def _has_dossier() -> Any:
    return exists().where(
        dossiers.c.member_id == roster_rows.c.member_id,
        dossiers.c.batch_id == roster_rows.c.batch_id,
        dossiers.c.state != "remade",
    )


def _state(row: Row[*tuple[Any, ...]]) -> BatchState:
    if row.stage != "approved":
        return BatchState(row.stage)
    if row.verified == row.accepted:
        return BatchState.DONE
    if row.started_at is not None:
        return BatchState.RUNNING
    return BatchState.APPROVED if row.to_prepare else BatchState.PREPARED
