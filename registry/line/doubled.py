"""Serials that two chips have: what proves it, and the mark that every later claim finds.

A mark is for ever. The dossier's row is locked before the chip's, as everywhere on the line, so that a claim either
sees the mark or is older than it.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, exists, select, update

from registry.db.tables import chips, dossiers, journal
from registry.line.claims import LanePlace
from registry.values import Claim


class DoubledChip(NamedTuple):
    """A serial of two chips: what became of it (``bound``, ``verified``, ``rejected``), its card, and who proved it."""

    chip_serial: str
    state: str
    card_number: str
    sequence: int
    at: datetime
    by: str


class Acknowledged(NamedTuple):
    """A step that the chip of a dossier completed; ``detail`` is what the lane noted of it."""

    step: str
    detail: str


_LOCK = (
    select(chips.c.batch_id, dossiers.c.id)
    .join(dossiers, dossiers.c.id == chips.c.dossier_id)
    .where(chips.c.serial == bindparam("chip"))
    .with_for_update(of=dossiers)
)
_MARK = update(chips).where(chips.c.serial == bindparam("chip"), chips.c.doubled_at.is_(None))


def mark_doubled(conn: Connection, serial: str, place: LanePlace, now: datetime) -> str:
    """Record that two chips have a serial; returns its batch, empty where it was on record before or has no dossier."""
    locked = conn.execute(_LOCK, {"chip": serial}).one_or_none()
    if locked is None:
        return ""
    values = {"doubled_at": now, "doubled_by": f"{place.station}, {place.lane}"}
    marked = conn.execute(_MARK.values(**values), {"chip": serial})
    return str(locked.batch_id) if marked.rowcount else ""


def rival_answered(conn: Connection, claim: Claim) -> bool:
    """Whether the chip of a newer claim of this dossier completed a step."""
    newer = (journal.c.dossier_id == claim.dossier_id, journal.c.token > claim.token, journal.c.event == "done")
    return bool(conn.execute(select(exists().where(*newer))).scalar_one())


def acknowledged(conn: Connection, dossier_id: int) -> frozenset[Acknowledged]:
    """The steps of a dossier that were completed, by whichever lane."""
    done = (journal.c.dossier_id == dossier_id, journal.c.event == "done", journal.c.block.is_(None))
    rows = conn.execute(select(journal.c.step, journal.c.detail).where(*done).distinct())
    return frozenset(Acknowledged(*row) for row in rows)


def doubled_chips(conn: Connection, batch_id: str) -> list[DoubledChip]:
    """The serials of a batch that two chips have, in the order in which it was proven."""
    chosen = (
        select(chips.c.serial, chips.c.state, dossiers.c.card_number, dossiers.c.sequence)
        .add_columns(chips.c.doubled_at, chips.c.doubled_by)
        .join(dossiers, dossiers.c.id == chips.c.dossier_id)
        .where(chips.c.batch_id == batch_id, chips.c.doubled_at.is_not(None))
        .order_by(chips.c.doubled_at, chips.c.serial)
    )
    return [DoubledChip(*row) for row in conn.execute(chosen)]
