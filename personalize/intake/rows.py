"""Reads the rows of one table: which of them hold a person, their values, and all their faults."""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import itemgetter
from typing import NamedTuple

from personalize.intake.alignment import Alignment, Columns
from personalize.intake.codes import RowFault, RowNote
from personalize.intake.documents import ID_TYPES
from personalize.intake.files.sheets import Sheet
from personalize.intake.genders import Gender, read_gender
from personalize.intake.header import FIELDS, HeaderRow, header_at
from personalize.intake.identity import Identities, ReadIdentity
from personalize.intake.names import Name, read_name
from personalize.intake.non_data_rows import SAMPLE_WORDS, is_non_data_row, is_sample, names_sample
from personalize.intake.phones import Phone, read_phone
from personalize.intake.text import Cell, is_ditto, squeeze, text_of, trim
from personalize.intake.title_lines import unit_in
from personalize.intake.units import unit_fault, unit_name
from registry.person import Person, identity_key, sex_of

_NAME, _UNIT, _DOCUMENT = FIELDS.index("name"), FIELDS.index("unit"), FIELDS.index("document")
_WHOLE = re.compile(r"([0-9]{1,9})(?:\.0*|、)?").fullmatch
_PERSONAL = 11
"""Digits of a text that may be a person's number, a phone number at least."""


class ReadRow(NamedTuple):
    """A row with a person, checked by itself. ``seq`` is a whole number where it reads as one; ``id_number`` is empty
    where there is none of the right form; ``person`` is None for a row with faults. ``above`` is the unit of the title
    where the form has a unit column."""

    sheet_row: int
    seq: int | str | None
    id_number: str
    name: str
    person: Person | None
    unit: str
    faults: tuple[RowFault, ...]
    notes: tuple[RowNote, ...]
    above: str = ""

    def __repr__(self) -> str:
        return f"<ReadRow {self.sheet_row}: {'-'.join(self.faults) or 'sound'}>"


class TableReader:
    """Reads the rows under a header.

    ``unit`` is the default where the form has no unit column: that of the title line, or of a later title line. An
    empty cell in a unit column is a fault, unless merged cells or 同上 repeat the unit of the row above.
    """

    def __init__(self, sheet: Sheet, header: HeaderRow, identities: Identities, unit: str) -> None:
        self._sheet = sheet
        self._identities = identities
        self._title_unit = unit
        self._units: dict[str, tuple[str, RowFault | None]] = {}
        self._unit_above = ""
        self.skipped: list[int] = []
        self.doubtful: list[int] = []
        self.headers: list[HeaderRow] = []
        self._take(header)
        self._start = header.last + 1

    def _take(self, header: HeaderRow) -> None:
        """Use a header until the next one: a form may repeat it on each page, or continue with other columns."""
        self.headers.append(header)
        self._columns = Columns(self._sheet, header)
        self._has_units = header.columns[_UNIT] >= 0
        self._has_documents = header.columns[_DOCUMENT] >= 0
        self._pick = itemgetter(*header.columns)
        if self._has_units:
            self._sheet.fill_down(header.columns[_UNIT])

    def __iter__(self) -> Iterator[ReadRow]:
        """The rows with persons, in order. Afterwards ``skipped`` (filled sheet rows without a person), ``doubtful``
        (sound rows with more or fewer fields than the header) and ``headers`` are complete."""
        rows, read_id = self._sheet.rows, self._identities.read
        index, end = self._start, len(rows)
        while index < end:
            row = rows[index]
            if not any(row):
                index += 1
                continue
            cells = self._pick(row)
            if (
                is_sample(cells[0])
                or names_sample(cells[_NAME])
                or names_sample(cells[_UNIT])
                or SAMPLE_WORDS.intersection(row)
            ):
                self.skipped.append(self._sheet.sheet_row(index))
                index += 1
                continue
            identity = read_id(cells[1], cells[_DOCUMENT]) if self._has_documents else read_id(cells[1])
            if identity.number or self._is_person(index, cells):
                yield self._judged(index, cells, identity)
            elif header := header_at(rows, index):
                self._take(header)
                index = header.last
            index += 1

    def _judged(self, index: int, cells: tuple[Cell, ...], identity: ReadIdentity) -> ReadRow:
        """A row with a person; of one whose cells are not under their columns, none of its values."""
        sheet_row = self._sheet.sheet_row(index)
        known = identity.number and not self._sheet.fields
        alignment = Alignment.SOUND if known else self._columns.judge(index)
        if alignment is Alignment.SHIFTED:
            self._unit_above = ""
            return ReadRow(sheet_row, None, "", "", None, "", (RowFault.ROW_SHIFTED,), ())
        row = self._read(sheet_row, cells, identity)
        if alignment is Alignment.DOUBTFUL and not row.faults:
            self.doubtful.append(sheet_row)
        return row

    def _is_person(self, index: int, cells: tuple[Cell, ...]) -> bool:
        row = self._sheet.rows[index]
        if not any(text_of(cell).strip() for cell in row):
            return False
        if not header_at(self._sheet.rows, index) and (
            not is_non_data_row(row, *cells[1:5]) or self._columns.holds_person(index)
        ):
            return True
        self._title_unit = unit_in(row) or self._title_unit
        self.skipped.append(self._sheet.sheet_row(index))
        return False

    def _read(self, sheet_row: int, cells: tuple[Cell, ...], identity: ReadIdentity) -> ReadRow:
        seq, _, name_cell, gender_cell, mobile_cell, unit_cell, _ = cells
        name, gender, phone = read_name(name_cell), read_gender(gender_cell), read_phone(mobile_cell)
        unit = self._unit(unit_cell)
        above = self._title_unit if self._has_units else ""
        return judged(sheet_row, seq, identity, name, gender, phone, *unit, above)

    def _unit(self, cell: Cell) -> tuple[str, RowFault | None]:
        """The unit of a row and its fault. A name with a person's number in it is not passed on."""
        if not self._has_units:
            return self._title_unit, unit_fault(self._title_unit)
        text = cell if isinstance(cell, str) else text_of(cell)
        known = self._units.get(text)
        if known is None:
            if is_ditto(squeeze(text)):
                return self._unit_above, unit_fault(self._unit_above)
            name = unit_name(cell)
            fault = unit_fault(name)
            known = self._units[text] = ("" if fault is RowFault.UNIT_CHARS else name, fault)
        self._unit_above = known[0] or self._unit_above
        return known


