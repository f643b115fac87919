"""Cards over HTTP: lists, history, and the steps of a card's life, each with a reason."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from reader_service.http.paging import Items, Paged, items_of
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, BATCH_NUMBER, CardNumber, Line, ReasonRequest, ResponseModel, problems
from reader_service.services.window.cards import CARD_STEPS, CardStep, steps_of
from registry.values import CardEvent, CardState

router = Resource(prefix="/cards", tags=["cards"], responses=problems(*ALWAYS))

_STANDS = ("conflict", "a card that is lost cannot take the step unlock")


class CardResponse(ResponseModel):
    """A verified card; the data of its member are masked."""

    card_number: str = Field(examples=["6212260000000000012"])
    sequence: int
    member_id: int
    member_number: str
    name_masked: str
    id_masked: str
    batch_id: str
    chip_serial: str
    state: CardState
    verified_at: datetime
    seconds: float
    lane: str


class CardDetailResponse(CardResponse):
    """A card, and in `allowed` the steps that its state allows now."""

    allowed: list[str]
    payment_number: str | None = Field(
        examples=["621097******0016"],
        description="The masked account number (PAN) of the bank application on the same chip; null without one.",
    )


class ReplacementRequest(ReasonRequest):
    """Why a card is replaced, and the state in which it ends."""

    because: Literal["damaged", "lost", "expired", "withdrawn"] = "damaged"


class ReplacementDraftResponse(ResponseModel):
    """The draft batch for the replacement card; a second person approves it."""

    id: str = Field(examples=["B20261122-002"])
    state: Literal["draft"]
    unit: str


@router.get("", summary="List cards", description="The newest card comes first. Role: registrar.")
def list_cards(
    service: Svc,
    caller: Caller,
    paged: Paged,
    unit: Annotated[Line | None, Query(description="Only cards of this unit's members.")] = None,
    state: Annotated[CardState | None, Query(description="Only cards in this state.")] = None,
    batch: Annotated[
        str | None,
        Query(pattern=BATCH_NUMBER, examples=["B20261122-001"], description="Only cards of this batch."),
    ] = None,
) -> Items[CardResponse]:
    page = service.cards.page(caller, paged.cursor, paged.limit, unit=unit, state=state, batch_id=batch)
    return items_of(page, CardResponse.model_validate)


@router.get(
    "/{number}",
    name="card",
    summary="Get a card",
    description="Gives the card of the highest sequence number and the steps that its state allows. Role: registrar.",
    responses=problems(404),
)
def show(service: Svc, caller: Caller, number: CardNumber) -> CardDetailResponse:
    card = service.cards.card(caller, number)
    account = service.cards.payment_numbers(caller, [number]).get(number)
    published = CardResponse.model_validate(card).model_dump()
    return CardDetailResponse(**published, allowed=list(steps_of(card)), payment_number=account)


@router.get(
    "/{number}/history",
    summary="List the events of a card number",
    description="The oldest event comes first. Role: registrar.",
    responses=problems(404),
)
def history(service: Svc, caller: Caller, number: CardNumber) -> list[CardEvent]:
    return service.cards.history(caller, number)


def _add_step(step: CardStep) -> None:
    @router.post(
        f"/{{number}}/{step.name}",
        name=step.name,
        summary=step.summary,
        description=f"{step.description} Role: registrar.",
        responses=problems(404, 409, s409=_STANDS),
    )
    def change(service: Svc, caller: Caller, number: CardNumber, why: ReasonRequest) -> CardResponse:
        return CardResponse.model_validate(service.cards.take_step(caller, number, step, why.reason))


for _step in CARD_STEPS.values():
    _add_step(_step)


@router.post(
    "/{number}/replace",
    status_code=201,
    summary="Replace a card",
    description="Ends the card, unless it has ended already, and makes a draft batch for a card of the same number "
    "and the next sequence number. A second person approves the batch. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "card 6212260000000000012 has a successor")),
)
def replace(service: Svc, caller: Caller, number: CardNumber, why: ReplacementRequest) -> ReplacementDraftResponse:
    return ReplacementDraftResponse.model_validate(
        service.cards.replace(caller, number, why.reason, because=why.because)
    )
