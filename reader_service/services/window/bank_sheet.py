"""The report of losses for the bank, as a workbook or as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import tzinfo
from typing import Final, Literal

from openpyxl import Workbook
from openpyxl.cell.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from personalize.cells import FORMULA_STARTS, write_cell
from registry.members.bank_reports import BankLine

HEADINGS: Final = ("挂失编号 loss", "事项 event", "时间 time", "银行账号 account", "姓名 name")
_EVENTS: Final = {False: "挂失 lost", True: "解挂 found"}
_DIGITS: Final = 11
"""Digits of a number that a spreadsheet program shows as it stands."""
_BOM: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""By which a spreadsheet program knows UTF-8."""


def written(lines: Sequence[BankLine], zone: tzinfo, kind: Literal["xlsx", "csv"]) -> bytes:
    """Headings in both languages; times in ``zone``; account numbers as text, so that none loses digits: in CSV with a
    tabulator in front, without which a spreadsheet program makes a number of 15 digits of it."""
    rows = [_row(line, zone) for line in lines]
    return _csv(rows) if kind == "csv" else _workbook(rows)


def _row(line: BankLine, zone: tzinfo) -> tuple[str, ...]:
    at = line.at.astimezone(zone)
    return str(line.loss), _EVENTS[line.unlisted], f"{at:%Y-%m-%d %H:%M:%S}", line.account, line.name_masked


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    whole = io.StringIO()
    csv.writer(whole).writerows((HEADINGS, *([_text(value) for value in row] for row in rows)))
    return (_BOM + whole.getvalue()).encode()


def _text(value: str) -> str:
    """A value that a spreadsheet program takes as it stands: no long number, and no formula."""
    return f"\t{value}" if (value.isdigit() and len(value) > _DIGITS) or value.startswith(FORMULA_STARTS) else value


def _workbook(rows: Sequence[Sequence[str]]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("挂失 losses")
    sheet.freeze_panes = "A2"
    for column in range(1, len(HEADINGS) + 1):
        sheet.column_dimensions[get_column_letter(column)].width = 24
    for place, row in enumerate((HEADINGS, *rows)):
        cells = []
        for value in row:
            cell = WriteOnlyCell(sheet)
            write_cell(cell, value)
            cell.font = Font(bold=place == 0)
            cells.append(cell)
        sheet.append(cells)
    whole = io.BytesIO()
    book.save(whole)
    return whole.getvalue()
