"""Verdicts of counters, one row for each card presented: station, reader, verdict and seconds.

Of the card only a keyed hash is stored: repeated visits of a card can be seen, its number cannot.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, insert, select

from registry.db.context import RegistryContext
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import verdicts

HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class VerdictNote:
    """A verdict to record. ``at`` may be long before it is recorded; ``card_number`` may be empty."""

    at: datetime
    station: str
    reader: str
    code: str
    seconds: float
    card_number: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """A recorded verdict. ``card`` is the start of the card's keyed hash; empty for a card that was not read."""

    at: datetime
    station: str
    reader: str
    code: str
    seconds: float
    card: str


class Verdicts:
    """Repository of verdicts."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def note(self, *notes: VerdictNote) -> None:
        """Record verdicts, all of them or none: a counter records at once what it collected without the database."""
        if not notes:
            return
        personal = self._context.personal
        rows = [
            {
                "at": note.at,
                "hour": int(note.at.timestamp()) // HOUR,
                "station": note.station,
                "reader": note.reader,
                "code": note.code,
                "seconds": note.seconds,
                "card_index": personal.indexes([f"verdict {note.card_number}"])[0] if note.card_number else None,
            }
            for note in notes
        ]
        with self._context.write() as conn:
            conn.execute(insert(verdicts), rows)

    def page(self, cursor: str | None = None, limit: int = 50, *, station: str | None = None) -> Page[VerdictLine]:
        """Verdicts, the last recorded first. Raises BadCursor."""
        chosen = select(verdicts).order_by(verdicts.c.id.desc()).limit(cut(limit) + 1)
        if station is not None:
            chosen = chosen.where(verdicts.c.station == station)
        if cursor is not None:
            chosen = chosen.where(verdicts.c.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _line, lambda row: [row.id])


def _line(row: Row[*tuple[Any, ...]]) -> VerdictLine:
    card = bytes(row.card_index).hex()[:16] if row.card_index else ""
    return VerdictLine(row.at, row.station, row.reader, row.code, row.seconds, card)
