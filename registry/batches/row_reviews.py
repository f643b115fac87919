"""The review of a draft row by row: data in clear beside the number of the ID copy, each row right or in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, case, delete, exists, func, insert, select, update

from registry.batches.lookup import batch_on_record, stage_for_update
from registry.batches.persons import changed_person, open_person, open_row
from registry.batches.reviews import refuse_unsent
from registry.db.actors import refuse_same_person
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import cut
from registry.db.privacy import PersonalData, scrub
from registry.db.tables import batches, members, roster_rows, row_edits, row_reviews, units
from registry.errors import NotOnRecord, RegistryConflict
from registry.person import Person


class RowMark(StrEnum):
    """How a row compares with its ID copy."""

    RIGHT = "right"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class ClearRow:
    """A roster row in clear. ``copy`` is the number of the ID copy: the row's number in the form, as annex 5 numbers
    them; None where the form has none. ``person`` is None for a rejected row, whose data are not stored."""

    sheet_row: int
    copy: int | str | None = field(repr=False)
    verdict: str
    codes: tuple[str, ...]
    person: Person | None
    name_masked: str
    unit: str
    mark: RowMark | None
    note: str
    marked_by: str


@dataclass(frozen=True, slots=True)
class ClearRows:
    """Rows in clear; ``next`` is the last of them where further ones follow."""

    rows: tuple[ClearRow, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class ReviewProgress:
    """How far a review has come. ``resume_after`` is the row before the first one without a mark; None where all rows
    have one."""

    rows: int
    right: int
    doubts: int
    resume_after: int | None

    @property
    def open(self) -> int:
        return self.rows - self.right - self.doubts


@dataclass(frozen=True, slots=True)
class RowDoubt:
    """A row in doubt, with the reviewer's note."""

    sheet_row: int
    note: str
    by: str
    at: datetime


