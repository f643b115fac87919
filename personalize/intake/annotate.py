"""Writes the checked form back as xlsx, with the reasons beside each row, for the unit to correct and resubmit.

A workbook keeps its cells and formats as far as openpyxl does; an xls or csv becomes a new workbook with text cells
only, so that no spreadsheet turns an ID number into a float again. Formulas are replaced by the values that were
checked, because the form comes from outside and is opened by a clerk.
"""

from __future__ import annotations

import io
import os
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, MergedCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from personalize.errors import DamagedFile, ReportNotWritten
from personalize.intake.codes import RowFault, RowNote, RowState, explain
from personalize.intake.files import Content, Limits, load
from personalize.intake.sheets import Book, Range, Sheet, read_book
from personalize.intake.text import text_of
from personalize.intake.values import Rejected, RosterReport, Row, RowOnRecord, Table

RESULT, REASON, SUMMARY = "审核结果", "审核说明", "审核汇总"
_ONLY_SHEET = "名单"
_UNCHANGED = "未变"
_REJECTED = PatternFill("solid", start_color="FFFFC7CE")
_NOTED = PatternFill("solid", start_color="FFFFF2CC")
_MOST_MERGED = 1_000_000
_AS_TEXT = "@"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
# What openpyxl raises for workbooks of other programs that calamine reads; it has no exception of its own.
_UNREADABLE = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    OSError,
    SyntaxError,  # XML ParseError is one
    InvalidFileException,
    zipfile.BadZipFile,
)


def annotate(report: RosterReport, out: Path | str, *, limits: Limits | None = None) -> None:
    """Write ``report`` beside the rows of its form to ``out`` (.xlsx), atomically and readable by its owner only.

    The form is read again. Raises ReportNotWritten, DamagedFile if the form has changed meanwhile, and what ``check``
    raises.
    """
    out, limits = Path(out), limits or Limits()
    if out.suffix.lower() != ".xlsx":
        raise ReportNotWritten(f"the annotated copy {out} must be named .xlsx", "批注后的文件名应以 .xlsx 结尾")
    if out.exists() and out.samefile(report.path):
        raise ReportNotWritten(f"{out} is the form itself: name another file", "不能覆盖原表，请换一个文件名")
    content = load(report.path, limits)
    if content.digest != report.digest:
        raise DamagedFile(
            f"{report.path.name} changed since it was checked: check it again", "文件已被改动，请重新检查"
        )
    book = read_book(report.path, content, limits)
    workbook = (_original(content, book) if content.kind == "xlsx" else None) or _fresh(book)
    rows = {(row.sheet, row.sheet_row): row for row in report.rows}
    for table in report.tables:
        _mark(workbook[table.sheet or _ONLY_SHEET], table, rows)
    _summarize(workbook, report)
    _save(workbook, out)


def _original(content: Content, book: Book) -> Any:
    """The form's own workbook, formulas replaced by their values; None where openpyxl cannot read it."""
    if sum(map(_area, (merged for sheet in (*book.visible, *book.hidden) for merged in sheet.merged))) > _MOST_MERGED:
        return None  # openpyxl would create an object for every cell in them
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # openpyxl warns about extensions that it drops
            workbook = load_workbook(io.BytesIO(content.data), keep_links=False)
    except _UNREADABLE:
        return None
    sheets = {sheet.name: sheet for sheet in (*book.visible, *book.hidden)}
    if any(sheet.name not in workbook.sheetnames for sheet in book.visible):
        return None
    for worksheet in workbook.worksheets:
        for row in worksheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    _write(cell, _value_at(sheets.get(worksheet.title), cell.row - 1, cell.column - 1))
    return workbook


def _area(merged: Range) -> int:
    (top, left), (bottom, right) = merged
    return (bottom - top + 1) * (right - left + 1)


def _value_at(sheet: Sheet | None, row: int, column: int) -> Any:
    if sheet is None:
        return ""
    row, column = row - sheet.first_row, column - sheet.first_column
    inside = 0 <= row < len(sheet.rows) and 0 <= column < len(sheet.rows[row])
    return sheet.rows[row][column] if inside else ""


