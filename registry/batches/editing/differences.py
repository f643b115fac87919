"""How the rows of a roster differ from those of another: added, left out, or with other values; masked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Final, Self

from registry.person import Person
from registry.unit_names import spelling

_OF_PERSON: Final = (
    ("id_number", "id_number"),
    ("document", "document_type"),
    ("name", "name"),
    ("gender", "sex"),
    ("mobile", "mobile"),
)
FIELDS: Final = (*(name for name, _ in _OF_PERSON), "unit", "seq", "verdict")
"""Names of what may differ in a changed row."""


class RowChange(StrEnum):
    """What happens to a row."""

    ADDED = "added"
    LEFT_OUT = "left-out"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """A row of a roster. ``person`` is None for a rejected one; ``unit`` is a whole name, empty where it is not known.
    ``codes`` are faults or notes."""

    sheet_row: int
    seq: int | str | None = field(repr=False)
    verdict: str
    codes: tuple[str, ...]
    person: Person | None
    name_masked: str
    unit: str
    message: str = field(default="", repr=False)  # of a rejected row on record


@dataclass(frozen=True, slots=True)
class MaskedRow:
    """A row as it may be shown and kept."""

    sheet_row: int
    verdict: str
    codes: tuple[str, ...]
    id_masked: str
    name_masked: str
    mobile_masked: str
    gender: str
    unit: str

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        fields = json.loads(text)
        return cls(**{**fields, "codes": tuple(fields["codes"])})


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A difference. ``fields`` names what differs in a changed row: id_number, document, name, gender, mobile, unit,
    seq, verdict. Masked texts may be equal where the values differ."""

    change: RowChange
    fields: tuple[str, ...]
    before: MaskedRow | None
    after: MaskedRow | None

    @property
    def sheet_row(self) -> int:
        """The row in the roster as it becomes; of a row that is left out, as it was."""
        row = self.after or self.before
        return 0 if row is None else row.sheet_row


@dataclass(frozen=True, slots=True)
class RowPair:
    """A row before and after; one of them is None where it is added or left out."""

    before: ComparedRow | None
    after: ComparedRow | None

    def difference(self) -> RowDifference | None:
        """None where nothing differs. A row that only stands elsewhere on the sheet is the same."""
        before = None if self.before is None else _masked(self.before)
        after = None if self.after is None else _masked(self.after)
        if self.before is None or self.after is None:
            change = RowChange.ADDED if self.before is None else RowChange.LEFT_OUT
            return RowDifference(change, (), before, after)
        fields = _fields(self.before, self.after)
        return RowDifference(RowChange.CHANGED, fields, before, after) if fields else None


def paired(before: Sequence[ComparedRow], after: Sequence[ComparedRow]) -> list[RowPair]:
    """Rows of two rosters side by side, in the order of ``after``, those left out at the end.

    A person is found by the identity number. Of the others, rows at one place, or of one number in the form, are one
    where they have a name or a mobile number in common.
    """
    by_person = {row.person.identity_key: row for row in before if row.person is not None}
    pairs: dict[int, ComparedRow] = {}
    for row in after:
        if row.person is not None and (same := by_person.pop(row.person.identity_key, None)) is not None:
            pairs[row.sheet_row] = same
    taken = {row.sheet_row for row in pairs.values()}
    left = [row for row in before if row.sheet_row not in taken]
    by_row = {row.sheet_row: row for row in left}
    by_seq = {row.seq: row for row in left if row.seq is not None}
    for row in after:
        if row.sheet_row in pairs:
            continue
        for one in (by_row.get(row.sheet_row), None if row.seq is None else by_seq.get(row.seq)):
            if one is not None and one.sheet_row not in taken and _alike(one, row):
                pairs[row.sheet_row] = one
                taken.add(one.sheet_row)
                break
    matched = [RowPair(pairs.get(row.sheet_row), row) for row in after]
    return matched + [RowPair(row, None) for row in before if row.sheet_row not in taken]


def differences(pairs: Iterable[RowPair]) -> Iterator[RowDifference]:
    for pair in pairs:
        if (difference := pair.difference()) is not None:
            yield difference


def digest(shown: Iterable[RowDifference], *further: str) -> str:
    """SHA-256, hex, of differences as they are shown, and of what else they depend on."""
    hashed = hashlib.sha256(json.dumps(further).encode())
    for difference in shown:
        hashed.update(json.dumps(asdict(difference), ensure_ascii=False, sort_keys=True).encode())
    return hashed.hexdigest()


def _alike(one: ComparedRow, other: ComparedRow) -> bool:
    if one.person is not None and other.person is not None:
        return one.person.name == other.person.name or one.person.mobile == other.person.mobile
    return one.name_masked == other.name_masked != ""


def _fields(before: ComparedRow, after: ComparedRow) -> tuple[str, ...]:
    fields: list[str] = []
    if before.person is not None and after.person is not None:
        own = [(name, getattr(before.person, of), getattr(after.person, of)) for name, of in _OF_PERSON]
        fields += [name for name, one, other in own if one != other]
    elif before.name_masked != after.name_masked:
        fields.append("name")
    if before.unit and after.unit and spelling(before.unit) != spelling(after.unit):
        fields.append("unit")
    if before.seq != after.seq:
        fields.append("seq")
    if before.verdict != after.verdict or (after.verdict == "rejected" and before.codes != after.codes):
        fields.append("verdict")
    return tuple(fields)


def _masked(row: ComparedRow) -> MaskedRow:
    person = row.person
    if person is None:
        return MaskedRow(row.sheet_row, row.verdict, row.codes, "", row.name_masked, "", "", row.unit)
    texts = (person.id_masked, person.name_masked, person.mobile_masked, person.gender)
    return MaskedRow(row.sheet_row, row.verdict, row.codes, *texts, row.unit)