class RowReviews:
    """Repository of marks. ``sent``: only where the draft is submitted for review."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def look(
        self,
        batch_id: str,
        *,
        by: str,
        reason: str,
        after: int = 0,
        limit: int = 50,
        sent: bool = False,
        printed: bool = False,
    ) -> ClearRows:
        """Rows in clear, in sheet order, behind the row ``after``; the audit entry is committed before they are
        returned. ``printed``: the caller asked for print in clear, which the entry says.

        Raises NotOnRecord, RegistryConflict for a batch that is no draft, or the person who imported it.
        """
        reason = reason_given(reason)
        most = cut(limit)
        with self._context.write() as conn:
            refuse_reviewer(conn, batch_id, by, sent=sent)
            chosen = _rows(batch_id).where(roster_rows.c.sheet_row > after).limit(most + 1)
            result = conn.execute(chosen).all()
            rows = tuple(_clear(self._context.personal, row) for row in result[:most])
            if rows:
                facts = {"count": len(rows), "row_from": rows[0].sheet_row, "row_to": rows[-1].sheet_row}
                facts |= {"printed": True} if printed else {}
                self._context.audit(conn, by, "batch.look", f"batch:{batch_id}", reason, **facts)
        return ClearRows(rows, rows[-1].sheet_row if len(result) > most else None)

    def mark(
        self, batch_id: str, sheet_row: int, mark: RowMark | None, note: str = "", *, by: str, sent: bool = False
    ) -> ReviewProgress:
        """Mark a row; None takes its mark back. A doubt needs a note, in which numbers of persons are masked.

        Raises NotOnRecord (batch, row), RegistryConflict as ``look`` does, or for a doubt without a note.
        """
        note = scrub(note.strip())
        if mark is RowMark.DOUBT and not note:
            raise RegistryConflict("say in a few words what is in doubt", reason="doubt-without-note")
        own = (row_reviews.c.batch_id == batch_id, row_reviews.c.sheet_row == sheet_row)
        with self._context.write() as conn:
            refuse_reviewer(conn, batch_id, by, sent=sent)
            there = select(1).where(roster_rows.c.batch_id == batch_id, roster_rows.c.sheet_row == sheet_row)
            if conn.execute(there).scalar() is None:
                sentence = f"batch {batch_id} has no row {sheet_row}"
                raise NotOnRecord(sentence, reason="row", batch=batch_id, row=sheet_row)
            if mark is None:
                conn.execute(delete(row_reviews).where(*own))
            else:
                values = {"mark": mark.value, "note": note, "at": self._context.clock(), "by": by}
                changed = conn.execute(update(row_reviews).where(*own).values(values)).rowcount
                if not changed:
                    key = {"batch_id": batch_id, "sheet_row": sheet_row}
                    conn.execute(insert(row_reviews).values(key | values))
            return _progress(conn, batch_id)

    def progress(self, batch_id: str) -> ReviewProgress:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            batch_on_record(conn, batch_id)
            return _progress(conn, batch_id)

    def doubts(self, batch_id: str, limit: int = 500) -> list[RowDoubt]:
        """The rows in doubt, in sheet order. Raises NotOnRecord."""
        doubted = row_reviews.c.mark == RowMark.DOUBT.value
        chosen = select(row_reviews).where(row_reviews.c.batch_id == batch_id, doubted)
        with self._context.read() as conn:
            batch_on_record(conn, batch_id)
            rows = conn.execute(chosen.order_by(row_reviews.c.sheet_row).limit(cut(limit))).all()
        return [RowDoubt(row.sheet_row, row.note, row.by, row.at) for row in rows]


def refuse_doubted(conn: Connection, batch_id: str) -> None:
    """Raises RegistryConflict for a batch with a row in doubt."""
    doubted = select(func.count(), func.min(row_reviews.c.sheet_row)).where(
        row_reviews.c.batch_id == batch_id, row_reviews.c.mark == RowMark.DOUBT.value
    )
    count, first = conn.execute(doubted).one()
    if count:
        sentence = (
            f"batch {batch_id} has {count} rows in doubt, the first is row {first}: settle them, or return the batch"
        )
        raise RegistryConflict(sentence, reason="batch-in-doubt", batch=batch_id, count=count, row=first)


def refuse_reviewer(conn: Connection, batch_id: str, by: str, *, sent: bool) -> None:
    """Raises NotOnRecord, RegistryConflict for a batch that is not to be reviewed, or the person who imported it."""
    stage = stage_for_update(conn, batch_id)
    if stage != "draft":
        sentence = f"batch {batch_id} is {stage}; only a draft is reviewed"
        raise RegistryConflict(sentence, reason="batch-not-draft", batch=batch_id)
    importer = conn.execute(select(batches.c.imported_by).where(batches.c.id == batch_id)).scalar_one()
    sentence = f"{by} imported batch {batch_id}, in person or by a token; a second person reviews it"
    refuse_same_person(conn, importer, by, sentence, batch=batch_id)
    refuse_editor(conn, batch_id, by)
    if sent:
        refuse_unsent(conn, batch_id)


def editors(conn: Connection, batch_id: str) -> Sequence[str]:
    """The actors who edited a batch."""
    return conn.execute(select(row_edits.c.by).where(row_edits.c.batch_id == batch_id).distinct()).scalars().all()


def refuse_editor(conn: Connection, batch_id: str, by: str) -> None:
    """Raises RegistryConflict for a person who edited the batch."""
    for editor in editors(conn, batch_id):
        sentence = f"{by} edited batch {batch_id}, in person or by a token; a second person reviews and approves it"
        refuse_same_person(conn, editor, by, sentence, batch=batch_id)


def _rows(batch_id: str) -> Select[Any]:
    named = units.alias()
    return (
        select(roster_rows.c.sheet_row, roster_rows.c.verdict, roster_rows.c.codes, roster_rows.c.batch_id)
        .add_columns(roster_rows.c.sealed.label("row_sealed"), roster_rows.c.seal_key.label("row_key"))
        .add_columns(members.c.id, members.c.sealed, members.c.seal_key)
        .add_columns(func.coalesce(named.c.name, units.c.name, "").label("unit"))
        .add_columns(row_reviews.c.mark, row_reviews.c.note, row_reviews.c.by.label("marked_by"))
        .join_from(roster_rows, members, members.c.id == roster_rows.c.member_id, isouter=True)
        .join(units, units.c.id == members.c.unit_id, isouter=True)
        .join(named, named.c.id == roster_rows.c.unit_id, isouter=True)
        .join(
            row_reviews,
            (row_reviews.c.batch_id == roster_rows.c.batch_id) & (row_reviews.c.sheet_row == roster_rows.c.sheet_row),
            isouter=True,
        )
        .where(roster_rows.c.batch_id == batch_id)
        .order_by(roster_rows.c.sheet_row)
    )


def _clear(personal: PersonalData, row: Row[*tuple[Any, ...]]) -> ClearRow:
    fields = open_row(personal, row.batch_id, row.sheet_row, row.row_key, row.row_sealed, row.verdict)
    person = None if row.id is None else changed_person(fields) or open_person(personal, row)
    return ClearRow(
        sheet_row=row.sheet_row,
        copy=fields["seq"],
        verdict=row.verdict,
        codes=tuple(row.codes.split()),
        person=person,
        name_masked=fields.get("name_masked", "") if person is None else person.name_masked,
        unit=row.unit,
        mark=None if row.mark is None else RowMark(row.mark),
        note=row.note or "",
        marked_by=row.marked_by or "",
    )


def _progress(conn: Connection, batch_id: str) -> ReviewProgress:
    marked = select(
        func.count(),
        func.sum(case((row_reviews.c.mark == RowMark.RIGHT.value, 1), else_=0)),
    ).where(row_reviews.c.batch_id == batch_id)
    count, right = conn.execute(marked).one()
    of_batch = roster_rows.c.batch_id == batch_id
    rows: int = conn.execute(select(func.count()).select_from(roster_rows).where(of_batch)).scalar_one()
    has_mark = exists().where(
        row_reviews.c.batch_id == roster_rows.c.batch_id, row_reviews.c.sheet_row == roster_rows.c.sheet_row
    )
    first = conn.execute(select(func.min(roster_rows.c.sheet_row)).where(of_batch, ~has_mark)).scalar()
    marked_right = int(right or 0)
    return ReviewProgress(rows, marked_right, count - marked_right, None if first is None else first - 1)
