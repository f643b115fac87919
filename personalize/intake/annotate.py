"""Writes the checked form back as xlsx, with the reasons beside each row, for the unit to correct and resubmit.

A workbook keeps its cells, and its formats as far as openpyxl does; an xls or csv becomes a new workbook of text cells,
so that no spreadsheet turns an ID number into a float again. Formulas are replaced by the values that were
checked, because the form comes from outside and is opened by a clerk.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.cell_range import CellRange

from personalize.cells import FORMULA_STARTS, write_cell
from personalize.errors import DamagedFile, ReportNotWritten
from personalize.intake.codes import RowFault, RowNote, RowState, explain
from personalize.intake.files.content import Content, Limits, load
from personalize.intake.files.sheets import Book, Sheet, read_book
from personalize.intake.files.workbook_copy import (
    UNREADABLE,
    Copy,
    Edit,
    copy_of,
    empty_cell,
    placed,
    text_cell,
    with_empty,
)
from personalize.intake.text import text_of
from personalize.intake.values import REASON, RESULT, Rejected, RosterReport, Row, RowOnRecord, Table

SUMMARY = "审核汇总"
_ONLY_SHEET = "名单"
_UNCHANGED = "未变"
_REJECTED = PatternFill("solid", start_color="FFFFC7CE")
_NOTED = PatternFill("solid", start_color="FFFFF2CC")
_MOST_FILLED = 64
"""Columns of a rejected row that are colored, empty ones as well."""


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
    copy = _copy(report.path, content, limits)
    rows: dict[str, dict[int, Row]] = {}
    for row in report.rows:
        rows.setdefault(row.sheet, {})[row.sheet_row] = row
    marker = _Marker(copy)
    edits = {}
    for table in report.tables:
        name = table.sheet or _ONLY_SHEET
        edits[name] = marker.edit(table, rows.get(table.sheet, {}))
        _widen(copy.workbook[name], table.result_column)
    _summarize(copy, report)
    _save(copy.bytes(edits), out)


def _copy(path: Path, content: Content, limits: Limits) -> Copy:
    """The form's own workbook with its formats; a new one where it is none, or openpyxl cannot read it."""
    if content.kind == "xlsx":
        try:
            return copy_of(content.data)
        except UNREADABLE:
            pass
    return _fresh(read_book(path, content, limits))


def _fresh(book: Book) -> Copy:
    """A new workbook with the values of the visible sheets, every cell as text, in the same places."""
    workbook = Workbook()
    workbook.remove(workbook.active)
    copy = Copy(workbook, {})
    for sheet in book.visible:
        worksheet = workbook.create_sheet(sheet.name or _ONLY_SHEET)
        for (top, left), (bottom, right) in sheet.merged:
            if (top, left) != (bottom, right):
                worksheet.merged_cells.add(
                    CellRange(min_row=top + 1, min_col=left + 1, max_row=bottom + 1, max_col=right + 1)
                )
    if not book.visible:
        workbook.create_sheet(_ONLY_SHEET)
    plain, quoted = copy.style(text=True), copy.style(text=True, quoted=True)
    copy.rows |= {sheet.name or _ONLY_SHEET: _rows_of(sheet, plain, quoted) for sheet in book.visible}
    return copy


def _rows_of(sheet: Sheet, plain: int, quoted: int) -> Callable[[Edit], Iterator[bytes]]:
    def rows(edit: Edit) -> Iterator[bytes]:
        for index, row in enumerate(sheet.rows):
            number = sheet.sheet_row(index)
            cells = b"".join(
                text_cell(
                    number, sheet.first_column + column, text, quoted if text.startswith(FORMULA_STARTS) else plain
                )
                for column, value in enumerate(row, start=1)
                if (text := text_of(value))
            )
            if edited := edit(number, cells):
                yield b'<row r="%d">%s</row>' % (number, edited)

    return rows


class _Marker:
    """Writes results into the rows of tables: two columns to the right, or those of an earlier annotation."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy
        self._title = copy.style(font=Font(bold=True))
        self._styles = {fill: (copy.style(fill=fill), copy.style(fill=fill, wrap=True)) for fill in (_REJECTED, _NOTED)}
        self._plain = (copy.style(), copy.style(wrap=True))
        self._red: dict[int, int] = {}
        self._reasons: dict[tuple[tuple[str, ...], str, str], str] = {}

    def edit(self, table: Table, rows: Mapping[int, Row]) -> Edit:
        column = table.result_column

        def edit(number: int, cells: bytes) -> bytes:
            if number == table.header_row:
                titles = {column: RESULT, column + 1: REASON}
                new = {place: text_cell(number, place, text, self._title) for place, text in titles.items()}
                return placed(cells, number, new, _as_it_is)
            row = rows.get(number)
            return cells if row is None else self._row(number, cells, column, row)

        return edit

    def _row(self, number: int, cells: bytes, column: int, row: Row) -> bytes:
        rejected = isinstance(row, Rejected)
        result = _result(row)
        fill = _REJECTED if rejected else _NOTED if row.codes and result != _UNCHANGED else None
        short, wrapped = self._plain if fill is None else self._styles[fill]
        new = {column: text_cell(number, column, result, short)}
        reason = self._reason(row)
        place = column + 1
        new[place] = text_cell(number, place, reason, wrapped) if reason else empty_cell(number, place, wrapped)
        if not rejected:
            return placed(cells, number, new, _as_it_is)
        edited = placed(cells, number, new, lambda at, style: self._as_rejected(style) if at < column else None)
        return with_empty(edited, number, range(1, min(column, _MOST_FILLED)), self._as_rejected(0))

    def _reason(self, row: Row) -> str:
        """The sentence of a row; most rows have the same few."""
        duplicate_of = row.duplicate_of if isinstance(row, Rejected) else ""
        batch = row.batch if isinstance(row, RowOnRecord) else ""
        key = (row.codes, duplicate_of, batch)
        if key not in self._reasons:
            self._reasons[key] = row.sentence("zh")
        return self._reasons[key]

    def _as_rejected(self, style: int) -> int:
        if style not in self._red:
            self._red[style] = self._copy.style(style, fill=_REJECTED)
        return self._red[style]


def _result(row: Row) -> str:
    if isinstance(row, RowOnRecord):
        return "变更" if row.is_change else _UNCHANGED
    return "退回" if isinstance(row, Rejected) else "通过"


def _as_it_is(column: int, style: int) -> None:
    return None


def _widen(worksheet: Any, column: int) -> None:
    worksheet.column_dimensions[get_column_letter(column)].width = 12
    worksheet.column_dimensions[get_column_letter(column + 1)].width = 60


def _summarize(copy: Copy, report: RosterReport) -> None:
    """Add a last sheet, in place of that of an earlier annotation: rows accepted, and how often each reason occurs."""
    workbook = copy.workbook
    if SUMMARY in workbook.sheetnames:
        workbook.remove(workbook[SUMMARY])
        copy.rows.pop(SUMMARY, None)
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
            write_cell(sheet.cell(row, column), value)
    sheet.column_dimensions["A"].width = 22
    sheet.column_dimensions["B"].width = 70


def _save(whole: bytes, out: Path) -> None:
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=out.parent, prefix=".roster-", suffix=".xlsx", delete=False) as handle:
            temporary = handle.name
            handle.write(whole)
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
