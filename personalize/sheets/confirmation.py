"""The unit's confirmation of a roster (附件3) as a cover sheet, its counts beside those of the form: PDF and xlsx."""

from __future__ import annotations

import io
from datetime import date, tzinfo
from typing import Final

from openpyxl import Workbook
from openpyxl.styles import Font

from personalize.cells import write_cell
from personalize.sheets.page import A4, MARGIN, Column, PaperSheet, labelled, table_head, table_row
from registry.batches.confirmations import ConfirmationSheet

TITLE: Final = ("附件3　会员信息确认表", "Annex 3: confirmation of the unit")
_WIDTH: Final = A4[0] - 2 * MARGIN
_COUNTS: Final[tuple[Column, ...]] = (
    ("项目", "Count", 74, "L"),
    ("单位确认", "Confirmed", 36, "R"),
    ("登记表", "Form", 36, "R"),
    ("差异", "Difference", 40, "R"),
)
_HEAD, _ROW = 10.5, 10.0
_STATEMENT: Final = (
    "本单位确认：上列人数和身份证复印件份数属实，复印件与原件一致，信息来源合法，复印件仅用于办理工会会员服务卡。",
    "The unit confirms these numbers, that the copies are true to the originals, that the data were "
    "lawfully collected, and that the copies are for the member card only.",
)


def counts_of(content: ConfirmationSheet) -> list[tuple[str, str, str, str]]:
    """What is counted, the confirmed number, that of the form, and the difference with its sign."""
    confirmed = content.confirmation
    pairs = (("会员人数 Members", confirmed.members), ("身份证复印件 ID copies (annex 5)", confirmed.copies))
    people = confirmed.people
    return [(label, str(number), str(people), _signed(number - people)) for label, number in pairs]


def _signed(difference: int) -> str:
    return f"{difference:+d}" if difference else "0"


def facts_of(content: ConfirmationSheet, day: date, zone: tzinfo) -> list[tuple[str, str]]:
    """Labels in both languages and their values."""
    confirmed = content.confirmation
    entered = confirmed.at.astimezone(zone)
    seal = ("已盖章", "sealed") if confirmed.seal else ("未盖章", "not sealed")
    return [
        (labelled("单位", "Unit"), content.batch.unit),
        (labelled("批次", "Batch"), content.batch.id),
        (labelled("联系人", "Contact"), content.contact),
        (labelled("联系电话", "Phone"), content.phone),
        (
            labelled("公章", "Seal"),
            labelled(*seal),
        ),
        (labelled("差异说明", "Explanation"), confirmed.explanation or "–"),
        (labelled("录入人", "Entered by"), f"{confirmed.by}　{entered:%Y-%m-%d %H:%M}"),
        (labelled("打印日期", "Printed on"), day.isoformat()),
    ]


def confirmation_pdf(content: ConfirmationSheet, day: date, zone: tzinfo) -> bytes:
    """One page with room for the contact's signature and the seal. Raises NoChineseFont."""
    sheet = PaperSheet(f"{TITLE[0]} {content.batch.id}", day)
    sheet.page()
    sheet.text(MARGIN, 14, _WIDTH, 10, TITLE[0], size=20, bold=True)
    sheet.text(MARGIN, 24, _WIDTH, 5, TITLE[1], size=9, grey=True)
    sheet.code(A4[0] - MARGIN - 22, 12, 22, content.batch.id)
    y = 38.0
    for label, value in facts_of(content, day, zone):
        sheet.text(MARGIN, y, 42, 8, label, size=9, grey=True)
        sheet.text(MARGIN + 43, y, _WIDTH - 43, 8, value, size=11, lines=2)
        y += 9
    y += 4
    table_head(sheet, MARGIN, y, _HEAD, _COUNTS)
    y += _HEAD
    for cells in counts_of(content):
        table_row(sheet, MARGIN, y, _ROW, _COUNTS, cells)
        y += _ROW
    sheet.text(MARGIN, y + 6, _WIDTH, 13, _STATEMENT[0], size=10.5, lines=2)
    sheet.text(MARGIN, y + 19, _WIDTH, 9, _STATEMENT[1], size=8, grey=True, lines=2)
    y += 36
    half = _WIDTH / 2
    for number, label in enumerate((labelled("联系人签字", "Signature"), labelled("单位公章", "Seal of the unit"))):
        x = MARGIN + number * half
        sheet.frame(x, y, half, 46)
        sheet.text(x + 3, y + 2, half - 6, 6, label, size=9, grey=True)
        sheet.text(x + 3, y + 37, half - 6, 6, "日期 Date：＿＿＿＿年＿＿月＿＿日", size=9)
    return sheet.bytes()


def confirmation_workbook(content: ConfirmationSheet, day: date, zone: tzinfo) -> bytes:
    """The same on one sheet of a workbook."""
    book = Workbook()
    sheet = book.active
    sheet.title = "附件3"
    lines: list[tuple[object, ...]] = [(f"{TITLE[0]} {TITLE[1]}",), (), *facts_of(content, day, zone), ()]
    lines.append(tuple(f"{chinese} {english}" for chinese, english, _, _ in _COUNTS))
    titles = {1, len(lines)}
    lines += [(label, int(one), int(other), int(one) - int(other)) for label, one, other, _ in counts_of(content)]
    lines += [(), (_STATEMENT[0],), (_STATEMENT[1],)]
    for row, cells in enumerate(lines, start=1):
        for column, value in enumerate(cells, start=1):
            cell = sheet.cell(row, column)
            write_cell(cell, value)
            cell.font = Font(bold=row in titles)
    for letter, width in zip("ABCD", (36, 34, 18, 20), strict=True):
        sheet.column_dimensions[letter].width = width
    whole = io.BytesIO()
    book.save(whole)
    return whole.getvalue()
