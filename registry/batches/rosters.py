"""Rosters: persons who are on record already, a draft batch of one file, and its rows as they may be shown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, case, insert, literal, select, tuple_

from registry.batches import originals
from registry.batches.lookup import batch_on_record, stage_of
from registry.batches.originals import Original
from registry.batches.persons import (
    open_row,
    seal_replacement,
)
from registry.batches.states import row_counts
from registry.batches.stored_rows import registered, store_known, store_rows, unit_ids_of_rows
from registry.db.context import RegistryContext
from registry.db.counters import allocate
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.privacy import PersonalData, scrub
from registry.db.tables import batches, members, roster_rows
from registry.errors import RegistryConflict
from registry.values import AcceptedRow, Batch, BatchKind, KnownMember, KnownRow, RejectedRow, RosterLine

_CHUNK = 2000  # parameters in one IN list; SQLite takes 32,766, PostgreSQL 65,535


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a batch: file name, keyed digest of its content, the clerk, the time and its calendar day."""

    source: str
    digest: str
    by: str
    at: datetime
    day: date
    needs_confirmation: bool = False


class Rosters:
    """Repository of imported rosters: their rows, and the persons behind them."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def known_members(self, id_numbers: Collection[str], *, without: str = "") -> dict[str, KnownMember]:
        """Those of these persons who are on record, by ID number; ``without`` is a draft that is edited, and counts as
        if it were not there."""
        numbers = list(id_numbers)
        indexes = self._context.personal.indexes(numbers)
        with self._context.read() as conn:
            known = registered(conn, indexes, self._context.personal, without=without)
        return {number: known[index].known for number, index in zip(numbers, indexes, strict=True) if index in known}

    def import_roster(
        self,
        unit_name: str,
        accepted: Sequence[AcceptedRow],
        rejected: Sequence[RejectedRow],
        *,
        source: str,
        digest: str,
        by: str,
        known: Sequence[KnownRow] = (),
        original: Original | None = None,
        needs_confirmation: bool = False,
    ) -> Batch:
        """A draft batch of one roster file; ``digest`` identifies its content, ``by`` is the clerk. ``original`` is the
        file itself, stored sealed until the batch is discarded or closed. ``known`` are rows of persons who have a card
        or are in another batch: of no effect, or changes that approval makes.

        Raises RegistryConflict when the same file is in a batch that is not closed, or when a member of it has a card,
        is in another batch or belongs to another unit (``known_members`` shows this beforehand), or one of ``known``
        has no card any more.
        """
        at = self._context.clock()
        keyed = self._context.personal.content_index(digest)
        origin = Origin(scrub(source), keyed, by, at, self._context.day(at), needs_confirmation)
        with self._context.write() as conn:
            batch_id = _import(conn, self._context.personal, unit_name, accepted, rejected, known, origin)
            if original is not None:
                originals.store(conn, self._context.personal, batch_id, original)
            batch, audit = f"batch:{batch_id}", self._context.audit
            changes = {"changes": count} if (count := sum(row.change for row in known)) else {}
            audit(conn, by, "roster.import", batch, "", accepted=len(accepted), rejected=len(rejected), **changes)
            return batch_on_record(conn, batch_id)

    def refuse_living_batch(self, digest: str) -> str | None:
        """Raises RegistryConflict for a file, by the digest of its content, whose batch is not closed. Gives the newest
        closed batch of the file, if there is one."""
        keyed = self._context.personal.content_index(digest)
        closed = select(batches.c.id).where(batches.c.digest == keyed, batches.c.stage == "closed")
        with self._context.read() as conn:
            refuse_same_file(conn, keyed)
            return conn.execute(closed.order_by(batches.c.imported_at.desc()).limit(1)).scalar()

    def rows(self, batch_id: str) -> list[RosterLine]:
        """The rows of a batch's roster, in sheet order, masked."""
        with self._context.read() as conn:
            return [_line(self._context.personal, row) for row in conn.execute(_rows(batch_id))]

    def page(
        self,
        batch_id: str,
        cursor: str | None = None,
        limit: int = 50,
        *,
        only: str | None = None,
        rejected_first: bool = False,
    ) -> Page[RosterLine]:
        """The same in pages; ``only``: rejected, accepted, noted (accepted and corrected), unchanged, or change.

        Raises NotOnRecord, BadCursor.
        """
        rank = case((roster_rows.c.verdict == "rejected", 0), else_=1) if rejected_first else literal(0)
        chosen = _rows(batch_id).add_columns(rank.label("rank")).limit(cut(limit) + 1)
        if rejected_first:
            chosen = chosen.order_by(None).order_by(rank, roster_rows.c.sheet_row)
        if only is not None:
            chosen = chosen.where(roster_rows.c.verdict == ("accepted" if only == "noted" else only))
        if only == "noted":
            chosen = chosen.where(roster_rows.c.codes != "")
        if cursor is not None:
            chosen = chosen.where(tuple_(rank, roster_rows.c.sheet_row) > tuple_(*read_cursor(cursor, int, int)))
        with self._context.read() as conn:
            stage_of(conn, batch_id)
            rows = conn.execute(chosen).all()
        return page_of(
            rows, limit, lambda row: _line(self._context.personal, row), lambda row: [row.rank, row.sheet_row]
        )

    def row_counts(self, batch_id: str) -> dict[str, int]:
        """How many rows each ``only`` of ``page`` gives. Raises NotOnRecord."""
        with self._context.read() as conn:
            stage_of(conn, batch_id)
            return row_counts(conn, batch_id)


