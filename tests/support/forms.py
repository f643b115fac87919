"""Builds registration forms for tests, in every file format, from plain rows."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import xlwt
from openpyxl import Workbook

from personalize.intake import RosterReport, check
from personalize.intake.identity import check_character

TODAY = date(2026, 11, 22)
UNIT = "石家庄铁道大学工会"
TITLE = ("河北省省直工会会员卡信息登记表",)
UNIT_LINE = (f"基层工会名称：{UNIT}",)
HEADER = ("序号", "身份证号", "姓名", "性别", "手机号码", "所属单位")


def id_number(region: str = "130102", born: str = "19760515", serial: int = 397) -> str:
    """A number with the right check character."""
    digits = f"{region}{born}{serial:03}"
    return digits + check_character(digits)


def person(seq: Any = 1, **other: Any) -> list[Any]:
    """A sound row in the order of HEADER; keyword arguments replace cells by column: id, name, gender, phone, unit."""
    gender = "男" if int(seq) % 2 else "女"
    cells = {"id": id_number(serial=int(seq)), "name": "孙波磊", "gender": gender, "phone": "18801434135", "unit": UNIT}
    return [seq, *(cells | other).values()]


def xlsx(path: Path, rows: Iterable[Sequence[Any]], *, merge: Iterable[str] = (), sheet: str = "Sheet") -> Path:
    """One sheet; None leaves a cell empty."""
    book = Workbook()
    book.active.title = sheet
    fill(book.active, rows)
    for cells in merge:
        book.active.merge_cells(cells)
    book.save(path)
    return path


def fill(sheet: Any, rows: Iterable[Sequence[Any]]) -> None:
    for number, row in enumerate(rows, start=1):
        for column, value in enumerate(row, start=1):
            if value is not None:
                sheet.cell(number, column, value)


def xls(path: Path, rows: Iterable[Sequence[Any]], *, merge: Iterable[tuple[int, int, int, int, Any]] = ()) -> Path:
    """One sheet. ``merge``: first and last row, first and last column, counted from 0, and the value."""
    book = xlwt.Workbook(encoding="utf-8")
    sheet = book.add_sheet("Sheet")
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            if value is not None:
                sheet.write(number, column, value)
    for cells in merge:
        sheet.write_merge(*cells)
    book.save(str(path))
    return path


def text(path: Path, rows: Iterable[Sequence[Any]], *, encoding: str = "utf-8-sig", delimiter: str = ",") -> Path:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter).writerows(["" if cell is None else cell for cell in row] for row in rows)
    path.write_bytes(buffer.getvalue().encode(encoding))
    return path


def repacked(source: Path, out: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """A workbook whose parts, by their names, are changed in place."""
    with zipfile.ZipFile(source) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out


def form(*people: Sequence[Any]) -> list[Sequence[Any]]:
    """A whole form of sound shape: title, unit, header in row 3, people from row 4."""
    return [TITLE, UNIT_LINE, HEADER, *people]


def checked(tmp_path: Path, *people: Sequence[Any], **options: Any) -> RosterReport:
    """The report over a form of these people."""
    return check(xlsx(tmp_path / "form.xlsx", form(*people)), today=TODAY, **options)


def verdicts(report: RosterReport) -> list[str]:
    """One word a row: ok, or the codes joined by +."""
    return ["+".join(row.codes) or "ok" for row in report.rows]
