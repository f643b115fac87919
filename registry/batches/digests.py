"""Digests of rosters, keyed: an unkeyed hash of a form of one row gives its ID number away to whoever can guess."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, select, update

from registry.db.database import Database
from registry.db.privacy import KEYED, REPLACEMENT, PersonalData
from registry.db.tables import batches

_FILL: Final = 500


def key_digests(database: Database, personal: PersonalData) -> None:
    """Key the digests of batches from before digests were keyed; one query where there are none."""
    plain = select(batches.c.id, batches.c.digest).where(
        ~batches.c.digest.startswith(KEYED), ~batches.c.digest.startswith(REPLACEMENT + KEYED)
    )
    with database.read() as conn:
        if conn.execute(plain.limit(1)).first() is None:
            return
    change = update(batches).where(batches.c.id == bindparam("batch")).values(digest=bindparam("keyed"))
    while True:
        with database.write() as conn:
            rows = conn.execute(plain.limit(_FILL)).all()
            if not rows:
                break
            conn.execute(change, [{"batch": row.id, "keyed": personal.content_index(row.digest)} for row in rows])
    database.forget_deleted()
