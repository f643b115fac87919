"""Rosters: persons who are on record already, a draft batch of one file, and its rows as they may be shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, case, exists, insert, literal, or_, select, tuple_

from registry.batches import originals
from registry.batches.lookup import batch_on_record, stage_of
from registry.batches.originals import Original
from registry.batches.persons import (
    open_person,
    open_row,
    seal_accepted,
    seal_person,
    seal_rejected,
    seal_replacement,
    search_indexes,
)
from registry.batches.states import row_counts
from registry.batches.units import UnitsOnRecord, names_by_unit, unit_ids_of
from registry.db.context import RegistryContext
from registry.db.counters import allocate
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.privacy import PersonalData, scrub
from registry.db.tables import LIVING, batches, cards, members, roster_rows, units
from registry.errors import RegistryConflict
from registry.values import AcceptedRow, Batch, BatchKind, KnownMember, KnownRow, RejectedRow, RosterLine
from terminal.keys.custody import KeyRef

_CHUNK = 2000  # parameters in one IN list; SQLite takes 32,766, PostgreSQL 65,535


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a batch: file name, keyed digest of its content, the clerk, the time and its calendar day."""

    source: str
    digest: str
    by: str
    at: datetime
    day: date


@dataclass(frozen=True, slots=True)
class _Registered:
    """A person on record."""

    member_id: int
    known: KnownMember


