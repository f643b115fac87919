"""A list of changes of a cover (互助保障增减名单): as PDF with totals, reasons and signatures, and as a workbook
for the insurer."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime, tzinfo
from typing import Any, Final

from openpyxl import Workbook

from personalize.cells import write_cell
from personalize.sheets.page import A4, MARGIN, Column, PaperSheet, labelled, rows_by_page, table_head, table_row
from personalize.sheets.statement import signed_at
from registry.covers.values import (
    Change,
    ChangeReason,
    CoverEntry,
    CoverList,
    CoverListKind,
    CoverListState,
    ReasonCount,
)

TITLE: Final = ("互助保障增减名单", "List of changes of a cover")
ROWS: Final = 30
KINDS: Final = {
    CoverListKind.OPENING: ("开期名单", "opens the term"),
    CoverListKind.SUPPLEMENT: ("期内增减", "changes within the term"),
}
STATES: Final = {
    CoverListState.DRAFTING: ("草稿", "draft"),
    CoverListState.DRAFTED: ("草稿，未签字", "draft, not signed"),
    CoverListState.SIGNED: ("待第二人签字", "waits for the second signature"),
    CoverListState.RELEASED: ("已签发，待报送", "released, to be sent"),
    CoverListState.SENT: ("已报送", "sent"),
    CoverListState.DISCARDED: ("已作废", "discarded"),
}
CHANGES: Final = {Change.ADDED: ("增加", "added"), Change.LEFT: ("减少", "left")}
REASONS: Final = {
    ChangeReason.NEW: ("新参保", "new"),
    ChangeReason.AGAIN: ("再次参保", "covered again"),
    ChangeReason.WITHDREW: ("退会", "left the union"),
    ChangeReason.RETIRED: ("退休", "retired"),
    ChangeReason.DIED: ("去世", "died"),
    ChangeReason.MOVED: ("调离", "moved away"),
    ChangeReason.CATEGORY: ("类别不符", "of another category"),
    ChangeReason.CARD_LOST: ("卡挂失未补", "card lost, none ordered"),
    ChangeReason.CARD_ENDED: ("无有效卡", "no card in use"),
}
_WIDTH: Final = A4[0] - 2 * MARGIN
_HEAD, _ROW, _TOP = 10.5, 7.2, 24.0
_ENTRIES: Final[tuple[Column, ...]] = (
    ("序号", "No.", 14, "R"),
    ("增减", "Change", 16, "C"),
    ("原因", "Reason", 30, "L"),
    ("会员号", "Member", 32, "C"),
    ("姓名", "Name", 24, "L"),
    ("单位", "Unit", 70, "L"),
)
_COLUMNS: Final = (
    "序号 no.",
    "增减 change",
    "原因 reason",
    "会员号 member number",
    "姓名 name",
    "证件号码 ID number",
    "单位 unit",
    "起保日 from",
    "止保日 through",
)


def cover_list_pdf(
    content: CoverList,
    name: tuple[str, str],
    reasons: Sequence[ReasonCount],
    entries: Iterable[CoverEntry],
    day: date,
    zone: tzinfo,
) -> bytes:
    """The list as a PDF file of A4 pages with masked names, printed on a ``day``; ``name`` is that of the cover in both
    languages. Raises NoChineseFont."""
    sheet, listed = PaperSheet(f"{TITLE[0]} {content.cover} {content.id}", day), list(entries)
    pieces = rows_by_page(len(listed), ROWS) if listed else []
    pages = 1 + len(pieces)
    sheet.page()
    _first_page(sheet, content, name, reasons, day, zone)
    _foot(sheet, content, 1, pages)
    start = 0
    for number, count in enumerate(pieces, start=2):
        sheet.page()
        sheet.text(MARGIN, 10, _WIDTH, 8, labelled(*TITLE), size=13, bold=True)
        table_head(sheet, MARGIN, _TOP, _HEAD, _ENTRIES)
        for place, entry in enumerate(listed[start : start + count]):
            table_row(sheet, MARGIN, _TOP + _HEAD + place * _ROW, _ROW, _ENTRIES, _cells(start + place + 1, entry))
        start += count
        _foot(sheet, content, number, pages)
    return sheet.bytes()


def cover_list_workbook(content: CoverList, entries: Iterable[CoverEntry]) -> bytes:
    """The list as an xlsx file with names and ID numbers in clear, row by row, for the insurer."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(TITLE[0])
    facts = (
        ("保障 cover", content.cover),
        ("名单 list", content.id),
        ("保障期 term", f"{content.term_first} – {content.term_last}"),
        ("生效日 effective", content.effective.isoformat()),
        ("上期人数 before", content.before),
        ("增加 added", content.added),
        ("减少 left", content.leaving),
        ("本期人数 covered", content.covered),
        ("SHA-256", content.digest),
    )
    for row in facts:
        sheet.append(_written(sheet, row))
    sheet.append([])
    sheet.append(_written(sheet, _COLUMNS))
    for number, entry in enumerate(entries, start=1):
        sheet.append(_written(sheet, _row(number, entry, content)))
    whole = io.BytesIO()
    book.save(whole)
    return whole.getvalue()


