"""Personal data of members and of roster rows: sealed by field name, each in its own row.

Rows sealed before fields had names hold a list; its positions are ``_MEMBER`` and ``_ACCEPTED`` or ``_REJECTED``.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Row

from registry.db.privacy import PersonalData
from registry.person import Person
from registry.surnames import surname
from registry.values import AcceptedRow, KnownRow, RejectedRow
from terminal.keys.custody import KeyRef

_MEMBER: Final = ("id_number", "name", "gender", "mobile")
_ACCEPTED: Final = ("seq", *_MEMBER)
_REJECTED: Final = ("seq", "message")


def seal_person(personal: PersonalData, key: KeyRef, member_id: int, person: Person) -> bytes:
    """For the column ``sealed`` of a member's row."""
    return personal.seal_fields(key, _member_place(member_id), person.to_fields())


def open_person(personal: PersonalData, row: Row[*tuple[Any, ...]]) -> Person:
    """Of a row with the columns ``id``, ``sealed`` and ``seal_key`` of a member."""
    return Person.from_fields(personal.open_fields(row.seal_key, row.sealed, _member_place(row.id), _MEMBER))


def search_indexes(personal: PersonalData, person: Person) -> dict[str, bytes]:
    """The columns by which a member is found without being opened."""
    return {
        "name_index": personal.name_index(person.name),
        "surname_index": personal.surname_index(surname(person.name)),
        "mobile_index": personal.mobile_index(person.mobile),
    }


def seal_accepted(
    personal: PersonalData, key: KeyRef, batch_id: str, row: AcceptedRow | KnownRow, *, with_person: bool = True
) -> bytes:
    """For the column ``sealed`` of a row of a member. It repeats the person only where approval may change the record
    of a member."""
    person = row.person.to_fields() if with_person else {}
    return personal.seal_fields(key, _row_place(batch_id, row.sheet_row), {"seq": row.seq, **person})


def seal_rejected(personal: PersonalData, key: KeyRef, batch_id: str, row: RejectedRow) -> bytes:
    """For the column ``sealed`` of a rejected row."""
    fields = {"seq": row.seq, "message": row.message, "name_masked": row.name_masked}
    return personal.seal_fields(key, _row_place(batch_id, row.sheet_row), fields)


def seal_replacement(personal: PersonalData, key: KeyRef, batch_id: str, sheet_row: int) -> bytes:
    """For the column ``sealed`` of the one row of a replacement batch, which changes no personal data."""
    return personal.seal_fields(key, _row_place(batch_id, sheet_row), {"seq": sheet_row})


def open_row(
    personal: PersonalData, batch_id: str, sheet_row: int, key: str, sealed: bytes, verdict: str
) -> dict[str, Any]:
    """The fields of a roster row: ``seq``, and those of a person, or ``message`` and ``name_masked``."""
    positions = _REJECTED if verdict == "rejected" else _ACCEPTED
    return personal.open_fields(key, sealed, _row_place(batch_id, sheet_row), positions)


def changed_person(fields: dict[str, Any]) -> Person | None:
    """The person in the fields of a roster row; None where approval changes no record."""
    return Person.from_fields(fields) if "id_number" in fields else None


def _member_place(member_id: int) -> str:
    return f"members.sealed/{member_id}"


def _row_place(batch_id: str, sheet_row: int) -> str:
    return f"roster_rows.sealed/{batch_id}/{sheet_row}"
