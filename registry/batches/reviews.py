"""The review of a draft (审核): submitted, returned with a reason, and what approving it would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, case, func, insert, select

from registry.batches.editing.undos import forget_undos
from registry.batches.lookup import batch_on_record, stage_for_update
from registry.batches.persons import changed_person, open_person, open_row
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, read_cursor, write_cursor
from registry.db.privacy import PersonalData
from registry.db.tables import members, reviews, roster_rows, units
from registry.errors import RegistryConflict

_CHUNK = 500


class ReviewStep(StrEnum):
    """A step of a draft between clerk and reviewer."""

    SUBMITTED = "submitted"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class ReviewEvent:
    """A review step of a draft batch, with its reason where it was returned."""

    at: datetime
    by: str
    step: ReviewStep
    reason: str


class ChangeKind(StrEnum):
    """What a roster row does to the registry. ``back`` is a former member who returns, ``same`` changes nothing."""

    NEW = "new"  # a person who was not on record
    BACK = "back"  # one who left the union
    CHANGED = "changed"  # one on record, with another name or phone number
    SAME = "same"  # one on record as the roster has them
    REPLACEMENT = "replacement"  # the next card of one on record


_COMPARED = ("name", "gender", "mobile")
_SEALED = (ChangeKind.CHANGED, ChangeKind.SAME)
_KIND = case(
    (roster_rows.c.replaces.is_not(None), ChangeKind.REPLACEMENT.value),
    (roster_rows.c.verdict != "accepted", ChangeKind.SAME.value),  # or changed
    (members.c.member_number.is_(None), ChangeKind.NEW.value),
    (members.c.withdrawn_at.is_not(None), ChangeKind.BACK.value),
    else_=ChangeKind.SAME.value,  # or changed
)


@dataclass(frozen=True, slots=True)
class RosterChange:
    """What a roster row would change; personal data are masked. ``unit`` is the member's afterwards. ``fields`` names
    what differs: name, gender, mobile. Masked texts may be equal where the values differ."""

    sheet_row: int
    member_id: int
    kind: ChangeKind
    unit: str
    id_masked: str
    fields: tuple[str, ...]
    name_before: str
    name_after: str
    mobile_before: str
    mobile_after: str


class Reviews:
    """Repository of reviews of drafts."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def submit(self, batch_id: str, *, by: str) -> None:
        """Submit a draft for review. Raises NotOnRecord, RegistryConflict for a batch that is submitted or no draft."""
        self._step(batch_id, ReviewStep.SUBMITTED, by, "")

    def give_back(self, batch_id: str, *, by: str, reason: str) -> None:
        """Return a draft to the clerk. Raises NotOnRecord, RegistryConflict for a draft that is not submitted."""
        self._step(batch_id, ReviewStep.RETURNED, by, reason_given(reason))

    def of(self, batch_id: str) -> list[ReviewEvent]:
        """The review steps of a batch, oldest first. Raises NotOnRecord."""
        chosen = select(reviews).where(reviews.c.batch_id == batch_id).order_by(reviews.c.id)
        with self._context.read() as conn:
            batch_on_record(conn, batch_id)
            return [_event(row) for row in conn.execute(chosen)]

    def standing(self, batch_ids: Collection[str]) -> dict[str, ReviewEvent]:
        """The last step of each of up to 500 batches; those never submitted are left out."""
        newest = select(func.max(reviews.c.id)).where(reviews.c.batch_id.in_(batch_ids)).group_by(reviews.c.batch_id)
        with self._context.read() as conn:
            rows = conn.execute(select(reviews).where(reviews.c.id.in_(newest))).all()
        return {row.batch_id: _event(row) for row in rows}

    def changes(
        self,
        batch_id: str,
        cursor: str | None = None,
        limit: int = 50,
        *,
        kinds: Collection[ChangeKind] = tuple(ChangeKind),
    ) -> Page[RosterChange]:
        """What approving a draft would change, row by row in sheet order; changes of these kinds.

        Raises NotOnRecord, BadCursor.
        """
        after = -1 if cursor is None else read_cursor(cursor, int)[0]
        most = cut(limit)
        with self._context.read() as conn:
            batch_on_record(conn, batch_id)
            changes = self._changes(conn, batch_id, kinds, after)
            rows = list(islice((change for change in changes if change.kind in kinds), most + 1))
        next_cursor = write_cursor(rows[most - 1].sheet_row) if len(rows) > most else None
        return Page(tuple(rows[:most]), next_cursor)

    def change_counts(self, batch_id: str) -> dict[ChangeKind, int]:
        """Number of rows by kind of change; kinds without rows are left out. Raises NotOnRecord."""
        counted = (
            select(_KIND, func.count())
            .join_from(roster_rows, members, members.c.id == roster_rows.c.member_id)
            .where(roster_rows.c.batch_id == batch_id)
            .group_by(_KIND)
        )
        with self._context.read() as conn:
            batch_on_record(conn, batch_id)
            counts = Counter({ChangeKind(kind): times for kind, times in conn.execute(counted)})
            if counts.pop(ChangeKind.SAME, 0):  # only the sealed data show which of them change
                counts.update(change.kind for change in self._changes(conn, batch_id, _SEALED, -1))
        return {kind: counts[kind] for kind in ChangeKind if counts[kind]}

    def _changes(
        self, conn: Connection, batch_id: str, kinds: Collection[ChangeKind], after: int
    ) -> Iterator[RosterChange]:
        """Changes that may be of these kinds, some hundreds in memory at a time."""
        named = units.alias()
        in_database = {ChangeKind.SAME if kind in _SEALED else kind for kind in kinds}
        chosen = (
            select(members, func.coalesce(named.c.name, units.c.name).label("unit"))
            .add_columns(roster_rows.c.sheet_row, roster_rows.c.replaces, roster_rows.c.verdict)
            .add_columns(roster_rows.c.sealed.label("row_sealed"), roster_rows.c.seal_key.label("row_key"))
            .join_from(roster_rows, members, members.c.id == roster_rows.c.member_id)
            .join(units, units.c.id == members.c.unit_id)
            .join(named, (named.c.id == roster_rows.c.unit_id) & members.c.withdrawn_at.is_not(None), isouter=True)
            .where(roster_rows.c.batch_id == batch_id, _KIND.in_(in_database))
            .order_by(roster_rows.c.sheet_row)
            .limit(_CHUNK)
        )
        while rows := conn.execute(chosen.where(roster_rows.c.sheet_row > after)).all():
            for row in rows:
                yield _change(self._context.personal, batch_id, row)
            after = rows[-1].sheet_row

    def _step(self, batch_id: str, step: ReviewStep, by: str, reason: str) -> None:
        with self._context.write() as conn:
            stage = stage_for_update(conn, batch_id)
            if stage != "draft":
                sentence = f"batch {batch_id} is {stage}; only a draft is reviewed"
                raise RegistryConflict(sentence, reason="batch-not-draft", batch=batch_id)
            sent = _last_step(conn, batch_id) == ReviewStep.SUBMITTED
            if sent == (step is ReviewStep.SUBMITTED):
                if not sent:
                    raise _not_sent(batch_id)
                sentence = f"batch {batch_id} is with the reviewers already"
                raise RegistryConflict(sentence, reason="batch-sent", batch=batch_id)
            record_step(conn, batch_id, ReviewEvent(self._context.clock(), by, step, reason))
            forgotten = step is ReviewStep.SUBMITTED and forget_undos(conn, batch_id)
            action = "batch.submit" if step is ReviewStep.SUBMITTED else "batch.return"
            self._context.audit(conn, by, action, f"batch:{batch_id}", reason)
        if forgotten:
            self._context.database.forget_deleted()


