"""Moves over HTTP: steps of many cards at once, returns into stock, and their undoing."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import Field

from reader_service.api.boxes import Scan
from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, ReasonRequest, ResponseModel, problems
from reader_service.services.window.cards import CARD_STEPS
from registry.handover.moves import MOST_CARDS
from registry.handover.values import Move

router = Resource(prefix="/moves", tags=["boxes"], responses=problems(*ALWAYS))

MoveId = Annotated[int, Path(ge=1, lt=2**62, examples=[17], description="The number of a move.")]
StepName = Literal["pack", "deliver", "activate", "suspend", "unlock", "loss", "withdraw"]


class ManyRequest(ReasonRequest):
    """Cards as a scanner reads them, and the reason."""

    cards: list[Scan] = Field(min_length=1, max_length=MOST_CARDS)


class MoveRequest(ManyRequest):
    """A step of many cards."""

    step: StepName


class CardOfMoveResponse(ResponseModel):
    """A card of a move."""

    card_number: str = Field(examples=["6212260000000000012"])
    sequence: int


@router.get("", summary="List moves", description="The newest move comes first. Role: registrar.")
def list_moves(
    service: Svc,
    caller: Caller,
    paged: Paged,
    box: Annotated[
        str | None, Query(pattern=r"^X[0-9]{8}-[0-9]{3,9}$", description="Only the steps of this box.")
    ] = None,
) -> Items[Move]:
    return items(service.moves.page(caller, paged.cursor, paged.limit, box_id=box))


@router.post(
    "",
    status_code=201,
    summary="Take a step with many cards",
    description="All cards take the step in one transaction, or none. Role: registrar.",
    responses=problems(
        404, 409, s409=("conflict", "nothing was changed: pack is not possible for 6212260000000000012-1")
    ),
)
def take(service: Svc, caller: Caller, wanted: MoveRequest) -> Move:
    return service.moves.take(caller, CARD_STEPS[wanted.step], wanted.cards, wanted.reason)


@router.post(
    "/return",
    status_code=201,
    summary="Take cards back into stock",
    description="Cards that are packed, or delivered and not in use. They leave their boxes. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "name 1 to 5000 cards")),
)
def return_cards(service: Svc, caller: Caller, wanted: ManyRequest) -> Move:
    return service.moves.return_cards(caller, wanted.cards, wanted.reason)


@router.get(
    "/{move_id}",
    summary="Get a move",
    description="Gives who moved how many cards, and whether it can be undone. Role: registrar.",
    responses=problems(404),
)
def show(service: Svc, caller: Caller, move_id: MoveId) -> Move:
    return service.moves.move(caller, move_id)


@router.get(
    "/{move_id}/cards",
    summary="List the cards of a move",
    description="In the order of their numbers. Role: registrar.",
    responses=problems(404),
)
def cards(service: Svc, caller: Caller, move_id: MoveId) -> list[CardOfMoveResponse]:
    listed = service.moves.cards_of(caller, move_id)
    return [CardOfMoveResponse(card_number=number, sequence=sequence) for number, sequence in listed]


@router.post(
    "/{move_id}/undo",
    summary="Undo a move",
    description="Its cards and its box are as before, until one of them took the next step. What ends a card is "
    "final. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "move 17 was undone already, by li.na")),
)
def undo(service: Svc, caller: Caller, move_id: MoveId, why: ReasonRequest) -> Move:
    return service.moves.undo(caller, move_id, why.reason)
