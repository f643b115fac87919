"""Blank chips over HTTP: deliveries, spoilt ones, what is left by the supplier's batch."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, Line, ReasonRequest, RequestModel, ResponseModel, problems
from registry.values import StockAccounts

router = Resource(prefix="/stock", tags=["batches"], responses=problems(*ALWAYS))


class DeliveryResponse(ResponseModel):
    """The chips of one batch of a supplier. `fed`, `rejected` and `left` take chips as used in the order of delivery;
    `spoilt` ones were written off before they were fed."""

    supplier_batch: str = Field(examples=["L-2026-17"])
    first_at: datetime
    received: int
    spoilt: int
    fed: int
    rejected: int
    left: int


class StockEventResponse(ResponseModel):
    """A booking of blank chips. `spoilt`: chips that were written off, or taken back where `count` is above 0."""

    at: datetime
    by: str
    supplier_batch: str
    count: int
    spoilt: bool
    reason: str


class StockResponse(ResponseModel):
    """Blank chips. `needed` cards are still to be made of approved batches, for which `short` chips are missing."""

    accounts: StockAccounts
    deliveries: list[DeliveryResponse]
    events: list[StockEventResponse]
    needed: int
    short: int


class DeliveryRequest(RequestModel):
    """Chips that a supplier delivered."""

    count: int = Field(ge=1, le=1_000_000, examples=[500])
    supplier_batch: Line = Field(examples=["L-2026-17"])


class SpoiltRequest(ReasonRequest):
    """Chips that cannot be used; a count below 0 takes earlier ones back."""

    count: int = Field(ge=-1_000_000, le=1_000_000, examples=[3])
    supplier_batch: Line = Field(examples=["L-2026-17"])


@router.get(
    "",
    name="stock",
    summary="Show the stock of blank chips",
    description="Has the deliveries by the supplier's batch, oldest first, and the newest bookings. Roles: operator, "
    "reviewer, registrar, auditor.",
)
def stock(service: Svc, caller: Caller) -> StockResponse:
    return StockResponse.model_validate(service.stock.view(caller))


@router.post(
    "/deliveries",
    status_code=201,
    name="receive_chips",
    summary="Book a delivery of blank chips",
    description="Gives the accounts of all blank chips afterwards. Role: operator.",
)
def receive(service: Svc, caller: Caller, delivery: DeliveryRequest) -> StockAccounts:
    return service.stock.receive(caller, delivery.count, delivery.supplier_batch)


@router.post(
    "/spoilt",
    status_code=201,
    name="spoil_chips",
    summary="Write off blank chips that cannot be used",
    description="A count below 0 takes back what was written off by mistake. Role: operator.",
    responses=problems(409, s409=("conflict", "20 chips cannot be written off: of L-2026-17 12 are left")),
)
def spoil(service: Svc, caller: Caller, chips: SpoiltRequest) -> StockAccounts:
    return service.stock.spoil(caller, chips.count, chips.supplier_batch, chips.reason)