def record_step(conn: Connection, batch_id: str, event: ReviewEvent) -> None:
    """Store a step of a draft; the caller has checked that it is next."""
    values = {"batch_id": batch_id, "at": event.at, "by": event.by, "step": event.step.value, "reason": event.reason}
    conn.execute(insert(reviews).values(values))


def refuse_unsent(conn: Connection, batch_id: str) -> None:
    """Raises RegistryConflict for a draft that is not submitted. The caller's transaction has locked its row."""
    if _last_step(conn, batch_id) != ReviewStep.SUBMITTED:
        raise _not_sent(batch_id)


def refuse_sent(conn: Connection, batch_id: str) -> None:
    """Raises RegistryConflict for a draft that is with the reviewers. The caller's transaction has locked its row."""
    if _last_step(conn, batch_id) == ReviewStep.SUBMITTED:
        sentence = f"batch {batch_id} is with the reviewers: it is edited once they return it"
        raise RegistryConflict(sentence, reason="batch-with-reviewers", batch=batch_id)


def _not_sent(batch_id: str) -> RegistryConflict:
    return RegistryConflict(f"batch {batch_id} is not sent for review", reason="batch-not-sent", batch=batch_id)


def _last_step(conn: Connection, batch_id: str) -> str | None:
    chosen = select(reviews.c.step).where(reviews.c.batch_id == batch_id).order_by(reviews.c.id.desc()).limit(1)
    return conn.execute(chosen).scalar_one_or_none()


def _event(row: Row[*tuple[Any, ...]]) -> ReviewEvent:
    return ReviewEvent(row.at, row.by, ReviewStep(row.step), row.reason)


def _change(personal: PersonalData, batch_id: str, row: Row[*tuple[Any, ...]]) -> RosterChange:
    before = open_person(personal, row)
    row_fields = open_row(personal, batch_id, row.sheet_row, row.row_key, row.row_sealed, "accepted")
    after = changed_person(row_fields) or before
    new = row.member_number is None and row.verdict == "accepted"
    fields = tuple(field for field in _COMPARED if getattr(before, field) != getattr(after, field))
    if row.replaces is not None:
        kind = ChangeKind.REPLACEMENT
    elif new:
        kind = ChangeKind.NEW
    elif row.withdrawn_at is not None:
        kind = ChangeKind.BACK
    else:
        kind = ChangeKind.CHANGED if fields else ChangeKind.SAME
    return RosterChange(
        sheet_row=row.sheet_row,
        member_id=row.id,
        kind=kind,
        unit=row.unit,
        id_masked=row.id_masked,
        fields=fields,
        name_before="" if new else before.name_masked,
        name_after=after.name_masked,
        mobile_before="" if new else before.mobile_masked,
        mobile_after=after.mobile_masked,
    )
