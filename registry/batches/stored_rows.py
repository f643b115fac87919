"""Rows of a roster as they are stored, and the persons behind them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, exists, insert, or_, select

from registry.batches.persons import open_person, seal_accepted, seal_person, seal_rejected, search_indexes
from registry.batches.units import UnitsOnRecord, names_by_unit, unit_ids_of
from registry.db.counters import allocate
from registry.db.privacy import PersonalData
from registry.db.tables import LIVING, batches, cards, dossiers, member_events, members, roster_rows, units
from registry.errors import RegistryConflict
from registry.values import AcceptedRow, KnownMember, KnownRow, RejectedRow
from terminal.keys.custody import KeyRef

_CHUNK = 2000  # parameters in one IN list; SQLite takes 32,766, PostgreSQL 65,535


@dataclass(frozen=True, slots=True)
class RegisteredPerson:
    """A person on record."""

    member_id: int
    known: KnownMember


def store_rows(
    conn: Connection,
    personal: PersonalData,
    batch_id: str,
    unit_name: str,
    accepted: Sequence[AcceptedRow],
    rejected: Sequence[RejectedRow],
    *,
    at: datetime,
) -> None:
    """Store accepted and rejected rows. New persons are recorded at once, so that no second roster can take them;
    changed data of a member on record wait in the row until the batch is approved.

    Raises RegistryConflict for a person who stands twice, has a card, is in another batch or belongs to another unit.
    """
    indexes = personal.indexes([row.person.identity_key for row in accepted])
    known = registered(conn, indexes)
    _refuse_taken(accepted, indexes, known, unit_name)
    unit_ids = unit_ids_of_rows(conn, unit_name, accepted)
    rows = list(zip(accepted, indexes, strict=True))
    member_ids = {index: person.member_id for index, person in known.items()}
    new_persons = [(row, index, unit_ids[_unit_key(row, unit_name)]) for row, index in rows if index not in known]
    member_ids |= _register(conn, personal, new_persons, at)
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


def store_known(conn: Connection, personal: PersonalData, batch_id: str, known: Sequence[KnownRow]) -> None:
    """Store the rows of persons who need no card by them. Raises RegistryConflict for a person who does by now."""
    if not known:
        return
    indexes = personal.indexes([row.person.identity_key for row in known])
    on_record = registered(conn, indexes)
    key = personal.seal_key()
    stored = []
    for row, index in zip(known, indexes, strict=True):
        one = on_record.get(index)
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


def unit_name_of(known: UnitsOnRecord, row: AcceptedRow | KnownRow, unit_name: str) -> str:
    """The whole name of the unit of a row, as it is or would be recorded, in a roster of ``unit_name``."""
    return known.of_row(*((row.unit, row.above) if row.unit else (unit_name, "")))


def unit_ids_of_rows(conn: Connection, unit_name: str, accepted: Sequence[AcceptedRow]) -> dict[tuple[str, str], int]:
    """Ids of the units of a roster by what its rows say of them; new ones are recorded."""
    keys = {(unit_name, "")} | {_unit_key(row, unit_name) for row in accepted}
    known = UnitsOnRecord(conn)
    names = {key: known.of_row(*key) for key in keys}
    ids = unit_ids_of(conn, set(names.values()), known)
    return {key: ids[name] for key, name in names.items()}


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


def registered(
    conn: Connection, indexes: Sequence[bytes], personal: PersonalData | None = None, *, without: str = ""
) -> dict[bytes, RegisteredPerson]:
    """Persons on record by blind index. ``personal`` opens the record of those who have a card; ``without`` is a draft
    that counts as if it were not there."""
    carded = exists().where(cards.c.member_id == members.c.id, cards.c.state.in_(LIVING))
    other_rows = and_(roster_rows.c.member_id == members.c.id, roster_rows.c.batch_id != without)
    wanted = exists().where(other_rows, roster_rows.c.open)
    open_batch = select(roster_rows.c.batch_id).where(other_rows, roster_rows.c.open)
    chosen = (
        select(members.c.id_index, members.c.id, members.c.withdrawn_at, units.c.name, units.c.parent_id)
        .add_columns(units.c.known_as)
        .add_columns(members.c.sealed, members.c.seal_key, open_batch.scalar_subquery().label("batch"))
        .add_columns(or_(carded, wanted).label("busy"))
        .join(units)
    )
    if without:
        chosen = chosen.where(~only_in_draft(without))
    heads = units.alias()
    brought = (
        select(members.c.id_index, heads.c.name)
        .distinct()
        .join_from(members, roster_rows, roster_rows.c.member_id == members.c.id)
        .join(batches, batches.c.id == roster_rows.c.batch_id)
        .join(heads, heads.c.id == batches.c.unit_id)
        .where(roster_rows.c.batch_id != without)
    )
    persons, names, on_record = {}, names_by_unit(conn), UnitsOnRecord(conn)
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
            persons[index] = RegisteredPerson(row.id, known)
    return persons


def only_in_draft(batch_id: str) -> ColumnElement[bool]:
    """Whether the member in the row is on record by this draft alone: without a number, an event, a dossier, or a row
    in another batch."""
    elsewhere = exists().where(roster_rows.c.member_id == members.c.id, roster_rows.c.batch_id != batch_id)
    others = (exists().where(table.c.member_id == members.c.id) for table in (dossiers, member_events))
    return and_(members.c.member_number.is_(None), ~elsewhere, *(~other for other in others))


def _refuse_taken(
    accepted: Sequence[AcceptedRow], indexes: Sequence[bytes], known: dict[bytes, RegisteredPerson], unit_name: str
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
