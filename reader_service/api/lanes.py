"""Lanes over HTTP: started, paused, stopped, and how far each is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import Field, StringConstraints

from personalize.line.outcome import CardOutcome
from reader_service.http.deps import Caller, Svc
from reader_service.http.resource import Resource
from reader_service.http.schemas import ALWAYS, ReaderId, RequestModel, ResponseModel, problems
from reader_service.services.lane_status import LaneStatus
from reader_service.services.lanes import LANE_COMMANDS, LaneCommand

router = Resource(prefix="/lanes", tags=["lanes"], responses=problems(*ALWAYS))

_NONE = ("not-found", "no lane runs on reader virtual-pcd-00-00")


class LastCardResponse(ResponseModel):
    """What the last card of a lane came to; `bin` and `reason` say what to do with a reject. `code` is that reason for
    programs, and `params` what a sentence in another language may name."""

    outcome: CardOutcome
    number: str = Field(description="The end of the card number.")
    bin: str
    reason: str
    seconds: float
    at: datetime
    code: str = Field(examples=["mute"])
    params: dict[str, str]


class LaneResponse(ResponseModel):
    """One lane of this station. `rate` is verified cards an hour; `seconds_left` of the whole batch, null while nobody
    can tell."""

    reader: str
    name: str
    batch: str
    state: str = Field(description="waiting, working, paused, stopping or ended.")
    step: str
    number: str = Field(description="The end of the number of the card in hand.")
    ok: int
    bad: int
    last: LastCardResponse | None
    message: str
    fault: bool
    rate: float
    seconds_left: float | None
    started_at: datetime
    started_by: str
    code: str = Field(description="Of `message`, for programs.", examples=["batch-done"])
    params: dict[str, str]


class StartLanesRequest(RequestModel):
    """Which batch runs on which readers."""

    batch: str = Field(pattern=r"^B[0-9]{8}-[0-9]{3,9}$", examples=["B20261122-001"])
    readers: list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{1,120}$")]] = Field(
        min_length=1, max_length=64, examples=[["virtual-pcd-00-00", "virtual-pcd-00-01"]]
    )


def _told(*lanes: LaneStatus) -> list[dict[str, object]]:
    return [lane.to_json() for lane in lanes]


@router.get(
    "",
    summary="The lanes of this station",
    description="Those that run, and of the other readers the last run. Roles: operator, auditor.",
    response_model=list[LaneResponse],
)
def list_lanes(service: Svc, caller: Caller) -> Response:
    return JSONResponse(_told(*service.lanes.lanes(caller)))


@router.post(
    "",
    status_code=201,
    summary="Start lanes",
    description="All of these readers, or none. Each takes the dossiers that wait, on this machine and on others, and "
    "never the same twice. Role: operator.",
    response_model=list[LaneResponse],
    responses=problems(404, 409, s409=("conflict", "batch B20261122-001 is a draft")),
)
def start(service: Svc, caller: Caller, wanted: StartLanesRequest) -> Response:
    return JSONResponse(_told(*service.lanes.start(caller, wanted.batch, wanted.readers)), status_code=201)


def _add_command(command: LaneCommand) -> None:
    @router.post(
        f"/{{reader_id}}/{command.name}",
        name=command.name,
        summary=command.summary,
        description=f"{command.description} Role: operator.",
        response_model=LaneResponse,
        responses=problems(404, s404=_NONE),
    )
    def steer(service: Svc, caller: Caller, reader_id: ReaderId) -> Response:
        return JSONResponse(service.lanes.steer(caller, reader_id, command).to_json())


for _command in LANE_COMMANDS.values():
    _add_command(_command)
