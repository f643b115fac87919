"""Translates the tables of a declared form into the columns of the intake, before their rows are read."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date

from personalize.forms.declaration import Column, RosterForm, load_form
from personalize.intake.check import Translate
from personalize.intake.codes import RowFault, in_order
from personalize.intake.documents import SHOW_SEX
from personalize.intake.files.sheets import Sheet
from personalize.intake.header import FIELDS, NEEDED, TITLES
from personalize.intake.identity import Identities, gender_shown
from personalize.intake.text import Cell, day_in, is_blank, squeeze, text_of
from registry.unit_names import BETWEEN

Faults = dict[tuple[str, int], tuple[RowFault, ...]]
"""Faults by sheet name and sheet row."""
# The first day of a validity, as ID cards have it: 2010.01.31-2030.01.31, 2010.01.31-长期.
_FROM = re.compile(r"^[0-9]{4}(?:[-/.年][0-9]{1,2}[-/.月][0-9]{1,2}日?|[0-9]{4})[-–—~至到]+")
_REMARK = re.compile(r"[(（\[【].*?[)）\]】]|[*★:：]")


def translator(form: str | None) -> Translate | None:
    """What ``check`` takes for a declared form: a shipped one by its name, or a file; None for none. Raises
    ProfileError."""
    if form is None:
        return None
    declared = load_form(form)
    return lambda sheet, today: translate(sheet, declared, today)


def translate(sheet: Sheet, form: RosterForm, today: date) -> Faults:
    """Rename titles, translate codes and join levels in a sheet; the faults of its columns that are only checked.

    A sheet without the form's titles is left as it is.
    """
    headers, places = _headers(sheet, form)
    if not headers:
        return {}
    faults: Faults = {}
    for index in headers:
        for field, title in TITLES.items():
            if places.get(field) and not form.columns[field].levels:
                sheet.rows[index][places[field][0]] = title
    for index in range(min(headers) + 1, len(sheet.rows)):
        row = sheet.rows[index]
        wrong = {
            fault for name, column in form.columns.items() for fault in _cell(row, name, column, places[name], today)
        }
        if wrong:
            faults[sheet.name, sheet.sheet_row(index)] = in_order(wrong)
    if "unit" in form.columns and form.columns["unit"].levels:
        _join_levels(sheet, headers, places["unit"])
    if form.gender_from_id and "gender" not in form.columns:
        _add_gender(sheet, headers, places, Identities(today))
    return faults


def _headers(sheet: Sheet, form: RosterForm) -> tuple[set[int], dict[str, list[int]]]:
    """The rows with the titles of the ID number and the name, in the same columns if a form has them on each page, and
    the columns of each declared title."""
    headers: set[int] = set()
    columns: dict[str, list[int]] = {}
    declared = {name: [_plain(title) for title in column.titles] for name, column in form.columns.items()}
    for index, row in enumerate(sheet.rows):
        if headers and _plain(row[columns["id_number"][0]]) not in declared["id_number"]:
            continue
        titles = [_plain(cell) for cell in row]
        places = {name: [titles.index(title) for title in own if title in titles] for name, own in declared.items()}
        if all(places[field] for field in NEEDED) and places == (columns or places):
            headers.add(index)
            columns = places
    return headers, columns


def _plain(cell: Cell) -> str:
    return _REMARK.sub("", squeeze(text_of(cell))).lower()


def _cell(row: list[Cell], name: str, column: Column, at: Sequence[int], today: date) -> list[RowFault]:
    """Translate a cell, and its faults where the intake does not judge it."""
    if not at:
        return []
    text = squeeze(text_of(row[at[0]]))
    own = name in FIELDS
    if is_blank(text):
        return (
            [RowFault.FORM_VALUE] if column.required and not own and any(text_of(cell).strip() for cell in row) else []
        )
    if column.codes:
        value = column.codes.get(text) or column.codes.get(
            re.split(r"[-.、:：]", text.removesuffix(".0"))[0].lstrip("0")
        )
        if value is None and text not in column.codes.values():
            return [] if own else [RowFault.FORM_VALUE]
        if value is not None and own:
            row[at[0]] = value
    if column.valid_until and (end := _FROM.sub("", text)) not in column.long_term:
        until = day_in(end)
        if until is None:
            return [RowFault.FORM_VALUE]
        return [RowFault.ID_EXPIRED] if until < today else []
    return []


def _join_levels(sheet: Sheet, headers: Collection[int], at: Sequence[int]) -> None:
    first = min(headers)
    for index, row in enumerate(sheet.rows):
        if index < first:
            value = ""
        elif index in headers:
            value = TITLES["unit"]
            for place in at:
                row[place] = ""
        else:
            value = BETWEEN.join(text for place in at if not is_blank(squeeze(text := text_of(row[place]).strip())))
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
