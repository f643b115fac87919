"""Translates the tables of a declared form into the columns of the intake, before their rows are read."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from personalize.forms.declaration import Column, RosterForm, load_form, plain_title
from personalize.intake.check import Translate
from personalize.intake.codes import RowFault, in_order
from personalize.intake.documents import SHOW_SEX
from personalize.intake.files.sheets import Sheet
from personalize.intake.header import FIELDS, NEEDED, TITLES, find_header, header_at
from personalize.intake.identity import Identities, gender_shown
from personalize.intake.text import Cell, day_in, is_blank, is_ditto, squeeze, text_of
from personalize.intake.units import unit_name
from registry.unit_names import BETWEEN

Faults = dict[tuple[str, int], tuple[RowFault, ...]]
"""Faults by sheet name and sheet row."""
# The first day of a validity, as ID cards have it: 2010.01.31-2030.01.31, 2010.01.31-长期.
_FROM = re.compile(r"^[0-9]{4}(?:[-/.年][0-9]{1,2}[-/.月][0-9]{1,2}日?|[0-9]{4})[-–—~至到]+")
# A code with its meaning: 20-大学本科, 1、男, 20 大学本科.
_CODE = re.compile(r"0*([0-9]+)(?:\.0+$)?([-.、:：)）]?)(.*)").fullmatch
_SERIAL = re.compile(r"[3-7][0-9]{4}(?:\.0+)?").fullmatch
"""A day as a spreadsheet counts it, from 1982 to 2118."""
_DAY_ZERO: Final = date(1899, 12, 30)


@dataclass(frozen=True, slots=True)
class _Table:
    """Places of a declared form's table: indices of its header rows, columns of each declared name, and the fields
    whose titles are declared, not only known to the intake."""

    headers: frozenset[int]
    columns: Mapping[str, list[int]]
    declared: frozenset[str]


def translator(form: str | None) -> Translate | None:
    """What ``check`` takes for a declared form: a shipped one by its name, or a file; None for none. Raises
    ProfileError."""
    if form is None:
        return None
    declared = load_form(form)
    return lambda sheet, today: translate(sheet, declared, today)


def translate(sheet: Sheet, form: RosterForm, today: date) -> Faults:
    """Rename titles, translate codes and join levels in a sheet; the faults of its columns that are only checked.

    A sheet without a header is left as it is. Where a title of ours is not declared, the intake's spellings count.
    """
    table = _table(sheet, form)
    if table is None:
        return {}
    faults: Faults = {}
    for index in table.headers:
        for field, title in TITLES.items():
            if field in table.declared and not form.columns[field].levels:
                sheet.rows[index][table.columns[field][0]] = title
    for index in range(min(table.headers) + 1, len(sheet.rows)):
        row = sheet.rows[index]
        wrong = {
            fault
            for name, column in form.columns.items()
            for fault in _cell(row, name, column, table.columns[name], today)
        }
        if wrong:
            faults[sheet.name, sheet.sheet_row(index)] = in_order(wrong)
    if "unit" in form.columns and form.columns["unit"].levels and table.columns["unit"]:
        _join_levels(sheet, table.headers, table.columns["unit"])
    if form.gender_from_id and "gender" not in form.columns:
        _add_gender(sheet, table.headers, table.columns, Identities(today))
    return faults


def _table(sheet: Sheet, form: RosterForm) -> _Table | None:
    """The rows with the declared titles of the ID number and the name, in the same columns if a form has them on each
    page; else the header that the intake finds. None for a sheet without either."""
    headers: set[int] = set()
    titled: dict[str, list[int]] = {}
    for index, row in enumerate(sheet.rows):
        if headers and not _has_title(row[titled["id_number"][0]], form.columns["id_number"]):
            continue
        places = _places([row], form)
        if all(places[field] for field in NEEDED) and places == (titled or places):
            headers.add(index)
            titled = places
    header = header_at(sheet.rows, min(headers)) if headers else find_header(sheet.rows)
    if header is None:
        return _Table(frozenset(headers), titled, frozenset(titled)) if headers else None
    declared = frozenset(name for name, at in titled.items() if at)
    columns = titled or _places(sheet.rows[header.row : header.last + 1], form)
    for field, column in zip(FIELDS, header.columns, strict=True):
        if column >= 0 and columns.get(field) == []:
            columns[field] = [column]
    return _Table(frozenset(headers or {header.last}), columns, declared)


def _places(rows: Sequence[list[Cell]], form: RosterForm) -> dict[str, list[int]]:
    """The columns of each declared title in the rows of a header."""
    titles = [[plain_title(text_of(cell)) for cell in row] for row in rows]
    return {
        name: [row.index(title) for title in map(plain_title, column.titles) for row in titles if title in row]
        for name, column in form.columns.items()
    }


def _has_title(cell: Cell, column: Column) -> bool:
    return plain_title(text_of(cell)) in map(plain_title, column.titles)


def _cell(row: list[Cell], name: str, column: Column, at: Sequence[int], today: date) -> list[RowFault]:
    """Translate a cell, and its faults where the intake does not judge it. A required column that the table lacks is
    empty in each row."""
    own = name in FIELDS
    text = squeeze(text_of(row[at[0]])) if at else ""
    if is_blank(text):
        required = column.required and not own
        return [RowFault.FORM_VALUE] if required and any(text_of(cell).strip() for cell in row) else []
    if column.codes:
        value = _meaning(text, column.codes)
        if value is None:
            return [] if own else [RowFault.FORM_VALUE]
        if own:
            row[at[0]] = value
    if column.valid_until and (end := _FROM.sub("", text)) not in column.long_term:
        until = _DAY_ZERO + timedelta(int(end[:5])) if _SERIAL(end) else day_in(end)
        if until is None:
            return [RowFault.FORM_VALUE]
        return [RowFault.ID_EXPIRED] if until < today else []
    return []


def _meaning(text: str, codes: Mapping[str, str]) -> str | None:
    """What a code means that may have its meaning beside it, or a meaning without its code; None for others, and for a
    code beside the meaning of another one."""
    if text in codes or text in codes.values():
        return codes.get(text, text)
    match = _CODE(text)
    if match is None:
        return codes.get(re.split(r"[-.、:：]", text)[0])
    value, beside = codes.get(match[1]), match[3]
    if beside and value != beside and (not match[2] or beside in codes.values()):
        return None
    return value


def _join_levels(sheet: Sheet, headers: Collection[int], at: Sequence[int]) -> None:
    """One column of the unit's whole name, in place of those of its levels. A level in cells merged down the page is
    that of each row, and 同上 is the level above."""
    first = min(headers)
    for place in at:
        sheet.fill_down(place)
    above = [""] * len(at)
    for index, row in enumerate(sheet.rows):
        value = ""
        if index in headers:
            value = TITLES["unit"]
            for place in at:
                row[place] = ""
        elif index > first and any(row[place] != "" for place in at):
            above = [
                level if is_ditto(squeeze(text_of(row[place]))) else unit_name(row[place])
                for level, place in zip(above, at, strict=True)
            ]
            value = BETWEEN.join(filter(None, above))
        row.insert(len(row) - 1, value)


def _add_gender(
    sheet: Sheet, headers: Collection[int], places: Mapping[str, list[int]], identities: Identities
) -> None:
    """A column of the sex as each number shows it, a wrong number too, which is rejected by itself."""
    number, document = places["id_number"][0], (places.get("document") or [-1])[0]
    first = min(headers)
    for index, row in enumerate(sheet.rows):
        gender = TITLES["gender"] if index in headers else ""
        if index > first and not gender:
            identity = identities.read(row[number], row[document])
            gender = gender_shown(identity.number) if identity.number and identity.document in SHOW_SEX else ""
        row.insert(len(row) - 1, gender)
