"""Cards over HTTP: what they are, what happened to them, and what happens next, always with a reason."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from reader_service.http.deps import Caller, Svc
from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Resource
from reader_service.http.schemas import ALWAYS, CardNumber, Line, ReasonRequest, ResponseModel, problems
from reader_service.services.cards import CARD_STEPS, CardStep, steps_from
from registry.values import CardState

router = Resource(prefix="/cards", tags=["cards"], responses=problems(*ALWAYS))

_STANDS = ("conflict", "a card that is lost cannot take the step unlock")


class CardResponse(ResponseModel):
    """A proven card; its member is masked."""

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
    """A card and the steps that its state allows now."""

    allowed: list[str]
    payment_number: str | None = Field(
        examples=["621097******0016"], description="The bank's account number on the same chip, masked; null for none."
    )


class CardEventResponse(ResponseModel):
    """Something that happened to a card of that number."""

    at: datetime
    event: str
    by: str
    place: str
    reason: str


class ReplacementRequest(ReasonRequest):
    """Reasoned a card is replaced, and how it ends."""

    because: Literal["damaged", "lost", "expired", "withdrawn"] = "damaged"


class ReplacementDraftResponse(ResponseModel):
    """The draft batch that a replacement is made in; a second person approves it."""

    id: str = Field(examples=["B20261122-002"])
    state: Literal["draft"]
    unit: str


@router.get("", summary="Cards, newest first", description="Role: registrar.")
def list_cards(
    service: Svc,
    caller: Caller,
    paged: Paged,
    unit: Annotated[Line | None, Query(description="Of this unit's members only.")] = None,
    state: Annotated[CardState | None, Query()] = None,
    batch: Annotated[str | None, Query(pattern=r"^B[0-9]{8}-[0-9]{3,9}$", examples=["B20261122-001"])] = None,
) -> Items[CardResponse]:
    page = service.cards.page(caller, paged.cursor, paged.limit, unit=unit, state=state, batch_id=batch)
    return items(page, CardResponse.model_validate)


@router.get(
    "/{number}",
    summary="A card",
    description="That of the highest sequence, with what its state allows. Role: registrar.",
    responses=problems(404),
)
def card(service: Svc, caller: Caller, number: CardNumber) -> CardDetailResponse:
    found = service.cards.card(caller, number)
    told = CardResponse.model_validate(found).model_dump()
    account = service.cards.payment_numbers(caller, [number]).get(number)
    return CardDetailResponse(**told, allowed=list(steps_from(found.state)), payment_number=account)


@router.get(
    "/{number}/history",
    summary="What happened to the cards of a number",
    description="Oldest first. Role: registrar.",
    responses=problems(404),
)
def history(service: Svc, caller: Caller, number: CardNumber) -> list[CardEventResponse]:
    return [CardEventResponse.model_validate(event) for event in service.cards.history(caller, number)]


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
    summary="Make another card of that number",
    description="Ends the card, if nothing else did, and makes a draft batch for its successor with the next "
    "sequence, which a second person approves. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "card 6212260000000000012 has a successor")),
)
def replace(service: Svc, caller: Caller, number: CardNumber, why: ReplacementRequest) -> ReplacementDraftResponse:
    return ReplacementDraftResponse.model_validate(
        service.cards.replace(caller, number, why.reason, because=why.because)
    )
