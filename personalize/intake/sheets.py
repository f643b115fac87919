"""Reads a form into sheets: rows of cells, independent of the file format."""

from __future__ import annotations

import csv
import io
import marshal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from personalize.errors import DamagedFile, TooLarge
from personalize.intake.files import Content, Limits, damaged, encrypted
from personalize.intake.header import find_header
from personalize.intake.text import Cell

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

    def sheet_row(self, index: int) -> int:
        """The row's number as the spreadsheet shows it."""
        return self.first_row + index + 1


@dataclass(frozen=True, slots=True)
class Book:
    """A form's sheets: the visible ones in order, and the hidden ones."""

    visible: list[Sheet]
    hidden: list[Sheet]


def read_book(path: Path, content: Content, limits: Limits) -> Book:
    """All sheets of a form. ``path`` is for messages only. Raises EncryptedWorkbook, DamagedFile, TooLarge."""
    if content.kind == "text":
        return Book([Sheet("", _delimited(path, content.text, limits))], [])
    book = Book([], [])
    for name, visible, (first_row, first_column), merged, cells in _in_own_process(path, content.data, limits):
        sheet = Sheet(name, _padded(path, cells, limits), first_row, first_column, merged)
        (book.visible if visible else book.hidden).append(sheet)
    return book


def _in_own_process(path: Path, data: bytes, limits: Limits) -> list[Any]:
    """The sheets from ``workbook_reader``, in a process that may crash."""
    command = [sys.executable, "-I", str(Path(__file__).with_name("workbook_reader.py")), str(limits.cells)]
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


def _padded(path: Path, rows: list[list[Cell]], limits: Limits) -> list[list[Cell]]:
    if len(rows) > limits.rows and sum(map(any, rows)) > limits.rows:
        raise _too_many(path, len(rows))
    for row in rows:
        row.append("")
    return rows


def _too_many(path: Path, rows: int) -> TooLarge:
    return TooLarge(
        f"{path.name} has {rows} rows, more than a form may have: divide it", f"共 {rows} 行，超过上限，请分成几份"
    )


def _delimited(path: Path, text: str, limits: Limits) -> list[list[Cell]]:
    """Rows of delimited text. The delimiter is the one of comma, tab and semicolon that gives a header; else the most
    frequent."""
    head = text[:20_000]
    delimiters = sorted(",\t;，；", key=head.count, reverse=True)
    try:
        chosen = next((d for d in delimiters if find_header(_rectangle(list(_records(head, d))))), delimiters[0])
        records = list(_records(text, chosen))
    except csv.Error as e:
        raise DamagedFile(
            f"{path.name} is no proper csv ({e}): save it again as CSV UTF-8 or as .xlsx",
            "文件不是规范的 csv，请另存为“CSV UTF-8”或 .xlsx",
        ) from e
    if len(records) > limits.rows or len(records) * max(map(len, records), default=0) > limits.cells:
        raise _too_many(path, len(records))
    return _rectangle(records)


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _rectangle(records: list[list[str]]) -> list[list[Cell]]:
    width = max(map(len, records), default=0) + 1
    return [[*map(_unquoted, row), *[""] * (width - len(row))] for row in records]


def _unquoted(cell: str) -> str:
    """Remove the quoting ="1301…" of exports that make a spreadsheet keep the digits."""
    return cell[2:-1] if cell.startswith('="') and cell.endswith('"') and len(cell) > 2 else cell
