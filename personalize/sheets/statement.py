"""A merchant's statement of a month (结算单) as PDF: the sums by outlet and benefit with room for two signatures, then
every redemption on a line."""

from __future__ import annotations

from datetime import date, datetime, tzinfo
from typing import Final

from personalize.sheets.page import A4, MARGIN, Column, PaperSheet, labelled, rows_by_page, table_head, table_row
from registry.programme.statement import (
    Entry,
    EntryKind,
    Statement,
    StatementLine,
    StatementSheet,
    StatementState,
    Totals,
)
from terminal.localtime import zone_label

TITLE: Final = ("特约商户结算单", "Statement of a merchant")
LISTED: Final = ("核销明细", "Redemptions")
LINES: Final = 10
ROWS: Final = 28
STATES: Final = {
    StatementState.DRAFT: ("草稿，未签字", "draft, not signed"),
    StatementState.SIGNED: ("待第二人签字", "waits for the second signature"),
    StatementState.CLOSED: ("已结", "closed"),
    StatementState.SUPERSEDED: ("已被新版代替", "superseded by a later version"),
    StatementState.DISCARDED: ("已作废", "discarded"),
}
KINDS: Final = {EntryKind.REDEEMED: "核销 redeemed", EntryKind.TAKEN_BACK: "冲回 taken back"}
_HEAD, _ROW, _TOP = 10.5, 7.6, 62.0
_WIDTH: Final = A4[0] - 2 * MARGIN
_SUMS: Final[tuple[Column, ...]] = (
    ("网点", "Outlet", 36, "L"),
    ("权益", "Benefit", 46, "L"),
    ("次数", "Uses", 13, "R"),
    ("数量", "Quantity", 16, "R"),
    ("会员支付", "Members paid", 27, "R"),
    ("冲回", "Taken back", 22, "R"),
    ("应付商户", "Due", 26, "R"),
)
_ENTRIES: Final[tuple[Column, ...]] = (
    ("日期", "Date", 23, "C"),
    ("时间", "Time", 16, "C"),
    ("网点", "Outlet", 28, "L"),
    ("权益", "Benefit", 34, "L"),
    ("数量", "Qty.", 10, "R"),
    ("卡号", "Card number", 37, "C"),
    ("会员支付", "Paid", 19, "R"),
    ("应付商户", "Due", 19, "R"),
)


def yuan(fen: int) -> str:
    """An amount in yuan with two decimals."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02}"


def balance(due: int) -> tuple[str, str]:
    """Who owes whom, in both languages."""
    if due > 0:
        return f"工会应付商户 {yuan(due)} 元", f"the union owes the merchant {yuan(due)} yuan"
    if due < 0:
        return f"商户应付工会 {yuan(-due)} 元", f"the merchant owes the union {yuan(-due)} yuan"
    return "双方无应付款", "nothing is owed"


def benefit_text(of: StatementLine | Entry) -> str:
    """The class of a benefit and its name in Chinese."""
    return of.benefit_class if of.benefit is None else f"{of.benefit_class} {of.benefit.zh}"


def signed_at(at: datetime, zone: tzinfo) -> str:
    """The time of a signature in a zone, which is named."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M} {zone_label(zone, at)}"


def left_out(statement: Statement) -> tuple[str, str]:
    """What waits for a later month, in both languages."""
    left = statement.left_out
    held, disputed = yuan(left.held_amount), yuan(left.disputed_amount)
    return (
        f"留待以后月份：待核查 {left.held} 笔 {held} 元，争议 {left.disputed} 笔 {disputed} 元",
        f"left for a later month: {left.held} held ({held} yuan), {left.disputed} disputed ({disputed} yuan)",
    )


def statement_pdf(content: StatementSheet, day: date, zone: tzinfo) -> bytes:
    """The statement as a PDF file of A4 pages, printed on a ``day``; times of signatures are in a ``zone``. Raises
    NoChineseFont."""
    statement = content.statement
    sheet = PaperSheet(f"{TITLE[0]} {statement.merchant} {statement.month}", day)
    sums, entries = rows_by_page(len(content.lines), LINES), rows_by_page(len(content.entries), ROWS)
    pages, start = len(sums) + (len(entries) if content.entries else 0), 0
    for number, count in enumerate(sums, start=1):
        y = _page(sheet, statement, TITLE, day)
        table_head(sheet, MARGIN, y, _HEAD, _SUMS)
        y += _HEAD
        for line in content.lines[start : start + count]:
            table_row(sheet, MARGIN, y, _ROW, _SUMS, (line.outlet_name, benefit_text(line), *_sums(line.totals)))
            y += _ROW
        start += count
        if number == len(sums):
            table_row(sheet, MARGIN, y, _ROW, _SUMS, ("合计 Total", "", *_sums(content.totals)))
            _result(sheet, statement, y + _ROW + 4, zone)
        _foot(sheet, statement, number, pages)
    start = 0
    for number, count in enumerate(entries if content.entries else [], start=len(sums) + 1):
        y = _page(sheet, statement, LISTED, day)
        table_head(sheet, MARGIN, y, _HEAD, _ENTRIES)
        y += _HEAD
        for entry in content.entries[start : start + count]:
            table_row(sheet, MARGIN, y, _ROW, _ENTRIES, _cells(entry))
            y += _ROW
        start += count
        _foot(sheet, statement, number, pages)
    return sheet.bytes()


