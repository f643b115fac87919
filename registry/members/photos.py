"""Photos of members, for the printed face: sealed at rest, and bound to their member."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, delete, exists, func, insert, select

from registry.batches.lookup import members_without_dossier, stage_of
from registry.batches.persons import open_person
from registry.db.context import UNNAMED_ACTOR, RegistryContext, reason_given
from registry.db.tables import dossiers, members, photos, roster_rows, units
from registry.errors import NotOnRecord, RegistryConflict
from registry.person import Person


@dataclass(frozen=True, slots=True)
class PhotoMember:
    """A member of a batch, and whether a photo is on record. ``waits``: the member has no dossier in the batch yet, or
    the last one was rejected."""

    member_id: int
    person: Person = field(repr=False)
    unit_name: str
    member_number: str
    has_photo: bool
    waits: bool


class Photos:
    """Repository of photos."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def members(self, batch_id: str) -> list[PhotoMember]:
        """The members of an approved batch, by unit and number. Raises NotOnRecord, RegistryConflict for a batch that
        is not approved."""
        with self._context.read() as conn:
            if (stage := stage_of(conn, batch_id)) != "approved":
                sentence = f"batch {batch_id} is {stage}: photos are for batches that are approved and not closed"
                raise RegistryConflict(sentence, reason="photos-stage", batch=batch_id, stage=stage)
            waiting = set(conn.execute(members_without_dossier(batch_id)).scalars())
            return [
                PhotoMember(
                    row.id,
                    open_person(self._context.personal, row),
                    row.unit,
                    row.member_number,
                    row.photographed,
                    row.id in waiting,
                )
                for row in conn.execute(_of_batch(batch_id))
            ]

    def store(self, batch_id: str, pictures: Mapping[int, bytes], *, by: str = UNNAMED_ACTOR) -> None:
        """Store photos by member, instead of those on record: all of them, or none. Raises NotOnRecord,
        RegistryConflict for a batch that is not approved."""
        personal = self._context.personal
        with self._context.write() as conn:
            if (stage := stage_of(conn, batch_id)) != "approved":
                sentence = f"batch {batch_id} is {stage}: photos are for batches that are approved and not closed"
                raise RegistryConflict(sentence, reason="photos-stage", batch=batch_id, stage=stage)
            if not pictures:
                return
            key, at = personal.seal_key(), self._context.clock()
            conn.execute(delete(photos).where(photos.c.member_id.in_(pictures)))
            rows = [
                {
                    "member_id": member_id,
                    "at": at,
                    "by": by,
                    "sealed": personal.seal(key, _place(member_id), base64.b64encode(picture).decode()),
                    "seal_key": str(key),
                }
                for member_id, picture in pictures.items()
            ]
            conn.execute(insert(photos), rows)
            self._context.audit(conn, by, "photos.store", f"batch:{batch_id}", photos=len(pictures))

    def remove(self, member_number: str, *, by: str, reason: str) -> None:
        """Delete the photo of a member, as the member may ask for. Raises NotOnRecord for a member without one,
        RegistryConflict without a reason."""
        why = reason_given(reason)
        with self._context.write() as conn:
            of_member = select(members.c.id).where(members.c.member_number == member_number)
            member_id = conn.execute(of_member).scalar_one_or_none()
            if conn.execute(delete(photos).where(photos.c.member_id == member_id)).rowcount == 0:
                sentence = f"no photo of member {member_number} is on record"
                raise NotOnRecord(sentence, reason="photo", member=member_number)
            self._context.audit(conn, by, "photo.remove", f"member:{member_id}", why)

    def of_card(self, card_number: str) -> bytes | None:
        """The photo of the member for whom this card is prepared or made."""
        newest = select(func.max(dossiers.c.id)).where(dossiers.c.card_number == card_number).scalar_subquery()
        chosen = select(photos).join(dossiers, dossiers.c.member_id == photos.c.member_id)
        with self._context.read() as conn:
            row = conn.execute(chosen.where(dossiers.c.id == newest)).one_or_none()
        if row is None:
            return None
        (content,) = self._context.personal.open(row.seal_key, row.sealed, _place(row.member_id))
        return base64.b64decode(str(content))

    def record_shown(self, batch_id: str, cards: int, *, by: str = UNNAMED_ACTOR) -> None:
        """Record that faces of a batch's cards were written in clear."""
        with self._context.write() as conn:
            self._context.audit(conn, by, "face.show", f"batch:{batch_id}", cards=cards)


def _of_batch(batch_id: str) -> Select[Any]:
    return (
        select(members, func.coalesce(units.c.own_name, units.c.name).label("unit"))
        .add_columns(exists().where(photos.c.member_id == members.c.id).label("photographed"))
        .join(roster_rows, roster_rows.c.member_id == members.c.id)
        .join(units, units.c.id == members.c.unit_id)
        .where(roster_rows.c.batch_id == batch_id, roster_rows.c.verdict == "accepted")
        .order_by(units.c.name, members.c.member_number)
    )


def _place(member_id: int) -> str:
    return f"photos.sealed/{member_id}"