def _fresh(book: Book) -> Any:
    """A new workbook with the values of the visible sheets, every cell as text, in the same places."""
    workbook = Workbook()
    workbook.remove(workbook.active)
    for sheet in book.visible:
        worksheet = workbook.create_sheet(sheet.name or _ONLY_SHEET)
        for index, row in enumerate(sheet.rows):
            for column, value in enumerate(row):
                if text := text_of(value):
                    cell = worksheet.cell(sheet.first_row + index + 1, sheet.first_column + column + 1)
                    _write(cell, text)
                    cell.number_format = _AS_TEXT
    return workbook


def _write(cell: Any, value: Any) -> None:
    """Write a value; text is never written as a formula."""
    cell.value = ILLEGAL_CHARACTERS_RE.sub("", value) if isinstance(value, str) else value
    if isinstance(value, str) and value:
        cell.data_type = "s"
        cell.quotePrefix = value.startswith(_FORMULA_STARTS)


def _mark(worksheet: Any, table: Table, rows: Mapping[tuple[str, int], Row]) -> None:
    """Fill two columns to the right of the table, or those of an earlier annotation."""
    header = [worksheet.cell(table.header_row, column).value for column in range(1, table.last_column + 1)]
    column = header.index(RESULT) + 1 if RESULT in header else table.last_column + 1
    for offset, title in enumerate((RESULT, REASON)):
        cell = worksheet.cell(table.header_row, column + offset, title)
        cell.font = Font(bold=True)
    worksheet.column_dimensions[get_column_letter(column)].width = 12
    worksheet.column_dimensions[get_column_letter(column + 1)].width = 60
    for (sheet, sheet_row), row in rows.items():
        if sheet == table.sheet:
            _mark_row(worksheet, sheet_row, column, row)


def _result(row: Row) -> str:
    if isinstance(row, RowOnRecord):
        return "变更" if row.is_change else _UNCHANGED
    return "退回" if isinstance(row, Rejected) else "通过"


def _mark_row(worksheet: Any, sheet_row: int, column: int, row: Row) -> None:
    rejected = isinstance(row, Rejected)
    result = _result(row)
    fill = _REJECTED if rejected else _NOTED if row.codes and result != _UNCHANGED else None
    worksheet.cell(sheet_row, column).value = result
    reason = worksheet.cell(sheet_row, column + 1)
    reason.value = row.sentence("zh") or None
    reason.alignment = Alignment(wrap_text=True, vertical="top")
    if fill is not None:
        first = 1 if rejected else column
        for place in range(first, column + 2):
            cell = worksheet.cell(sheet_row, place)
            if not isinstance(cell, MergedCell):
                cell.fill = fill


def _summarize(workbook: Any, report: RosterReport) -> None:
    """Add a last sheet: rows accepted, and how often each reason occurs."""
    if SUMMARY in workbook.sheetnames:
        workbook.remove(workbook[SUMMARY])
    sheet = workbook.create_sheet(SUMMARY)
    lines: list[tuple[Any, ...]] = [
        ("单位", report.unit or ""),
        ("原文件", report.path.name),
        ("通过", len(report.accepted)),
        ("退回", len(report.rejected)),
        *([("未变", len(report.unchanged)), ("变更", len(report.changes))] if report.known else []),
        (),
        ("代码", "说明", "人数"),
    ]
    counts = report.counts
    lines += [(str(code), explain(code), counts[code]) for code in (*RowFault, *RowNote, *RowState) if counts[code]]
    lines += [(), *(("提示", chinese) for chinese, _ in report.warnings)] if report.warnings else []
    for row, line in enumerate(lines, start=1):
        for column, value in enumerate(line, start=1):
            _write(sheet.cell(row, column), value)
    sheet.column_dimensions["A"].width = 22
    sheet.column_dimensions["B"].width = 70


def _save(workbook: Any, out: Path) -> None:
    whole = io.BytesIO()  # a zip archive that breaks off on a full disk would complain once more when it is collected
    workbook.save(whole)
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=out.parent, prefix=".roster-", suffix=".xlsx", delete=False) as handle:
            temporary = handle.name
            handle.write(whole.getbuffer())
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, out)
        temporary = ""
    except OSError as e:
        raise ReportNotWritten(
            f"cannot write {out}: {e.strerror or e}", "批注文件无法写入，请检查目录权限和磁盘空间"
        ) from e
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
