"""The receipt of a redemption: its lines in one language, and as text for a printer of 80 mm with 48 columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from programme.wording import Sentence, yuan
from reader_service.redemptions.record import CounterOutcome, CounterRecord
from terminal.localtime import date_time
from terminal.visible import visible

COLUMNS: Final = 48
"""Columns of a printer of 80 mm in font A, of which a Chinese character takes two."""
WORDS: Final = {
    CounterOutcome.DONE: Sentence("核销成功", "Redeemed"),
    CounterOutcome.RECOVERED: Sentence("核销成功（补记）", "Redeemed (found again)"),
    CounterOutcome.LOGGED: Sentence("卡内有记录，待工会核实", "On record in the card, the union verifies it"),
    CounterOutcome.REFUSED: Sentence("卡片拒绝核销", "Refused by the card"),
    CounterOutcome.NOT_PROVEN: Sentence("核销未获证实", "Not proven"),
    CounterOutcome.TORN: Sentence("结果未知，请重新插卡", "Not certain: insert the card again"),
    CounterOutcome.NOT_COUNTED: Sentence("未扣次数", "Nothing was counted"),
    CounterOutcome.REPEATED: Sentence("重复应答，不得给付", "Redeemed before: grant nothing"),
    CounterOutcome.UNKNOWN: Sentence("结果未知，由工会查明", "Not certain: the union finds out"),
}
"""The result in large type."""
_TITLE: Final = Sentence("会员权益核销凭证", "Receipt of a member benefit")
_COPY: Final = Sentence("重打（副本）", "REPRINT (COPY)")
_REVERSED: Final = Sentence("已撤销", "TAKEN BACK")
_LABELS: Final = {
    "time": Sentence("时间", "Time"),
    "number": Sentence("凭证号", "Receipt no."),
    "quantity": Sentence("数量", "Quantity"),
    "list": Sentence("原价", "List price"),
    "saved": Sentence("优惠", "Saved"),
    "price": Sentence("应收", "To pay"),
    "returned": Sentence("退还", "Paid back"),
    "card": Sentence("会员卡号", "Card"),
    "transaction": Sentence("卡片交易序号", "Card transaction"),
    "grant": Sentence("工会计次号", "Union count no."),
    "left": Sentence("本期剩余次数", "Left in this period"),
    "cashier": Sentence("收银员", "Cashier"),
    "merchant": Sentence("商户号", "Merchant no."),
    "terminal": Sentence("终端号", "Terminal no."),
}
_YUAN: Final = Sentence("{} 元", "{} yuan")


class LineStyle(StrEnum):
    """How a line of a receipt is set."""

    HEAD = "head"
    """In the middle, large."""
    MIDDLE = "middle"
    PAIR = "pair"
    """A label at the left, its value at the right."""
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One line: ``text`` is the label of a pair. Neither text has a control character, which a printer would obey."""

    style: LineStyle
    text: str = ""
    value: str = ""

    def __post_init__(self) -> None:
        for name in ("text", "value"):
            object.__setattr__(self, name, visible(" ".join(getattr(self, name).split())))


def receipt_lines(record: CounterRecord, merchant: str, language: str, *, copy: bool = False) -> Iterator[ReceiptLine]:
    """The lines of a receipt in Chinese (``zh``) or English (``en``). ``merchant`` is the name at the head; ``copy``:
    one was issued before."""

    def words(sentence: Sentence) -> str:
        return sentence.en if language == "en" else sentence.zh

    def pair(name: str, value: str) -> ReceiptLine:
        return ReceiptLine(LineStyle.PAIR, words(_LABELS[name]), value)

    def money(fen: int) -> str:
        return words(_YUAN).format(yuan(fen))

    yield ReceiptLine(LineStyle.HEAD, merchant)
    yield ReceiptLine(LineStyle.MIDDLE, words(_TITLE))
    if copy:
        yield ReceiptLine(LineStyle.HEAD, words(_COPY))
    yield ReceiptLine(LineStyle.RULE)
    yield ReceiptLine(LineStyle.HEAD, words(record.title))
    yield ReceiptLine(LineStyle.HEAD, words(_REVERSED if record.reversed else WORDS[record.outcome]))
    yield ReceiptLine(LineStyle.RULE)
    yield pair("quantity", str(record.quantity))
    if record.list_price is not None:
        yield pair("list", money(record.list_price))
    if record.saved and not record.reversed:
        yield pair("saved", money(record.saved))
    yield pair("returned" if record.reversed else "price", money(record.amount))
    yield ReceiptLine(LineStyle.RULE)
    yield pair("card", record.card)
    if record.transaction is not None:
        yield pair("transaction", str(record.transaction))
    if record.grant is not None:
        yield pair("grant", str(record.grant))
    if record.left is not None and not record.reversed:
        yield pair("left", str(record.left))
    if record.used is not None and record.limit is not None and not record.reversed:
        yield pair("left", f"{record.limit - record.used} / {record.limit}")
    yield pair("time", date_time(record.at, record.at.tzinfo))
    yield pair("cashier", record.cashier)
    yield pair("number", record.receipt)
    yield pair("merchant", record.merchant)
    yield pair("terminal", record.terminal)


def receipt_text(record: CounterRecord, merchant: str, language: str) -> str:
    """The receipt as plain text of 48 columns."""
    return slip_text(receipt_lines(record, merchant, language))


def slip_text(lines: Iterable[ReceiptLine]) -> str:
    """Lines of a slip as plain text of 48 columns."""
    return "".join(f"{line}\n" for one in lines for line in _set(one))


def columns(text: str) -> int:
    """How many columns a text takes: two for each wide character. Unicode Standard Annex 11."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _set(line: ReceiptLine) -> Iterator[str]:
    if line.style is LineStyle.RULE:
        yield "-" * COLUMNS
    elif line.style is LineStyle.PAIR:
        room = COLUMNS - columns(line.text) - 1
        parts = list(folded(line.value, room))
        for number, part in enumerate(parts or [""]):
            label = line.text if number == 0 else ""
            yield label + " " * (COLUMNS - columns(label) - columns(part)) + part
    else:
        for part in folded(line.text, COLUMNS):
            yield " " * ((COLUMNS - columns(part)) // 2) + part


def folded(text: str, room: int) -> Iterator[str]:
    """The text in parts of so many columns at most."""
    part = ""
    for letter in text:
        if columns(part + letter) > room:
            yield part.rstrip()
            part = ""
        part += letter
    if part.strip():
        yield part.strip()
