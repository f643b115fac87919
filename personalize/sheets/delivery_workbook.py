"""The delivery list of a box (发放表) as a workbook: a sheet for each unit, ready to be printed on A4."""

from __future__ import annotations

import io
import re
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.drawing.image import Image
from openpyxl.styles import Alignment, Border, Font, Side
from openpyxl.utils import get_column_letter

from personalize.cells import write_cell
from personalize.sheets.delivery_list import ENDED, TITLE
from registry.handover.values import BoxSheet, SheetSection
from registry.unit_names import own_name
from terminal.emv.data.masking import masked_pan

_COLUMNS: Final = (
    ("序号 No.", 8),
    ("姓名 name", 18),
    ("会员编号 member number", 18),
    ("卡号 card number", 26),
    ("本人签收 signature", 20),
    ("日期 date", 14),
)
_FIRST: Final = 6
"""Row of the columns' titles."""
_ROW_POINTS: Final = 26
_LONGEST_TITLE: Final = 31
_FORBIDDEN: Final = re.compile(r"[\[\]:*?/\\'\x00-\x1f]")
_THIN: Final = Side(style="thin")
_CODE_PIXELS: Final = 96


def delivery_workbook(content: BoxSheet) -> bytes:
    """The list as an xlsx file."""
    book = Workbook()
    book.remove(book.active)
    for number, section in enumerate(content.sections, start=1):
        title = f"{number} {_FORBIDDEN.sub('_', own_name(section.unit))}"[:_LONGEST_TITLE]
        _section(book.create_sheet(title), content, section)
    if not content.sections:
        book.create_sheet("0")
    whole = io.BytesIO()
    book.save(whole)
    return whole.getvalue()


def _section(sheet: Any, content: BoxSheet, section: SheetSection) -> None:
    for column, (_, width) in enumerate(_COLUMNS, start=1):
        sheet.column_dimensions[get_column_letter(column)].width = width
    _write(sheet, 1, 1, f"{TITLE[0]} {TITLE[1]}", bold=True, size=15)
    facts = (
        ("单位 unit", section.unit),
        ("批次 batch", content.box.batch_id),
        ("卡箱 box", f"{content.box.id} ({content.number} / {content.boxes})"),
        ("日期 date", content.day.isoformat()),
    )
    for row, (label, value) in enumerate(facts, start=2):
        _write(sheet, row, 1, label)
        _write(sheet, row, 3, value, bold=row == 2)
    for row in range(1, _FIRST):
        sheet.row_dimensions[row].height = 20
    picture = Image(_code(content.box.id))
    picture.width = picture.height = _CODE_PIXELS
    sheet.add_image(picture, "F1")
    for column, (title, _) in enumerate(_COLUMNS, start=1):
        _write(sheet, _FIRST, column, title, bold=True, framed=True)
    for row, line in enumerate(section.lines, start=_FIRST + 1):
        cells: tuple[object, ...] = (
            line.place,
            line.name,
            line.member_number,
            masked_pan(line.card_number),
            ENDED if line.ended else None,
            None,
        )
        for column, cell in enumerate(cells, start=1):
            _write(sheet, row, column, cell, framed=True)
        sheet.row_dimensions[row].height = _ROW_POINTS
    after = _FIRST + len(section.lines) + 1
    ended = f"    已失效 ended: {section.ended} 张" if section.ended else ""
    _write(sheet, after, 1, f"合计 total: {len(section.to_deliver)} 张{ended}", bold=True)
    _write(sheet, after + 1, 1, "签收 signed: ______ 张    退回 sent back: ______ 张")
    _write(sheet, after + 2, 1, "单位经办人签字 contact of the unit: ____________    日期 date: ____________")
    _paper(sheet, content)


def _paper(sheet: Any, content: BoxSheet) -> None:
    sheet.freeze_panes = sheet.cell(_FIRST + 1, 1)
    sheet.print_title_rows = f"1:{_FIRST}"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.oddFooter.left.text = content.box.id
    sheet.oddFooter.right.text = "第 &P / &N 页"


def _write(
    sheet: Any, row: int, column: int, value: object, *, bold: bool = False, size: int = 11, framed: bool = False
) -> None:
    cell = sheet.cell(row, column)
    write_cell(cell, value)
    cell.font = Font(bold=bold, size=size)
    cell.alignment = Alignment(vertical="center", horizontal="center" if framed and column != 2 else "left")
    if framed:
        cell.border = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)


def _code(content: str) -> io.BytesIO:
    """The QR code of a box as a PNG picture."""
    import segno

    picture = io.BytesIO()
    segno.make(content, error="m", micro=False).save(picture, kind="png", scale=6, border=1)
    picture.seek(0)
    return picture
