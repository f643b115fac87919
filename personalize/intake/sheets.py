"""Reads a form into sheets: plain rows of cells, whatever file they came from."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError
from python_calamine import SheetTypeEnum as SheetType
from python_calamine import SheetVisibleEnum as Visible

from personalize.errors import DamagedFile, TooLarge
from personalize.intake.files import Content, Limits, damaged, password_needed
from personalize.intake.header import find_header
from personalize.intake.text import Cell

_PATIENCE = 60  # seconds for an xls, which takes a few at most

Range: TypeAlias = tuple[tuple[int, int], tuple[int, int]]


@dataclass(slots=True)
class Sheet:
    """One sheet's filled rectangle. Every row has the same number of cells and one empty cell more at its end, which
    stands for a column that the form does not have (index -1).

    ``first_row`` and ``first_column`` say where rows[0][0] lies, counted from 0; ``merged`` are ranges (row, column) of
    the sheet, both ends included.
    """

    name: str
    rows: list[list[Cell]]
    first_row: int = 0
    first_column: int = 0
    merged: list[Range] = field(default_factory=list)

    def sheet_row(self, index: int) -> int:
        """The row's number as the spreadsheet shows it."""
        return self.first_row + index + 1


@dataclass(frozen=True, slots=True)
class Book:
    """A form's sheets: the visible ones in their order, and the hidden ones apart."""

    visible: list[Sheet]
    hidden: list[Sheet]


def read_book(path: Path, content: Content, limits: Limits) -> Book:
    """All sheets of a form. ``path`` is for messages only. Raises EncryptedWorkbook, DamagedFile, TooLarge."""
    if content.kind == "text":
        return Book([Sheet("", _delimited(path, content.text, limits))], [])
    if content.kind == "xls":
        return _legacy(path, content.data, limits)
    visible: list[Sheet] = []
    hidden: list[Sheet] = []
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content.data))
        for meta in book.sheets_metadata:
            if meta.typ == SheetType.WorkSheet:
                sheet = _sheet(path, book.get_sheet_by_name(meta.name), limits)
                (visible if meta.visible == Visible.Visible else hidden).append(sheet)
    except PasswordError as e:
        raise password_needed(path) from e
    except (CalamineError, OSError, ValueError) as e:
        raise damaged(path) from e
    return Book(visible, hidden)


def _sheet(path: Path, sheet: CalamineSheet, limits: Limits) -> Sheet:
    if sheet.height * sheet.width > limits.cells:
        raise _too_many(path, sheet.height)
    rows = _padded(path, sheet.to_python(), limits)
    first_row, first_column = sheet.start or (0, 0)
    return Sheet(sheet.name, rows, first_row, first_column, list(sheet.merged_cell_ranges or ()))


def _legacy(path: Path, data: bytes, limits: Limits) -> Book:
    """The sheets of an xls, which a process of its own reads."""
    command = [sys.executable, "-I", str(Path(__file__).with_name("legacy_xls.py")), str(limits.cells)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_PATIENCE, check=True)  # noqa: S603
        found = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError) as e:
        raise damaged(path) from e
    if found["fault"] == "password":
        raise password_needed(path)
    if found["fault"] == "large":
        raise _too_many(path, found["rows"])
    book = Book([], [])
    for sheet in found["sheets"]:
        rows = _padded(path, sheet["rows"], limits)
        merged = [((top, left), (bottom, right)) for (top, left), (bottom, right) in sheet["merged"]]
        (book.visible if sheet["visible"] else book.hidden).append(Sheet(sheet["name"], rows, *sheet["start"], merged))
    return book


def _padded(path: Path, rows: list[list[Cell]], limits: Limits) -> list[list[Cell]]:
    if len(rows) > limits.rows and sum(map(any, rows)) > limits.rows:
        raise _too_many(path, len(rows))
    for row in rows:
        row.append("")
    return rows


def _too_many(path: Path, rows: int) -> TooLarge:
    return TooLarge(
        f"{path.name} has {rows} rows, more than a form may have: divide it", f"有 {rows} 行，超过上限，请分成几份"
    )


def _delimited(path: Path, text: str, limits: Limits) -> list[list[Cell]]:
    """Rows of delimited text. The delimiter is the one of comma, tab and semicolon that shows a header; else the one
    that is found most often."""
    head = text[:20_000]
    delimiters = sorted(",\t;，；", key=head.count, reverse=True)
    try:
        chosen = next((d for d in delimiters if find_header(_rectangle(_records(head, d)))), delimiters[0])
        rows = _rectangle(_records(text, chosen))
    except csv.Error as e:
        raise DamagedFile(
            f"{path.name} is no proper csv ({e}): save it again as CSV UTF-8 or as .xlsx",
            "文件不是规范的 csv，请另存为“CSV UTF-8”或 .xlsx",
        ) from e
    if len(rows) > limits.rows:
        raise _too_many(path, len(rows))
    return rows


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _rectangle(records: Iterator[list[str]]) -> list[list[Cell]]:
    rows = list(records)
    width = max(map(len, rows), default=0) + 1
    return [[*map(_unquoted, row), *[""] * (width - len(row))] for row in rows]


def _unquoted(cell: str) -> str:
    """Some exports write ="1301…" so that a spreadsheet keeps the digits: that is a way of quoting."""
    return cell[2:-1] if cell.startswith('="') and cell.endswith('"') and len(cell) > 2 else cell
