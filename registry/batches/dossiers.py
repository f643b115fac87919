"""Dossiers before the line claims them: members who need one, and dossiers stored, read and replaced."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, func, insert, select, update

from registry.batches.lookup import members_without_dossier, stage_for_update, stage_of
from registry.batches.pans import record_pans
from registry.batches.persons import open_person
from registry.db.context import UNNAMED_ACTOR, RegistryContext
from registry.db.counters import allocate
from registry.db.privacy import PersonalData, parse_ref
from registry.db.tables import LIVING, cards, dossier_secrets, dossiers, members, roster_rows, units
from registry.errors import NOT_WANTED, NotOnRecord, RegistryConflict
from registry.values import MemberToPrepare, NewDossier, StoredDossier
from terminal.keys.custody import Sealed

LAST_SEQUENCE: Final = 99  # 5F34 is n 2
_CHUNK = 500
"""Dossiers in memory at a time while they are replaced."""


class Dossiers:
    """Repository of dossiers: sealed card data, one for each card that is to be personalized."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def to_prepare(self, batch_id: str) -> list[MemberToPrepare]:
        """Members of an approved batch who have no dossier, or whose last one was remade (then the next sequence).

        Raises NotOnRecord, RegistryConflict for a batch that is not approved.
        """
        with self._context.read() as conn:
            _refuse_unapproved(conn, batch_id)
            return [_member_to_prepare(self._context.personal, row) for row in conn.execute(_to_prepare(batch_id))]

    def member_ids_to_prepare(self, batch_id: str) -> set[int]:
        """Ids of the members that ``to_prepare`` lists, without opening their data."""
        with self._context.read() as conn:
            return set(conn.execute(members_without_dossier(batch_id)).scalars())

    def add(self, batch_id: str, new: Sequence[NewDossier], *, by: str = UNNAMED_ACTOR) -> None:
        """Store dossiers of members that ``to_prepare`` listed: all of them, or none.

        Raises RegistryConflict where one contradicts the record.
        """
        with self._context.write() as conn:
            _add(conn, self._context.personal, batch_id, new)
            self._context.audit(conn, by, "batch.prepare", f"batch:{batch_id}", dossiers=len(new))

    def next_waiting(self, batch_id: str) -> StoredDossier | None:
        """The dossier that the next new chip would get; None where none waits. Raises NotOnRecord."""
        chosen = _stored(batch_id).where(dossiers.c.state == "waiting").limit(1)
        with self._context.read() as conn:
            stage_of(conn, batch_id)
            row = conn.execute(chosen).one_or_none()
            return None if row is None else _stored_dossier(row)

    def stored(self, batch_id: str, card_numbers: Sequence[str] | None = None) -> list[StoredDossier]:
        """The dossiers of a batch, sealed; none once it is closed. All of them, or those of up to 500 cards.

        Raises NotOnRecord.
        """
        chosen = _stored(batch_id)
        if card_numbers is not None:
            chosen = chosen.where(dossiers.c.card_number.in_(card_numbers))
        with self._context.read() as conn:
            stage_of(conn, batch_id)
            return [_stored_dossier(row) for row in conn.execute(chosen)]

    def waiting_cards(self, batch_id: str) -> list[str]:
        """Card numbers of the dossiers that no chip has yet, in the order of their ids. Raises NotOnRecord."""
        chosen = select(dossiers.c.card_number).where(dossiers.c.batch_id == batch_id, dossiers.c.state == "waiting")
        with self._context.read() as conn:
            stage_of(conn, batch_id)
            return list(conn.execute(chosen.order_by(dossiers.c.id)).scalars())

    def replace(self, batch_id: str, new: Iterable[NewDossier], *, by: str = UNNAMED_ACTOR) -> None:
        """Other contents for waiting dossiers, by card number and sequence: all of them, or none. ``new`` is consumed
        inside the transaction, some hundreds at a time: it should not be slow.

        Raises NotOnRecord, RegistryConflict for a dossier that a chip has already or whose PAN is another card's.
        """
        coming, count = iter(new), 0
        with self._context.write() as conn:
            while chunk := list(islice(coming, _CHUNK)):
                _replace(conn, batch_id, chunk)
                record_pans(conn, self._context.personal, chunk)
                count += len(chunk)
            self._context.audit(conn, by, "dossier.replace", f"batch:{batch_id}", dossiers=count)


def _stored(batch_id: str) -> Select[Any]:
    return (
        select(dossiers, dossier_secrets.c.sealed, dossier_secrets.c.seal_key, dossier_secrets.c.context)
        .join(dossier_secrets, dossier_secrets.c.dossier_id == dossiers.c.id)
        .where(dossiers.c.batch_id == batch_id)
        .order_by(dossiers.c.id)
    )


def _stored_dossier(row: Row[*tuple[Any, ...]]) -> StoredDossier:
    return StoredDossier(
        row.member_id,
        row.card_number,
        row.sequence,
        row.state,
        Sealed(parse_ref(row.seal_key), row.sealed, row.context),
        row.profile_name,
        row.profile_digest,
    )


