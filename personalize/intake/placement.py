"""People who stand where no header reaches: on sheets without one, beside the table, above it. None is left out in
silence: they are judged with the columns of the sheet before, or the form is refused with a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from personalize.errors import AmbiguousTable, HeaderNotFound
from personalize.intake.files.sheets import Book, Sheet
from personalize.intake.genders import read_gender
from personalize.intake.header import (
    FIELDS,
    NEEDED,
    TITLES,
    HeaderRow,
    field_of,
    find_header,
    missing_titles,
    nearest,
)
from personalize.intake.non_data_rows import is_sample
from personalize.intake.phones import read_phone
from personalize.intake.text import Cell, is_blank, looks_like_id, masked_numbers, squeeze, text_of

_ID, _NAME = FIELDS.index("id_number"), FIELDS.index("name")
_GENDERS = frozenset("男女")
_MOST_CELLS = 8_000_000
"""Cells of a sheet that is widened to the columns of the sheet before."""


def has_people(sheet: Sheet) -> bool:
    """Whether a row holds an ID number, or a gender with a mobile number."""
    return any(_is_of_a_person(row) for row in sheet.rows)


def _has_id(row: list[Cell]) -> bool:
    return any(cell != "" and looks_like_id(text_of(cell)) for cell in row)


def _is_of_a_person(row: list[Cell]) -> bool:
    return _has_id(row) or (any(map(_names_gender, row)) and has_mobile(row))


def _names_gender(cell: Cell) -> bool:
    return isinstance(cell, str) and cell != "" and not cell.isdigit() and read_gender(cell).fault is None


def has_mobile(row: list[Cell]) -> bool:
    """Whether a cell of the row is a mobile number."""
    return any(cell != "" and read_phone(cell).fault is None for cell in row)


def continued(sheet: Sheet, before: Sheet, header: HeaderRow) -> HeaderRow | None:
    """The columns of the sheet before, for one that goes on without a header; None if its numbers stand elsewhere.

    A sheet that is narrower is widened: its cells in those columns are empty, as they would be under the header.
    """
    at = [before.first_column + column for column in header.columns if column >= 0]
    wanted = range(min([*at, sheet.first_column]), max([*at, sheet.first_column + len(sheet.rows[0]) - 2]) + 1)
    if len(wanted) * len(sheet.rows) > _MOST_CELLS:
        return None
    sheet.widen(wanted)
    shift = before.first_column - sheet.first_column

    def moved(column: int) -> int:
        return column + shift if 0 <= column + shift < len(wanted) else -1

    columns = tuple(column + shift if column >= 0 else -1 for column in header.columns)
    with_id = [row for row in sheet.rows if _has_id(row)]
    names = [squeeze(text_of(row[columns[_NAME]])) for row in with_id]
    fitting = sum(
        looks_like_id(text_of(row[columns[_ID]])) and name not in _GENDERS and not name.isdigit()
        for row, name in zip(with_id, names, strict=True)
    )
    if 2 * fitting < len(with_id):
        return None
    strays = tuple(column for column in map(moved, header.strays) if column >= 0)
    return replace(header, row=-1, last=-1, columns=columns, strays=strays, twice=False)


def refuse_people_outside(path: Path, sheet: Sheet, headers: Sequence[HeaderRow]) -> None:
    """Raises AmbiguousTable for people above the first header, and for ID numbers beside the table of each."""
    for row in sheet.rows[: max(headers[0].row, 0)]:
        if _is_of_a_person(row) and not any(map(is_sample, row)) and not has_labels(row):
            raise AmbiguousTable(
                f"{path.name}: people stand above the header row{_place(sheet)[1]}: move them below it",
                f"表头上方有人员信息{_place(sheet)[0]}，请移到表头下面",
            )
    ends = [header.row for header in headers[1:]] + [len(sheet.rows)]
    for header, end in zip(headers, ends, strict=True):
        for row in sheet.rows[header.last + 1 : end]:
            for column in header.strays:
                if row[column] != "" and _is_of_another(row[column], row[header.columns[_ID]], header.twice):
                    raise AmbiguousTable(
                        f"{path.name}: two tables stand side by side{_place(sheet)[1]}: put them below each other",
                        f"一张表中并排有两份名单{_place(sheet)[0]}，请上下排成一份",
                    )


def _is_of_another(cell: Cell, own: Cell, twice: bool) -> bool:
    """Whether a cell outside the table's columns belongs to another person than its row."""
    text = squeeze(text_of(cell))
    if looks_like_id(text):
        return text.upper() != squeeze(text_of(own)).upper()
    return twice and not text.isdigit() and not is_blank(text) and field_of(text) is None


