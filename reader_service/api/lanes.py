"""Lanes over HTTP: their states, and the commands that start, pause, resume and stop them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import Field, StringConstraints

from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, BATCH_NUMBER, ReaderId, RequestModel, problems
from reader_service.services.issuing.lane_commands import LANE_COMMANDS, LaneCommand
from reader_service.services.issuing.lane_status import LaneStatus

router = Resource(prefix="/lanes", tags=["lanes"], responses=problems(*ALWAYS))

_NONE = ("not-found", "no lane runs on reader virtual-pcd-00-00")


class StartLanesRequest(RequestModel):
    """A batch, and the readers that are to run it."""

    batch: str = Field(pattern=BATCH_NUMBER, examples=["B20261122-001"])
    readers: list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{1,120}$")]] = Field(
        min_length=1, max_length=64, examples=[["virtual-pcd-00-00", "virtual-pcd-00-01"]]
    )


@router.get(
    "",
    summary="List the lanes of this station",
    description="Gives every running lane, and the last run of every other reader. Roles: operator, auditor.",
    response_model=list[LaneStatus],
)
def list_lanes(service: Svc, caller: Caller) -> Response:
    return JSONResponse([lane.to_json() for lane in service.lanes.lanes(caller)])


@router.post(
    "",
    status_code=201,
    summary="Start lanes",
    description="Starts a lane on every reader in `readers`; where one cannot start, none does. Lanes of all machines "
    "take dossiers from the same queue, and each dossier is taken once. Role: operator.",
    response_model=list[LaneStatus],
    responses=problems(404, 409, s409=("conflict", "batch B20261122-001 is a draft")),
)
def start(service: Svc, caller: Caller, wanted: StartLanesRequest) -> Response:
    lanes = service.lanes.start(caller, wanted.batch, wanted.readers)
    return JSONResponse([lane.to_json() for lane in lanes], status_code=201)


def _add_command(command: LaneCommand) -> None:
    @router.post(
        f"/{{reader_id}}/{command.name}",
        name=command.name,
        summary=command.summary,
        description=f"{command.description} Role: operator.",
        response_model=LaneStatus,
        responses=problems(404, s404=_NONE),
    )
    def steer(service: Svc, caller: Caller, reader_id: ReaderId) -> Response:
        return JSONResponse(service.lanes.steer(caller, reader_id, command).to_json())


for _command in LANE_COMMANDS.values():
    _add_command(_command)
