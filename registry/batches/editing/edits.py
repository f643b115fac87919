"""Edits of a returned roster: a row changed, added or left out, or a corrected form in its place; the history is kept.

A batch that is with the reviewers is not edited. Whoever edits it neither reviews nor approves it. The marks of a
changed row fall away, and so does the unit's confirmation where a row is added or left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, exists, func, insert, select, update

from registry.batches import originals
from registry.batches.approval import take_over
from registry.batches.editing.differences import (
    ComparedRow,
    MaskedRow,
    RowChange,
    RowDifference,
    RowPair,
    differences,
    digest,
    paired,
)
from registry.batches.editing.rows import NewRow, row_of_form, row_to_store, rows_on_record
from registry.batches.editing.undos import Undo, forget_undo, newest_undo, store_undo
from registry.batches.lookup import batch_on_record, stage_for_update
from registry.batches.originals import Original
from registry.batches.reviews import refuse_sent
from registry.batches.rosters import refuse_same_file
from registry.batches.stored_rows import only_in_draft, store_known, store_rows
from registry.batches.units import UnitsOnRecord
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.privacy import PersonalData, scrub
from registry.db.tables import batches, edit_undos, members, roster_rows, row_edits, row_reviews, units
from registry.errors import RegistryConflict
from registry.values import AcceptedRow, Batch, BatchKind, KnownRow, RejectedRow

_CHUNK: Final = 500  # parameters of one IN list
_UNDONE: Final = "撤销 undone"
"""The reason of the edits that take others back."""


@dataclass(frozen=True, slots=True)
class EditableRow:
    """A row as it is on record, in clear, for its cells to be judged again. ``state`` is the state of the batch's edits
    that an edit refers to; ``batch_unit`` is the unit that the roster is of."""

    row: ComparedRow = field(repr=False)
    batch_unit: str
    state: int


@dataclass(frozen=True, slots=True)
class CorrectedRoster:
    """The rows of a corrected form, judged as if the batch were not there."""

    unit: str
    accepted: Sequence[AcceptedRow]
    rejected: Sequence[RejectedRow]
    known: Sequence[KnownRow]
    digest: str
    source: str
    needs_confirmation: bool = False
    original: Original | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Corrections:
    """Differences of a corrected form to the roster on record. ``seen`` is to be given back to accept them."""

    batch_id: str
    rows: tuple[RowDifference, ...]
    unchanged: int
    seen: str

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows by kind of difference, zeros included."""
        return {change.value: sum(row.change is change for row in self.rows) for change in RowChange}


@dataclass(frozen=True, slots=True)
class RowEdit:
    """An edit on record, masked. ``number`` rises from edit to edit; ``corrected``: it came with a corrected form."""

    number: int
    at: datetime
    by: str
    reason: str
    corrected: bool
    difference: RowDifference


