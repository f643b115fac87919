"""A program of its own: reads an xls from standard input and writes its sheets to standard output, as JSON.

The old binary format is a file system with chains of sectors and records, and a damaged one can make any reader of it
panic or ask for all memory. In a process of its own that is an exit code and nothing more. It imports nothing of this
project, so that it starts at once.

Output: ``{"fault": "password" | "large" | "", "rows": int, "sheets": [{"name", "visible", "start", "merged", "rows"}]}``.
"""

from __future__ import annotations

import io
import json
import sys

from python_calamine import CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum


def read(data: bytes, most_cells: int) -> dict[str, object]:
    """All worksheets of the workbook; dates as text, since no column of a form holds one."""
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    except PasswordError:
        return {"fault": "password"}
    sheets = []
    for meta in book.sheets_metadata:
        if meta.typ != SheetTypeEnum.WorkSheet:
            continue
        sheet = book.get_sheet_by_name(meta.name)
        if sheet.height * sheet.width > most_cells:
            return {"fault": "large", "rows": sheet.height}
        sheets.append(
            {
                "name": meta.name,
                "visible": meta.visible == SheetVisibleEnum.Visible,
                "start": sheet.start or (0, 0),
                "merged": sheet.merged_cell_ranges or (),
                "rows": sheet.to_python(),
            }
        )
    return {"fault": "", "sheets": sheets}


if __name__ == "__main__":
    json.dump(read(sys.stdin.buffer.read(), int(sys.argv[1])), sys.stdout, default=str)