def _import(
    conn: Connection,
    personal: PersonalData,
    unit_name: str,
    accepted: Sequence[AcceptedRow],
    rejected: Sequence[RejectedRow],
    known: Sequence[KnownRow],
    origin: Origin,
) -> str:
    """Store a draft batch; returns its id."""
    refuse_same_file(conn, origin.digest)
    unit_ids = unit_ids_of_rows(conn, unit_name, accepted)
    batch_id = _draft(conn, BatchKind.ROSTER, unit_ids[unit_name, ""], origin)
    store_rows(conn, personal, batch_id, unit_name, accepted, rejected, at=origin.at)
    store_known(conn, personal, batch_id, known)
    return batch_id


def create_replacement(
    conn: Connection, personal: PersonalData, member_id: int, card_number: str, origin: Origin
) -> str:
    """Store a draft batch of one member whose card is replaced; returns its id."""
    unit_id: int = conn.execute(select(members.c.unit_id).where(members.c.id == member_id)).scalar_one()
    batch_id = _draft(conn, BatchKind.REPLACEMENT, unit_id, origin)
    key = personal.seal_key()
    sealed = seal_replacement(personal, key, batch_id, 1)
    row = {"batch_id": batch_id, "sheet_row": 1, "verdict": "accepted", "codes": "REPLACEMENT", "member_id": member_id}
    row |= {"open": True, "replaces": card_number, "sealed": sealed, "seal_key": str(key)}
    conn.execute(insert(roster_rows).values(row))
    return batch_id


def _draft(conn: Connection, kind: BatchKind, unit_id: int, origin: Origin) -> str:
    day = f"{origin.day:%Y%m%d}"
    batch_id = f"B{day}-{allocate(conn, f'batch/{day}', 1)[0]:03d}"
    conn.execute(
        insert(batches).values(
            id=batch_id,
            kind=kind.value,
            unit_id=unit_id,
            stage="draft",
            source=origin.source,
            digest=origin.digest,
            imported_by=origin.by,
            imported_at=origin.at,
            needs_confirmation=origin.needs_confirmation,
        )
    )
    return batch_id


def _rows(batch_id: str) -> Select[Any]:
    return (
        select(roster_rows, members.c.id_masked, members.c.name_masked, members.c.mobile_masked)
        .join(members, isouter=True)
        .where(roster_rows.c.batch_id == batch_id)
        .order_by(roster_rows.c.sheet_row)
    )


def _line(personal: PersonalData, row: Row[*tuple[Any, ...]]) -> RosterLine:
    fields = open_row(personal, row.batch_id, row.sheet_row, row.seal_key, row.sealed, row.verdict)
    return RosterLine(
        sheet_row=row.sheet_row,
        seq=fields["seq"],
        accepted=row.verdict == "accepted",
        codes=tuple(row.codes.split()),
        message=fields.get("message", ""),
        id_masked=row.id_masked or "",
        name_masked=row.name_masked or fields.get("name_masked", ""),
        mobile_masked=row.mobile_masked or "",
        verdict=row.verdict,
    )


def refuse_same_file(conn: Connection, digest: str, *, besides: str = "") -> None:
    """Raises RegistryConflict for a file whose batch, another than ``besides``, is not closed."""
    same_file = select(batches.c.id).where(batches.c.digest == digest, batches.c.stage.in_(("draft", "approved")))
    same_file = same_file.where(batches.c.id != besides)
    batch_id = conn.execute(same_file).scalar()
    if batch_id is not None:
        sentence = f"this file was imported before as {batch_id}, which is not closed yet"
        raise RegistryConflict(sentence, reason="form-imported", batch=batch_id)
