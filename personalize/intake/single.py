"""One row of a roster by itself, as a clerk enters or edits it: judged as a row of a form is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Final

from personalize.intake.check import Lookup, persons_on_record, settle
from personalize.intake.codes import RowFault
from personalize.intake.documents import ID_TYPES, SHOW_SEX
from personalize.intake.genders import read_gender
from personalize.intake.identity import Identities, ReadIdentity
from personalize.intake.names import read_name
from personalize.intake.phones import read_phone
from personalize.intake.rows import judged
from personalize.intake.units import unit_fault, unit_name
from personalize.intake.values import Row
from registry.person import Person

OF_THE_FORM: Final = (RowFault.FORM_VALUE, RowFault.ID_EXPIRED)
"""Faults in further columns of a declared form, which a row on record no longer has."""

Others = Callable[[Collection[str]], Mapping[str, str]]
"""Rows that name these persons, by ID number."""


@dataclass(frozen=True, slots=True)
class RowCells:
    """Cells of a row as they are typed. None keeps what the row has; an empty text is an empty cell. ``document`` names
    the identity document (证件类型); empty: the form of the number shows it."""

    id_number: str | None = field(default=None, repr=False)
    document: str | None = None
    name: str | None = field(default=None, repr=False)
    gender: str | None = None
    mobile: str | None = field(default=None, repr=False)
    unit: str | None = None
    seq: str | None = field(default=None, repr=False)

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the fields that are not None."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name) is not None)


@dataclass(frozen=True, slots=True)
class RowBefore:
    """A row as it is on record. ``person`` is None for a rejected or a new row; ``codes`` are its findings; ``above``
    is the unit that its form is of."""

    sheet_row: int
    seq: int | str | None = field(default=None, repr=False)
    person: Person | None = None
    unit: str = ""
    above: str = ""
    codes: tuple[str, ...] = ()


def check_row(before: RowBefore, cells: RowCells, *, known: Lookup, others: Others, today: date) -> Row:
    """The row with these cells in place of what it had, accepted or rejected. ``known`` is that of ``check``;
    ``others`` gives the other accepted rows of the roster, by ID number. Faults in columns that only the form has
    stay."""
    person = before.person
    name = read_name(_cell(cells.name, person.name if person else None))
    gender = read_gender(_cell(cells.gender, person.gender if person else None))
    phone = read_phone(_cell(cells.mobile, person.mobile if person else None))
    unit, above, fault = before.unit, "", None
    if cells.unit is not None or not unit:
        unit, above = unit_name(cells.unit or ""), before.above
        fault = unit_fault(unit)
    seq = _cell(cells.seq, None if before.seq is None else str(before.seq))
    row = judged(before.sheet_row, seq, _identity(cells, person, today), name, gender, phone, unit, fault, above)
    if lasting := tuple(code for code in OF_THE_FORM if code in before.codes):
        row = row._replace(faults=(*row.faults, *lasting), person=None, notes=())
    rows = [("", row)]
    same = others([row.id_number]) if row.id_number else {}
    return settle(rows, persons_on_record(rows, known), False, same)[0]


def _cell(typed: str | None, before: str | None) -> str:
    return typed if typed is not None else before or ""


def _identity(cells: RowCells, person: Person | None, today: date) -> ReadIdentity:
    identities = Identities(today)
    number = _cell(cells.id_number, person.id_number if person else None)
    if cells.document is not None or person is None:
        return identities.read(number, cells.document or "")
    kinds = [kind for kind, code in ID_TYPES.items() if code is person.document_type]
    kinds.sort(key=lambda kind: kind not in SHOW_SEX)
    read = [identities.read(number, kind.value) for kind in kinds]
    return next((one for one in read if not one.faults), read[0])
