"""Machines over HTTP: what those that feed readers say of themselves, and the end of a fault."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from reader_service.http.resource import Caller, Resource, Svc, caller_of, service_of
from reader_service.http.schemas import ALWAYS, ReaderId, problems
from reader_service.services.issuing.machine_status import MachineView

router = Resource(prefix="/machines", tags=["lanes"], responses=problems(*ALWAYS))


@router.get(
    "",
    summary="List the machines of this station",
    description="Gives the card issuing machines and card printers that feed readers, each as of its last answer. "
    "Roles: operator, auditor.",
    response_model=list[MachineView],
)
async def list_machines(request: Request) -> Response:
    machines = service_of(request).machines.machines(caller_of(request))
    return JSONResponse([machine.to_json() for machine in machines])


@router.post(
    "/{reader_id}/clear",
    summary="Clear the fault of a machine",
    description="Call it after a person removed the cause. The machine is initialized; a card inside stays inside. "
    "Where a lane runs, it does this by itself before its next card. `faults` of the answer are those that are left. "
    "Role: operator.",
    response_model=MachineView,
    responses=problems(404, 409, s404=("not-found", "no machine feeds reader virtual-pcd-00-00")),
)
def clear(service: Svc, caller: Caller, reader_id: ReaderId) -> Response:
    return JSONResponse(service.machines.clear(caller, reader_id).to_json())
