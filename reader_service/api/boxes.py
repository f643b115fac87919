"""Boxes over HTTP: created, filled, closed, handed over, signed for, and printed."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from fastapi import Path, Query
from pydantic import Field
from starlette.responses import Response

from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import (
    ALWAYS,
    BATCH_NUMBER,
    PDF,
    XLSX,
    Line,
    ReaderRequest,
    ReasonRequest,
    RequestModel,
    ResponseModel,
    file_response,
    private_download,
    problems,
)
from registry.handover.filling import CAPACITY, MOST_IN_BOX
from registry.handover.values import Box, BoxCard, BoxStage, CardPlace, Level, Move, Tick

router = Resource(prefix="/boxes", tags=["boxes"], responses=problems(*ALWAYS))

BoxId = Annotated[
    str, Path(pattern=r"^X[0-9]{8}-[0-9]{3,9}$", examples=["X20261122-001"], description="The number of a box.")
]
BatchNumber = Annotated[str, Field(pattern=BATCH_NUMBER, examples=["B20261122-001"])]
Scan = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        examples=["6212260000000000012-1"],
        description="What a barcode scanner reads: a card number, with its sequence number or without, or the serial "
        "of a chip.",
    ),
]
_OTHER: Final = ("conflict", "card 6212260000000000012-1 belongs into box X20261122-002, not into X20261122-001")


class CreateRequest(RequestModel):
    """The batch whose cards are boxed."""

    batch: BatchNumber
    capacity: int = Field(CAPACITY, ge=1, le=MOST_IN_BOX, description="The most cards of one box.")
    together: int = Field(
        0, ge=0, le=MOST_IN_BOX, description="Units of at most so many cards share boxes, each behind a divider."
    )


class ScanRequest(RequestModel):
    """What a barcode scanner reads."""

    scan: Scan


class CardsRequest(ReasonRequest):
    """Cards as a scanner reads them, and the reason."""

    cards: list[Scan] = Field(min_length=1, max_length=MOST_IN_BOX)


class HandOverRequest(RequestModel):
    """The level that takes the box, and who of it signs."""

    level: Level
    recipient: str = Field(min_length=1, max_length=60, examples=["Zhou Min"])


class ReceiptRequest(RequestModel):
    """What the contact of a unit signed. Every card that is waited for and not in `unsigned` was signed for."""

    recipient: str = Field(min_length=1, max_length=60, examples=["Zhou Min"])
    day: date = Field(examples=["2026-11-22"], description="The date of the signature.")
    unsigned: list[Scan] = Field(default_factory=list, max_length=MOST_IN_BOX)
    unit: str = Field("", max_length=500, description="Only the cards of this unit; empty for the whole box.")
    signed: int | None = Field(None, ge=0, description="The number of signatures on the list, which is compared.")


class BoxOfScanResponse(ResponseModel):
    """The box of a scan."""

    box: str = Field(examples=["X20261122-001"])


class PlacesResponse(ResponseModel):
    """The cards of a batch by place, and their number."""

    cards: int
    places: dict[CardPlace, int]


@router.get("", summary="List boxes", description="The newest box comes first. Role: registrar.")
def list_boxes(
    service: Svc,
    caller: Caller,
    paged: Paged,
    batch: Annotated[str | None, Query(pattern=BATCH_NUMBER, description="Only boxes of this batch.")] = None,
    stage: Annotated[BoxStage | None, Query(description="Only boxes at this stage.")] = None,
    unit: Annotated[Line | None, Query(description="Only boxes with cards of units with this text.")] = None,
) -> Items[Box]:
    return items(service.boxes.page(caller, paged.cursor, paged.limit, batch_id=batch, stage=stage, unit_part=unit))


@router.post(
    "",
    status_code=201,
    summary="Create the boxes of a batch",
    description="Distributes all cards of the batch that are in stock and in no box over boxes, by unit. A unit with "
    "more cards than `capacity` gets several boxes. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "no card of batch B20261122-001 is in stock and in no box yet")),
)
def create(service: Svc, caller: Caller, wanted: CreateRequest) -> list[Box]:
    return service.boxes.create(caller, wanted.batch, capacity=wanted.capacity, together=wanted.together)


@router.get(
    "/places",
    summary="Count the cards of a batch by place",
    description="Every card is in exactly one place. Role: registrar.",
    responses=problems(404),
)
def places(
    service: Svc,
    caller: Caller,
    batch: Annotated[
        str,
        Query(pattern=BATCH_NUMBER, examples=["B20261122-001"], description="The number of a batch."),
    ],
) -> PlacesResponse:
    counts = service.boxes.places(caller, batch)
    return PlacesResponse(cards=sum(counts.values()), places=dict(counts))


@router.post(
    "/find",
    summary="Find the box of a scan",
    description="The scan is the code of a box, or a card that is in one. Role: registrar.",
    responses=problems(404),
)
def find(service: Svc, caller: Caller, what: ScanRequest) -> BoxOfScanResponse:
    return BoxOfScanResponse(box=service.boxes.of_scan(caller, what.scan))


@router.get(
    "/{box_id}",
    summary="Get a box",
    description="Gives its stage and its counts. Role: registrar.",
    responses=problems(404),
)
def show(service: Svc, caller: Caller, box_id: BoxId) -> Box:
    return service.boxes.box(caller, box_id)


@router.get(
    "/{box_id}/cards",
    summary="List the cards in a box",
    description="In the order of the delivery list. Role: registrar.",
    responses=problems(404),
)
def cards(service: Svc, caller: Caller, box_id: BoxId) -> list[BoxCard]:
    return service.boxes.cards(caller, box_id)


@router.post(
    "/{box_id}/tick",
    summary="Tick a card off",
    description="The card lies in the box. A card that belongs elsewhere is refused. Role: registrar.",
    responses=problems(404, 409, s409=_OTHER),
)
def tick(service: Svc, caller: Caller, box_id: BoxId, what: ScanRequest) -> Tick:
    return service.boxes.tick(caller, box_id, what.scan)


@router.post(
    "/{box_id}/tick-inserted",
    summary="Tick off the card in a reader",
    description="The reader is free or in counter mode. Role: registrar.",
    responses=problems(404, 409, 503, s409=_OTHER),
)
def tick_inserted(service: Svc, caller: Caller, box_id: BoxId, where: ReaderRequest) -> Tick:
    return service.boxes.tick_inserted(caller, box_id, where.reader)


@router.post(
    "/{box_id}/untick",
    summary="Take a tick back",
    description="The card is missing again. Role: registrar.",
    responses=problems(404, 409, s409=_OTHER),
)
def untick(service: Svc, caller: Caller, box_id: BoxId, what: ScanRequest) -> BoxCard:
    return service.boxes.untick(caller, box_id, what.scan)


@router.post(
    "/{box_id}/leave-out",
    summary="Take cards out of a box",
    description="Out of an open box any, which stay in stock for another one; out of a packed box only lost or "
    "withdrawn ones. Role: registrar.",
    responses=problems(404, 409, s409=_OTHER),
)
def leave_out(service: Svc, caller: Caller, box_id: BoxId, what: CardsRequest) -> Box:
    return service.boxes.leave_out(caller, box_id, what.cards, what.reason)


@router.post(
    "/{box_id}/discard",
    summary="Give up an open box",
    description="Its cards stay in stock, for another box. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "box X20261122-001 is closed; for this it has to be open")),
)
def discard(service: Svc, caller: Caller, box_id: BoxId, why: ReasonRequest) -> Box:
    return service.boxes.discard(caller, box_id, why.reason)


@router.post(
    "/{box_id}/close",
    summary="Close a complete box",
    description="All cards are ticked off; they become packed in one transaction. `POST /moves/{move_id}/undo` opens "
    "the box again. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "box X20261122-001 is empty")),
)
def close(service: Svc, caller: Caller, box_id: BoxId) -> Move:
    return service.boxes.close(caller, box_id)


@router.post(
    "/{box_id}/hand-over",
    summary="Hand a box over",
    description="To somebody of the level below, who signs for the whole box: city, district, unit. Role: registrar.",
    responses=problems(404, 409, s409=("own-work", "box X20261122-001 is handed over to another person")),
)
def hand_over(service: Svc, caller: Caller, box_id: BoxId, to: HandOverRequest) -> Move:
    return service.boxes.hand_over(caller, box_id, to.level, to.recipient)


@router.post(
    "/{box_id}/receipt",
    summary="Record the receipt of a unit",
    description="The cards that were signed for become delivered; those in `unsigned` are to be sent back. Role: "
    "registrar.",
    responses=problems(404, 409, s409=("conflict", "no card of box X20261122-001 waits for a signature")),
)
def receipt(service: Svc, caller: Caller, box_id: BoxId, what: ReceiptRequest) -> Move:
    return service.boxes.receipt(
        caller, box_id, what.recipient, what.day, unsigned=what.unsigned, unit=what.unit, signed=what.signed
    )


@router.post(
    "/{box_id}/return",
    summary="Take the unsigned cards of a box back into stock",
    description="`POST /moves/return` takes single cards. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "no card of box X20261122-001 is to be sent back")),
)
def return_unsigned(service: Svc, caller: Caller, box_id: BoxId, why: ReasonRequest) -> Move:
    return service.boxes.return_unsigned(caller, box_id, why.reason)


@router.get(
    "/{box_id}/list.pdf",
    summary="Download the delivery list",
    description="A PDF file with names in clear, which is audited. Role: registrar.",
    response_class=Response,
    responses={**file_response(PDF, "The delivery list (发放表)."), **problems(404, 409)},
)
def list_pdf(service: Svc, caller: Caller, box_id: BoxId) -> Response:
    return private_download(service.boxes.list_pdf(caller, box_id), f"{box_id}-发放表.pdf", PDF)


@router.get(
    "/{box_id}/list.xlsx",
    summary="Download the delivery list as a workbook",
    description="With names in clear, which is audited. Role: registrar.",
    response_class=Response,
    responses={**file_response(XLSX, "The delivery list (发放表)."), **problems(404)},
)
def list_xlsx(service: Svc, caller: Caller, box_id: BoxId) -> Response:
    return private_download(service.boxes.list_xlsx(caller, box_id), f"{box_id}-发放表.xlsx", XLSX)


@router.get(
    "/{box_id}/labels.pdf",
    summary="Download the envelope labels",
    description="A PDF file with names in clear, which is audited. Role: registrar.",
    response_class=Response,
    responses={**file_response(PDF, "Labels of 70 mm by 37 mm on A4."), **problems(404, 409)},
)
def labels_pdf(service: Svc, caller: Caller, box_id: BoxId) -> Response:
    return private_download(service.boxes.labels_pdf(caller, box_id), f"{box_id}-标签.pdf", PDF)


@router.get(
    "/{box_id}/carriers.pdf",
    summary="Download the letters that cards are glued to",
    description="A PDF file with names in clear, which is audited: a letter for each card in the order of the delivery "
    "list, and a sheet before each unit. Role: registrar.",
    response_class=Response,
    responses={**file_response(PDF, "Letters of A4 for window envelopes."), **problems(404, 409, 422)},
)
def carriers_pdf(
    service: Svc,
    caller: Caller,
    box_id: BoxId,
    unit: Annotated[str, Query(max_length=400, description="Only this unit, by its whole name.")] = "",
    lines: Annotated[
        str, Query(max_length=200, examples=["3-7,9"], description="Only these lines of the delivery list.")
    ] = "",
    window: Annotated[
        str, Query(max_length=10, description="The envelope: `gb` (DL and ZL) or `din` (DIN lang).")
    ] = "gb",
) -> Response:
    pdf = service.boxes.carriers_pdf(caller, box_id, unit=unit, lines=lines, window=window)
    return private_download(pdf, f"{box_id}-载卡函.pdf", PDF)
