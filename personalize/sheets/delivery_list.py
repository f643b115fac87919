"""The delivery list of a box (发放表) as PDF: a sheet for the box with its hand-overs, then each unit on pages of its
own, a line for each card with room for the signature."""

from __future__ import annotations

from typing import Final

from personalize.sheets.page import A4, MARGIN, Column, PaperSheet, labelled, rows_by_page, table_head, table_row
from registry.handover.values import BoxSheet, SheetSection
from registry.unit_names import own_name
from terminal.emv.data.masking import masked_pan

TITLE: Final = ("工会会员服务卡发放表", "Delivery list of member service cards")
ENDED: Final = "已失效 ended"
"""In place of a signature, for a card that was lost or withdrawn since it was packed."""
ROWS: Final = 20
_ROW, _HEAD, _TOP = 9.4, 10.5, 53.0
_WIDTH: Final = A4[0] - 2 * MARGIN
_COLUMNS: Final[tuple[Column, ...]] = (
    ("序号", "No.", 12, "C"),
    ("姓名", "Name", 38, "L"),
    ("会员编号", "Member number", 32, "C"),
    ("卡号", "Card number", 44, "C"),
    ("本人签收", "Signature", 36, "C"),
    ("日期", "Date", 24, "C"),
)
_HANDED: Final[tuple[Column, ...]] = (
    ("层级", "Level", 34, "L"),
    ("交出人签字", "Handed over by", 44, "L"),
    ("接收人签字", "Taken by", 44, "L"),
    ("张数", "Cards", 24, "C"),
    ("日期", "Date", 40, "C"),
)
_LEVELS: Final = ("市 City", "区 District", "单位 Unit")


def delivery_list(content: BoxSheet) -> bytes:
    """The list as a PDF file of A4 pages. Raises NoChineseFont."""
    sheet = PaperSheet(f"{TITLE[0]} {content.box.id}", content.day)
    _box_page(sheet, content)
    for section in content.sections:
        _section(sheet, content, section)
    return sheet.bytes()


def _box_page(sheet: PaperSheet, content: BoxSheet) -> None:
    """Units behind their dividers with their counts, and the way of the box from level to level."""
    sheet.page()
    _heading(sheet, content, ("卡箱交接单", "Hand-over sheet of a box"), "", content.box.cards - content.box.ended)
    y = _TOP
    columns: tuple[Column, ...] = (("序号", "No.", 12, "C"), ("单位", "Unit", 134, "L"), ("张数", "Cards", 40, "C"))
    table_head(sheet, MARGIN, y, _HEAD, columns)
    y += _HEAD
    most = 14
    for number, section in enumerate(content.sections[:most], start=1):
        table_row(sheet, MARGIN, y, 8, columns, (number, section.unit, len(section.to_deliver)))
        y += 8
    if len(content.sections) > most:
        rest = content.sections[most:]
        named = labelled(f"另有 {len(rest)} 个单位", f"{len(rest)} further units")
        table_row(sheet, MARGIN, y, 8, columns, ("…", named, sum(len(section.to_deliver) for section in rest)))
        y += 8
    total = labelled("合计", "total")
    if content.box.ended:
        total += f"　（另有已失效 {content.box.ended} 张　and {content.box.ended} ended）"
    table_row(sheet, MARGIN, y, 8, columns, ("", total, content.box.cards - content.box.ended))
    y += 18
    sheet.text(MARGIN, y - 7, _WIDTH, 6, labelled("逐级交接", "Hand-over, level by level"), size=11, bold=True)
    table_head(sheet, MARGIN, y, _HEAD, _HANDED)
    y += _HEAD
    for level in _LEVELS:
        table_row(sheet, MARGIN, y, 13, _HANDED, (level, None, None, None, None))
        y += 13
    _receipt(sheet, y + 6, content.box.cards - content.box.ended)
    _foot(sheet, content, 1, 1, "")


