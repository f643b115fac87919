"""The members without a photo as a list for their units: a workbook with a sheet for each unit, or CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from personalize.cells import FORMULA_STARTS, write_cell
from personalize.face.photo_files import PhotoRow
from personalize.face.photos import PHOTO_FAULTS

_COLUMNS: Final = (
    ("单位 unit", 34),
    ("会员编号 member number", 18),
    ("姓名 name", 14),
    ("证件号 ID number", 22),
    ("原因 reason", 60),
)
_FORBIDDEN: Final = re.compile(r"[\[\]:*?/\\'\x00-\x1f]")
_LONGEST_TITLE: Final = 31


def photo_workbook(rows: Sequence[PhotoRow]) -> bytes:
    """The rows, by unit, as an xlsx file; names and ID numbers are masked."""
    book = Workbook()
    book.remove(book.active)
    for number, (unit, own) in enumerate(groupby(rows, key=lambda row: row.member.unit_name), start=1):
        sheet = book.create_sheet(f"{number} {_FORBIDDEN.sub('_', unit)}"[:_LONGEST_TITLE])
        for column, (title, width) in enumerate(_COLUMNS, start=1):
            sheet.column_dimensions[get_column_letter(column)].width = width
            write_cell(sheet.cell(1, column), title)
            sheet.cell(1, column).font = Font(bold=True)
        for line, row in enumerate(own, start=2):
            for column, value in enumerate(_cells(row), start=1):
                write_cell(sheet.cell(line, column), value)
        sheet.freeze_panes = "A2"
    if not book.worksheets:
        book.create_sheet("0")
    whole = io.BytesIO()
    book.save(whole)
    return whole.getvalue()


def photo_csv(rows: Sequence[PhotoRow]) -> bytes:
    """The rows as CSV with a byte order mark, as spreadsheets expect it."""
    whole = io.StringIO()
    writer = csv.writer(whole)
    writer.writerow(title for title, _ in _COLUMNS)
    writer.writerows([_plain(text) for text in _cells(row)] for row in rows)
    return whole.getvalue().encode("utf-8-sig")


def _cells(row: PhotoRow) -> Iterator[str]:
    person = row.member.person
    yield row.member.unit_name
    yield row.member.member_number
    yield person.name_masked
    yield person.id_masked
    yield "；".join(f"{PHOTO_FAULTS[fault][0]} {PHOTO_FAULTS[fault][1]}" for fault in row.faults)


def _plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
