"""A separate program: reads a workbook (xlsx, xls) from standard input and writes its sheets to standard output.

A form comes from outside. A damaged or hostile workbook can crash the reader's native code or exhaust memory, which
ends the process. In a separate process with limited memory that is only an exit code. The program imports nothing of
this project, and of installed packages only the reader's, so that it starts quickly.

Arguments: the most cells that a sheet may have, and the folder in which python_calamine is installed.

The output is ``marshal``, read by the parent only: (fault, rows, sheets), where fault is "", "password" or "large" and
a sheet is (name, visible, (first row, first column), merged ranges, rows).
"""

from __future__ import annotations

import io
import marshal
import resource
import sys
from typing import Any

MEMORY = 3 << 30


def read(data: bytes, most_cells: int) -> tuple[str, int, list[Any]]:
    """All worksheets of the workbook. Cells are text, numbers and booleans; a date is text, since no column of a form
    holds one."""
    from python_calamine import CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = []
        for meta in book.sheets_metadata:
            if meta.typ != SheetTypeEnum.WorkSheet:
                continue
            sheet = book.get_sheet_by_name(meta.name)
            if sheet.height * sheet.width > most_cells:
                return "large", sheet.height, []
            visible = meta.visible == SheetVisibleEnum.Visible
            merged = list(sheet.merged_cell_ranges or ())
            sheets.append((meta.name, visible, sheet.start or (0, 0), merged, sheet.to_python()))
    except PasswordError:
        return "password", 0, []
    return "", 0, sheets


def plain(rows: list[list[Any]]) -> list[list[Any]]:
    """The same rows with dates and times as text."""
    return [[cell if isinstance(cell, (str, int, float)) else str(cell) for cell in row] for row in rows]


def packed(result: tuple[str, int, list[Any]]) -> bytes:
    """The result as bytes. Only the few forms with dates need conversion."""
    try:
        return marshal.dumps(result)
    except ValueError:
        return marshal.dumps((*result[:2], [(*sheet[:4], plain(sheet[4])) for sheet in result[2]]))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.path.append(sys.argv[2])
    sys.stdout.buffer.write(packed(read(sys.stdin.buffer.read(), int(sys.argv[1]))))
