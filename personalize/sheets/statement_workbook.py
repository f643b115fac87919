"""A merchant's statement of a month (结算单) as a workbook: the sums, and every redemption with amounts as numbers."""

from __future__ import annotations

import io
from datetime import date, datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from personalize.cells import write_cell
from personalize.sheets.statement import KINDS, LISTED, STATES, TITLE, balance, left_out, signed_at
from registry.programme.statement import BenefitName, StatementSheet, Totals

_SUMS: Final = (
    ("网点 outlet", 28),
    ("权益 benefit", 12),
    ("次数 uses", 10),
    ("数量 quantity", 12),
    ("会员支付 members paid", 20),
    ("冲回 taken back", 18),
    ("应付商户 due", 18),
    ("权益名称 benefit's name", 36),
)
_ENTRIES: Final = (
    ("编号 number", 12),
    ("日期 date", 14),
    ("时间 time", 12),
    ("网点 outlet", 28),
    ("权益 benefit", 12),
    ("数量 quantity", 12),
    ("卡号 card number", 26),
    ("计数 counter", 12),
    ("类型 kind", 20),
    ("会员支付 members paid", 20),
    ("应付商户 due", 18),
    ("以前月份 earlier month", 20),
    ("权益名称 benefit's name", 36),
)
_MONEY: Final = "#,##0.00"


def statement_workbook(content: StatementSheet, day: date, zone: tzinfo) -> bytes:
    """The statement as an xlsx file, written on a ``day``; times of signatures are in a ``zone``."""
    book = Workbook()
    book.remove(book.active)
    _sums(book.create_sheet(TITLE[0]), content, day, zone)
    _entries(book.create_sheet(LISTED[0]), content)
    whole = io.BytesIO()
    book.save(whole)
    return whole.getvalue()


def _sums(sheet: Any, content: StatementSheet, day: date, zone: tzinfo) -> None:
    statement = content.statement
    facts = (
        (f"{TITLE[0]} {TITLE[1]}", ""),
        ("商户 merchant", " ".join((statement.merchant, statement.name, statement.name_en)).strip()),
        ("月份 month", f"{statement.month} ({statement.version})"),
        ("状态 state", " ".join(STATES[statement.state])),
        ("结果 result", " ".join(balance(statement.due))),
        ("其他 further", " ".join(left_out(statement))),
        ("重开原因 reopened because", statement.reason),
        ("制单人 first signature", _signature(statement.signed_by, statement.signed_at, zone)),
        ("复核人 second signature", _signature(statement.closed_by, statement.closed_at, zone)),
        ("日期 date", day.isoformat()),
        ("SHA-256", statement.digest),
    )
    for row, (label, value) in enumerate(facts, start=1):
        _write(sheet, row, 1, label, bold=row == 1)
        _write(sheet, row, 2, value)
    first = len(facts) + 2
    _titles(sheet, first, _SUMS)
    row = first
    for row, line in enumerate(content.lines, start=first + 1):
        _row(sheet, row, (line.outlet_name, line.benefit_class), line.totals)
        _write(sheet, row, len(_SUMS), _name(line.benefit))
    _row(sheet, row + 1, ("合计 total", ""), content.totals)


def _signature(person: str | None, at: datetime | None, zone: tzinfo) -> str:
    return f"{person} {signed_at(at, zone)}" if person and at else ""


def _row(sheet: Any, row: int, names: tuple[str, str], whole: Totals) -> None:
    for column, name in enumerate(names, start=1):
        _write(sheet, row, column, name)
    for column, count in enumerate((whole.uses, whole.quantity), start=3):
        _write(sheet, row, column, count)
    for column, fen in enumerate((whole.amount, whole.back, whole.due), start=5):
        _money(sheet, row, column, fen)


def _entries(sheet: Any, content: StatementSheet) -> None:
    _titles(sheet, 1, _ENTRIES)
    sheet.freeze_panes = "A2"
    for row, entry in enumerate(content.entries, start=2):
        cells: tuple[object, ...] = (
            entry.redemption,
            entry.day.isoformat(),
            entry.clock,
            entry.outlet_name,
            entry.benefit_class,
            entry.quantity,
            entry.card,
            entry.atc,
            KINDS[entry.kind],
        )
        for column, cell in enumerate(cells, start=1):
            _write(sheet, row, column, cell)
        _money(sheet, row, len(cells) + 1, entry.amount)
        _money(sheet, row, len(cells) + 2, entry.due)
        _write(sheet, row, len(cells) + 3, "是 yes" if entry.late else "")
        _write(sheet, row, len(cells) + 4, _name(entry.benefit))


def _name(benefit: BenefitName | None) -> str:
    return "" if benefit is None else f"{benefit.zh} {benefit.en}"


def _titles(sheet: Any, row: int, columns: tuple[tuple[str, int], ...]) -> None:
    for column, (title, width) in enumerate(columns, start=1):
        _write(sheet, row, column, title, bold=True)
        letter = get_column_letter(column)
        sheet.column_dimensions[letter].width = max(width, sheet.column_dimensions[letter].width or 0)


def _write(sheet: Any, row: int, column: int, value: object, *, bold: bool = False) -> None:
    cell = sheet.cell(row, column)
    write_cell(cell, value)
    cell.font = Font(bold=bold)


def _money(sheet: Any, row: int, column: int, fen: int) -> None:
    cell = sheet.cell(row, column)
    write_cell(cell, Decimal(fen) / 100)
    cell.number_format = _MONEY
