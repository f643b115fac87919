"""The queue of approved batches over HTTP: order, priority and due day."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, BatchId, RequestModel, ResponseModel, problems
from registry.batches.priority import BatchPriority

router = Resource(prefix="/queue", tags=["batches"], responses=problems(*ALWAYS))

_OVER = ("conflict", "batch B20261122-001 is closed; only an approved batch has a place in the queue")


class QueuePlaceResponse(ResponseModel):
    """The place of a batch. `due` is its own day, else that of its unit's plan; `first` and `last` are those of its
    priority."""

    batch_id: str = Field(examples=["B20261122-001"])
    priority: BatchPriority
    due: date | None
    first: bool
    last: bool


class QueuePlaceRequest(RequestModel):
    """The priority of a batch, and its day; null for the day of its unit's plan."""

    priority: BatchPriority = BatchPriority.NORMAL
    due: date | None = Field(None, examples=["2026-12-01"])


class QueueMoveRequest(RequestModel):
    """Where a batch moves among those of its priority."""

    direction: Literal["up", "down"]


@router.get(
    "",
    name="queue",
    summary="List the queue of approved batches",
    description="The next batch comes first. Roles: operator, reviewer, registrar, auditor.",
)
def queue(service: Svc, caller: Caller) -> list[QueuePlaceResponse]:
    return [QueuePlaceResponse.model_validate(place) for place in service.queue.order(caller)]


@router.put(
    "/{batch_id}",
    name="place_batch",
    summary="Set the priority and the due day of a batch",
    description="A batch with a new priority comes last among those of that priority. Role: operator.",
    responses=problems(404, 409, s409=_OVER),
)
def place(service: Svc, caller: Caller, batch_id: BatchId, wanted: QueuePlaceRequest) -> QueuePlaceResponse:
    return QueuePlaceResponse.model_validate(service.queue.place(caller, batch_id, wanted.priority, wanted.due))


@router.post(
    "/{batch_id}/move",
    name="move_batch",
    summary="Move a batch one place up or down",
    description="Exchanges it with its neighbour of the same priority. Role: operator.",
    responses=problems(404, 409, s409=("conflict", "batch B20261122-001 is the first of its priority")),
)
def move(service: Svc, caller: Caller, batch_id: BatchId, where: QueueMoveRequest) -> QueuePlaceResponse:
    return QueuePlaceResponse.model_validate(service.queue.move(caller, batch_id, up=where.direction == "up"))
