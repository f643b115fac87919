"""Losses over HTTP: report, replacement, consent, unlisting, and the reports for the bank."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import Path, Query, Response
from pydantic import Field

from reader_service.http.paging import Items, Paged, items, items_of
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import (
    ALWAYS,
    CSV,
    XLSX,
    Line,
    ReasonRequest,
    RequestModel,
    ResponseModel,
    download,
    file_response,
    problems,
)
from registry.members import identity
from registry.members.bank_reports import BankReport
from registry.members.identity import CallerKind, Question
from registry.members.losses import CollectionPoint, LossChannel
from registry.values import BatchState, CardState

router = Resource(prefix="/losses", tags=["losses"], responses=problems(*ALWAYS))

_TOO_LATE = ("conflict", "the replacement of card 6212260000000000012 is made or being made")
LossNumber = Annotated[int, Path(ge=1, lt=2**62, examples=[12], description="The number of a loss.")]
ReportNumber = Annotated[int, Path(ge=1, lt=2**62, examples=[3], description="The number of a report for the bank.")]
Format = Annotated[Literal["xlsx", "csv"], Query(description="The form of the file.")]


class CollectionRequest(RequestModel):
    """Where and from which day on the member collects the new card."""

    collect_at: Line = Field(examples=["Service hall, window 3"])
    collect_on: date = Field(examples=["2026-12-01"])


class OrderRequest(CollectionRequest, ReasonRequest):
    """The order of a replacement, with the reason."""


class CallerRequest(RequestModel):
    """A caller of the hotline. `answers` has what the caller answered; the service compares it with the record, and
    three answers have to be right. `name` and `telephone` of a caller who is not the member are sealed."""

    kind: CallerKind
    answers: dict[Question, Annotated[str, Field(max_length=100)]] = Field(examples=[{"id-end": "0001"}])
    name: str = Field("", max_length=60)
    telephone: str = Field("", max_length=20)


class LossRequest(ReasonRequest):
    """A card that is lost. With `caller` it is a call of the hotline; with `collection` a replacement is ordered."""

    card_number: str = Field(pattern=r"^[0-9]{13,19}$", examples=["6212260000000000012"])
    caller: CallerRequest | None = None
    collection: CollectionRequest | None = None


class TokenRequest(RequestModel):
    """A token of the second person."""

    token: str = Field(min_length=1, max_length=200, examples=["not-a-token"])


class UnlistRequest(ReasonRequest):
    """Why, with a token of the second person where they stand at the same window."""

    token: str = Field("", max_length=200, examples=["not-a-token"])


class LossResponse(ResponseModel):
    """A loss; personal data are masked. `batch` makes the replacement, which is collected at `collect_at` from
    `collect_on` on. `returned_by` noted that the card is there again; `unlisted_at` is set once another person has
    unlisted it."""

    number: int
    member_id: int
    member_number: str
    name_masked: str
    id_masked: str
    unit: str
    card_number: str
    sequence: int
    card_state: CardState
    at: datetime
    by: str
    place: str
    reason: str
    channel: LossChannel
    caller: CallerKind | None
    caller_masked: str
    answers: list[Question]
    batch: str | None
    batch_state: BatchState | None
    collect_at: str
    collect_on: date | None
    unlisted_at: datetime | None
    unlisted_by: str | None
    unlisted_reason: str | None
    returned_at: datetime | None
    returned_by: str | None
    returned_reason: str | None


class ListedLossResponse(ResponseModel):
    """A loss with the edition of the hotlist that has the change; null where none could be signed."""

    loss: LossResponse
    edition: int | None


class ReplacementResponse(ResponseModel):
    """The batch of a replacement after the second person's consent."""

    id: str = Field(examples=["B20261122-002"])
    state: BatchState
    approved_by: str | None


@router.post(
    "",
    status_code=201,
    name="report_loss",
    summary="Report a card as lost",
    description="Lists the card and publishes an edition of the hotlist; orders the replacement where `collection` is "
    "given, which waits for a second person. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "the caller gave 1 right answers, and 3 are needed")),
)
def report(service: Svc, caller: Caller, loss: LossRequest) -> ListedLossResponse:
    known = None if loss.caller is None else identity.Caller(**loss.caller.model_dump())
    listed = service.losses.report(
        caller, loss.card_number, loss.reason, caller=known, collection=_point(loss.collection)
    )
    return ListedLossResponse.model_validate(listed)


@router.get("", name="losses", summary="List losses", description="The newest comes first. Role: registrar.")
def losses(
    service: Svc,
    caller: Caller,
    paged: Paged,
    listed: Annotated[
        bool | None, Query(description="Only cards that are still listed, or only those that were unlisted.")
    ] = None,
) -> Items[LossResponse]:
    return items_of(service.losses.page(caller, paged.cursor, paged.limit, listed=listed), LossResponse.model_validate)