def _section(sheet: PaperSheet, content: BoxSheet, section: SheetSection) -> None:
    pages = rows_by_page(len(section.lines), ROWS)
    start = signed = ended = 0
    for page, count in enumerate(pages, start=1):
        sheet.page()
        _heading(sheet, content, TITLE, section.unit, len(section.to_deliver))
        y = _TOP
        table_head(sheet, MARGIN, y, _HEAD, _COLUMNS)
        y += _HEAD
        lines = section.lines[start : start + count]
        for line in lines:
            cells = (
                line.place,
                line.name,
                line.member_number,
                masked_pan(line.card_number),
                ENDED if line.ended else None,
                None,
            )
            table_row(sheet, MARGIN, y, _ROW, _COLUMNS, cells)
            y += _ROW
        start += count
        void = sum(line.ended for line in lines)
        here, whole = count - void, len(section.to_deliver)
        signed, ended = signed + here, ended + void
        totals = f"本页 {here} 张，累计 {signed} / {whole} 张　This page {here}, {signed} of {whole} so far"
        if section.ended:
            totals += f"　（另有已失效 {void} 张，累计 {ended} 张　and {void} ended, {ended} so far）"
        sheet.text(MARGIN, y + 1, _WIDTH, 6, totals, size=9)
        if page == len(pages):
            _receipt(sheet, y + 8, whole)
        _foot(sheet, content, page, len(pages), section.unit)


def _heading(sheet: PaperSheet, content: BoxSheet, title: tuple[str, str], unit: str, cards: int) -> None:
    """Title, facts and the QR code with the number of the box."""
    code = 26.0
    width = _WIDTH - code - 6
    sheet.text(MARGIN, 11, width, 9, title[0], size=18, bold=True)
    sheet.text(MARGIN, 19.5, width, 5, title[1], size=9, grey=True)
    first, further = content.box.units[:1], len(content.box.units) - 1
    several = labelled(f"{''.join(first)} 等 {further + 1} 个单位", f"and {further} more")
    units = unit or (several if further > 0 else "".join(first))
    facts = (
        (labelled("单位", "Unit"), units, 11.0, 2),
        (labelled("批次", "Batch"), content.box.batch_id, 7.0, 1),
        (labelled("卡箱", "Box"), f"{content.box.id}　（{content.number} / {content.boxes}）", 7.0, 1),
    )
    y = 26.0
    for label, value, height, lines in facts:
        sheet.text(MARGIN, y, 24, height, label, size=9, grey=True)
        sheet.text(MARGIN + 25, y, width - 25, height, value, size=11, bold=label.startswith("单位"), lines=lines)
        y += height
    sheet.text(MARGIN + 96, 37, 24, 7, labelled("制表日期", "Date"), size=9, grey=True)
    sheet.text(MARGIN + 121, 37, 32, 7, content.day.isoformat(), size=11)
    sheet.text(MARGIN + 96, 44, 24, 7, labelled("张数", "Cards"), size=9, grey=True)
    sheet.text(MARGIN + 121, 44, 32, 7, str(cards), size=11)
    x = A4[0] - MARGIN - code
    sheet.code(x, 14, code, content.box.id)
    sheet.text(x - 2, 41, code + 4, 5, content.box.id, size=8, align="C")


def _receipt(sheet: PaperSheet, y: float, cards: int) -> None:
    """What the contact of the unit fills in and signs."""
    half = _WIDTH / 2
    sheet.frame(MARGIN, y, _WIDTH, 20)
    sheet.text(MARGIN + 2, y + 1, _WIDTH - 4, 8, f"应发 To deliver：{cards} 张", size=10)
    sheet.text(MARGIN + 52, y + 1, 60, 8, "签收 Signed：＿＿＿＿＿ 张", size=10)
    sheet.text(MARGIN + 118, y + 1, 60, 8, "退回 Sent back：＿＿＿＿＿ 张", size=10)
    sheet.text(MARGIN + 2, y + 10, half, 8, "单位经办人签字 Contact of the unit：", size=10)
    sheet.text(MARGIN + half + 25, y + 10, half - 27, 8, "日期 Date：", size=10)


def _foot(sheet: PaperSheet, content: BoxSheet, page: int, pages: int, unit: str) -> None:
    if sheet.lacking:
        hint = "〓：本机字库缺此字，请手写补上。A character that no font here has: write it in by hand."
        sheet.text(MARGIN, A4[1] - 17, _WIDTH, 4, hint, size=7.5)
    y = A4[1] - 12
    sheet.line(MARGIN, y, A4[0] - MARGIN, y)
    sheet.text(MARGIN, y + 0.5, 60, 5, f"{content.box.id}　{content.box.batch_id}", size=8, grey=True)
    sheet.text(MARGIN + 62, y + 0.5, 80, 5, own_name(unit), size=8, align="C", grey=True)
    sheet.text(A4[0] - MARGIN - 40, y + 0.5, 40, 5, f"第 {page} / {pages} 页", size=8, align="R", grey=True)
