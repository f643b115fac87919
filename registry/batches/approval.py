"""Approval of a draft by a second person (units get their codes, members their numbers), and its discarding."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update

from registry.batches.lookup import stage_for_update
from registry.batches.numbers import raise_member_counter
from registry.batches.persons import changed_person, open_row, seal_person, search_indexes
from registry.db.actors import person_of, refuse_same_person
from registry.db.counters import allocate
from registry.db.privacy import PersonalData
from registry.db.tables import (
    batches,
    claims,
    dossier_secrets,
    dossiers,
    member_events,
    members,
    pans,
    roster_rows,
    units,
)
from registry.errors import RegistryConflict
from registry.ranges import MEMBER_NUMBER, member_range, refuse_exceeded
from terminal.names import fold

_SIX_DIGITS = re.compile(r"[0-9]{6}")
_CHUNK = 500  # parameters of one IN list


def approve(
    conn: Connection, personal: PersonalData, batch_id: str, by: str, scheme: str, prefix: str, at: datetime
) -> None:
    """Approve a draft; ``prefix`` is that of the member numbers, empty for the default. A draft that only changes
    members on record is closed at once, as both people have signed it.

    Raises NotOnRecord, RegistryConflict.
    """
    if not _SIX_DIGITS.fullmatch(scheme):
        sentence = f"a scheme is six digits (the administrative division), not {scheme!r}"
        raise RegistryConflict(sentence, reason="scheme")
    if not fold(person_of(conn, by)):
        raise RegistryConflict("an approval needs the name of the person who gives it", reason="approver-missing")
    stage = stage_for_update(conn, batch_id)
    if stage != "draft":
        sentence = f"batch {batch_id} is {stage}; only a draft can be approved"
        raise RegistryConflict(sentence, reason="batch-not-draft", batch=batch_id)
    importer = conn.execute(select(batches.c.imported_by).where(batches.c.id == batch_id)).scalar_one()
    sentence = f"{by} imported batch {batch_id}, in person or by a token; a second person approves it"
    refuse_same_person(conn, importer, by, sentence, batch=batch_id)
    _readmit(conn, batch_id, by, at)
    _apply_changes(conn, personal, batch_id)
    _give_unit_codes(conn, batch_id, scheme)
    _give_member_numbers(conn, batch_id, scheme, prefix)
    values: dict[str, object] = {"stage": "approved", "approved_by": by, "approved_at": at}
    verdicts = set(conn.execute(select(roster_rows.c.verdict).where(roster_rows.c.batch_id == batch_id)).scalars())
    if "change" in verdicts and "accepted" not in verdicts:
        values |= {"stage": "closed", "closed_by": importer, "closed_second": by, "closed_at": at}
    conn.execute(update(batches).where(batches.c.id == batch_id).values(values))


def discard(conn: Connection, batch_id: str, by: str, at: datetime) -> None:
    """Give up a draft, or an approved batch without cards: its rows and unused dossiers are deleted, and the persons
    whom it brought on record. Numbers that they were given are not used again.

    Raises NotOnRecord, RegistryConflict for a batch that is over, has cards, or has chips that are not settled.
    """
    stage = stage_for_update(conn, batch_id)
    if stage not in ("draft", "approved"):
        sentence = f"batch {batch_id} is {stage} already; only a draft, or a batch without cards, can be given up"
        raise RegistryConflict(sentence, reason="batch-over", batch=batch_id)
    if stage == "approved":
        _delete_unused_dossiers(conn, batch_id)
        _withdraw_returned(conn, batch_id, by, at)
    of_batch = select(roster_rows.c.member_id).where(roster_rows.c.batch_id == batch_id)
    to_make = list(conn.execute(of_batch.where(roster_rows.c.open)).scalars())
    ids = list(conn.execute(of_batch.where(roster_rows.c.member_id.is_not(None))).scalars())
    conn.execute(delete(roster_rows).where(roster_rows.c.batch_id == batch_id))
    take_over(conn, to_make)
    # A member without another roster row, a dossier or an event is on record by this batch alone, and in a draft only
    # one without a number.
    unnumbered = [members.c.member_number.is_(None)] if stage == "draft" else []
    others = [exists().where(c.member_id == members.c.id) for c in (roster_rows.c, dossiers.c, member_events.c)]
    for start in range(0, len(ids), _CHUNK):
        chosen = members.c.id.in_(ids[start : start + _CHUNK])
        conn.execute(delete(members).where(chosen, *unnumbered, *(~other for other in others)))
    conn.execute(update(batches).where(batches.c.id == batch_id).values(stage="discarded"))


def _delete_unused_dossiers(conn: Connection, batch_id: str) -> None:
    """Raises RegistryConflict where a card was made, or a chip is in a reader or has to come back."""
    of_batch = dossiers.c.batch_id == batch_id
    unused = select(dossiers.c.id).where(of_batch, dossiers.c.state == "waiting").with_for_update()
    ids = list(conn.execute(unused).scalars())
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        conn.execute(delete(dossier_secrets).where(dossier_secrets.c.dossier_id.in_(part)))
        conn.execute(delete(dossiers).where(dossiers.c.id.in_(part)))
    states = set(conn.execute(select(dossiers.c.state).where(of_batch).distinct()).scalars())
    if "verified" in states:
        sentence = f"batch {batch_id} has cards already, so it cannot be given up"
        raise RegistryConflict(sentence, reason="batch-has-cards", batch=batch_id)
    if states - {"remade"}:
        sentence = f"batch {batch_id} has chips in a reader, or chips that must come back: reject them first"
        raise RegistryConflict(sentence, reason="batch-has-chips", batch=batch_id)
    rejected = select(dossiers.c.id).where(of_batch)
    conn.execute(delete(dossier_secrets).where(dossier_secrets.c.dossier_id.in_(rejected)))


def _withdraw_returned(conn: Connection, batch_id: str, by: str, at: datetime) -> None:
    """Members whom the approval readmitted, and who have not left since, are former members again."""
    readmitted = (
        select(members.c.id)
        .join(member_events)
        .where(
            member_events.c.event == "returned", member_events.c.detail == batch_id, members.c.withdrawn_at.is_(None)
        )
    )
    ids = list(conn.execute(readmitted.distinct()).scalars())
    if ids:
        event = {"at": at, "event": "withdrawn", "by": by, "reason": "", "detail": batch_id}
        conn.execute(insert(member_events), [{"member_id": member_id, **event} for member_id in ids])
        conn.execute(update(members).where(members.c.id.in_(ids)).values(withdrawn_at=at))


def take_over(conn: Connection, member_ids: Sequence[int]) -> None:
    """Members whose draft is given up get their card by the next draft that names them, where they stood as known."""
    named = (
        select(roster_rows.c.member_id, func.min(roster_rows.c.batch_id).label("batch_id"))
        .join(batches, batches.c.id == roster_rows.c.batch_id)
        .where(batches.c.stage == "draft", roster_rows.c.verdict.in_(("unchanged", "change")))
        .group_by(roster_rows.c.member_id)
    )
    for start in range(0, len(member_ids), _CHUNK):
        for row in conn.execute(named.where(roster_rows.c.member_id.in_(member_ids[start : start + _CHUNK]))).all():
            mine = (roster_rows.c.member_id == row.member_id, roster_rows.c.batch_id == row.batch_id)
            conn.execute(update(roster_rows).where(*mine).values(verdict="accepted", codes="", open=True))


def _readmit(conn: Connection, batch_id: str, by: str, at: datetime) -> None:
    """Members who left the union and are on this roster have returned, to the unit that their row names."""
    before, after = units.alias(), units.alias()
    former = (
        select(members.c.id, before.c.name.label("unit"), after.c.name.label("new_unit"), roster_rows.c.unit_id)
        .join(roster_rows, roster_rows.c.member_id == members.c.id)
        .join(before, before.c.id == members.c.unit_id)
        .join(after, after.c.id == roster_rows.c.unit_id, isouter=True)
        .where(roster_rows.c.batch_id == batch_id, roster_rows.c.open, members.c.withdrawn_at.is_not(None))
    )
    returning = conn.execute(former).all()
    if not returning:
        return
    event = {"at": at, "by": by, "reason": ""}
    events = [{"member_id": row.id, "event": "returned", "detail": batch_id, **event} for row in returning]
    moved = [row for row in returning if row.unit_id is not None and row.new_unit != row.unit]
    for row in moved:
        detail = f"{row.unit} → {row.new_unit}"
        events.append({"member_id": row.id, "event": "transferred", "detail": detail, **event})
    conn.execute(insert(member_events), events)
    conn.execute(update(members).where(members.c.id.in_([row.id for row in returning])).values(withdrawn_at=None))
    for row in moved:
        conn.execute(update(members).where(members.c.id == row.id).values(unit_id=row.unit_id))


def _apply_changes(conn: Connection, personal: PersonalData, batch_id: str) -> None:
    """Members on record before this roster take their name, sex and mobile number from it. Dossiers with their former
    data that no chip has yet are deleted, so that they are prepared again."""
    chosen = (
        select(roster_rows)
        .where(roster_rows.c.batch_id == batch_id, roster_rows.c.open | (roster_rows.c.verdict == "change"))
        .where(roster_rows.c.replaces.is_(None))
    )
    key = personal.seal_key()
    changes = []
    for row in conn.execute(chosen):
        fields = open_row(personal, batch_id, row.sheet_row, row.seal_key, row.sealed, row.verdict)
        person = changed_person(fields)
        if person is None:
            continue
        changes.append(
            {
                "member": row.member_id,
                "sealed": seal_person(personal, key, row.member_id, person),
                "seal_key": str(key),
                **search_indexes(personal, person),
                "name_masked": person.name_masked,
                "mobile_masked": person.mobile_masked,
            }
        )
    if changes:
        conn.execute(update(members).where(members.c.id == bindparam("member")), changes)
        for change in changes:
            forget_waiting_dossiers(conn, change["member"])


def forget_waiting_dossiers(conn: Connection, member_id: int) -> None:
    """Delete the dossiers of a member that no chip has yet, so that they are prepared again from the new data."""
    claimed = exists().where(claims.c.dossier_id == dossiers.c.id)
    waiting = select(dossiers.c.id, dossiers.c.card_number).where(dossiers.c.member_id == member_id, ~claimed)
    for row in conn.execute(waiting.where(dossiers.c.state == "waiting").with_for_update()).all():
        conn.execute(delete(dossier_secrets).where(dossier_secrets.c.dossier_id == row.id))
        conn.execute(delete(dossiers).where(dossiers.c.id == row.id))
        still_used = exists().where(dossiers.c.card_number == pans.c.card_number)
        conn.execute(delete(pans).where(pans.c.card_number == row.card_number, ~still_used))


def _give_unit_codes(conn: Connection, batch_id: str, scheme: str) -> None:
    """Give the federation's code, 18 characters, to each unit that has none."""
    # Sets instead of joins: SQLite would go through all rows of the batch for each unit.
    accepted = roster_rows.c.batch_id == batch_id, roster_rows.c.verdict == "accepted"
    persons = members.c.id.in_(select(roster_rows.c.member_id).where(*accepted))
    without = select(units.c.id).where(units.c.code.is_(None), units.c.id.in_(select(members.c.unit_id).where(persons)))
    give_unit_codes(conn, sorted(conn.execute(without).scalars()), scheme)


