"""Statistics over HTTP, and the schedule of issue (附件6)."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import File, Query, Response, UploadFile
from pydantic import AwareDatetime, Field

from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import (
    ALWAYS,
    BATCH_NUMBER,
    XLSX,
    Line,
    RequestModel,
    download,
    file_response,
    problems,
)
from reader_service.services.statistics.figures import DayCount
from reader_service.services.statistics.statistics import MOST_PLANS
from reader_service.services.uploads import pieces
from registry.admin.plans import UnitPlan
from registry.admin.statistics import CardSeconds, HourCount, LaneCount, RejectCount, UnitProgress

router = Resource(prefix="/statistics", tags=["statistics"], responses=problems(*ALWAYS))

_WHO = "Roles: operator, reviewer, registrar, auditor."
Since = Annotated[
    AwareDatetime | None,
    Query(description="Only what happened at or after this time.", examples=["2026-11-01T00:00:00+08:00"]),
]
Until = Annotated[
    AwareDatetime | None,
    Query(description="Only what happened before this time.", examples=["2026-12-01T00:00:00+08:00"]),
]


class PlanRequest(RequestModel):
    """The number of cards that a unit gets, the day when they are due, and the unit's group in the schedule."""

    unit: Line = Field(max_length=100, examples=["石家庄铁道大学工会"])
    group: str = Field("", max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["第一批"])
    planned: int = Field(ge=1, le=10_000_000, examples=[300])
    due: date = Field(examples=["2026-12-31"])


class PlansRequest(RequestModel):
    """Plans of units. Each replaces the plan that its unit had."""

    plans: list[PlanRequest] = Field(min_length=1, max_length=MOST_PLANS)


@router.get(
    "/units",
    summary="Compare units with their plan",
    description="The unit that is due first comes first. `issued` counts members whose card was handed over, "
    f"`verified` those whose card was made. {_WHO}",
)
def units(service: Svc, caller: Caller) -> list[UnitProgress]:
    return service.statistics.progress(caller)


@router.get(
    "/days",
    summary="Count cards per day",
    description="`count` cards were made, `issued` cards were handed over; days without either are left out. " + _WHO,
)
def days(service: Svc, caller: Caller, since: Since = None, until: Until = None) -> list[DayCount]:
    return service.statistics.cards_per_day(caller, since, until)


@router.get(
    "/rejects",
    summary="Count rejects by step and reason",
    description=f"The most frequent reason comes first. {_WHO}",
)
def rejects(
    service: Svc,
    caller: Caller,
    since: Since = None,
    until: Until = None,
    batch: Annotated[str | None, Query(pattern=BATCH_NUMBER, description="Only rejects of this batch.")] = None,
) -> list[RejectCount]:
    return service.statistics.rejects(caller, since, until, batch_id=batch)


@router.get(
    "/seconds",
    summary="Measure seconds per card",
    description=f"Covers verified cards, as the lanes timed them. {_WHO}",
)
def seconds(service: Svc, caller: Caller, since: Since = None, until: Until = None) -> CardSeconds:
    return service.statistics.seconds_per_card(caller, since, until)


@router.get("/lanes", summary="Count cards per lane", description=f"Sorted by station and lane. {_WHO}")
def lanes(service: Svc, caller: Caller, since: Since = None, until: Until = None) -> list[LaneCount]:
    return service.statistics.lanes(caller, since, until)


@router.get(
    "/verdicts",
    summary="Count verdicts per hour",
    description=f"Sorted by hour, then by verdict; hours without verdicts are left out. {_WHO}",
)
def verdicts(
    service: Svc,
    caller: Caller,
    since: Since = None,
    until: Until = None,
    station: Annotated[Line | None, Query(description="Only verdicts of this station.")] = None,
) -> list[HourCount]:
    return service.statistics.verdicts_per_hour(caller, since, until, station=station)


@router.get(
    "/export.xlsx",
    summary="Download all statistics",
    description=f"Gives a workbook with one sheet per statistic; no text in it is a formula. {_WHO}",
    response_class=Response,
    responses=file_response(XLSX, "The workbook as .xlsx."),
)
def export(service: Svc, caller: Caller, since: Since = None, until: Until = None) -> Response:
    workbook = service.statistics.export_xlsx(caller, since, until)
    return download(workbook.content, workbook.filename, XLSX)


@router.get(
    "/plans", summary="Get the schedule of issue", description=f"The plan that is due first comes first. {_WHO}"
)
def plans(service: Svc, caller: Caller) -> list[UnitPlan]:
    return service.statistics.plans(caller)


@router.put(
    "/plans",
    summary="Set plans of units",
    description="Stores all of them or none, and gives the whole schedule. Role: registrar.",
    responses=problems(409),
)
def set_plans(service: Svc, caller: Caller, wanted: PlansRequest) -> list[UnitPlan]:
    given = [UnitPlan(plan.unit, plan.group, plan.planned, plan.due) for plan in wanted.plans]
    return service.statistics.set_plans(caller, given)


@router.post(
    "/plans/import",
    summary="Import plans from a sheet",
    description="Takes an .xlsx, .xls or .csv file with the columns 单位, 组别, 计划数, 完成日期. Stores all rows or "
    "none; `fields` names the faulty rows. Gives the whole schedule. Role: registrar.",
    responses=problems(409, 413, 429),
)
def import_plans(
    service: Svc, caller: Caller, file: Annotated[UploadFile, File(description="The schedule as .xlsx, .xls or .csv.")]
) -> list[UnitPlan]:
    return service.statistics.import_plans(caller, file.filename or "", pieces(file.file.read))


@router.delete(
    "/plans",
    status_code=204,
    summary="Delete the plan of a unit",
    description="The unit stays in the statistics as long as it has members. Role: registrar.",
    responses=problems(404, s404=("not-found", "there is no plan for that unit")),
)
def remove_plan(
    service: Svc,
    caller: Caller,
    unit: Annotated[Line, Query(examples=["石家庄铁道大学工会"], description="The unit whose plan is deleted.")],
) -> None:
    service.statistics.remove_plan(caller, unit)
