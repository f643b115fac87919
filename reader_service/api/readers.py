"""Readers over HTTP: who has which, and what lies in them. From memory, so these work while the database is away."""

from __future__ import annotations

from datetime import datetime

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from reader_service.http.deps import Caller, Svc, caller_of, service_of
from reader_service.http.resource import Resource
from reader_service.http.schemas import ALWAYS, LeaseToken, Line, ReaderId, RequestModel, ResponseModel, problems
from reader_service.readers.values import Mode, ReaderState

router = Resource(prefix="/readers", tags=["readers"], responses=problems(*ALWAYS))

_LOST = ("lease-lost", "reader virtual-pcd-00-00 is not leased to you; take a lease of it first")
_HELD = ("lease-held", "reader virtual-pcd-00-00 is leased to op")


class HolderResponse(ResponseModel):
    """Who has a reader, and until when."""

    holder: str
    until: datetime


class ReaderResponse(ResponseModel):
    """A reader. `id` is stable over restarts and re-plugs; `name` is the one people gave it, or else the device's."""

    id: str = Field(examples=["virtual-pcd-00-00"])
    url: str
    device: str
    name: str
    state: ReaderState
    mode: Mode
    atr: str = Field(description="Hex; empty without a card.")
    lease: HolderResponse | None
    since: datetime
    drawer: bool = Field(description="Virtual cards can be put in and torn out.")
    detail: str = Field(description="A sentence, where something is to be done.")


class LeaseResponse(ResponseModel):
    """A reader given to one user. `token` goes into the header Lease-Token of every use of it."""

    reader: str
    token: str
    holder: str
    until: datetime


class RenameRequest(RequestModel):
    """What people call a reader."""

    name: Line = Field(max_length=40, examples=["Lane 1"])


class LeaseRequest(RequestModel):
    """How long a lease is wanted; renew it before it ends."""

    seconds: float = Field(60, ge=1, le=600)


class CounterModeRequest(RequestModel):
    """Whether each card put in is verified at once."""

    on: bool


@router.get(
    "",
    summary="The readers of this machine",
    description="Roles: operator, counter, developer, administrator.",
    response_model=list[ReaderResponse],
)
async def list_readers(request: Request) -> Response:
    readers = service_of(request).readers.readers(caller_of(request))
    return JSONResponse([view.to_json() for view in readers])


@router.get(
    "/{reader_id}",
    summary="A reader",
    description="Roles: operator, counter, developer, administrator.",
    response_model=ReaderResponse,
    responses=problems(404, s404=("not-found", "there is no reader virtual-pcd-00-07")),
)
async def show(service: Svc, caller: Caller, reader_id: ReaderId) -> Response:
    return JSONResponse(service.readers.reader(caller, reader_id).to_json())


@router.patch(
    "/{reader_id}",
    summary="Name a reader",
    description="One name a reader, once in a station. Roles: operator, administrator.",
    response_model=ReaderResponse,
    responses=problems(404, 409, s409=("conflict", "another reader of this station is called Lane 1")),
)
def rename(service: Svc, caller: Caller, reader_id: ReaderId, new: RenameRequest) -> Response:
    return JSONResponse(service.readers.rename(caller, reader_id, new.name).to_json())


@router.delete(
    "/{reader_id}",
    status_code=204,
    summary="Forget a reader that is gone",
    description="One that was unplugged for good leaves the list, and its name is free for the next. Plugged in again "
    "it is back. Roles: operator, administrator.",
    responses=problems(404, 409, s409=("conflict", "reader virtual-pcd-00-00 is there; unplug it first")),
)
def forget(service: Svc, caller: Caller, reader_id: ReaderId) -> None:
    service.readers.forget(caller, reader_id)


@router.post(
    "/{reader_id}/restart",
    summary="Give up a hung reader and try anew",
    description="Roles: operator, counter, developer.",
    response_model=ReaderResponse,
    responses=problems(404, 409, s409=_HELD),
)
def restart(service: Svc, caller: Caller, reader_id: ReaderId) -> Response:
    return JSONResponse(service.readers.restart(caller, reader_id).to_json())


@router.post(
    "/{reader_id}/lease",
    status_code=201,
    summary="Take a lease of a reader",
    description="A free reader, or one's own again: then the same lease until later. Roles: operator, counter, "
    "developer.",
    responses=problems(404, 409, s409=_HELD),
)
def take(service: Svc, caller: Caller, reader_id: ReaderId, wanted: LeaseRequest) -> LeaseResponse:
    return LeaseResponse.model_validate(service.leases.take(caller, reader_id, wanted.seconds))


@router.put(
    "/{reader_id}/lease",
    summary="Renew a lease",
    description="Roles: operator, counter, developer.",
    responses=problems(409, s409=_LOST),
)
def renew(
    service: Svc, caller: Caller, reader_id: ReaderId, lease_token: LeaseToken, wanted: LeaseRequest
) -> LeaseResponse:
    return LeaseResponse.model_validate(service.leases.renew(caller, reader_id, lease_token, wanted.seconds))


@router.delete(
    "/{reader_id}/lease",
    status_code=204,
    summary="Give a reader back",
    description="Roles: operator, counter, developer.",
    responses=problems(409, s409=_LOST),
)
def give_back(service: Svc, caller: Caller, reader_id: ReaderId, lease_token: LeaseToken) -> None:
    service.leases.give_back(caller, reader_id, lease_token)


@router.put(
    "/{reader_id}/counter",
    status_code=204,
    summary="Counter mode on or off",
    description="On: each card put in is verified at once, and told as an event `verdict`. Roles: operator, counter, "
    "developer.",
    responses=problems(404, 409, s409=_HELD),
)
def counter(service: Svc, caller: Caller, reader_id: ReaderId, mode: CounterModeRequest) -> None:
    service.counter.watch(caller, reader_id, mode.on)
