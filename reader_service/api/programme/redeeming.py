"""Redemptions at a counter over HTTP, for cash registers: what a member can have, the redemption, and its receipt."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field, SecretStr

from programme.facts import BenefitRequest
from programme.outcome import Refused
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import (
    ALWAYS,
    ReaderId,
    ReasonRequest,
    RequestModel,
    ResponseModel,
    file_response,
    problems,
)
from reader_service.redemptions.counter import PinRefused
from reader_service.redemptions.offers import BenefitChoice
from reader_service.redemptions.record import CounterOutcome, CounterRecord
from reader_service.services.redeeming.redemptions import refusal_sentence
from terminal.secret import Secret

router = Resource(prefix="/readers", tags=["redeem"], responses=problems(*ALWAYS))
records_router = Resource(prefix="/redemptions", tags=["redeem"], responses=problems(*ALWAYS))

RowNumber = Annotated[int, Path(ge=1, lt=2**53, examples=[3], description="The number of a row of the journal.")]
_OVER = (
    "conflict",
    "this card was taken out, used for a redemption, or verified by an older list since: insert it again",
)
_NO_MERCHANT = ("conflict", "nothing is redeemed here: the settings name no merchant")
_NO_CARD = ("not-found", "no card in this reader was verified for a redemption")
_NO_RECORD = ("not-found", "row 3 of the journal is no redemption")


class TextResponse(ResponseModel):
    """A text in Chinese and English."""

    zh: str
    en: str


class RecordResponse(ResponseModel):
    """What became of a request to a card. Amounts are in fen; `outcome` DONE and RECOVERED are proven redemptions."""

    number: int = Field(description="The row of the journal that has the result.")
    intent: int
    at: str
    outcome: CounterOutcome
    proven: bool
    benefit: str
    product: str
    benefit_class: str
    title: TextResponse
    quantity: int
    amount: int
    list_price: int | None
    saved: int
    card: str = Field(examples=["621226******0000012"])
    cashier: str
    merchant: str
    terminal: str
    transaction: int | None = Field(description="The card's transaction counter (tag 9F36).")
    used: int | None
    limit: int | None
    reasons: list[str]
    reversed: bool
    grant: int | None = Field(None, description="The number under which the union has counted it online.")
    left: int | None = Field(None, description="What the union has left of it for the member.")


class OfferResponse(ResponseModel):
    """A product of a benefit for the member whose card is in the reader. `asks` are the values to enter: `price` (of
    one unit), `event`, `place`. `reason` and `again_on`: why it is not possible, and when it is again."""

    benefit: str
    product: str
    benefit_class: str | None
    counted: Literal["card", "office", "none"] = Field(description="Who counts it; `office`: the union, online.")
    title: TextResponse
    possible: bool
    at_once: bool
    price: int | None
    list_price: int | None
    most: int
    left: int | None
    asks: list[str]
    basis: TextResponse | None
    questions: dict[str, TextResponse]
    places: dict[str, TextResponse]
    show: list[TextResponse]
    pin: bool
    reason: str | None
    again_on: str | None
    sentence: TextResponse


class OffersResponse(ResponseModel):
    """What the member can have in this insertion of the card. `recovered` is what became of an earlier request that got
    no answer; `reason`: why nothing is offered."""

    reader: str
    insertion: str = Field(examples=["0a1b2c3d4e5f6071"], description="Names the insertion; a redemption needs it.")
    offers: list[OfferResponse]
    accepted: bool
    recovered: RecordResponse | None
    reason: str
    fault: str


class RefusedResponse(ResponseModel):
    """Why no command was sent to the card."""

    code: str = Field(examples=["limit-reached"], description="A refusal of the programme, or `wrong-pin`.")
    again_on: str | None = None
    tries_left: int | None = Field(None, description="With `wrong-pin`; 0: the PIN is blocked.")
    sentence: TextResponse


class RedemptionResponse(ResponseModel):
    """Either a redemption or a refusal."""

    redemption: RecordResponse | None
    refused: RefusedResponse | None


class RedeemRequest(RequestModel):
    """A choice among the offers."""

    insertion: str = Field(pattern=r"^[0-9a-f]{16}$", examples=["0a1b2c3d4e5f6071"])
    benefit: str = Field(min_length=1, max_length=60, examples=["park-pass"])
    product: str = Field(min_length=1, max_length=60, examples=["pass"])
    quantity: int = Field(1, ge=1, le=99)
    list_price: int | None = Field(None, ge=0, le=1_000_000_000, description="Of one unit, in fen.")
    event: str = Field("", max_length=100)
    place: str = Field("", max_length=60)
    answers: list[Annotated[str, Field(max_length=60)]] = Field(
        default_factory=list, max_length=20, description="The questions that were answered with yes."
    )
    pin: SecretStr | None = Field(
        None, min_length=4, max_length=12, description="The member's PIN, where the offer asks for it."
    )


class ReversalRequest(ReasonRequest):
    """A redemption to take back."""

    receipt: str = Field(min_length=3, max_length=24, examples=["T0000001-3"], description="The receipt's number.")


class ReversalResponse(ResponseModel):
    """A redemption that was taken back. `credited`: its uses are on the chip again; else they come back at the next
    insertion where changes of the card run."""

    redemption: RecordResponse
    credited: bool


@records_router.get(
    "/open",
    summary="List requests without a result",
    description="Their cards say at the next insertion what became of them. Role: counter.",
    response_model=list[RecordResponse],
    responses=problems(409, s409=_NO_MERCHANT),
)
def open_requests(service: Svc, caller: Caller) -> Response:
    return JSONResponse([record.to_json() for record in service.redemptions.open_records(caller)])


@records_router.post(
    "/open/{number}/give-up",
    summary="Give up a request",
    description="Ends a request whose card does not come back: a later upload shows what became of it. Role: counter.",
    response_model=RecordResponse,
    responses=problems(409, s409=("conflict", "the intent of row 3 has ended, or is of another journal")),
)
def give_up(service: Svc, caller: Caller, number: RowNumber, why: ReasonRequest) -> Response:
    return JSONResponse(service.redemptions.give_up(caller, number, why.reason).to_json())


@records_router.post(
    "/acknowledge",
    summary="Take note of a damaged journal",
    description="Or of a clock that was set back: redemptions go on, and the union gets the reason. Role: counter.",
    status_code=204,
    responses=problems(409, s409=_NO_MERCHANT),
)
def acknowledge(service: Svc, caller: Caller, why: ReasonRequest) -> None:
    service.redemptions.acknowledge(caller, why.reason)


@records_router.get(
    "/records/{number}",
    summary="Get a redemption",
    description="By the row of the journal that has its result. Role: counter.",
    response_model=RecordResponse,
    responses=problems(404, 409, s404=_NO_RECORD, s409=_NO_MERCHANT),
)
def record(service: Svc, caller: Caller, number: RowNumber) -> Response:
    return JSONResponse(service.redemptions.record(caller, number).to_json())


@records_router.get(
    "/records/{number}/receipt",
    summary="Get a receipt",
    description="Plain text, 48 columns wide, for a receipt printer. Every one after the first says that it is a copy. "
    "Role: counter.",
    response_class=Response,
    responses={
        **file_response("text/plain; charset=utf-8", "The receipt."),
        **problems(404, 409, s404=_NO_RECORD, s409=_NO_MERCHANT),
    },
)
def receipt(
    service: Svc,
    caller: Caller,
    number: RowNumber,
    lang: Annotated[Literal["zh", "en"], Query(description="The language of the receipt.")] = "zh",
) -> Response:
    text = service.receipts.text(caller, number, lang)
    return Response(text, media_type="text/plain; charset=utf-8")


@router.get(
    "/{reader_id}/offers",
    summary="Get what a member can have",
    description="Of the card that was verified in a reader in counter mode, until it is taken out or redeemed. Role: "
    "counter.",
    response_model=OffersResponse,
    responses=problems(404, 409, s404=_NO_CARD, s409=_NO_MERCHANT),
)
def offers(service: Svc, caller: Caller, reader_id: ReaderId) -> Response:
    return JSONResponse(service.redemptions.offers(caller, reader_id).to_json())


@router.post(
    "/{reader_id}/redemptions",
    summary="Redeem a benefit",
    description="On the card of this insertion, once. Give the benefit only for an `outcome` of DONE or RECOVERED; "
    "TORN: no answer came, verify the card again. A request that got no answer over HTTP is repeated with its "
    "Idempotency-Key. Role: counter.",
    response_model=RedemptionResponse,
    responses=problems(404, 409, s404=("not-found", "the programme has no benefit film-pass"), s409=_OVER),
)
def redeem(service: Svc, caller: Caller, reader_id: ReaderId, wanted: RedeemRequest) -> Response:
    answers = frozenset(wanted.answers)
    request = BenefitRequest(
        wanted.product, wanted.quantity, wanted.list_price, wanted.event.strip(), wanted.place, answers
    )
    choice = BenefitChoice(wanted.benefit, request)
    pin = Secret(wanted.pin.get_secret_value().encode()) if wanted.pin is not None else None
    result = service.redemptions.redeem(caller, reader_id, wanted.insertion, choice, pin=pin)
    return JSONResponse(_outcome(result))


@router.post(
    "/{reader_id}/reversals",
    summary="Take back a redemption",
    description="On the day of the redemption, at the counter that has issued its receipt, with its card in this "
    "reader in counter mode. Where its redemptions are booked in the same installation, the chip gets its uses "
    "back in this insertion. Role: counter.",
    response_model=ReversalResponse,
    responses=problems(404, 409, s409=("conflict", "this redemption was taken back before")),
)
def reverse(service: Svc, caller: Caller, reader_id: ReaderId, wanted: ReversalRequest) -> Response:
    done = service.reversals.reverse(caller, wanted.receipt, wanted.reason, reader_id=reader_id)
    return JSONResponse(done.to_json())


def _outcome(result: CounterRecord | Refused | PinRefused) -> dict[str, Any]:
    if isinstance(result, CounterRecord):
        return {"redemption": result.to_json(), "refused": None}
    refused: dict[str, Any] = {"code": "wrong-pin", "again_on": None, "tries_left": None}
    if isinstance(result, PinRefused):
        refused["tries_left"] = result.tries_left
    else:
        refused |= {"code": str(result.code), "again_on": result.again_on and result.again_on.isoformat()}
    return {"redemption": None, "refused": refused | {"sentence": refusal_sentence(result)}}
