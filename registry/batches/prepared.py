"""Dossiers that were stored, looked at and exchanged before the line takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from sqlalchemy import Connection, select, update

from registry.db.privacy import PersonalData, parse_ref
from registry.db.tables import batches, dossier_secrets, dossiers
from registry.errors import NotOnRecord, RegistryConflict, no_batch
from registry.line import pans
from registry.values import NewDossier, StoredDossier
from terminal.keys.custody import Sealed

_CHUNK = 500
"""Dossiers in memory at once, and parameters of one IN list."""


def stored(conn: Connection, batch_id: str, card_numbers: Sequence[str] | None = None) -> list[StoredDossier]:
    """Those whose secrets still are there: a closed batch has none. All of them, or those of up to 500 cards."""
    _refuse_unknown(conn, batch_id)
    chosen = (
        select(dossiers, dossier_secrets.c.sealed, dossier_secrets.c.seal_key, dossier_secrets.c.context)
        .join(dossier_secrets, dossier_secrets.c.dossier_id == dossiers.c.id)
        .where(dossiers.c.batch_id == batch_id)
        .order_by(dossiers.c.id)
    )
    if card_numbers is not None:
        chosen = chosen.where(dossiers.c.card_number.in_(card_numbers))
    return [
        StoredDossier(
            row.member_id,
            row.card_number,
            row.sequence,
            row.state,
            Sealed(parse_ref(row.seal_key), row.sealed, row.context),
            row.profile_name,
            row.profile_digest,
        )
        for row in conn.execute(chosen)
    ]


def waiting(conn: Connection, batch_id: str) -> list[str]:
    """The card numbers of the dossiers that wait, in the order in which they were made."""
    _refuse_unknown(conn, batch_id)
    chosen = select(dossiers.c.card_number).where(dossiers.c.batch_id == batch_id, dossiers.c.state == "waiting")
    return list(conn.execute(chosen.order_by(dossiers.c.id)).scalars())


def replace(conn: Connection, personal: PersonalData, batch_id: str, new: Iterable[NewDossier]) -> int:
    """Other contents for waiting dossiers; how many. A claim takes the row's lock too, so no chip gets half."""
    coming, count = iter(new), 0
    while chunk := list(islice(coming, _CHUNK)):
        _replace(conn, personal, batch_id, chunk)
        count += len(chunk)
    return count


def _replace(conn: Connection, personal: PersonalData, batch_id: str, new: Sequence[NewDossier]) -> None:
    for one in new:
        found = conn.execute(
            select(dossiers.c.id, dossiers.c.state)
            .where(
                dossiers.c.batch_id == batch_id,
                dossiers.c.card_number == one.card_number,
                dossiers.c.sequence == one.sequence,
            )
            .with_for_update()
        ).one_or_none()
        if found is None:
            sentence = f"batch {batch_id} has no dossier of card {one.card_number}-{one.sequence:02d}"
            raise NotOnRecord(sentence, reason="dossier", batch=batch_id, card=one.card_number)
        if found.state != "waiting":
            sentence = f"the dossier of card {one.card_number} is {found.state}: a chip has it already"
            raise RegistryConflict(sentence, reason="dossier-taken", card=one.card_number)
        conn.execute(
            update(dossier_secrets)
            .where(dossier_secrets.c.dossier_id == found.id)
            .values(sealed=one.sealed.blob, seal_key=str(one.sealed.key), context=one.sealed.context)
        )
    pans.record(conn, personal, new)


def _refuse_unknown(conn: Connection, batch_id: str) -> None:
    if conn.execute(select(batches.c.id).where(batches.c.id == batch_id)).scalar_one_or_none() is None:
        raise no_batch(batch_id)
