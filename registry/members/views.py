"""Masked views of members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, func, select, tuple_

from registry.batches.persons import open_person
from registry.db.privacy import PersonalData
from registry.db.tables import cards, members, roster_rows, units
from registry.errors import NotOnRecord, RegistryConflict
from registry.person import Person
from registry.values import CardState

_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member with masked data. ``card_number`` and ``card_state`` belong to the newest card and are null without a
    verified card; ``member_number`` is null until a batch with the member is approved."""

    member_id: int
    member_number: str | None
    name_masked: str
    id_masked: str
    mobile_masked: str
    unit: str
    category: int
    registered_at: datetime
    withdrawn_at: datetime | None
    card_number: str | None
    card_state: CardState | None


def views() -> Select[Any]:
    newest = cards.alias()
    last = select(func.max(newest.c.dossier_id)).where(newest.c.member_id == members.c.id).scalar_subquery()
    return (
        select(members, units.c.name.label("unit"), cards.c.card_number, cards.c.state.label("card_state"))
        .join(units, units.c.id == members.c.unit_id)
        .join(cards, and_(cards.c.member_id == members.c.id, cards.c.dossier_id == last), isouter=True)
    )


def view(conn: Connection, member_id: int) -> MemberView:
    row = conn.execute(views().where(members.c.id == member_id)).one_or_none()
    if row is None:
        raise no_member(member_id)
    return view_of(row)


def no_member(member_id: int) -> NotOnRecord:
    sentence = f"there is no member with the record number {member_id}"
    return NotOnRecord(sentence, reason="member", member=member_id)


def view_of(row: Row[*tuple[Any, ...]]) -> MemberView:
    return MemberView(
        member_id=row.id,
        member_number=row.member_number,
        name_masked=row.name_masked,
        id_masked=row.id_masked,
        mobile_masked=row.mobile_masked,
        unit=row.unit,
        category=row.category,
        registered_at=row.registered_at,
        withdrawn_at=row.withdrawn_at,
        card_number=row.card_number,
        card_state=None if row.card_state is None else CardState(row.card_state),
    )


def member_row(conn: Connection, member_id: int) -> Row[*tuple[Any, ...]]:
    row = conn.execute(select(members).where(members.c.id == member_id).with_for_update(key_share=True)).one_or_none()
    if row is None:
        raise no_member(member_id)
    return row


def settled_member(conn: Connection, member_id: int) -> Row[*tuple[Any, ...]]:
    """The locked row of a member who has not left and is in no open batch. Raises NotOnRecord, RegistryConflict."""
    row = member_row(conn, member_id)
    if row.withdrawn_at is not None:
        sentence = "this member has left the union; a new roster takes them in again"
        raise RegistryConflict(sentence, reason="member-left")
    mine = (roster_rows.c.member_id == member_id, roster_rows.c.open)
    batch_id = conn.execute(select(roster_rows.c.batch_id).where(*mine)).scalar()
    if batch_id is not None:
        sentence = f"this member is in batch {batch_id}; finish or give that up first"
        raise RegistryConflict(sentence, reason="member-in-batch", batch=batch_id)
    if row.member_number is None:
        raise RegistryConflict("this member is not approved yet", reason="member-not-approved")
    return row


def without_name(person: Person, reason: str) -> str:
    """A reason in which the person's name is masked."""
    return reason.replace(person.name, person.name_masked) if len(person.name) > 1 else reason


def without_names(conn: Connection, personal: PersonalData, owned: Sequence[tuple[str, int]], reason: str) -> str:
    """A reason in which the names of the members of these cards (number and sequence) are masked. A record is opened
    only where the reason has the first character of its name."""
    named: list[Person] = []
    for start in range(0, len(owned) if reason else 0, _CHUNK):
        key = tuple_(cards.c.card_number, cards.c.sequence)
        chosen = select(members).where(
            members.c.id.in_(select(cards.c.member_id).where(key.in_(owned[start : start + _CHUNK])))
        )
        rows = conn.execute(chosen).all()
        named += [open_person(personal, row) for row in rows if row.name_masked[:1] in reason]
    for person in sorted(named, key=lambda one: len(one.name), reverse=True):  # 王芳华 before 王芳
        reason = without_name(person, reason)
    return reason