def _sums(whole: Totals) -> tuple[str, ...]:
    return str(whole.uses), str(whole.quantity), yuan(whole.amount), yuan(whole.back), yuan(whole.due)


def _cells(entry: Entry) -> tuple[object, ...]:
    day = f"{entry.day.isoformat()}{' *' if entry.late else ''}"
    return (
        day,
        entry.clock,
        entry.outlet_name,
        benefit_text(entry),
        entry.quantity,
        entry.card,
        yuan(entry.amount),
        yuan(entry.due),
    )


def _page(sheet: PaperSheet, statement: Statement, title: tuple[str, str], day: date) -> float:
    """A new page with its heading; gives the place of what follows."""
    sheet.page()
    sheet.text(MARGIN, 11, _WIDTH, 9, title[0], size=18, bold=True)
    sheet.text(MARGIN, 19.5, _WIDTH, 5, title[1], size=9, grey=True)
    state = STATES[statement.state]
    facts = (
        (labelled("商户", "Merchant"), " ".join((statement.merchant, statement.name, statement.name_en)).strip()),
        (labelled("月份", "Month"), f"{statement.month}　第 {statement.version} 版 version {statement.version}"),
        (labelled("状态", "State"), labelled(*state)),
        (labelled("编号", "Number"), f"{statement.number}　{labelled('打印日期', 'printed on')} {day.isoformat()}"),
    )
    y = 27.0
    for label, value in facts:
        sheet.text(MARGIN, y, 30, 7, label, size=9, grey=True)
        sheet.text(MARGIN + 31, y, _WIDTH - 31, 7, value, size=11)
        y += 7.5
    return _TOP


def _result(sheet: PaperSheet, statement: Statement, y: float, zone: tzinfo) -> None:
    """Who owes whom, what is left for later, and the two signatures."""
    owed = balance(statement.due)
    sheet.text(MARGIN, y, _WIDTH, 8, owed[0], size=14, bold=True)
    sheet.text(MARGIN, y + 8, _WIDTH, 5, owed[1], size=9, grey=True)
    waiting = left_out(statement)
    sheet.text(MARGIN, y + 15, _WIDTH, 6, waiting[0], size=10)
    sheet.text(MARGIN, y + 20.5, _WIDTH, 5, waiting[1], size=8, grey=True)
    y += 30
    if statement.reason:
        sheet.text(MARGIN, y, _WIDTH, 10, f"{labelled('重开原因', 'Reopened because')}：{statement.reason}", lines=2)
        y += 12
    half = _WIDTH / 2
    people = (
        (labelled("制单人", "First signature"), statement.signed_by, statement.signed_at),
        (labelled("复核人", "Second signature"), statement.closed_by, statement.closed_at),
    )
    for number, (label, person, at) in enumerate(people):
        x = MARGIN + number * half
        sheet.frame(x, y, half, 24)
        sheet.text(x + 2, y + 1, half - 4, 6, label, size=9, grey=True)
        signed = f"{person}　{signed_at(at, zone)}" if person and at else ""
        sheet.text(x + 2, y + 8, half - 4, 6, signed, size=10)
        sheet.text(x + 2, y + 16, half - 4, 6, "签字 Signed：＿＿＿＿＿＿＿＿", size=9)
    sheet.text(MARGIN, y + 27, _WIDTH, 8, "商户盖章 Seal of the merchant：", size=10)


def _foot(sheet: PaperSheet, statement: Statement, page: int, pages: int) -> None:
    y = A4[1] - 12
    sheet.text(MARGIN, y - 5, _WIDTH, 4, "* 以前月份的核销 a redemption of an earlier month", size=7.5, grey=True)
    sheet.line(MARGIN, y, A4[0] - MARGIN, y)
    sheet.text(MARGIN, y + 0.5, 140, 5, f"SHA-256 {statement.digest}", size=7, grey=True)
    sheet.text(A4[0] - MARGIN - 40, y + 0.5, 40, 5, f"第 {page} / {pages} 页", size=8, align="R", grey=True)