def judged(
    sheet_row: int,
    seq: Cell,
    identity: ReadIdentity,
    name: Name,
    gender: Gender,
    phone: Phone,
    unit: str,
    unit_fault: RowFault | None,
    above: str,
) -> ReadRow:
    """A row by its cells as they were read: its person, or all its faults."""
    sound = not (identity.faults or name.fault or gender.fault or phone.fault or unit_fault)
    mismatch = bool(gender.gender and identity.gender and gender.gender != identity.gender)
    faults = () if sound and not mismatch else _faults(identity, name, gender, phone, unit_fault, mismatch)
    plain = not (
        identity.normalized or name.normalized or phone.normalized or gender.normalized or identity.region_unknown
    )
    notes = () if plain else _notes(identity, name, gender, phone)
    return ReadRow(
        sheet_row,
        int(seq) if isinstance(seq, float) and seq.is_integer() and abs(seq) < 1e9 else _seq(text_of(seq)),
        identity.number and identity_key(identity.number, ID_TYPES[identity.document]),
        name.name,
        None if faults else _person(identity, name, gender, phone),
        unit,
        faults,
        notes,
        above,
    )


def _person(identity: ReadIdentity, name: Name, gender: Gender, phone: Phone) -> Person:
    return Person(identity.number, name.name, sex_of(gender.gender), phone.number, ID_TYPES[identity.document])


def _faults(
    identity: ReadIdentity, name: Name, gender: Gender, phone: Phone, unit_fault: RowFault | None, mismatch: bool
) -> tuple[RowFault, ...]:
    """All faults, in the order of RowFault."""
    faults = list(identity.faults)
    if mismatch:
        faults.append(RowFault.GENDER_MISMATCH)
    faults += [fault for fault in (gender.fault, name.fault, phone.fault, unit_fault) if fault]
    return tuple(faults)


def _notes(identity: ReadIdentity, name: Name, gender: Gender, phone: Phone) -> tuple[RowNote, ...]:
    """All notes, in the order of RowNote."""
    checks = (
        (identity.normalized, RowNote.ID_NORMALIZED),
        (name.normalized, RowNote.NAME_NORMALIZED),
        (phone.normalized, RowNote.PHONE_NORMALIZED),
        (gender.normalized, RowNote.GENDER_NORMALIZED),
        (identity.region_unknown, RowNote.REGION_UNKNOWN),
    )
    return tuple(note for present, note in checks if present)


def _seq(text: str) -> int | str | None:
    """The row's number in the form: 3, 3.0, 003 and 3、 are 3; other text is unchanged, an empty cell is None, and
    so is one with a person's number."""
    squeezed = squeeze(text)
    if whole := _WHOLE(squeezed):
        return int(whole[1])
    return None if sum(map(str.isdigit, squeezed)) >= _PERSONAL else trim(text) or None
