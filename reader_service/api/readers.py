"""Readers over HTTP: their states, names and leases. Served from memory, so these work while the database is away."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from reader_service.http.resource import Caller, Resource, Svc, caller_of, service_of
from reader_service.http.schemas import ALWAYS, LeaseToken, Line, ReaderId, RequestModel, problems
from reader_service.readers.values import Lease, ReaderView

router = Resource(prefix="/readers", tags=["readers"], responses=problems(*ALWAYS))

_LOST = ("lease-lost", "reader virtual-pcd-00-00 is not leased to you; take a lease of it first")
_HELD = ("lease-held", "reader virtual-pcd-00-00 is leased to op")


class RenameRequest(RequestModel):
    """The name that people give a reader."""

    name: Line = Field(max_length=40, examples=["Lane 1"])


class LeaseRequest(RequestModel):
    """The length of a lease. Renew the lease before it ends."""

    seconds: float = Field(60, ge=1, le=600, description="Seconds from now.")


class CounterModeRequest(RequestModel):
    """Counter mode on or off."""

    on: bool = Field(description="Whether each inserted card is verified at once.")


@router.get(
    "",
    summary="List the readers of this machine",
    description="Includes readers that are unplugged or do not answer. Roles: operator, counter, developer, "
    "administrator.",
    response_model=list[ReaderView],
)
async def list_readers(request: Request) -> Response:
    readers = service_of(request).readers.readers(caller_of(request))
    return JSONResponse([view.to_json() for view in readers])


@router.get(
    "/{reader_id}",
    summary="Get a reader",
    description="Gives its state, its lease and the card in it. Roles: operator, counter, developer, administrator.",
    response_model=ReaderView,
    responses=problems(404, s404=("not-found", "there is no reader virtual-pcd-00-07")),
)
async def show(service: Svc, caller: Caller, reader_id: ReaderId) -> Response:
    return JSONResponse(service.readers.reader(caller, reader_id).to_json())


@router.patch(
    "/{reader_id}",
    summary="Name a reader",
    description="A name is unique within a station. Roles: operator, administrator.",
    response_model=ReaderView,
    responses=problems(404, 409, s409=("conflict", "another reader of this station is called Lane 1")),
)
def rename(service: Svc, caller: Caller, reader_id: ReaderId, new: RenameRequest) -> Response:
    return JSONResponse(service.readers.rename(caller, reader_id, new.name).to_json())


@router.delete(
    "/{reader_id}",
    status_code=204,
    summary="Remove an unplugged reader",
    description="The reader leaves the list and its name is free again. It comes back when it is plugged in. Roles: "
    "operator, administrator.",
    responses=problems(404, 409, s409=("conflict", "reader virtual-pcd-00-00 is there; unplug it first")),
)
def forget(service: Svc, caller: Caller, reader_id: ReaderId) -> None:
    service.readers.forget(caller, reader_id)


@router.post(
    "/{reader_id}/restart",
    summary="Restart a reader",
    description="Gives up the call that hangs and opens the reader again. Roles: operator, counter, developer.",
    response_model=ReaderView,
    responses=problems(404, 409, s409=_HELD),
)
def restart(service: Svc, caller: Caller, reader_id: ReaderId) -> Response:
    return JSONResponse(service.readers.restart(caller, reader_id).to_json())


@router.post(
    "/{reader_id}/lease",
    status_code=201,
    summary="Lease a reader",
    description="The reader must be free. Leasing one's own reader again extends the same lease. Roles: operator, "
    "counter, developer.",
    responses=problems(404, 409, s409=_HELD),
)
def take(service: Svc, caller: Caller, reader_id: ReaderId, wanted: LeaseRequest) -> Lease:
    return service.leases.take(caller, reader_id, wanted.seconds)


@router.put(
    "/{reader_id}/lease",
    summary="Renew a lease",
    description="The lease ends the given number of seconds from now. Roles: operator, counter, developer.",
    responses=problems(409, s409=_LOST),
)
def renew(service: Svc, caller: Caller, reader_id: ReaderId, lease_token: LeaseToken, wanted: LeaseRequest) -> Lease:
    return service.leases.renew(caller, reader_id, lease_token, wanted.seconds)


@router.delete(
    "/{reader_id}/lease",
    status_code=204,
    summary="End a lease",
    description="The reader is free at once. Roles: operator, counter, developer.",
    responses=problems(409, s409=_LOST),
)
def give_back(service: Svc, caller: Caller, reader_id: ReaderId, lease_token: LeaseToken) -> None:
    service.leases.give_back(caller, reader_id, lease_token)


@router.put(
    "/{reader_id}/counter",
    status_code=204,
    summary="Set counter mode",
    description="In counter mode each inserted card is verified at once and published as an event `verdict`. Roles: "
    "operator, counter, developer.",
    responses=problems(404, 409, s409=_HELD),
)
def counter(service: Svc, caller: Caller, reader_id: ReaderId, mode: CounterModeRequest) -> None:
    service.counter.watch(caller, reader_id, mode.on)
