"""Preparation: which members of a batch need a dossier, and the dossiers that personalization made for them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Select, and_, exists, func, insert, select

from registry.batches.approval import stage_for_update
from registry.batches.rosters import member_place
from registry.db.counters import allocate
from registry.db.privacy import PersonalData
from registry.db.tables import LIVING, batches, cards, dossier_secrets, dossiers, members, roster_rows, units
from registry.errors import NOT_WANTED, RegistryConflict, no_batch
from registry.line import pans
from registry.values import MemberToPrepare, NewDossier

LAST_SEQUENCE = 99  # 5F34 is n 2
_CHUNK = 2000


def wanting(batch_id: str) -> Select[int]:
    """Members (their ids) of a batch who need a dossier: none is waiting, claimed or verified."""
    served = exists().where(
        dossiers.c.member_id == roster_rows.c.member_id,
        dossiers.c.batch_id == roster_rows.c.batch_id,
        dossiers.c.state != "remade",
    )
    return select(roster_rows.c.member_id).where(
        roster_rows.c.batch_id == batch_id, roster_rows.c.verdict == "accepted", ~served
    )


def to_prepare(conn: Connection, personal: PersonalData, batch_id: str) -> list[MemberToPrepare]:
    _refuse_unapproved(conn, batch_id)
    wanted = wanting(batch_id).subquery()
    last = (
        select(dossiers.c.member_id, func.max(dossiers.c.id).label("id"))
        .where(dossiers.c.batch_id == batch_id)
        .group_by(dossiers.c.member_id)
        .subquery()
    )
    again = dossiers.alias()
    made = select(func.max(again.c.sequence)).where(again.c.card_number == roster_rows.c.replaces).scalar_subquery()
    chosen = (
        select(members, units.c.name.label("unit"), units.c.code)
        .add_columns(func.coalesce(dossiers.c.card_number, roster_rows.c.replaces).label("card_number"))
        .add_columns(func.coalesce(dossiers.c.sequence, made).label("sequence"))
        .join(roster_rows, and_(roster_rows.c.member_id == members.c.id, roster_rows.c.batch_id == batch_id))
        .join(wanted, wanted.c.member_id == members.c.id)
        .join(units, units.c.id == members.c.unit_id)
        .join(last, last.c.member_id == members.c.id, isouter=True)
        .join(dossiers, dossiers.c.id == last.c.id, isouter=True)
        .order_by(members.c.id)
    )
    found = []
    for row in conn.execute(chosen):
        id_number, name, gender, mobile = map(str, personal.open(row.seal_key, row.sealed, member_place(row.id)))
        follows = row.card_number is not None and row.sequence < LAST_SEQUENCE
        found.append(
            MemberToPrepare(
                member_id=row.id,
                id_number=id_number,
                name=name,
                gender=gender,
                mobile=mobile,
                unit_name=row.unit,
                unit_code=row.code,
                member_number=row.member_number,
                category=row.category,
                card_number=row.card_number if follows else None,
                sequence=row.sequence + 1 if follows else 1,
            )
        )
    return found


def add_dossiers(conn: Connection, personal: PersonalData, batch_id: str, new: Sequence[NewDossier]) -> None:
    """The partial unique index on open dossiers stops rivals; what it cannot see (a living card) is looked up after the
    insert, when no rival can make one any more."""
    if stage_for_update(conn, batch_id) != "approved":
        sentence = f"batch {batch_id} is not approved, so it takes no dossiers"
        raise RegistryConflict(sentence, reason="batch-not-approved", batch=batch_id)
    if not new:
        return
    wanted = set(conn.execute(wanting(batch_id)).scalars())
    for one in new:
        if one.member_id not in wanted:
            sentence = f"card {one.card_number}: its member needs no dossier in batch {batch_id}"
            raise RegistryConflict(sentence, reason=NOT_WANTED, batch=batch_id)
    ids = allocate(conn, "dossiers", len(new))
    rows = [
        {
            "id": dossier_id,
            "batch_id": batch_id,
            "member_id": one.member_id,
            "card_number": one.card_number,
            "sequence": one.sequence,
            "profile_name": one.profile_name,
            "profile_digest": one.profile_digest,
            "state": "waiting",
        }
        for one, dossier_id in zip(new, ids, strict=True)
    ]
    conn.execute(insert(dossiers), rows)
    conn.execute(
        insert(dossier_secrets),
        [
            {
                "dossier_id": dossier_id,
                "sealed": one.sealed.blob,
                "seal_key": str(one.sealed.key),
                "context": one.sealed.context,
            }
            for one, dossier_id in zip(new, ids, strict=True)
        ],
    )
    _refuse_strangers(conn, ids)
    pans.record(conn, personal, new)


def _refuse_strangers(conn: Connection, ids: range) -> None:
    mine = dossiers.c.id.between(ids[0], ids[-1])
    living = select(cards.c.card_number).join(dossiers, dossiers.c.member_id == cards.c.member_id)
    card_number = conn.execute(living.where(mine, cards.c.state.in_(LIVING)).limit(1)).scalar()
    if card_number is not None:
        sentence = f"a member of this batch has a living card already: {card_number}"
        raise RegistryConflict(sentence, reason="card-living", card=card_number)
    other = dossiers.alias()
    twice = select(dossiers.c.card_number).join(
        other, and_(other.c.card_number == dossiers.c.card_number, other.c.member_id != dossiers.c.member_id)
    )
    card_number = conn.execute(twice.where(mine).limit(1)).scalar()
    if card_number is not None:
        sentence = f"card number {card_number} belongs to another member"
        raise RegistryConflict(sentence, reason="card-number-taken", card=card_number)


def _refuse_unapproved(conn: Connection, batch_id: str) -> None:
    stage = conn.execute(select(batches.c.stage).where(batches.c.id == batch_id)).scalar_one_or_none()
    if stage is None:
        raise no_batch(batch_id)
    if stage == "draft":
        sentence = f"batch {batch_id} is a draft; a second person approves it first"
        raise RegistryConflict(sentence, reason="batch-draft", batch=batch_id)
    if stage != "approved":
        sentence = f"batch {batch_id} is {stage}; nothing is prepared for it any more"
        raise RegistryConflict(sentence, reason="batch-over", batch=batch_id)
