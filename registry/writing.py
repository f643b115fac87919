"""The journal's writing end, the hot path of the line: one prepared statement and one commit for each line."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, insert, select

from registry.claims import HELD, fence_lost
from registry.database import Database
from registry.tables import UtcTime, dossiers, journal
from registry.values import Claim, JournalEvent

# Writes nothing when the token is old, so that check and line are one statement. FOR SHARE makes PostgreSQL wait for a
# claim that is just being made and look again; SQLite's writers are alone anyway.
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
    def __init__(self, database: Database) -> None:
        self._database = database
        self._line = database.prepare(_LINE)

    def write(
        self, claim: Claim, now: datetime, step: str, event: JournalEvent, detail: str, block: int | None
    ) -> None:
        """On disk when it returns. Raises FenceLost when a newer claim holds the dossier, or it has come to its end."""
        line = {
            "dossier": claim.dossier_id,
            "held": claim.token,
            "now": now,
            "step_": step,
            "event_": event.value,
            "block_": block,
            "detail_": detail,
        }
        if self._database.alone(self._line, line) != 1:
            raise fence_lost(claim)
