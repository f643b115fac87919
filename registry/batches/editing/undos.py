"""What an edit of a draft replaced, sealed, so that it can be undone until the draft is submitted again."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from registry.batches.editing.differences import ComparedRow
from registry.batches.originals import BatchHead
from registry.db.privacy import PersonalData
from registry.db.tables import edit_undos
from registry.errors import RegistryConflict
from registry.person import Person


@dataclass(frozen=True, slots=True)
class Undo:
    """The rows that an edit replaced, the numbers of those that it put, and of a corrected form what the batch had."""

    rows: Sequence[ComparedRow] = field(repr=False)
    put: Sequence[int]
    head: BatchHead | None = None


def store_undo(conn: Connection, personal: PersonalData, batch_id: str, number: int, undo: Undo) -> None:
    """Store it in the caller's transaction; ``number`` is that of the last edit on record that it undoes."""
    key = personal.seal_key()
    head = None if undo.head is None else _head_fields(undo.head)
    content = json.dumps([[_fields(row) for row in undo.rows], list(undo.put), head], ensure_ascii=False)
    sealed = personal.seal(key, _place(batch_id, number), content)
    conn.execute(insert(edit_undos).values(edit_id=number, batch_id=batch_id, sealed=sealed, seal_key=str(key)))


def newest_undo(conn: Connection, personal: PersonalData, batch_id: str) -> tuple[int, Undo]:
    """With its number. Raises RegistryConflict where there is none."""
    chosen = select(edit_undos).where(edit_undos.c.batch_id == batch_id).order_by(edit_undos.c.edit_id.desc())
    row = conn.execute(chosen.limit(1)).one_or_none()
    if row is None:
        sentence = f"no edit of batch {batch_id} is left to undo"
        raise RegistryConflict(sentence, reason="edit-none", batch=batch_id)
    (content,) = personal.open(row.seal_key, row.sealed, _place(batch_id, row.edit_id))
    rows, put, head = json.loads(str(content))
    return int(row.edit_id), Undo([_row(one) for one in rows], tuple(put), None if head is None else _head(head))


def forget_undo(conn: Connection, batch_id: str, number: int) -> None:
    """Delete one in the caller's transaction."""
    conn.execute(delete(edit_undos).where(edit_undos.c.batch_id == batch_id, edit_undos.c.edit_id == number))


def forget_undos(conn: Connection, batch_id: str) -> bool:
    """Delete all of a batch in the caller's transaction, and say whether there were any."""
    return conn.execute(delete(edit_undos).where(edit_undos.c.batch_id == batch_id)).rowcount > 0


def _fields(row: ComparedRow) -> dict[str, Any]:
    person = None if row.person is None else row.person.to_fields()
    plain = {name: value for name, value in asdict(row).items() if name != "person"}
    return {**plain, "person": person}


def _row(fields: dict[str, Any]) -> ComparedRow:
    person = None if fields["person"] is None else Person.from_fields(fields["person"])
    return ComparedRow(**{**fields, "codes": tuple(fields["codes"]), "person": person})


def _head_fields(head: BatchHead) -> dict[str, Any]:
    blobs = [base64.b64encode(one).decode() for one in (head.sealed_name, head.sealed)]
    return {**asdict(head), "sealed_name": blobs[0], "sealed": blobs[1]}


def _head(fields: dict[str, Any]) -> BatchHead:
    blobs = {name: base64.b64decode(fields[name]) for name in ("sealed_name", "sealed")}
    return BatchHead(**{**fields, **blobs})


def _place(batch_id: str, number: int) -> str:
    return f"edit_undos.sealed/{batch_id}/{number}"
