"""Dossiers that were stored, looked at and exchanged before the line takes them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from registry import pans
from registry.errors import NotOnRecord, RegistryConflict
from registry.personal import PersonalData, parse_ref
from registry.tables import batches, dossier_secrets, dossiers
from registry.values import NewDossier, StoredDossier
from terminal.keys.custody import Sealed


def stored(conn: Connection, batch_id: str) -> list[StoredDossier]:
    """Those whose secrets still are there: a closed batch has none."""
    if conn.execute(select(batches.c.id).where(batches.c.id == batch_id)).scalar_one_or_none() is None:
        raise NotOnRecord(f"there is no batch {batch_id}; `membercard batch list` shows those there are")
    chosen = (
        select(dossiers, dossier_secrets.c.sealed, dossier_secrets.c.seal_key, dossier_secrets.c.context)
        .join(dossier_secrets, dossier_secrets.c.dossier_id == dossiers.c.id)
        .where(dossiers.c.batch_id == batch_id)
        .order_by(dossiers.c.id)
    )
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


def replace(conn: Connection, personal: PersonalData, batch_id: str, new: Sequence[NewDossier]) -> None:
    """Other contents for waiting dossiers. A claim takes the row's lock too, so no chip gets half of either."""
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
            raise NotOnRecord(f"batch {batch_id} has no dossier of card {one.card_number}-{one.sequence:02d}")
        if found.state != "waiting":
            raise RegistryConflict(f"the dossier of card {one.card_number} is {found.state}: a chip has it already")
        conn.execute(
            update(dossier_secrets)
            .where(dossier_secrets.c.dossier_id == found.id)
            .values(sealed=one.sealed.blob, seal_key=str(one.sealed.key), context=one.sealed.context)
        )
    pans.record(conn, personal, new)