def _to_prepare(batch_id: str) -> Select[Any]:
    pending = members_without_dossier(batch_id).subquery()
    last = (
        select(dossiers.c.member_id, func.max(dossiers.c.id).label("id"))
        .where(dossiers.c.batch_id == batch_id)
        .group_by(dossiers.c.member_id)
        .subquery()
    )
    replaced = dossiers.alias()
    of_replaced = replaced.c.card_number == roster_rows.c.replaces
    replaced_sequence = select(func.max(replaced.c.sequence)).where(of_replaced).scalar_subquery()
    return (
        select(members, func.coalesce(units.c.own_name, units.c.name).label("unit"), units.c.code)
        .add_columns(func.coalesce(dossiers.c.card_number, roster_rows.c.replaces).label("card_number"))
        .add_columns(func.coalesce(dossiers.c.sequence, replaced_sequence).label("sequence"))
        .join(roster_rows, and_(roster_rows.c.member_id == members.c.id, roster_rows.c.batch_id == batch_id))
        .join(pending, pending.c.member_id == members.c.id)
        .join(units, units.c.id == members.c.unit_id)
        .join(last, last.c.member_id == members.c.id, isouter=True)
        .join(dossiers, dossiers.c.id == last.c.id, isouter=True)
        .order_by(members.c.id)
    )


def _member_to_prepare(personal: PersonalData, row: Row[*tuple[Any, ...]]) -> MemberToPrepare:
    same_number = row.card_number is not None and row.sequence < LAST_SEQUENCE
    return MemberToPrepare(
        member_id=row.id,
        person=open_person(personal, row),
        unit_name=row.unit,
        unit_code=row.code,
        member_number=row.member_number,
        category=row.category,
        card_number=row.card_number if same_number else None,
        sequence=row.sequence + 1 if same_number else 1,
    )


def _add(conn: Connection, personal: PersonalData, batch_id: str, new: Sequence[NewDossier]) -> None:
    """The partial unique index on open dossiers refuses concurrent ones; a living card, which it does not cover, is
    looked up after the insert, when no concurrent transaction can insert one."""
    if stage_for_update(conn, batch_id) != "approved":
        sentence = f"batch {batch_id} is not approved, so it takes no dossiers"
        raise RegistryConflict(sentence, reason="batch-not-approved", batch=batch_id)
    if not new:
        return
    pending = set(conn.execute(members_without_dossier(batch_id)).scalars())
    for dossier in new:
        if dossier.member_id not in pending:
            sentence = f"card {dossier.card_number}: its member needs no dossier in batch {batch_id}"
            raise RegistryConflict(sentence, reason=NOT_WANTED, batch=batch_id)
    ids = allocate(conn, "dossiers", len(new))
    numbered = list(zip(new, ids, strict=True))
    conn.execute(insert(dossiers), [_dossier_values(dossier_id, batch_id, dossier) for dossier, dossier_id in numbered])
    secrets = [{"dossier_id": dossier_id, **_secret_values(dossier)} for dossier, dossier_id in numbered]
    conn.execute(insert(dossier_secrets), secrets)
    _refuse_taken_numbers(conn, ids)
    record_pans(conn, personal, new)


def _replace(conn: Connection, batch_id: str, new: Sequence[NewDossier]) -> None:
    """A claim locks the dossier's row too, so that no chip gets parts of both dossiers."""
    for dossier in new:
        row = conn.execute(
            select(dossiers.c.id, dossiers.c.state)
            .where(
                dossiers.c.batch_id == batch_id,
                dossiers.c.card_number == dossier.card_number,
                dossiers.c.sequence == dossier.sequence,
            )
            .with_for_update()
        ).one_or_none()
        if row is None:
            sentence = f"batch {batch_id} has no dossier of card {dossier.card_number}-{dossier.sequence:02d}"
            raise NotOnRecord(sentence, reason="dossier", batch=batch_id, card=dossier.card_number)
        if row.state != "waiting":
            sentence = f"the dossier of card {dossier.card_number} is {row.state}: a chip has it already"
            raise RegistryConflict(sentence, reason="dossier-taken", card=dossier.card_number)
        changed = update(dossier_secrets).where(dossier_secrets.c.dossier_id == row.id)
        conn.execute(changed.values(_secret_values(dossier)))


def _dossier_values(dossier_id: int, batch_id: str, dossier: NewDossier) -> dict[str, object]:
    return {
        "id": dossier_id,
        "batch_id": batch_id,
        "member_id": dossier.member_id,
        "card_number": dossier.card_number,
        "sequence": dossier.sequence,
        "profile_name": dossier.profile_name,
        "profile_digest": dossier.profile_digest,
        "state": "waiting",
    }


def _secret_values(dossier: NewDossier) -> dict[str, object]:
    sealed = dossier.sealed
    return {"sealed": sealed.blob, "seal_key": str(sealed.key), "context": sealed.context}


def _refuse_taken_numbers(conn: Connection, ids: range) -> None:
    new = dossiers.c.id.between(ids[0], ids[-1])
    living = select(cards.c.card_number).join(dossiers, dossiers.c.member_id == cards.c.member_id)
    card_number = conn.execute(living.where(new, cards.c.state.in_(LIVING)).limit(1)).scalar()
    if card_number is not None:
        sentence = f"a member of this batch has a living card already: {card_number}"
        raise RegistryConflict(sentence, reason="card-living", card=card_number)
    other = dossiers.alias()
    twice = select(dossiers.c.card_number).join(
        other, and_(other.c.card_number == dossiers.c.card_number, other.c.member_id != dossiers.c.member_id)
    )
    card_number = conn.execute(twice.where(new).limit(1)).scalar()
    if card_number is not None:
        sentence = f"card number {card_number} belongs to another member"
        raise RegistryConflict(sentence, reason="card-number-taken", card=card_number)


def _refuse_unapproved(conn: Connection, batch_id: str) -> None:
    stage = stage_of(conn, batch_id)
    if stage == "draft":
        sentence = f"batch {batch_id} is a draft; a second person approves it first"
        raise RegistryConflict(sentence, reason="batch-draft", batch=batch_id)
    if stage != "approved":
        sentence = f"batch {batch_id} is {stage}; nothing is prepared for it any more"
        raise RegistryConflict(sentence, reason="batch-over", batch=batch_id)
