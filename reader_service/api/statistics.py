"""Figures over HTTP, and the schedule of issue (附件6)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import File, Query, Response, UploadFile
from pydantic import AwareDatetime, Field

from reader_service.http.deps import Caller, Svc
from reader_service.http.resource import Resource
from reader_service.http.schemas import ALWAYS, XLSX, Line, RequestModel, ResponseModel, answers, download, problems
from reader_service.services.statistics import MOST_PLANS
from reader_service.services.uploads import pieces
from registry.admin.plans import UnitPlan

router = Resource(prefix="/statistics", tags=["statistics"], responses=problems(*ALWAYS))

_WHO = "Roles: operator, reviewer, registrar, auditor."
Since = Annotated[AwareDatetime | None, Query(description="Not before.", examples=["2026-11-01T00:00:00+08:00"])]
Until = Annotated[AwareDatetime | None, Query(description="Before.", examples=["2026-12-01T00:00:00+08:00"])]


class UnitProgressResponse(ResponseModel):
    """A unit against its plan. `registered` members are approved, `issued` have had a card; `late`: due, and fewer
    issued than planned."""

    unit: str
    group: str
    planned: int | None
    due: date | None
    registered: int
    issued: int
    late: bool


class DayCountResponse(ResponseModel):
    """Cards of a day of this machine's time zone."""

    day: date
    count: int


class RejectCountResponse(ResponseModel):
    """How often chips were refused at a step, and why: `code` for programs, `reason` a sentence that one had."""

    step: str
    reason: str
    count: int
    code: str = Field(examples=["mute"])


class CardSecondsResponse(ResponseModel):
    """Seconds per proven card; null where there was none."""

    count: int
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    most: float | None


class LaneCountResponse(ResponseModel):
    """What a lane made. `station` is empty for chips that were refused before they were bound."""

    station: str
    lane: str
    verified: int
    rejected: int
    mean_seconds: float | None
    last_at: datetime


class HourCountResponse(ResponseModel):
    """Verdicts of one hour."""

    hour: datetime
    code: str
    count: int


class PlanResponse(ResponseModel):
    """How many cards a unit gets until when, and in which group of the schedule."""

    unit: str
    group: str
    planned: int
    due: date


class PlanRequest(RequestModel):
    """How many cards a unit gets until when, and in which group of the schedule."""

    unit: Line = Field(max_length=100, examples=["石家庄铁道大学工会"])
    group: str = Field("", max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$", examples=["第一批"])
    planned: int = Field(ge=1, le=10_000_000, examples=[300])
    due: date = Field(examples=["2026-12-31"])


class PlansRequest(RequestModel):
    """Plans of units; those that had others have these."""

    plans: list[PlanRequest] = Field(min_length=1, max_length=MOST_PLANS)


@router.get("/units", summary="Units against their plan", description=f"By due date. {_WHO}")
def units(service: Svc, caller: Caller) -> list[UnitProgressResponse]:
    return [UnitProgressResponse.model_validate(unit) for unit in service.statistics.progress(caller)]


@router.get("/days", summary="Cards per day", description=f"Days without cards are left out. {_WHO}")
def days(service: Svc, caller: Caller, since: Since = None, until: Until = None) -> list[DayCountResponse]:
    return [DayCountResponse.model_validate(day) for day in service.statistics.issued_per_day(caller, since, until)]


@router.get("/rejects", summary="Rejects by step and reason", description=f"The most frequent first. {_WHO}")
def rejects(
    service: Svc,
    caller: Caller,
    since: Since = None,
    until: Until = None,
    batch: Annotated[str | None, Query(pattern=r"^B[0-9]{8}-[0-9]{3,9}$")] = None,
) -> list[RejectCountResponse]:
    found = service.statistics.rejects(caller, since, until, batch_id=batch)
    return [RejectCountResponse.model_validate(one) for one in found]


@router.get("/seconds", summary="Seconds per card", description=f"Of proven cards, as lanes measured them. {_WHO}")
def seconds(service: Svc, caller: Caller, since: Since = None, until: Until = None) -> CardSecondsResponse:
    return CardSecondsResponse.model_validate(service.statistics.seconds_per_card(caller, since, until))


@router.get("/lanes", summary="What each lane made", description=f"By station and lane. {_WHO}")
def lanes(service: Svc, caller: Caller, since: Since = None, until: Until = None) -> list[LaneCountResponse]:
    return [LaneCountResponse.model_validate(lane) for lane in service.statistics.lanes(caller, since, until)]


@router.get(
    "/verdicts", summary="Verdicts per hour", description=f"By hour, then verdict; empty hours are left out. {_WHO}"
)
def verdicts(
    service: Svc,
    caller: Caller,
    since: Since = None,
    until: Until = None,
    station: Annotated[Line | None, Query(description="Of this station only.")] = None,
) -> list[HourCountResponse]:
    found = service.statistics.verdicts_per_hour(caller, since, until, station=station)
    return [HourCountResponse.model_validate(hour) for hour in found]


@router.get(
    "/export.xlsx",
    summary="All figures as a workbook",
    description=f"A sheet for each; no text in it is ever a formula. {_WHO}",
    response_class=Response,
    responses=answers(XLSX, "The workbook."),
)
def export(service: Svc, caller: Caller, since: Since = None, until: Until = None) -> Response:
    made = service.statistics.export_xlsx(caller, since, until)
    return download(made.content, made.filename, XLSX)


@router.get("/plans", summary="The schedule of issue", description=f"By due date. {_WHO}")
def plans(service: Svc, caller: Caller) -> list[PlanResponse]:
    return [PlanResponse.model_validate(plan) for plan in service.statistics.plans(caller)]


@router.put(
    "/plans",
    summary="Set plans of units",
    description="All of them or none; gives the whole schedule. Role: registrar.",
    responses=problems(409),
)
def set_plans(service: Svc, caller: Caller, wanted: PlansRequest) -> list[PlanResponse]:
    given = [UnitPlan(plan.unit, plan.group, plan.planned, plan.due) for plan in wanted.plans]
    return [PlanResponse.model_validate(plan) for plan in service.statistics.set_plans(caller, given)]


@router.post(
    "/plans/import",
    summary="Set plans from a sheet",
    description="An .xlsx, .xls or .csv with the columns 单位, 组别, 计划数, 完成日期: all of it or nothing; `fields` "
    "says what is wrong with which row. Gives the whole schedule. Role: registrar.",
    responses=problems(409, 413, 429),
)
def import_plans(
    service: Svc, caller: Caller, file: Annotated[UploadFile, File(description="The schedule.")]
) -> list[PlanResponse]:
    found = service.statistics.import_plans(caller, file.filename or "", pieces(file.file.read))
    return [PlanResponse.model_validate(plan) for plan in found]


@router.delete(
    "/plans",
    status_code=204,
    summary="Take a unit's plan away",
    description="Role: registrar.",
    responses=problems(404, s404=("not-found", "there is no plan for that unit")),
)
def remove_plan(service: Svc, caller: Caller, unit: Annotated[Line, Query(examples=["石家庄铁道大学工会"])]) -> None:
    service.statistics.remove_plan(caller, unit)
