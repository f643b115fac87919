"""Batches by state (``BatchState``, and whether a draft was submitted) and rows by verdict, counted by the database."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select

from registry.db.tables import batches, dossiers, reviews, roster_rows
from registry.values import BatchState

STATES: Final = (
    "draft",
    "submitted",
    "returned",
    *(state.value for state in BatchState if state is not BatchState.DRAFT),
)


def state_of() -> ColumnElement[str]:
    """The state of the batch in the row. Only an open batch is looked into."""
    step = (
        select(reviews.c.step)
        .where(reviews.c.batch_id == batches.c.id)
        .order_by(reviews.c.id.desc())
        .limit(1)
        .correlate(batches)
        .scalar_subquery()
    )
    row = and_(roster_rows.c.batch_id == batches.c.id, roster_rows.c.verdict == "accepted")
    own = and_(dossiers.c.member_id == roster_rows.c.member_id, dossiers.c.batch_id == roster_rows.c.batch_id)

    def lacks(*states: ColumnElement[bool]) -> ColumnElement[bool]:
        """A member of the batch has no dossier in one of these states."""
        without = ~exists().where(own, or_(*states)).correlate(roster_rows)
        return exists().where(row, without).correlate(batches)

    return case(
        (and_(batches.c.stage == "draft", step.is_not(None)), step),  # submitted or returned
        (batches.c.stage != "approved", batches.c.stage),
        (~lacks(dossiers.c.state == "verified"), BatchState.DONE.value),
        (batches.c.started_at.is_not(None), BatchState.RUNNING.value),
        (lacks(dossiers.c.state != "remade"), BatchState.APPROVED.value),
        else_=BatchState.PREPARED.value,
    )


def counts(conn: Connection) -> dict[str, int]:
    """The number of batches by state, in the order of ``STATES``; states without batches are left out."""
    state = state_of().label("state")
    chosen = select(state, func.count()).select_from(batches).group_by(state)
    by_state = {state: times for state, times in conn.execute(chosen)}
    return {state: by_state[state] for state in STATES if by_state.get(state)}


def row_counts(conn: Connection, batch_id: str) -> dict[str, int]:
    """The number of a batch's rows: rejected, accepted, noted (accepted and corrected), unchanged, change."""
    noted = func.sum(case((roster_rows.c.codes != "", 1), else_=0))
    chosen = select(roster_rows.c.verdict, func.count(), noted).where(roster_rows.c.batch_id == batch_id)
    rows = {verdict: (count, int(n)) for verdict, count, n in conn.execute(chosen.group_by(roster_rows.c.verdict))}
    by_verdict = {name: rows.get(name, (0, 0))[0] for name in ("rejected", "accepted", "change", "unchanged")}
    return {**by_verdict, "noted": rows.get("accepted", (0, 0))[1]}
