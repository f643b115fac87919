"""Forms as they were uploaded, sealed: needed for the annotated copy that goes back to the unit.

They hold all personal data, and so are deleted when their batch is discarded or closed.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from registry.db.context import RegistryContext
from registry.db.privacy import PersonalData
from registry.db.tables import batches, originals
from registry.errors import NotOnRecord


@dataclass(frozen=True, slots=True)
class Original:
    """An uploaded form: its file name, which may name a person, its bytes, and the declared form that it was read as,
    empty for none."""

    filename: str = field(repr=False)
    content: bytes = field(repr=False)
    form: str = ""


class Originals:
    """Repository of uploaded forms. ``Rosters.import_roster`` stores them."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def of(self, batch_id: str) -> Original:
        """The form of a batch. Raises NotOnRecord where none was stored, or it was deleted."""
        with self._context.read() as conn:
            row = conn.execute(select(originals).where(originals.c.batch_id == batch_id)).one_or_none()
        if row is None:
            raise NotOnRecord(f"no uploaded form is stored for batch {batch_id}", reason="form", batch=batch_id)
        # The form is not in the rows of earlier programs.
        name, *form = self._context.personal.open(row.seal_key, row.sealed_name, _place(batch_id, "sealed_name"))
        content = self._context.personal.open(row.seal_key, row.sealed, _place(batch_id, "sealed"))[0]
        return Original(str(name), base64.b64decode(str(content)), str(form[0]) if form else "")


def store(conn: Connection, personal: PersonalData, batch_id: str, original: Original) -> None:
    """Store the form of a batch in the caller's transaction."""
    key = personal.seal_key()
    content = base64.b64encode(original.content).decode()
    conn.execute(
        insert(originals).values(
            batch_id=batch_id,
            sealed_name=personal.seal(key, _place(batch_id, "sealed_name"), original.filename, original.form),
            sealed=personal.seal(key, _place(batch_id, "sealed"), content),
            seal_key=str(key),
        )
    )


@dataclass(frozen=True, slots=True)
class BatchHead:
    """What a batch has of its form beside the rows: file name, keyed digest, whether annex 3 is needed, and the stored
    form as it is sealed, empty where there is none."""

    source: str = field(repr=False)
    digest: str
    needs_confirmation: bool
    sealed_name: bytes = field(repr=False)
    sealed: bytes = field(repr=False)
    seal_key: str


def head_of(conn: Connection, batch_id: str) -> BatchHead:
    """That of a batch on record."""
    form = conn.execute(select(originals).where(originals.c.batch_id == batch_id)).one_or_none()
    row = conn.execute(select(batches).where(batches.c.id == batch_id)).one()
    stored = (b"", b"", "") if form is None else (bytes(form.sealed_name), bytes(form.sealed), form.seal_key)
    return BatchHead(row.source, row.digest, row.needs_confirmation, *stored)


def put_back(conn: Connection, batch_id: str, head: BatchHead) -> None:
    """Give a batch what it had, in the caller's transaction."""
    values = {"source": head.source, "digest": head.digest, "needs_confirmation": head.needs_confirmation}
    conn.execute(update(batches).where(batches.c.id == batch_id).values(values))
    forget(conn, batch_id)
    if head.sealed:
        form = {"sealed_name": head.sealed_name, "sealed": head.sealed, "seal_key": head.seal_key}
        conn.execute(insert(originals).values(batch_id=batch_id, **form))


def forget(conn: Connection, batch_id: str) -> None:
    """Delete the form of a batch in the caller's transaction."""
    conn.execute(delete(originals).where(originals.c.batch_id == batch_id))


def _place(batch_id: str, column: str) -> str:
    return f"originals.{column}/{batch_id}"
