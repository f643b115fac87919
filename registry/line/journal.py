"""Writing the journal, the hot path of the line: one prepared statement, one commit for lines that belong together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from registry.db.database import Database
from registry.db.tables import UtcTime, dossiers, journal
from registry.line.claims import HELD, fence_lost
from registry.values import Claim, JournalEntry, JournalEvent

# Writes nothing when the token is old, so that check and line are one statement. FOR SHARE makes PostgreSQL wait for a
# concurrent claim and check again; SQLite has one writer anyway.
_LINE = insert(journal).from_select(
    ["at", "dossier_id", "token", "step", "event", "block", "detail"],
    select(
        bindparam("now", type_=UtcTime()),
        dossiers.c.id,
        dossiers.c.token,
        bindparam("step_", type_=journal.c.step.type),
        bindparam("event_", type_=journal.c.event.type),
        bindparam("block_", type_=journal.c.block.type),
        bindparam("detail_", type_=journal.c.detail.type),
    )
    .where(*HELD)
    .with_for_update(read=True),
)


class JournalWriter:
    """Writes journal lines, each call in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._line = database.prepare(_LINE)

    def write(self, claim: Claim, now: datetime, entries: Sequence[JournalEntry]) -> None:
        """On disk when it returns. Raises FenceLost when a newer claim holds the dossier, or the dossier has ended."""
        if not self._database.execute_prepared(self._line, (_values(claim, now, entry) for entry in entries)):
            raise fence_lost(claim)


def last_entry(conn: Connection, claim: Claim, step: str) -> JournalEntry | None:
    """The last intent or end of a step of the claim's dossier, by whichever lane; None before the first."""
    of_step = (
        journal.c.dossier_id == claim.dossier_id,
        journal.c.step == step,
        journal.c.event.in_(("intent", "done")),
    )
    chosen = select(journal.c.event, journal.c.detail).where(*of_step).order_by(journal.c.id.desc()).limit(1)
    row = conn.execute(chosen).one_or_none()
    return None if row is None else JournalEntry(step, JournalEvent(row.event), row.detail)


def write_with(conn: Connection, claim: Claim, now: datetime, entries: Sequence[JournalEntry]) -> None:
    """The same within the caller's transaction. Writes nothing for an old token."""
    for entry in entries:
        conn.execute(_LINE, _values(claim, now, entry))


def _values(claim: Claim, now: datetime, entry: JournalEntry) -> dict[str, Any]:
    return {
        "dossier": claim.dossier_id,
        "held": claim.token,
        "now": now,
        "step_": entry.step,
        "event_": entry.event.value,
        "block_": entry.block,
        "detail_": entry.detail,
    }