@router.get(
    "/bank-reports",
    name="bank_reports",
    summary="List the reports of losses for the bank",
    description="The newest comes first. Role: registrar.",
)
def bank_reports(service: Svc, caller: Caller, paged: Paged) -> Items[BankReport]:
    return items(service.losses.reports(caller, paged.cursor, paged.limit))


@router.post(
    "/bank-reports",
    status_code=201,
    name="make_bank_report",
    summary="Make a report of losses for the bank",
    description="Has every loss and unlisting that no report had before, of cards with the bank's application. "
    "Role: registrar.",
    responses=problems(409, s409=("conflict", "no loss is new since the last report")),
)
def make_bank_report(service: Svc, caller: Caller) -> BankReport:
    return service.losses.make_report(caller)


@router.get(
    "/bank-reports/since",
    name="bank_file_since",
    summary="Get the losses since a day as a file",
    description="Has every loss and unlisting from that day on, reported before or not. Account numbers are in clear, "
    "and the audit keeps who fetched them. Role: registrar.",
    response_class=Response,
    responses=file_response(XLSX, "The losses as .xlsx, or as .csv."),
)
def bank_file_since(
    service: Svc,
    caller: Caller,
    since: Annotated[date, Query(description="The first day.", examples=["2026-11-01"])],
    format: Format = "xlsx",
) -> Response:
    file = service.losses.file_since(caller, since, format)
    return download(file.content, file.filename, XLSX if format == "xlsx" else CSV)


@router.get(
    "/bank-reports/{number}/file",
    name="bank_file",
    summary="Get a report for the bank as a file",
    description="Account numbers are in clear, and the audit keeps who fetched them. Role: registrar.",
    response_class=Response,
    responses={**file_response(XLSX, "The report as .xlsx, or as .csv."), **problems(404)},
)
def bank_file(service: Svc, caller: Caller, number: ReportNumber, format: Format = "xlsx") -> Response:
    file = service.losses.report_file(caller, number, format)
    return download(file.content, file.filename, XLSX if format == "xlsx" else CSV)


@router.get(
    "/{number}",
    name="loss",
    summary="Get a loss",
    description="Personal data are masked. Role: registrar.",
    responses=problems(404),
)
def show(service: Svc, caller: Caller, number: LossNumber) -> LossResponse:
    return LossResponse.model_validate(service.losses.loss(caller, number))


@router.post(
    "/{number}/order",
    name="order_replacement",
    summary="Order the replacement of a lost card",
    description="Makes a batch that waits for a second person. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "this member is in batch B20261122-002")),
)
def order(service: Svc, caller: Caller, number: LossNumber, there: OrderRequest) -> LossResponse:
    point = CollectionPoint(there.collect_at, there.collect_on)
    return LossResponse.model_validate(service.losses.order(caller, number, point, there.reason))


@router.post(
    "/{number}/consent",
    name="consent_to_replacement",
    summary="Approve a replacement with a second person's token",
    description="The second person types a token of theirs at the window. Without one they approve the batch on their "
    "own screen. Role: registrar; the token needs the role reviewer.",
    responses=problems(404, 409, s409=("conflict", "loss 12 has no replacement that waits for a second person")),
)
def consent(service: Svc, caller: Caller, number: LossNumber, second: TokenRequest) -> ReplacementResponse:
    return ReplacementResponse.model_validate(service.losses.consent(caller, number, second.token))


@router.post(
    "/{number}/unlist",
    name="unlist",
    summary="Unlist a card that was found",
    description="Two people: the first call notes `returned_by`, and the second one, by another person or at once with "
    "a `token` of theirs, takes the card off the hotlist and gives it its state back; a replacement without a chip is "
    "given up. Refused once the replacement is being made. Role: registrar; the token needs registrar or reviewer.",
    responses=problems(404, 409, s409=_TOO_LATE),
)
def unlist(service: Svc, caller: Caller, number: LossNumber, why: UnlistRequest) -> ListedLossResponse:
    return ListedLossResponse.model_validate(service.losses.unlist(caller, number, why.reason, why.token))


@router.post(
    "/{number}/still-lost",
    name="still_lost",
    summary="Take back that a card was found",
    description="Before a second person unlists it; the card stays on the hotlist. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "nobody noted that the card of loss 12 was found")),
)
def still_lost(service: Svc, caller: Caller, number: LossNumber, why: ReasonRequest) -> LossResponse:
    return LossResponse.model_validate(service.losses.still_lost(caller, number, why.reason))


def _point(there: CollectionRequest | None) -> CollectionPoint | None:
    return None if there is None else CollectionPoint(there.collect_at, there.collect_on)