class Rosters:
    """Repository of imported rosters: their rows, and the persons behind them."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def known_members(self, id_numbers: Collection[str]) -> dict[str, KnownMember]:
        """Those of these persons who are on record, by ID number."""
        numbers = list(id_numbers)
        indexes = self._context.personal.indexes(numbers)
        with self._context.read() as conn:
            known = _registered(conn, indexes, self._context.personal)
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
        origin = Origin(scrub(source), keyed, by, at, self._context.day(at))
        with self._context.write() as conn:
            batch_id = _import(conn, self._context.personal, unit_name, accepted, rejected, origin)
            _store_known(conn, self._context.personal, batch_id, known)
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
            _refuse_same_file(conn, keyed)
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
    origin: Origin,
) -> str:
    """Store a draft batch; returns its id. New persons are recorded at once, so that no second roster can take them;
    changed data of a member on record wait in the row until the batch is approved."""
    _refuse_same_file(conn, origin.digest)
    indexes = personal.indexes([row.person.identity_key for row in accepted])
    known = _registered(conn, indexes)
    _refuse_taken(accepted, indexes, known, unit_name)
    unit_ids = _unit_ids(conn, unit_name, accepted)
    batch_id = _draft(conn, BatchKind.ROSTER, unit_ids[unit_name, ""], origin)
    rows = list(zip(accepted, indexes, strict=True))
    member_ids = {index: person.member_id for index, person in known.items()}
    new_persons = [(row, index, unit_ids[_unit_key(row, unit_name)]) for row, index in rows if index not in known]
    member_ids |= _register(conn, personal, new_persons, origin.at)
    key = personal.seal_key()
    stored = []
    for row, index in rows:
        sealed = seal_accepted(personal, key, batch_id, row, with_person=index in known)
        unit_id = unit_ids[_unit_key(row, unit_name)]
        stored.append(_row(batch_id, row, "accepted", member_ids[index], sealed, key) | {"unit_id": unit_id})
    for refused in rejected:
        sealed = seal_rejected(personal, key, batch_id, refused)
        stored.append(_row(batch_id, refused, "rejected", None, sealed, key) | {"unit_id": None})
    if stored:
        conn.execute(insert(roster_rows), stored)
    return batch_id


def _store_known(conn: Connection, personal: PersonalData, batch_id: str, known: Sequence[KnownRow]) -> None:
    """Store the rows of persons who need no card by them. Raises RegistryConflict for a person who does by now."""
    if not known:
        return
    indexes = personal.indexes([row.person.identity_key for row in known])
    registered = _registered(conn, indexes)
    key = personal.seal_key()
    stored = []
    for row, index in zip(known, indexes, strict=True):
        one = registered.get(index)
        if one is None or not one.known.living_card:
            sentence = f"row {row.sheet_row}: this person has no card any more; check the form again"
            raise RegistryConflict(sentence, reason="person-uncarded", row=row.sheet_row)
        sealed = seal_accepted(personal, key, batch_id, row, with_person=row.change)
        verdict = "change" if row.change else "unchanged"
        stored.append(_row(batch_id, row, verdict, one.member_id, sealed, key) | {"open": False, "unit_id": None})
    conn.execute(insert(roster_rows), stored)


def _unit_key(row: AcceptedRow, unit_name: str) -> tuple[str, str]:
    """What a row says of its unit: the name, and that of the unit above."""
    return (row.unit, row.above) if row.unit else (unit_name, "")


def _unit_ids(conn: Connection, unit_name: str, accepted: Sequence[AcceptedRow]) -> dict[tuple[str, str], int]:
    """Ids of the units of a roster by what its rows say of them; new ones are recorded."""
    keys = {(unit_name, "")} | {_unit_key(row, unit_name) for row in accepted}
    known = UnitsOnRecord(conn)
    names = {key: known.of_row(*key) for key in keys}
    ids = unit_ids_of(conn, set(names.values()), known)
    return {key: ids[name] for key, name in names.items()}


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
        )
    )
    return batch_id


def _register(
    conn: Connection, personal: PersonalData, new_persons: Sequence[tuple[AcceptedRow, bytes, int]], at: datetime
) -> dict[bytes, int]:
    """Record new persons; returns their member ids by blind index."""
    if not new_persons:
        return {}
    ids = allocate(conn, "members", len(new_persons))
    key = personal.seal_key()
    conn.execute(
        insert(members),
        [
            {
                "id": member_id,
                "unit_id": unit_id,
                "id_index": index,
                "sealed": seal_person(personal, key, member_id, row.person),
                "seal_key": str(key),
                **search_indexes(personal, row.person),
                "id_masked": row.person.id_masked,
                "name_masked": row.person.name_masked,
                "mobile_masked": row.person.mobile_masked,
                "category": 0,
                "registered_at": at,
            }
            for (row, index, unit_id), member_id in zip(new_persons, ids, strict=True)
        ],
    )
    return {index: member_id for (_, index, _), member_id in zip(new_persons, ids, strict=True)}


def _row(
    batch_id: str,
    row: AcceptedRow | RejectedRow | KnownRow,
    verdict: str,
    member_id: int | None,
    sealed: bytes,
    key: KeyRef,
) -> dict[str, object]:
    return {
        "batch_id": batch_id,
        "sheet_row": row.sheet_row,
        "verdict": verdict,
        "codes": " ".join(row.codes),
        "member_id": member_id,
        "open": member_id is not None,
        "sealed": sealed,
        "seal_key": str(key),
    }


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


def _registered(
    conn: Connection, indexes: Sequence[bytes], personal: PersonalData | None = None
) -> dict[bytes, _Registered]:
    """Persons on record by blind index. ``personal`` opens the record of those who have a card."""
    carded = exists().where(cards.c.member_id == members.c.id, cards.c.state.in_(LIVING))
    wanted = exists().where(roster_rows.c.member_id == members.c.id, roster_rows.c.open)
    open_batch = select(roster_rows.c.batch_id).where(roster_rows.c.member_id == members.c.id, roster_rows.c.open)
    chosen = (
        select(members.c.id_index, members.c.id, members.c.withdrawn_at, units.c.name, units.c.parent_id)
        .add_columns(units.c.known_as)
        .add_columns(members.c.sealed, members.c.seal_key, open_batch.scalar_subquery().label("batch"))
        .add_columns(or_(carded, wanted).label("busy"))
        .join(units)
    )
    heads = units.alias()
    brought = (
        select(members.c.id_index, heads.c.name)
        .distinct()
        .join_from(members, roster_rows, roster_rows.c.member_id == members.c.id)
        .join(batches, batches.c.id == roster_rows.c.batch_id)
        .join(heads, heads.c.id == batches.c.unit_id)
    )
    registered, names, on_record = {}, names_by_unit(conn), UnitsOnRecord(conn)
    for start in range(0, len(indexes), _CHUNK):
        part = indexes[start : start + _CHUNK]
        rosters_of: dict[bytes, set[str]] = defaultdict(set)
        for index, name in conn.execute(brought.where(members.c.id_index.in_(part))):
            rosters_of[bytes(index)] |= names(name)
        for row in conn.execute(chosen.where(members.c.id_index.in_(part))).all():
            at_top = row.name if row.parent_id is None else row.known_as
            index = bytes(row.id_index)
            known = KnownMember(
                row.name,
                bool(row.busy),
                row.withdrawn_at is not None,
                bool(at_top) and on_record.is_independent(at_top),
                frozenset(rosters_of[index]),
                open_person(personal, row) if personal is not None and row.busy else None,
                row.batch or "",
                names(row.name),
            )
            registered[index] = _Registered(row.id, known)
    return registered


def _refuse_same_file(conn: Connection, digest: str) -> None:
    same_file = select(batches.c.id).where(batches.c.digest == digest, batches.c.stage.in_(("draft", "approved")))
    batch_id = conn.execute(same_file).scalar()
    if batch_id is not None:
        sentence = f"this file was imported before as {batch_id}, which is not closed yet"
        raise RegistryConflict(sentence, reason="form-imported", batch=batch_id)


def _refuse_taken(
    accepted: Sequence[AcceptedRow], indexes: Sequence[bytes], known: dict[bytes, _Registered], unit_name: str
) -> None:
    seen: set[bytes] = set()
    for row, index in zip(accepted, indexes, strict=True):
        if index in seen:
            sentence = f"row {row.sheet_row}: the same person stands twice in this roster"
            raise RegistryConflict(sentence, reason="person-twice", row=row.sheet_row)
        seen.add(index)
        if index not in known:
            continue
        person = known[index].known
        if not person.may_register(*_unit_key(row, unit_name)):
            sentence = f"row {row.sheet_row}: this person is registered by {person.unit_name}"
            raise RegistryConflict(sentence, reason="person-elsewhere", row=row.sheet_row, unit=person.unit_name)
        if person.living_card:
            sentence = f"row {row.sheet_row}: this person has a card, or is in a batch that will make one"
            raise RegistryConflict(sentence, reason="person-busy", row=row.sheet_row)
