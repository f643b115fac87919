"""A payout list (商户应付清单) as workbook and CSV, with accounts in clear, totals and the hash of its rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import tzinfo
from decimal import Decimal
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from personalize.cells import FORMULA_STARTS, write_cell
from personalize.sheets.statement import signed_at
from registry.programme.payouts import PayoutList, PayoutRow

TITLE: Final = ("商户应付清单", "Payout list of merchants")
_COLUMNS: Final = (
    ("序号 no.", 8),
    ("商户号 merchant", 20),
    ("商户名称 name", 34),
    ("账号 account", 30),
    ("结算单 statement", 16),
    ("版本 version", 12),
    ("应付商户 to pay", 18),
    ("应收商户 to collect", 18),
    ("结算单 SHA-256 of the statement", 68),
)
_MONEY: Final = "#,##0.00"
_PAY, _COLLECT = 7, 8


def payout_workbook(content: PayoutList, zone: tzinfo) -> bytes:
    """The list as an xlsx file; amounts are numbers in yuan, accounts are text, times are in a ``zone``."""
    book = Workbook()
    sheet: Any = book.active
    sheet.title = TITLE[0]
    facts = _facts(content, zone)
    for row, (label, value) in enumerate(facts, start=1):
        _write(sheet, row, 1, label, bold=row == 1)
        _write(sheet, row, 3, value)
    head = len(facts) + 2
    for column, (title, width) in enumerate(_COLUMNS, start=1):
        _write(sheet, head, column, title, bold=True)
        sheet.column_dimensions[get_column_letter(column)].width = width
    for row, one in enumerate(content.rows, start=head + 1):
        cells: tuple[object, ...] = (
            row - head, one.merchant, one.name, one.account, one.statement, one.version, "", "", one.digest,
        )  # fmt: skip
        for column, cell in enumerate(cells, start=1):
            _write(sheet, row, column, cell)
        _money(sheet, row, _PAY if one.amount > 0 else _COLLECT, abs(one.amount))
    last = head + len(content.rows) + 1
    _write(sheet, last, 1, "合计 total", bold=True)
    _money(sheet, last, _PAY, content.payout.pay)
    _money(sheet, last, _COLLECT, content.payout.collect)
    sheet.freeze_panes = sheet.cell(head + 1, 1)
    whole = io.BytesIO()
    book.save(whole)
    return whole.getvalue()


def payout_csv(content: PayoutList, zone: tzinfo) -> bytes:
    """The list as CSV in UTF-8 with a byte order mark: a row for each statement, then the totals and the hash."""
    whole = io.StringIO(newline="")
    writer = csv.writer(whole)
    writer.writerow([title for title, _width in _COLUMNS])
    writer.writerows(_lines(content.rows))
    writer.writerow(["合计 total", "", "", "", "", "", _yuan(content.payout.pay), _yuan(content.payout.collect), ""])
    for label, value in _facts(content, zone):
        writer.writerow([label, _safe(str(value))])
    return whole.getvalue().encode("utf-8-sig")


def _facts(content: PayoutList, zone: tzinfo) -> tuple[tuple[str, object], ...]:
    payout = content.payout
    return (
        (f"{TITLE[0]} {TITLE[1]}", payout.number),
        ("月份 month", payout.month),
        ("制单 drawn up", f"{payout.by} {signed_at(payout.at, zone)}"),
        ("笔数 rows", payout.rows),
        ("SHA-256", payout.digest),
    )


def _lines(rows: tuple[PayoutRow, ...]) -> Iterator[list[str]]:
    for number, one in enumerate(rows, start=1):
        pay, collect = (_yuan(one.amount), "") if one.amount > 0 else ("", _yuan(-one.amount))
        names = [str(number), one.merchant, _safe(one.name), one.account, str(one.statement), str(one.version)]
        yield [*names, pay, collect, one.digest]


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02}"


def _safe(text: str) -> str:
    """A text that no program takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _write(sheet: Any, row: int, column: int, value: object, *, bold: bool = False) -> None:
    cell = sheet.cell(row, column)
    write_cell(cell, value)
    cell.font = Font(bold=bold)


def _money(sheet: Any, row: int, column: int, fen: int) -> None:
    cell = sheet.cell(row, column)
    write_cell(cell, Decimal(fen) / 100)
    cell.number_format = _MONEY
