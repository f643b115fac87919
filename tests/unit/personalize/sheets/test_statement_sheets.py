"""Statements of merchants as PDF and workbook: every entry once, sums to the fen, and texts that are no formulas."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import openpyxl
import pypdfium2
import pytest

from personalize.sheets.statement import ROWS, balance, statement_pdf, yuan
from personalize.sheets.statement_workbook import statement_workbook
from registry.programme.statement import (
    BenefitName,
    Entry,
    EntryKind,
    LeftOut,
    Statement,
    StatementSheet,
    StatementState,
    lines_of,
    totals,
)

AT = datetime(2026, 12, 3, 9, 0, tzinfo=UTC)
DAY = date(2026, 12, 4)
SHANGHAI = ZoneInfo("Asia/Shanghai")
CARD = "621226*********0001"


def content(count: int, *, outlet: str = "东门", reason: str = "") -> StatementSheet:
    one = Entry(1, EntryKind.REDEEMED, date(2026, 11, 2), "10:30:00", 1, outlet, "0101", 2, 1050, 230, False, CARD, 7)
    entries = [replace(one, redemption=number) for number in range(1, count + 1)]
    entries += [replace(entry, late=True).taken_back() for entry in entries[:1]]
    whole = totals(entries)
    statement = Statement(
        number=12, merchant="PARK-EAST", name="东城公园", name_en="East Park", month="2026-11", version=1,
        state=StatementState.CLOSED, created_at=AT, created_by="张伟", reason=reason, entries=len(entries),
        amount=whole.amount, due=whole.due, left_out=LeftOut(3, 1234, 1, 5), digest="ab" * 32, signed_at=AT,
        signed_by="张伟", closed_at=AT, closed_by="李娜", ended_at=None,
    )  # fmt: skip
    return StatementSheet(statement, lines_of(entries), tuple(entries))


def pages(pdf: bytes) -> list[str]:
    """The text of each page, without blanks and line ends."""
    document = pypdfium2.PdfDocument(pdf)
    return ["".join(page.get_textpage().get_text_range().split()) for page in document]


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (123_456_789, "1,234,567.89"), (-100, "-1.00")]
)
def test_an_amount_has_two_decimals(fen: int, text: str) -> None:
    assert yuan(fen) == text


def test_the_balance_names_the_debtor() -> None:
    assert balance(5) == ("工会应付商户 0.05 元", "the union owes the merchant 0.05 yuan")
    assert balance(-5) == ("商户应付工会 0.05 元", "the merchant owes the union 0.05 yuan")
    assert balance(0) == ("双方无应付款", "nothing is owed")


def test_a_statement_has_its_sums_and_every_redemption() -> None:
    first, *listed = pages(statement_pdf(content(30), DAY, SHANGHAI))
    assert len(listed) == -(-31 // ROWS)
    for part in (
        "PARK-EAST",
        "东城公园",
        "2026-11",
        "张伟2026-12-0317:00Asia/Shanghai",
        "李娜",
        "工会应付商户66.70元",
        "待核查3笔12.34元",
    ):
        assert part in first
    assert "合计Total3060304.50-10.5066.70" in first
    assert "".join(listed).count(CARD) == 31
    assert "".join(listed).count("-10.50") == 1


def named(benefit_class: str, day: date) -> BenefitName:
    return BenefitName("公园年票", "park pass") if day < date(2026, 11, 10) else BenefitName("公园票", "park ticket")


def test_a_statement_names_each_benefit_as_it_was_named_on_the_day() -> None:
    whole = content(2)
    later = replace(whole.entries[0], redemption=9, day=date(2026, 11, 20))
    sheet = replace(whole, entries=(*whole.entries, later)).named(named)
    assert [one.benefit.en for one in sheet.entries if one.benefit] == ["park pass"] * 3 + ["park ticket"]
    (line,) = sheet.lines
    assert line.benefit == BenefitName("公园年票 / 公园票", "park pass / park ticket")
    first, listed = pages(statement_pdf(sheet, DAY, SHANGHAI))
    assert "0101公园年票/公园票" in first
    assert (listed.count("0101公园年票"), listed.count("0101公园票")) == (3, 1)
    book = openpyxl.load_workbook(io.BytesIO(statement_workbook(sheet, DAY, SHANGHAI)))
    sums, entries = (book[name] for name in book.sheetnames)
    assert sums.cell(sums.max_row - 1, 8).value == "公园年票 / 公园票 park pass / park ticket"
    assert entries.cell(5, 13).value == "公园票 park ticket"
    assert sheet.statement.digest == whole.statement.digest


def test_a_month_without_redemptions_is_one_page() -> None:
    (page,) = pages(statement_pdf(content(0), DAY, SHANGHAI))
    assert "双方无应付款" in page


def test_a_workbook_has_amounts_as_numbers_and_text_as_text() -> None:
    book = openpyxl.load_workbook(io.BytesIO(statement_workbook(content(2, outlet="=1+1", reason="@x"), DAY, SHANGHAI)))
    sums, listed = (book[name] for name in book.sheetnames)
    rows = list(listed.iter_rows(min_row=2, values_only=True))
    assert [row[9:11] for row in rows] == [(10.5, 2.3), (10.5, 2.3), (-10.5, -2.3)]
    assert {listed.cell(2, 4).data_type, listed.cell(2, 4).value} == {"s", "=1+1"}
    assert [cell.value for cell in sums[sums.max_row]][4:7] == [10.5, -10.5, 2.3]
    assert "@x" in [sums.cell(row, 2).value for row in range(1, 12)]