def _row(number: int, entry: CoverEntry, content: CoverList) -> tuple[object, ...]:
    added = entry.change is Change.ADDED
    return (
        number,
        " ".join(CHANGES[entry.change]),
        " ".join(REASONS[entry.reason]),
        entry.member_number or "",
        entry.name_masked if entry.person is None else entry.person.name,
        entry.id_masked if entry.person is None else entry.person.id_number,
        entry.unit,
        content.effective.isoformat() if added else "",
        content.term_last.isoformat() if added else "",
    )


def _written(sheet: Any, values: Sequence[object]) -> list[Any]:
    from openpyxl.cell import WriteOnlyCell

    cells = []
    for value in values:
        cell = WriteOnlyCell(sheet)
        write_cell(cell, value)
        cells.append(cell)
    return cells


def _cells(number: int, entry: CoverEntry) -> tuple[object, ...]:
    return (
        number,
        CHANGES[entry.change][0],
        REASONS[entry.reason][0],
        entry.member_number or "",
        entry.name_masked,
        entry.unit,
    )


def _first_page(
    sheet: PaperSheet,
    content: CoverList,
    name: tuple[str, str],
    reasons: Sequence[ReasonCount],
    day: date,
    zone: tzinfo,
) -> None:
    sheet.text(MARGIN, 11, _WIDTH, 9, TITLE[0], size=18, bold=True)
    sheet.text(MARGIN, 19.5, _WIDTH, 5, TITLE[1], size=9, grey=True)
    y = 28.0
    for label, value in (
        (labelled("保障", "Cover"), f"{labelled(*name)} ({content.cover})"),
        (labelled("名单", "List"), f"{content.id}　{labelled(*KINDS[content.kind])}"),
        (labelled("保障期", "Term"), f"{content.term_first} – {content.term_last}（{content.number}）"),
        (labelled("生效日", "Effective"), content.effective.isoformat()),
        (labelled("制单", "Drawn up"), f"{content.by}　{signed_at(content.at, zone)}"),
        (labelled("状态", "State"), f"{labelled(*STATES[content.state])}　{labelled('打印', 'printed')} {day}"),
    ):
        sheet.text(MARGIN, y, 34, 7, label, size=9, grey=True)
        sheet.text(MARGIN + 35, y, _WIDTH - 35, 7, value, size=11)
        y += 7.5
    y = _sums(sheet, content, y + 5)
    y = _reasons(sheet, reasons, y + 8)
    _signatures(sheet, content, y + 10, zone)


def _sums(sheet: PaperSheet, content: CoverList, y: float) -> float:
    """The totals, which tie the list to the one before it."""
    quarter = _WIDTH / 4
    for place, (label, count) in enumerate(
        (
            (("上期人数", "before"), content.before),
            (("＋ 增加", "added"), content.added),
            (("－ 减少", "left"), content.leaving),
            (("＝ 本期人数", "covered"), content.covered),
        )
    ):
        sheet.frame(MARGIN + place * quarter, y, quarter, 20, shade=place == 3)
        sheet.text(MARGIN + place * quarter + 2, y + 1.5, quarter - 4, 6, labelled(*label), size=9, grey=True)
        sheet.text(MARGIN + place * quarter + 2, y + 8, quarter - 4, 10, f"{count:,}", size=16, bold=True, align="R")
    return y + 20


def _reasons(sheet: PaperSheet, reasons: Sequence[ReasonCount], y: float) -> float:
    columns: tuple[Column, ...] = (
        ("增减", "Change", 30, "L"),
        ("原因", "Reason", 90, "L"),
        ("人数", "Members", 30, "R"),
    )
    table_head(sheet, MARGIN, y, _HEAD, columns)
    y += _HEAD
    for one in reasons:
        cells = labelled(*CHANGES[one.change]), labelled(*REASONS[one.reason]), f"{one.count:,}"
        table_row(sheet, MARGIN, y, _ROW, columns, cells)
        y += _ROW
    return y


def _signatures(sheet: PaperSheet, content: CoverList, y: float, zone: tzinfo) -> None:
    half = _WIDTH / 2
    people: tuple[tuple[str, str | None, datetime | None], ...] = (
        (labelled("制表人", "First signature"), content.signed_by, content.signed_at),
        (labelled("审核人", "Second signature"), content.released_by, content.released_at),
    )
    for number, (label, person, at) in enumerate(people):
        x = MARGIN + number * half
        sheet.frame(x, y, half, 24)
        sheet.text(x + 2, y + 1, half - 4, 6, label, size=9, grey=True)
        sheet.text(x + 2, y + 8, half - 4, 6, f"{person}　{signed_at(at, zone)}" if person and at else "", size=10)
        sheet.text(x + 2, y + 16, half - 4, 6, "签字 Signed：＿＿＿＿＿＿＿＿", size=9)
    sheet.text(MARGIN, y + 27, _WIDTH, 8, "工会盖章 Seal of the union：", size=10)


def _foot(sheet: PaperSheet, content: CoverList, page: int, pages: int) -> None:
    y = A4[1] - 12
    sheet.line(MARGIN, y, A4[0] - MARGIN, y)
    sheet.text(MARGIN, y + 0.5, 140, 5, f"SHA-256 {content.digest}", size=7, grey=True)
    sheet.text(A4[0] - MARGIN - 40, y + 0.5, 40, 5, f"第 {page} / {pages} 页", size=8, align="R", grey=True)