def give_unit_codes(conn: Connection, unit_ids: Sequence[int], scheme: str) -> None:
    """Give units their codes: scheme, ``GH`` and a serial of 10 digits. The units must have none."""
    if unit_ids:
        numbers = allocate(conn, f"unit/{scheme}", len(unit_ids))
        codes = [
            {"unit": unit_id, "new_code": f"{scheme}GH{number:010d}"}
            for unit_id, number in zip(unit_ids, numbers, strict=True)
        ]
        conn.execute(update(units).where(units.c.id == bindparam("unit")).values(code=bindparam("new_code")), codes)


def _give_member_numbers(conn: Connection, batch_id: str, scheme: str, prefix: str) -> None:
    """Give a number (prefix and serial, 12 digits), in sheet order, to each member who has none."""
    without = (
        select(members.c.id)
        .join(roster_rows)
        .where(roster_rows.c.batch_id == batch_id, roster_rows.c.verdict == "accepted")
        .where(members.c.member_number.is_(None))
        .order_by(roster_rows.c.sheet_row)
    )
    ids = list(conn.execute(without).scalars())
    if not ids:
        return
    of_scheme = member_range(scheme, prefix)
    numbers = allocate(conn, raise_member_counter(conn, scheme, of_scheme), len(ids))
    left = max(of_scheme.capacity - numbers[0] + 1, 0)
    refuse_exceeded([of_scheme.use(of_scheme.capacity - left, len(ids))])
    digits = MEMBER_NUMBER - len(of_scheme.prefix)
    conn.execute(
        update(members).where(members.c.id == bindparam("member")),
        [
            {"member": member_id, "member_number": f"{of_scheme.prefix}{number:0{digits}d}"}
            for member_id, number in zip(ids, numbers, strict=True)
        ],
    )