def has_labels(row: list[Cell]) -> bool:
    """Whether the row is a line of labels and values (经办人：…, 身份证号 | 1301…), as stand above a table."""
    texts = [squeeze(cell) for cell in row if isinstance(cell, str) and cell]
    return any(":" in text or field_of(text) is not None for text in texts)


def no_header_on(path: Path, sheet: Sheet) -> HeaderNotFound:
    """The fault of a form with people on a sheet that has no header, and not the columns of the sheet before either."""
    name = masked_numbers(sheet.name)
    english = f"{path.name}: people stand on sheet {name!r}, which has no header row"
    if labels_one_person(sheet):
        return HeaderNotFound(
            f"{english} but the form of one person: copy the people into one table",
            f"工作表“{name}”是一人一张的表，没有表头，请把人员汇总到一份名单里",
        )
    return HeaderNotFound(
        f"{english}: give it the header of the other sheets",
        f"工作表“{name}”上有人员信息，但没有表头，请加上与其他工作表相同的表头",
    )


def no_header(path: Path, book: Book) -> HeaderNotFound:
    """The fault of a form without a header. It names the nearest candidate by column titles only, as cells may hold
    personal data."""
    sheets = [*book.visible, *book.hidden]
    if not any(cell != "" for sheet in sheets for row in sheet.rows for cell in row):
        return HeaderNotFound(
            f"{path.name} is an empty workbook: fill in the registration form", "工作簿是空的，请填写登记表"
        )
    if hidden := next((sheet for sheet in book.hidden if find_header(sheet.rows)), None):
        name = masked_numbers(hidden.name)
        return HeaderNotFound(
            f"{path.name}: only the hidden sheet {name!r} has a header row: unhide it",
            f"只有隐藏的工作表“{name}”有表头，请取消隐藏",
        )
    english = f"{path.name}: no header row found; it must name at least {' and '.join(TITLES[name] for name in NEEDED)}"
    chinese = f"没有找到表头，表头中至少应有“{missing_titles(NEEDED)}”"
    if any(labels_one_person(sheet) for sheet in book.visible):
        return HeaderNotFound(
            f"{english}; this is a form of one person: copy the people into one table",
            f"{chinese}；这是一人一张的表，请把人员汇总到一份名单里",
        )
    candidates = [nearest(sheet.name, sheet.sheet_row(0), sheet.rows) for sheet in book.visible]
    best = max(candidates, key=lambda candidate: len(candidate.fields), default=None)
    if best and best.fields:
        sheet_name = masked_numbers(best.sheet)
        place = f"row {best.sheet_row}" + (f" of sheet {sheet_name!r}" if best.sheet else "")
        english += f"; {place} comes nearest, with {missing_titles(best.fields)}"
        chinese += f"；最接近的是第{best.sheet_row}行，只有“{missing_titles(best.fields)}”"
    return HeaderNotFound(english, chinese)


def labels_one_person(sheet: Sheet) -> bool:
    """Whether an ID number stands right of its label, in the next filled cell."""
    for row in sheet.rows:
        filled = [cell for cell in row if cell != ""]
        for label, value in pairwise(filled):
            if (known := field_of(label)) and known[0] == "id_number" and looks_like_id(text_of(value)):
                return True
    return False


def _place(sheet: Sheet) -> tuple[str, str]:
    name = masked_numbers(sheet.name)
    return (f"（工作表“{name}”）", f" (sheet {name!r})") if name else ("", "")