class BatchEdits:
    """Repository of edits of drafts."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def row(self, batch_id: str, sheet_row: int | None = None) -> EditableRow:
        """A row in clear, or None for one that is to be added, behind the last one. Nothing of it is to be shown.

        Raises NotOnRecord (batch, row), RegistryConflict for a batch that may not be edited.
        """
        with self._context.write() as conn:
            batch = _editable(conn, batch_id)
            if sheet_row is not None:
                (row,) = rows_on_record(conn, self._context.personal, batch_id, sheet_row)
            else:
                last = select(func.max(roster_rows.c.sheet_row)).where(roster_rows.c.batch_id == batch_id)
                row = ComparedRow((conn.execute(last).scalar() or 0) + 1, None, "", (), None, "", "")
            return EditableRow(row, batch.unit, _state(conn, batch_id))

    def state(self, batch_id: str) -> int:
        """The number of the batch's newest edit, 0 for none. Raises NotOnRecord."""
        with self._context.read() as conn:
            batch_on_record(conn, batch_id)
            return _state(conn, batch_id)

    def rows_of(self, batch_id: str, id_numbers: Collection[str], *, besides: int) -> dict[str, str]:
        """Other rows of a batch that name these persons, by ID number."""
        numbers = list(id_numbers)
        indexes = self._context.personal.indexes(numbers)
        chosen = (
            select(members.c.id_index, roster_rows.c.sheet_row)
            .join(roster_rows, roster_rows.c.member_id == members.c.id)
            .where(roster_rows.c.batch_id == batch_id, roster_rows.c.sheet_row != besides)
            .where(members.c.id_index.in_(indexes[:_CHUNK]))
        )
        with self._context.read() as conn:
            rows = {bytes(index): str(sheet_row) for index, sheet_row in conn.execute(chosen)}
        return {number: rows[index] for number, index in zip(numbers, indexes, strict=True) if index in rows}

    def change(self, batch_id: str, new: NewRow, *, by: str, reason: str, state: int) -> RowDifference:
        """Put a row in the place of the one with its number, or add it where there is none.

        ``state`` is that of ``row``. Raises NotOnRecord, RegistryConflict for a batch that may not be edited, one that
        was edited meanwhile, or a row that changes nothing.
        """
        with self._context.write() as conn:
            batch = _unedited(conn, batch_id, state)
            there = rows_on_record(conn, self._context.personal, batch_id, new.sheet_row, missing=True)
            pair = RowPair(there[0] if there else None, row_of_form(conn, batch.unit, new))
            difference = _record(conn, self._context, batch_id, by, reason, pair)
            store_undo(conn, self._context.personal, batch_id, _state(conn, batch_id), Undo(there, (new.sheet_row,)))
            _replace(conn, self._context, batch, [row.sheet_row for row in there], [new])
            _audit(self._context, conn, batch_id, by, reason, difference)
        self._context.database.forget_deleted()
        return difference

    def leave_out(
        self, batch_id: str, sheet_row: int, *, by: str, reason: str, state: int | None = None
    ) -> RowDifference:
        """Take a row out of the roster. ``state`` is the one that was looked at. Raises NotOnRecord, RegistryConflict
        as ``change`` does, or for the last row that makes a card or a change."""
        with self._context.write() as conn:
            batch = _editable(conn, batch_id) if state is None else _unedited(conn, batch_id, state)
            (row,) = rows_on_record(conn, self._context.personal, batch_id, sheet_row)
            difference = _record(conn, self._context, batch_id, by, reason, RowPair(row, None))
            store_undo(conn, self._context.personal, batch_id, _state(conn, batch_id), Undo([row], ()))
            _replace(conn, self._context, batch, [sheet_row], [])
            _audit(self._context, conn, batch_id, by, reason, difference)
        self._context.database.forget_deleted()
        return difference

    def corrections(self, batch_id: str, form: CorrectedRoster) -> Corrections:
        """What a corrected form would change, row by row. Raises NotOnRecord, RegistryConflict for a batch that may not
        be edited, or a form of another unit, of another batch, or without a difference."""
        with self._context.write() as conn:
            batch = _editable(conn, batch_id)
            return _corrections(conn, self._context.personal, batch, form)[0]

    def correct(self, batch_id: str, form: CorrectedRoster, *, by: str, reason: str, seen: str) -> Corrections:
        """Put the rows of a corrected form in the place of those on record. ``seen`` is that of ``corrections``.

        Raises what ``corrections`` raises, and RegistryConflict where the differences are others by now.
        """
        context, personal = self._context, self._context.personal
        why, at = reason_given(reason), context.clock()
        with context.write() as conn:
            batch = _editable(conn, batch_id)
            shown, pairs = _corrections(conn, personal, batch, form)
            if shown.seen != seen:
                sentence = f"the differences to batch {batch_id} are others than those shown: look at them again"
                raise RegistryConflict(sentence, reason="corrections-changed", batch=batch_id)
            marks = _marks_of_same(conn, batch_id, pairs)
            conn.execute(insert(row_edits), [_edit(batch_id, at, by, why, one, corrected=True) for one in shown.rows])
            before = [pair.before for pair in pairs if pair.before is not None]
            new: list[NewRow] = [*form.accepted, *form.rejected, *form.known]
            undo = Undo(before, tuple(row.sheet_row for row in new), originals.head_of(conn, batch_id))
            store_undo(conn, personal, batch_id, _state(conn, batch_id), undo)
            _replace(conn, context, batch, [row.sheet_row for row in before], new)
            if marks:
                conn.execute(insert(row_reviews), marks)
            values: dict[str, object] = {"source": scrub(form.source), "digest": personal.content_index(form.digest)}
            if form.needs_confirmation:
                values["needs_confirmation"] = True
            conn.execute(update(batches).where(batches.c.id == batch_id).values(values))
            originals.forget(conn, batch_id)
            if form.original is not None:
                originals.store(conn, personal, batch_id, form.original)
            counts = {name.replace("-", "_"): count for name, count in shown.counts.items()}
            context.audit(conn, by, "batch.correct", f"batch:{batch_id}", why, **counts)
        context.database.forget_deleted()
        return shown

    def undo(self, batch_id: str, *, by: str, state: int | None = None) -> tuple[RowDifference, ...]:
        """Take the newest edit that stands back, a corrected form as a whole; the history shows it as an edit. Marks
        and a confirmation that fell away do not come back. Possible until the batch is submitted again.

        Raises NotOnRecord, RegistryConflict as ``change`` does, where no edit is left to undo, or where a person of the
        rows is in another batch by now.
        """
        context, personal = self._context, self._context.personal
        with context.write() as conn:
            batch = _editable(conn, batch_id) if state is None else _unedited(conn, batch_id, state)
            number, undo = newest_undo(conn, personal, batch_id)
            now = [row for row in rows_on_record(conn, personal, batch_id) if row.sheet_row in undo.put]
            shown = tuple(differences(paired(now, undo.rows) if undo.head else _side_by_side(now, undo.rows)))
            whole, at = undo.head is not None, context.clock()
            conn.execute(insert(row_edits), [_edit(batch_id, at, by, _UNDONE, one, corrected=whole) for one in shown])
            _replace(conn, context, batch, undo.put, [row_to_store(row) for row in undo.rows])
            if undo.head is not None:
                refuse_same_file(conn, undo.head.digest, besides=batch_id)
                originals.put_back(conn, batch_id, undo.head)
            forget_undo(conn, batch_id, number)
            context.audit(conn, by, "batch.undo-edit", f"batch:{batch_id}", rows=len(shown))
        context.database.forget_deleted()
        return shown

    def undoable(self, batch_id: str) -> bool:
        """Whether an edit is left to undo."""
        chosen = select(edit_undos.c.edit_id).where(edit_undos.c.batch_id == batch_id).limit(1)
        with self._context.read() as conn:
            return conn.execute(chosen).scalar() is not None

    def history(self, batch_id: str, cursor: str | None = None, limit: int = 50) -> Page[RowEdit]:
        """The edits of a batch, newest first. Raises NotOnRecord, BadCursor."""
        chosen = select(row_edits).where(row_edits.c.batch_id == batch_id).order_by(row_edits.c.id.desc())
        if cursor is not None:
            chosen = chosen.where(row_edits.c.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            batch_on_record(conn, batch_id)
            rows = conn.execute(chosen.limit(cut(limit) + 1)).all()
        return page_of(rows, limit, _on_record, lambda row: [row.id])


def _editable(conn: Connection, batch_id: str) -> Batch:
    """The batch, its row locked. Raises NotOnRecord, RegistryConflict."""
    stage = stage_for_update(conn, batch_id)
    batch = batch_on_record(conn, batch_id)
    if stage != "draft" or batch.kind is not BatchKind.ROSTER:
        sentence = f"batch {batch_id} is no draft of a roster; only such a one is edited"
        raise RegistryConflict(sentence, reason="batch-not-editable", batch=batch_id)
    refuse_sent(conn, batch_id)
    return batch


def _unedited(conn: Connection, batch_id: str, state: int) -> Batch:
    batch = _editable(conn, batch_id)
    if _state(conn, batch_id) != state:
        sentence = f"batch {batch_id} was edited meanwhile: look at the row again"
        raise RegistryConflict(sentence, reason="batch-edited", batch=batch_id)
    return batch


def _state(conn: Connection, batch_id: str) -> int:
    """The number of the batch's last edit, 0 for none."""
    last = select(func.max(row_edits.c.id)).where(row_edits.c.batch_id == batch_id)
    return conn.execute(last).scalar() or 0


def _corrections(
    conn: Connection, personal: PersonalData, batch: Batch, form: CorrectedRoster
) -> tuple[Corrections, list[RowPair]]:
    refuse_same_file(conn, personal.content_index(form.digest))
    known = UnitsOnRecord(conn)
    unit_id = known.id_of(known.of_row(form.unit, ""))
    if unit_id is None or conn.execute(select(units.c.name).where(units.c.id == unit_id)).scalar() != batch.unit:
        sentence = f"the corrected form is of {form.unit}, and batch {batch.id} of {batch.unit}: name the batch's"
        raise RegistryConflict(
            sentence, reason="corrections-unit", batch=batch.id, unit=batch.unit, other=scrub(form.unit)
        )
    new: list[NewRow] = [*form.accepted, *form.rejected, *form.known]
    after = [row_of_form(conn, batch.unit, row, known) for row in new]
    after.sort(key=lambda row: row.sheet_row)
    pairs = paired(rows_on_record(conn, personal, batch.id), after)
    rows = tuple(differences(pairs))
    if not rows:
        sentence = f"the form does not differ from batch {batch.id}"
        raise RegistryConflict(sentence, reason="corrections-none", batch=batch.id)
    seen = digest(rows, form.digest, str(_state(conn, batch.id)))
    return Corrections(batch.id, rows, len(pairs) - len(rows), seen), pairs


def _marks_of_same(conn: Connection, batch_id: str, pairs: Iterable[RowPair]) -> list[dict[str, object]]:
    """Marks of rows that stay as they are, at their new places."""
    places = {
        pair.before.sheet_row: pair.after.sheet_row
        for pair in pairs
        if pair.before is not None and pair.after is not None and pair.difference() is None
    }
    marks = conn.execute(select(row_reviews).where(row_reviews.c.batch_id == batch_id)).mappings()
    return [{**mark, "sheet_row": places[mark["sheet_row"]]} for mark in marks if mark["sheet_row"] in places]


def _side_by_side(before: Sequence[ComparedRow], after: Sequence[ComparedRow]) -> list[RowPair]:
    """Rows with the same number."""
    was, becomes = ({row.sheet_row: row for row in rows} for rows in (before, after))
    return [RowPair(was.get(number), becomes.get(number)) for number in sorted({*was, *becomes})]


def _record(
    conn: Connection, context: RegistryContext, batch_id: str, by: str, reason: str, pair: RowPair
) -> RowDifference:
    """Raises RegistryConflict for a row that changes nothing."""
    difference = pair.difference()
    if difference is None:
        row = 0 if pair.after is None else pair.after.sheet_row
        sentence = f"row {row} of batch {batch_id} has these values already"
        raise RegistryConflict(sentence, reason="row-same", batch=batch_id, row=row)
    conn.execute(insert(row_edits).values(_edit(batch_id, context.clock(), by, reason_given(reason), difference)))
    return difference


def _replace(
    conn: Connection, context: RegistryContext, batch: Batch, leaving: Sequence[int], new: Sequence[NewRow]
) -> None:
    """Delete rows and store others. Persons on record by this draft alone are dropped with their row, and recorded
    anew where they come again; another draft that names one takes the card over."""
    gone: list[Row[*tuple[Any, ...]]] = []
    for start in range(0, len(leaving), _CHUNK):
        part = roster_rows.c.sheet_row.in_(leaving[start : start + _CHUNK]), roster_rows.c.batch_id == batch.id
        gone += conn.execute(select(roster_rows.c.member_id, roster_rows.c.open).where(*part)).all()
        conn.execute(delete(roster_rows).where(*part))
    ids = [row.member_id for row in gone if row.member_id is not None]
    of_batch = exists().where(roster_rows.c.member_id == members.c.id)
    for start in range(0, len(ids), _CHUNK):
        chosen = members.c.id.in_(ids[start : start + _CHUNK])
        conn.execute(delete(members).where(chosen, only_in_draft(batch.id), ~of_batch))
    accepted = [row for row in new if isinstance(row, AcceptedRow)]
    rejected = [row for row in new if isinstance(row, RejectedRow)]
    store_rows(conn, context.personal, batch.id, batch.unit, accepted, rejected, at=context.clock())
    store_known(conn, context.personal, batch.id, [row for row in new if isinstance(row, KnownRow)])
    effect = select(1).where(roster_rows.c.batch_id == batch.id, roster_rows.c.verdict.in_(("accepted", "change")))
    if conn.execute(effect.limit(1)).scalar() is None:
        sentence = f"batch {batch.id} would have no row that makes a card or changes a record: discard it instead"
        raise RegistryConflict(sentence, reason="batch-emptied", batch=batch.id)
    again = select(roster_rows.c.member_id).where(roster_rows.c.batch_id == batch.id, roster_rows.c.open)
    wanted = set(conn.execute(again).scalars())
    take_over(conn, [row.member_id for row in gone if row.open and row.member_id not in wanted])


def _edit(
    batch_id: str, at: datetime, by: str, reason: str, difference: RowDifference, *, corrected: bool = False
) -> dict[str, object]:
    return {
        "batch_id": batch_id,
        "sheet_row": difference.sheet_row,
        "at": at,
        "by": by,
        "reason": reason,
        "change": difference.change.value,
        "fields": " ".join(difference.fields),
        "before": "" if difference.before is None else difference.before.to_json(),
        "after": "" if difference.after is None else difference.after.to_json(),
        "corrected": corrected,
    }


def _on_record(row: Row[*tuple[Any, ...]]) -> RowEdit:
    fields = tuple(row.fields.split())
    before, after = (MaskedRow.from_json(text) if text else None for text in (row.before, row.after))
    difference = RowDifference(RowChange(row.change), fields, before, after)
    return RowEdit(row.id, row.at, row.by, row.reason, row.corrected, difference)


def _audit(
    context: RegistryContext, conn: Connection, batch_id: str, by: str, reason: str, difference: RowDifference
) -> None:
    facts: dict[str, str | int] = {"row": difference.sheet_row, "change": difference.change.value}
    if difference.fields:
        facts["fields"] = " ".join(difference.fields)
    context.audit(conn, by, "batch.edit", f"batch:{batch_id}", reason_given(reason), **facts)
