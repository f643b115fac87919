"""A payout list as workbook and CSV: accounts are text, sums are those of the list, and no name is a formula."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import openpyxl

from personalize.sheets.payout import payout_csv, payout_workbook
from registry.programme.payouts import Payout, PayoutList, PayoutRow

SHANGHAI = ZoneInfo("Asia/Shanghai")
LIST = PayoutList(
    Payout(3, "2026-11", datetime(2026, 12, 3, 9, 0, tzinfo=UTC), "张伟", 2, 123_456, 50, "cd" * 32),
    (
        PayoutRow(12, 1, "ab" * 32, "PARK-EAST", "=东城公园", 123_456, "0622200000000123"),
        PayoutRow(13, 2, "ef" * 32, "TEAHOUSE", "前门茶馆", -50, ""),
    ),
)


def test_a_workbook_has_accounts_as_text_and_amounts_as_numbers() -> None:
    (sheet,) = openpyxl.load_workbook(io.BytesIO(payout_workbook(LIST, SHANGHAI))).worksheets
    rows = list(sheet.iter_rows(values_only=True))
    assert rows[-3][:8] == (1, "PARK-EAST", "=东城公园", "0622200000000123", 12, 1, 1234.56, None)
    assert rows[-2][:8] == (2, "TEAHOUSE", "前门茶馆", None, 13, 2, None, 0.5)
    assert (rows[-1][0], rows[-1][6], rows[-1][7]) == ("合计 total", 1234.56, 0.5)
    assert {cell.data_type for cell in (sheet.cell(sheet.max_row - 2, 3), sheet.cell(sheet.max_row - 2, 4))} == {"s"}
    assert ("SHA-256", None, "cd" * 32) in {row[:3] for row in rows}


def test_a_csv_file_has_the_same_rows_totals_and_hash() -> None:
    rows = list(csv.reader(io.StringIO(payout_csv(LIST, SHANGHAI).decode("utf-8-sig"))))
    assert rows[1] == ["1", "PARK-EAST", "'=东城公园", "0622200000000123", "12", "1", "1234.56", "", "ab" * 32]
    assert rows[2] == ["2", "TEAHOUSE", "前门茶馆", "", "13", "2", "", "0.50", "ef" * 32]
    assert rows[3][6:8] == ["1234.56", "0.50"]
    assert ["制单 drawn up", "张伟 2026-12-03 17:00 Asia/Shanghai, UTC+08:00"] in rows
    assert ["SHA-256", "cd" * 32] in rows
