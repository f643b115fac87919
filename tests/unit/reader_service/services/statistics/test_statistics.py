"""Figures: against the schedule, by hour and by day, and as a workbook in which nothing is a formula."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook

from reader_service.errors import Forbidden, Invalid, NotFound, RequestTooLarge, UnreadableForm
from reader_service.services.statistics.figures import PlanTotal, plan_total
from reader_service.services.statistics.statistics import StatisticsService
from registry.admin.plans import UnitPlan
from registry.admin.statistics import UnitProgress
from registry.members.verdicts import VerdictNote
from registry.values import CardState
from terminal.localtime import time_zone
from tests.support import forms
from tests.support.issuer import custody
from tests.support.registry.registrar import UNIT, claimed, ready
from tests.support.service.registry_rig import AUDITOR, CLERK, COUNTER, OPERATOR, RegistryRig, at, carded, day

HEADER = ("序号", "单位名称", "批次", "计划人数", "完成日期")


@pytest.fixture
def service(rig: RegistryRig) -> StatisticsService:
    return StatisticsService(replace(rig.parts, zone=time_zone("Asia/Shanghai")), rig.bus)


def plan(unit: str = UNIT, planned: int = 3, due: date = date(2026, 11, 21)) -> UnitPlan:
    return UnitPlan(unit, "第一批", planned, due)


def test_units_stand_against_their_plan(rig: RegistryRig, service: StatisticsService) -> None:
    _, numbers = carded(rig.registry, 2)
    assert [(unit.verified, unit.issued) for unit in service.progress(AUDITOR)] == [(2, 0)]
    for number in numbers:
        at(rig.registry, number, CardState.PACKED, CardState.DELIVERED)
    assert [(unit.unit, unit.planned, unit.issued, unit.late) for unit in service.progress(AUDITOR)] == [
        (UNIT, None, 2, False)
    ]
    service.set_plans(CLERK, [plan(), plan("后来的单位", 5, date(2026, 12, 31))])
    assert [(unit.unit, unit.planned, unit.issued, unit.late) for unit in service.progress(AUDITOR)] == [
        (UNIT, 3, 2, True),
        ("后来的单位", 5, 0, False),
    ]
    service.remove_plan(CLERK, "后来的单位")
    assert service.plans(AUDITOR) == [plan()]
    with pytest.raises(NotFound):
        service.remove_plan(CLERK, "后来的单位")
    with pytest.raises(Invalid):
        service.set_plans(CLERK, [])


def test_the_total_counts_cards_of_units_with_a_plan_and_no_department_twice() -> None:
    def unit(name: str, planned: int | None, issued: int, within: str = "") -> UnitProgress:
        return UnitProgress(name, "", planned, None, issued, issued, False, within, issued)

    assert plan_total([]) == PlanTotal(0, 0, 0)
    assert plan_total([unit("甲", 10, 4), unit("乙", None, 3)]) == PlanTotal(10, 4, 3)
    departments = [unit("甲", 10, 7), unit("甲 / 一部", 5, 6, "甲"), unit("乙", None, 9), unit("乙 / 二部", 4, 2)]
    assert plan_total(departments) == PlanTotal(14, 9, 7)


def test_days_are_those_of_the_zone_in_the_settings(rig: RegistryRig, service: StatisticsService) -> None:
    rig.clock.now = day("2026-11-22").replace(hour=15)
    carded(rig.registry, 1)
    rig.clock.forward(timedelta(hours=1, minutes=30))  # half past midnight in Shijiazhuang
    _, (number, _) = carded(rig.registry, 2, digest="d2", start=2)
    at(rig.registry, number, CardState.PACKED, CardState.DELIVERED)
    assert [(one.day, one.count, one.issued) for one in service.cards_per_day(AUDITOR)] == [
        (date(2026, 11, 22), 1, 0),
        (date(2026, 11, 23), 2, 1),
    ]
    late = day("2026-11-22").replace(hour=16)
    assert [one.count for one in service.cards_per_day(AUDITOR, late)] == [2]
    assert service.seconds_per_card(AUDITOR, None, late).count == 1
    assert [(lane.lane, lane.verified) for lane in service.lanes(AUDITOR)] == [("lane 1", 3)]


def test_verdicts_and_rejects_are_counted(rig: RegistryRig, service: StatisticsService) -> None:
    batch_id = ready(rig.registry, custody(), 2)
    for number in (1, 2):
        rig.registry.line.reject(claimed(rig.registry, batch_id, number), "no answer", "select", "B")
    now = rig.clock.now
    rig.registry.verdicts.note(
        *(VerdictNote(now, "test", "counter", code, 0.1) for code in ("ACTIVE", "LOST", "ACTIVE"))
    )
    assert [(one.step, one.reason, one.count) for one in service.rejects(AUDITOR)] == [("select", "no answer", 2)]
    assert [(one.hour, one.code, one.count) for one in service.verdicts_per_hour(AUDITOR)] == [
        (now, "ACTIVE", 2),
        (now, "LOST", 1),
    ]
    assert service.verdicts_per_hour(AUDITOR, station="elsewhere") == []
    assert service.rejects(AUDITOR, now + timedelta(seconds=1)) == []


def test_a_period_has_zones_and_a_direction(service: StatisticsService) -> None:
    noon = day("2026-11-22")
    for since, until in ((noon, noon), (noon.replace(tzinfo=None), None), (None, noon.replace(tzinfo=None))):
        with pytest.raises(Invalid):
            service.rejects(AUDITOR, since, until)


@pytest.mark.parametrize("kind", ["xlsx", "xls", "csv", "gb18030"])
def test_a_schedule_comes_as_a_sheet(kind: str, service: StatisticsService, tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [
        ("附件6 会员卡办理计划",),
        HEADER,
        (1, UNIT, "第一批", 300, "2026年12月5日"),
        (2, "石家庄铁道大学工会", "第二批", 1200, "2026/12/31"),
        (),
        ("合计", "合计", "", 1500, ""),
    ]
    if kind == "xlsx":
        path = forms.xlsx(
            tmp_path / "plan.xlsx", [*rows[:3], (2, rows[3][1], "第二批", 1200.0, date(2026, 12, 31)), *rows[4:]]
        )
    elif kind == "xls":
        path = forms.xls(tmp_path / "plan.xls", rows)
    else:
        path = forms.text(tmp_path / "plan.csv", rows, encoding="gb18030" if kind == "gb18030" else "utf-8-sig")
    assert service.import_plans(CLERK, path.name, [path.read_bytes()]) == [
        UnitPlan(UNIT, "第一批", 300, date(2026, 12, 5)),
        UnitPlan("石家庄铁道大学工会", "第二批", 1200, date(2026, 12, 31)),
    ]


def test_a_schedule_with_a_wrong_row_is_taken_not_at_all(service: StatisticsService, tmp_path: Path) -> None:
    rows = [
        HEADER,
        (1, UNIT, "", 300, "2026-12-05"),
        (2, "", "", 300, "2026-12-05"),
        (3, "甲", "", "很多", "2026-12-05"),
        (4, "乙", "", 0, "2026-12-05"),
        (5, "丙", "", 5, "2026-02-30"),
        (6, UNIT, "", 5, "2026-12-05"),
        (7, "丁", "", 12.5, "2026-12-05"),
        (8, "戊", "", 5, "2026111"),  # the first of November, or the eleventh of January
    ]
    with pytest.raises(Invalid) as caught:
        service.import_plans(CLERK, "plan.xlsx", [forms.xlsx(tmp_path / "plan.xlsx", rows).read_bytes()])
    assert list(caught.value.fields) == ["row 3", "row 4", "row 5", "row 6", "row 7", "row 8", "row 9"]
    assert service.plans(AUDITOR) == []
    with pytest.raises(Invalid, match="columns"):
        service.import_plans(CLERK, "plan.csv", [b"a,b,c\n1,2,3\n"])
    with pytest.raises(UnreadableForm):
        service.import_plans(CLERK, "plan.pdf", [b"%PDF"])
    with pytest.raises(RequestTooLarge):
        service.import_plans(CLERK, "plan.csv", (b"x" * 2**20 for _ in range(40)))


def test_the_figures_are_a_workbook_without_formulas(rig: RegistryRig, service: StatisticsService) -> None:
    rig.clock.now = day("2026-11-22").replace(hour=9)
    batch_id = ready(rig.registry, custody(), 1)
    rig.registry.line.reject(
        claimed(rig.registry, batch_id, 1, "@lane"), '=HYPERLINK("http://evil.example")', "+1", "B"
    )
    service.set_plans(CLERK, [plan("-2+3", 1)])
    export = service.export_xlsx(AUDITOR)
    assert export.filename == "membercard-20261122-1700.xlsx"
    book = load_workbook(io.BytesIO(export.content))
    assert book.sheetnames[:2] == ["进度 progress", "每日发卡 per day"]
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n", "d"}
    evil = {
        cell.value: (cell.data_type, cell.quotePrefix)
        for cell in cells
        if str(cell.value).startswith(("=", "+", "-", "@"))
    }
    assert evil == {
        "-2+3": ("s", True),
        '=HYPERLINK("http://evil.example")': ("s", True),
        "+1": ("s", True),
        "@lane": ("s", True),
    }
    assert book["说明 about"]["B2"].value == "Asia/Shanghai, UTC+08:00"
    assert book["通道 lanes"]["F2"].value == rig.clock.now.astimezone(UTC).replace(tzinfo=None) + timedelta(hours=8)


def test_every_method_asks_who_it_is(service: StatisticsService) -> None:
    for call in (
        lambda: service.progress(COUNTER),
        lambda: service.cards_per_day(COUNTER),
        lambda: service.rejects(COUNTER),
        lambda: service.seconds_per_card(COUNTER),
        lambda: service.lanes(COUNTER),
        lambda: service.verdicts_per_hour(COUNTER),
        lambda: service.plans(COUNTER),
        lambda: service.set_plans(OPERATOR, [plan()]),
        lambda: service.import_plans(OPERATOR, "p.csv", []),
        lambda: service.remove_plan(OPERATOR, "u"),
        lambda: service.figures(COUNTER),
        lambda: service.export_xlsx(COUNTER),
    ):
        with pytest.raises(Forbidden):
            call()
