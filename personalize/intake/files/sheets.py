"""Reads a form into sheets: rows of cells, independent of the file format."""

from __future__ import annotations

import marshal
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

from personalize.errors import DamagedFile, TooLarge
from personalize.intake.files.content import Content, Limits, damaged, encrypted
from personalize.intake.files.delimited import delimiter_of, records
from personalize.intake.header import find_header
from personalize.intake.text import Cell, looks_like_id, text_of

_TIMEOUT = 60  # seconds; the largest form takes a few

Range: TypeAlias = tuple[tuple[int, int], tuple[int, int]]


@dataclass(slots=True)
class Sheet:
    """One sheet's filled rectangle. Every row has the same number of cells plus one empty cell at its end, which
    stands for a column that the form does not have (index -1).

    ``first_row`` and ``first_column`` are the position of rows[0][0], counted from 0; ``merged`` are ranges of the
    sheet (row, column), both ends included.
    """

    name: str
    rows: list[list[Cell]]
    first_row: int = 0
    first_column: int = 0
    merged: list[Range] = field(default_factory=list)
    hidden_numbers: int = 0
    """ID numbers under merged cells, which no spreadsheet shows and nobody reads."""
    fields: list[tuple[int, int]] = field(default_factory=list)
    """Of a delimited text, for each row the number of its fields, and of those up to the last filled one; empty for a
    workbook."""

    def sheet_row(self, index: int) -> int:
        """The row's number as the spreadsheet shows it."""
        return self.first_row + index + 1

    def widen(self, columns: range) -> None:
        """Add empty columns, so that the sheet has at least these, counted from 0 as ``first_column``."""
        left = max(self.first_column - columns.start, 0)
        right = max(columns.stop - self.first_column - len(self.rows[0]) + 1, 0)
        for row in self.rows if left or right else ():
            row[:0], row[-1:-1] = [""] * left, [""] * right
        self.first_column -= left

    def fill_down(self, column: int) -> None:
        """Copy what stands in vertically merged cells of a column (an index of its rows) to each of their rows."""
        for (top, left), (bottom, right) in self.merged:
            first, last = top - self.first_row, bottom - self.first_row
            inside = 0 <= first < min(last, len(self.rows)) and left >= self.first_column
            if inside and left <= self.first_column + column <= right:
                shown = self.rows[first][left - self.first_column]
                for row in self.rows[first + 1 : last + 1]:
                    row[column] = row[column] or shown


@dataclass(frozen=True, slots=True)
class Book:
    """A form's sheets: the visible ones in order, and the hidden ones."""

    visible: list[Sheet]
    hidden: list[Sheet]


def read_book(path: Path, content: Content, limits: Limits) -> Book:
    """All sheets of a form. ``path`` is for messages only. Raises EncryptedWorkbook, DamagedFile, TooLarge."""
    if content.kind == "text":
        rows, fields = _delimited(path, content.text, limits)
        return Book([Sheet("", rows, fields=fields)], [])
    book = Book([], [])
    for name, visible, (first_row, first_column), merged, cells in _in_own_process(path, content.data, limits):
        sheet = Sheet(name, _padded(path, cells, limits), first_row, first_column, merged)
        sheet.hidden_numbers = _clear_hidden(path, sheet, limits)
        (book.visible if visible else book.hidden).append(sheet)
    return book


def _in_own_process(path: Path, data: bytes, limits: Limits) -> list[Any]:
    """The sheets from ``workbook_reader``, in a process that may crash."""
    reader = Path(__file__).with_name("workbook_reader.py")
    command = [sys.executable, "-I", "-S", str(reader), str(limits.cells), _library()]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_TIMEOUT, check=True)  # noqa: S603
    except subprocess.SubprocessError as e:
        raise damaged(path) from e
    fault, rows, sheets = marshal.loads(done.stdout)  # noqa: S302 - our own child wrote it
    if fault == "password":
        raise encrypted(path)
    if fault == "large":
        raise _too_many(path, rows)
    return list(sheets)


@cache
def _library() -> str:
    """The folder in which python_calamine is installed. A process without ``site`` starts in a third of the time."""
    package = find_spec("python_calamine")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("python_calamine is not installed")
    return str(Path(package.origin).parents[1])


def _padded(path: Path, rows: list[list[Cell]], limits: Limits) -> list[list[Cell]]:
    if len(rows) > limits.rows and sum(map(any, rows)) > limits.rows:
        raise _too_many(path, len(rows))
    for row in rows:
        row.append("")
    return rows


def _clear_hidden(path: Path, sheet: Sheet, limits: Limits) -> int:
    """Empty the cells that merged ones cover, as a spreadsheet shows them; returns how many held an ID number."""
    hidden = area = 0
    for (top, left), (bottom, right) in sheet.merged:
        rows = range(max(top - sheet.first_row, 0), min(bottom - sheet.first_row + 1, len(sheet.rows)))
        columns = range(max(left - sheet.first_column, 0), right - sheet.first_column + 1)
        for index in rows:
            row = sheet.rows[index]
            for column in columns[: max(len(row) - columns.start, 0)]:
                if row[column] != "" and (index + sheet.first_row, column + sheet.first_column) != (top, left):
                    hidden += looks_like_id(text_of(row[column]))
                    row[column] = ""
        area += len(rows) * len(columns[: len(sheet.rows[0]) if sheet.rows else 0])
        if area > limits.cells:
            raise damaged(path)
    return hidden


def _too_many(path: Path, rows: int) -> TooLarge:
    return TooLarge(
        f"{path.name} has {rows} rows, more than a form may have: divide it", f"共 {rows} 行，超过上限，请分成几份"
    )


def _delimited(path: Path, text: str, limits: Limits) -> tuple[list[list[Cell]], list[tuple[int, int]]]:
    """Rows of delimited text and the sizes of their records, by the delimiter that gives a header, else by the most
    frequent."""
    try:
        chosen = delimiter_of(text, lambda rows: find_header(_rectangle(rows)) is not None)
        rows = records(text, chosen)
    except OverflowError as e:
        raise DamagedFile(
            f"{path.name} is no proper csv ({e}): save it again as CSV UTF-8 or as .xlsx",
            "文件不是规范的 csv，请另存为“CSV UTF-8”或 .xlsx",
        ) from e
    if len(rows) > limits.rows or len(rows) * max(map(len, rows), default=0) > limits.cells:
        raise _too_many(path, len(rows))
    return _rectangle(rows), [(len(row), _filled(row)) for row in rows]


def _filled(record: list[str]) -> int:
    size = len(record)
    while size and not record[size - 1].strip():
        size -= 1
    return size


def _rectangle(records: list[list[str]]) -> list[list[Cell]]:
    width = max(map(len, records), default=0) + 1
    return [[*map(_unquoted, row), *[""] * (width - len(row))] for row in records]


def _unquoted(cell: str) -> str:
    """Remove the quoting ="1301…" of exports that make a spreadsheet keep the digits."""
    return cell[2:-1] if cell.startswith('="') and cell.endswith('"') and len(cell) > 2 else cell
