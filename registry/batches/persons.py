"""A member's personal data in clear, opened from the member's row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from registry.batches.rosters import member_place
from registry.db.privacy import PersonalData


@dataclass(frozen=True, slots=True, repr=False)
class Unmasked:
    """A member's data in clear. Does not print itself."""

    id_number: str
    name: str
    gender: str
    mobile: str


def person(personal: PersonalData, row: Row[*tuple[Any, ...]]) -> Unmasked:
    """Of a row with the columns ``id``, ``sealed`` and ``seal_key`` of a member."""
    return Unmasked(*map(str, personal.open(row.seal_key, row.sealed, member_place(row.id))))
