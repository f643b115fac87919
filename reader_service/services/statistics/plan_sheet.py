"""A schedule of issue (附件6) read from a sheet: a unit, its group, the number of cards and the due day per row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from personalize.intake import Limits
from personalize.intake.files.content import load
from personalize.intake.files.sheets import read_book
from personalize.intake.text import Cell, day_in, squeeze, text_of
from reader_service.errors import Invalid
from registry.admin.plans import UnitPlan

_TITLES: Final[Mapping[str, tuple[str, ...]]] = {
    "unit": ("单位", "单位名称", "工会名称", "基层工会名称", "所属单位", "unit"),
    "group": ("组别", "批次", "组", "分组", "group"),
    "planned": ("计划数", "计划人数", "办卡人数", "人数", "数量", "会员人数", "planned", "cards"),
    "due": ("完成日期", "截止日期", "完成时间", "截止时间", "时限", "due"),
}
_MOST_WRONG: Final = 50
_HEADER_WITHIN: Final = 20
_MOST_CARDS: Final = 10_000_000


def read_plans(path: Path, limits: Limits) -> list[UnitPlan]:
    """The plans of the first sheet with the columns. Raises Invalid, with a field for each faulty row."""
    for sheet in read_book(path, load(path, limits), limits).visible:
        for index, row in enumerate(sheet.rows[:_HEADER_WITHIN]):
            columns = _columns(row)
            if columns:
                first = sheet.sheet_row(index + 1)
                return _plans(sheet.rows[index + 1 :], columns, first)
    wanted = "单位, 组别, 计划数, 完成日期"
    raise Invalid("no sheet has the columns of a schedule", {"file": f"wanted: {wanted}"})


def _columns(row: Sequence[Cell]) -> dict[str, int]:
    """The position of each column; empty where one is missing. The group is optional."""
    titles = [squeeze(text_of(cell)).casefold() for cell in row]
    columns = {
        name: next((titles.index(title) for title in known if title in titles), -1) for name, known in _TITLES.items()
    }
    return columns if all(place >= 0 for name, place in columns.items() if name != "group") else {}


def _plans(rows: Sequence[Sequence[Cell]], columns: Mapping[str, int], first: int) -> list[UnitPlan]:
    plans: dict[str, UnitPlan] = {}
    wrong: dict[str, str] = {}
    for number, row in enumerate(rows, first):
        cells = {name: text_of(row[place]).strip() if place >= 0 else "" for name, place in columns.items()}
        if not any(cells.values()) or cells["unit"] in ("合计", "总计"):
            continue
        planned, due = _count(cells["planned"]), day_in(squeeze(cells["due"]))
        fault = _fault(cells["unit"], planned, due)
        if not fault and cells["unit"] in plans:
            fault = "this unit stands twice in the schedule"
        if fault:
            wrong[f"row {number}"] = fault
        elif planned is not None and due is not None:
            plans[cells["unit"]] = UnitPlan(cells["unit"], cells["group"][:40], planned, due)
    if wrong:
        raise Invalid("rows of the schedule are wrong; nothing was taken", dict(list(wrong.items())[:_MOST_WRONG]))
    return list(plans.values())


def _fault(unit: str, planned: int | None, due: date | None) -> str:
    if not unit or not unit.isprintable() or len(unit) > 100:
        return "the unit is missing"
    if planned is None:
        return "the number of cards is no whole number above 0"
    return "" if due is not None else "the due date is no date, such as 2026-12-31"


def _count(text: str) -> int | None:
    number = re.fullmatch(r"(\d{1,8})(?:\.0+)?", text)
    return int(number[1]) if number and 0 < int(number[1]) <= _MOST_CARDS else None
