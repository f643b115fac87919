"""The end-of-day sheet on paper: lines for a printer of 80 mm in one language, and an A4 sheet in both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from personalize.sheets.page import A4, MARGIN, Column, PaperSheet, labelled, table_head, table_row
from programme.wording import Sentence, signed_yuan, yuan
from reader_service.redemptions.day import CashierSums, DayReversal, DaySheet, DaySums
from reader_service.redemptions.receipt import WORDS, LineStyle, ReceiptLine
from reader_service.redemptions.record import CounterRecord
from terminal.localtime import date_time

TITLE: Final = Sentence("核销日结单", "End-of-day sheet of redemptions")
_LABELS: Final = {
    "day": Sentence("日期", "Day"),
    "at": Sentence("制表时间", "Written at"),
    "merchant": Sentence("商户号", "Merchant no."),
    "terminal": Sentence("终端号", "Terminal no."),
    "benefits": Sentence("按权益", "By benefit"),
    "cashiers": Sentence("按收银员", "By cashier"),
    "reversals": Sentence("撤销", "Taken back"),
    "uncertain": Sentence("结果未明", "Not certain"),
    "redemptions": Sentence("核销笔数", "Redemptions"),
    "units": Sentence("份数", "Units"),
    "amount": Sentence("应收", "To pay"),
    "returned": Sentence("退款", "Paid back"),
    "due": Sentence("净额", "Net"),
    "counted": Sentence("实点", "Counted"),
    "difference": Sentence("差额", "Difference"),
    "total": Sentence("合计", "Total"),
    "none": Sentence("无", "none"),
    "signed": Sentence("签字", "Signed"),
}
_WIDTH: Final = A4[0] - 2 * MARGIN
_FOOT: Final = A4[1] - 16
_ROW, _HEAD = 8.0, 10.0
_SUMS: Final[tuple[Column, ...]] = (
    ("笔数", "Redemptions", 20, "R"),
    ("份数", "Units", 16, "R"),
    ("应收（元）", "To pay (yuan)", 26, "R"),
    ("撤销", "Taken back", 18, "R"),
    ("退款（元）", "Paid back", 24, "R"),
    ("净额（元）", "Net (yuan)", 26, "R"),
)
_BENEFITS: Final[tuple[Column, ...]] = (("权益", "Benefit", 56, "L"), *_SUMS)
_CASHIERS: Final[tuple[Column, ...]] = (
    ("收银员", "Cashier", 40, "L"),
    ("笔数", "Redemptions", 20, "R"),
    ("净额（元）", "Net (yuan)", 28, "R"),
    ("实点（元）", "Counted (yuan)", 30, "R"),
    ("差额（元）", "Difference", 28, "R"),
    ("签字", "Signature", 40, "C"),
)
_REVERSALS: Final[tuple[Column, ...]] = (
    ("时间", "Time", 16, "C"),
    ("凭证号", "Receipt no.", 30, "C"),
    ("权益", "Benefit", 46, "L"),
    ("金额（元）", "Yuan", 22, "R"),
    ("经手人", "By", 28, "L"),
    ("原因", "Reason", 44, "L"),
)
_UNCERTAIN: Final[tuple[Column, ...]] = (
    ("时间", "Time", 38, "C"),
    ("权益", "Benefit", 40, "L"),
    ("金额（元）", "Yuan", 20, "R"),
    ("卡号", "Card", 42, "C"),
    ("收银员", "Cashier", 22, "L"),
    ("结果", "Result", 24, "L"),
)


def day_lines(sheet: DaySheet, language: str) -> Iterator[ReceiptLine]:
    """The lines of a sheet in Chinese (``zh``) or English (``en``)."""

    def words(sentence: Sentence) -> str:
        return sentence.en if language == "en" else sentence.zh

    def pair(name: str, value: object) -> ReceiptLine:
        return ReceiptLine(LineStyle.PAIR, words(_LABELS[name]), str(value))

    def part(name: str) -> Iterator[ReceiptLine]:
        yield ReceiptLine(LineStyle.RULE)
        yield ReceiptLine(LineStyle.MIDDLE, words(_LABELS[name]))

    yield ReceiptLine(LineStyle.HEAD, sheet.name)
    yield ReceiptLine(LineStyle.MIDDLE, words(TITLE))
    yield pair("day", sheet.day.isoformat())
    yield pair("at", date_time(sheet.at))
    yield pair("merchant", sheet.merchant)
    yield pair("terminal", sheet.terminal)
    yield from part("benefits")
    for benefit in sheet.benefits:
        yield ReceiptLine(LineStyle.PAIR, words(benefit.title), f"{benefit.sums.redemptions} / {benefit.sums.units}")
        yield pair("due", signed_yuan(benefit.sums.due))
    yield from part("cashiers")
    for person in sheet.cashiers:
        yield ReceiptLine(LineStyle.PAIR, person.cashier, f"{person.sums.redemptions} / {person.sums.units}")
        yield pair("due", signed_yuan(person.sums.due))
        if person.counted is not None and person.difference is not None:
            yield pair("counted", signed_yuan(person.counted))
            yield pair("difference", signed_yuan(person.difference))
    yield from part("total")
    yield pair("redemptions", sheet.total.redemptions)
    yield pair("units", sheet.total.units)
    yield pair("amount", yuan(sheet.total.amount))
    yield pair("returned", yuan(sheet.total.returned))
    yield pair("due", signed_yuan(sheet.total.due))
    if sheet.counted is not None and sheet.difference is not None:
        yield pair("counted", signed_yuan(sheet.counted))
        yield pair("difference", signed_yuan(sheet.difference))
    yield from part("reversals")
    for one in sheet.reversals:
        yield ReceiptLine(LineStyle.PAIR, f"{one.at:%H:%M} {one.record.receipt}", yuan(one.record.amount))
        yield ReceiptLine(LineStyle.PAIR, one.by, one.reason)
    if not sheet.reversals:
        yield ReceiptLine(LineStyle.MIDDLE, words(_LABELS["none"]))
    yield from part("uncertain")
    for record in sheet.uncertain:
        yield ReceiptLine(LineStyle.PAIR, f"{record.at:%m-%d %H:%M} {words(record.title)}", yuan(record.amount))
        yield ReceiptLine(LineStyle.PAIR, record.card, words(WORDS[record.outcome]))
    if not sheet.uncertain:
        yield ReceiptLine(LineStyle.MIDDLE, words(_LABELS["none"]))
    yield ReceiptLine(LineStyle.RULE)
    yield pair("signed", "____________________")


def day_pdf(sheet: DaySheet) -> bytes:
    """The sheet as a PDF file of A4 pages, in both languages, with a line for each signature. Raises NoChineseFont."""
    return _DayPaper(sheet).bytes()


class _DayPaper:
    """The document while it is written: a table goes on on the next page under its head."""

    def __init__(self, sheet: DaySheet) -> None:
        self._sheet = sheet
        self._paper = PaperSheet(f"{TITLE.zh} {sheet.day.isoformat()}", sheet.day)
        self._y = 0.0
        self._pages = 0

    def bytes(self) -> bytes:
        self._page()
        sheet = self._sheet
        benefits = [(labelled(one.title.zh, one.title.en), *_cells(one.sums)) for one in sheet.benefits]
        self._table("benefits", _BENEFITS, [*benefits, (_both("total"), *_cells(sheet.total))])
        cashiers = [_cashier_cells(one) for one in sheet.cashiers]
        total = (
            _both("total"),
            sheet.total.redemptions,
            signed_yuan(sheet.total.due),
            None if sheet.counted is None else signed_yuan(sheet.counted),
            None if sheet.difference is None else signed_yuan(sheet.difference),
            "",
        )
        self._table("cashiers", _CASHIERS, [*cashiers, total])
        self._table("reversals", _REVERSALS, [_reversal_cells(one) for one in sheet.reversals])
        self._table("uncertain", _UNCERTAIN, [_uncertain_cells(one) for one in sheet.uncertain])
        self._signatures()
        self._end()
        return self._paper.bytes()

    def _page(self) -> None:
        if self._pages:
            self._end()
        sheet, paper = self._sheet, self._paper
        self._pages += 1
        paper.page()
        paper.text(MARGIN, 11, _WIDTH, 9, TITLE.zh, size=18, bold=True)
        paper.text(MARGIN, 19.5, _WIDTH, 5, TITLE.en, size=9, grey=True)
        facts = (
            (labelled("商户", "Merchant"), f"{sheet.name}　{sheet.merchant}"),
            (_both("terminal"), sheet.terminal),
            (_both("day"), sheet.day.isoformat()),
            (_both("at"), date_time(sheet.at)),
        )
        for place, (label, value) in enumerate(facts):
            x, y = MARGIN + (place % 2) * 110, 27 + 7 * (place // 2)
            paper.text(x, y, 32, 7, label, size=9, grey=True)
            paper.text(x + 32, y, 76 if place % 2 == 0 else 44, 7, value, size=11)
        self._y = 44.0

    def _table(self, title: str, columns: tuple[Column, ...], rows: list[tuple[object, ...]]) -> None:
        self._room(6 + _HEAD + _ROW)
        self._paper.text(MARGIN, self._y, _WIDTH, 6, _both(title), size=11, bold=True)
        self._y += 6.5
        if not rows:
            self._paper.text(MARGIN, self._y, _WIDTH, 6, _both("none"), size=10, grey=True)
            self._y += 9
            return
        self._head(columns)
        for row in rows:
            if self._y + _ROW > _FOOT:
                self._page()
                self._head(columns)
            table_row(self._paper, MARGIN, self._y, _ROW, columns, row)
            self._y += _ROW
        self._y += 5

    def _head(self, columns: tuple[Column, ...]) -> None:
        table_head(self._paper, MARGIN, self._y, _HEAD, columns)
        self._y += _HEAD

    def _signatures(self) -> None:
        self._room(24)
        half = _WIDTH / 2
        self._paper.frame(MARGIN, self._y, _WIDTH, 20)
        for place, label in enumerate(
            (labelled("收银负责人签字", "Cashier in charge"), labelled("复核", "Checked by"))
        ):
            self._paper.text(MARGIN + 2 + place * half, self._y + 1, half - 4, 8, f"{label}：", size=10)
            self._paper.text(MARGIN + 2 + place * half, self._y + 11, half - 4, 8, "日期 Date：", size=10)

    def _room(self, height: float) -> None:
        if self._y + height > _FOOT:
            self._page()

    def _end(self) -> None:
        y, paper = A4[1] - 12, self._paper
        if paper.lacking:
            hint = "〓：本机字库缺此字，请手写补上。A character that no font here has: write it in by hand."
            paper.text(MARGIN, A4[1] - 16, _WIDTH, 4, hint, size=7.5)
        paper.line(MARGIN, y, A4[0] - MARGIN, y)
        named = f"{self._sheet.terminal}　{self._sheet.day.isoformat()}"
        paper.text(MARGIN, y + 0.5, 90, 5, named, size=8, grey=True)
        paper.text(A4[0] - MARGIN - 40, y + 0.5, 40, 5, f"第 {self._pages} 页", size=8, align="R", grey=True)


def _both(name: str) -> str:
    return labelled(_LABELS[name].zh, _LABELS[name].en)


def _cells(sums: DaySums) -> tuple[object, ...]:
    money = yuan(sums.amount), yuan(sums.returned)
    return sums.redemptions, sums.units, money[0], sums.reversals, money[1], signed_yuan(sums.due)


def _cashier_cells(one: CashierSums) -> tuple[object, ...]:
    counted = None if one.counted is None else signed_yuan(one.counted)
    difference = None if one.difference is None else signed_yuan(one.difference)
    return one.cashier, one.sums.redemptions, signed_yuan(one.sums.due), counted, difference, None


def _reversal_cells(one: DayReversal) -> tuple[object, ...]:
    title = labelled(one.record.title.zh, one.record.title.en)
    return f"{one.at:%H:%M}", one.record.receipt, title, yuan(one.record.amount), one.by, one.reason


def _uncertain_cells(record: CounterRecord) -> tuple[object, ...]:
    title = labelled(record.title.zh, record.title.en)
    word = WORDS[record.outcome].zh
    return f"{record.at:%Y-%m-%d %H:%M}", title, yuan(record.amount), record.card, record.cashier, word
