"""Batches over HTTP: review, preparation, accounts, report and closing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import Field

from personalize.line.report import LaneSummary
from reader_service.http.paging import Items, Paged, items, items_of
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import (
    ALWAYS,
    BatchId,
    Line,
    ReasonRequest,
    RequestModel,
    ResponseModel,
    download,
    file_response,
    problems,
)
from reader_service.registry_errors import part_of
from reader_service.services.issuing.preparations import Preparation
from registry.batches.reviews import ChangeKind, ReviewEvent, RosterChange
from registry.db.paging import Page
from registry.ranges import RangeKind
from registry.values import Batch, BatchAccounts, BatchState, Reject, StockAccounts

router = Resource(prefix="/batches", tags=["batches"], responses=problems(*ALWAYS))

_OWN = ("own-work", "who imported a batch does not approve it; a second person does")
_STANDS = ("conflict", "batch B20261122-001 is approved; only a draft can be approved")


class BatchResponse(ResponseModel):
    """A roster on its way to cards. `to_prepare` counts members without a dossier, `verified` members with a verified
    card; `unchanged` and `changes` rows of people who had a card or were in another batch."""

    id: str = Field(examples=["B20261122-001"])
    unit: str
    state: BatchState
    source: str
    imported_by: str
    imported_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    closed_by: tuple[str, str] | None
    closed_at: datetime | None
    accepted: int
    rejected: int
    to_prepare: int
    dossiers: int
    verified: int
    unchanged: int
    changes: int


class BatchSummaryResponse(BatchResponse):
    """A batch in a list. `review` is the last step of its review; null for a batch that was never submitted."""

    review: ReviewEvent | None


class RangeResponse(ResponseModel):
    """A range of numbers that a draft draws on. `used` numbers were given out or wait for approved batches, `needed`
    are those of the draft; `nearly_full`: 80 % or more, both together; `exceeded`: the draft cannot be approved."""

    kind: RangeKind
    prefix: str = Field(examples=["13000"])
    capacity: int = Field(examples=[9_999_999])
    used: int
    needed: int
    percent: int
    nearly_full: bool
    exceeded: bool


class BatchDetailResponse(ResponseModel):
    """A batch with its accounts. `signed_by` signed it first; the batch closes with a second person's signature."""

    batch: BatchResponse
    accounts: BatchAccounts
    preparation: Preparation | None
    signed_by: str | None
    review: ReviewEvent | None


class BoundChipResponse(ResponseModel):
    """A chip that a lane has claimed and not yet returned. `missing`: the lease of the claim has expired."""

    card_number: str
    sequence: int
    chip_serial: str
    lane: str
    lease_until: datetime
    missing: bool


class ReportResponse(ResponseModel):
    """The totals of a batch report."""

    batch: BatchResponse
    accounts: BatchAccounts
    stock: StockAccounts
    codes: list[tuple[str, int]] = Field(description="Fault codes of rejected roster rows, with their counts.")
    verdicts: list[tuple[str, int]] = Field(description="Verdicts of the read-back, with their counts.")
    lanes: list[LaneSummary]
    rejects: list[Reject]


class ReleaseChipRequest(RequestModel):
    """A chip that will not come back, and the reason."""

    chip_serial: str = Field(pattern=r"^[0-9A-Z-]{1,40}$", examples=["00000000000000000007"])
    reason: str = Field(min_length=1, max_length=500, examples=["fell behind the machine"])


@router.get(
    "",
    summary="List batches",
    description="The newest batch comes first. Roles: operator, reviewer, registrar, auditor.",
)
def list_batches(
    service: Svc,
    caller: Caller,
    paged: Paged,
    unit: Annotated[Line | None, Query(description="Only batches of this unit.")] = None,
    stage: Annotated[
        Literal["draft", "approved", "closed", "discarded"] | None, Query(description="Only batches in this stage.")
    ] = None,
) -> Items[BatchSummaryResponse]:
    page = service.batches.page(caller, paged.cursor, paged.limit, unit=unit, stage=stage)
    standing = service.batches.standing(caller, [batch.id for batch in page.items])
    return items_of(page, lambda batch: _summary(batch, standing.get(batch.id)))


@router.get(
    "/stock",
    summary="Account for blank chips",
    description="Gives the totals of all batches and deliveries. Roles: operator, reviewer, registrar, auditor.",
)
def stock(service: Svc, caller: Caller) -> StockAccounts:
    return service.batches.stock(caller)


@router.get(
    "/{batch_id}",
    summary="Get a batch with its accounts",
    description="Includes the running preparation and the last review step. Roles: operator, reviewer, registrar, "
    "auditor.",
    responses=problems(404),
)
def show(service: Svc, caller: Caller, batch_id: BatchId) -> BatchDetailResponse:
    return BatchDetailResponse.model_validate(service.batches.show(caller, batch_id))


@router.get(
    "/{batch_id}/reviews",
    summary="List the review steps of a batch",
    description="The oldest step comes first. Roles: registrar, reviewer, auditor.",
    responses=problems(404),
)
def reviews(service: Svc, caller: Caller, batch_id: BatchId) -> list[ReviewEvent]:
    return service.rosters.reviews(caller, batch_id)


@router.get(
    "/{batch_id}/changes",
    summary="List what approving a batch would change",
    description="One item per roster row, in sheet order; personal data are masked. Roles: registrar, reviewer, "
    "auditor.",
    responses=problems(404),
)
def changes(
    service: Svc,
    caller: Caller,
    batch_id: BatchId,
    paged: Paged,
    kind: Annotated[ChangeKind | None, Query(description="Only changes of this kind.")] = None,
) -> Items[RosterChange]:
    kinds = tuple(ChangeKind) if kind is None else (kind,)
    return items(service.rosters.changes(caller, batch_id, paged.cursor, paged.limit, kinds=kinds))


@router.get(
    "/{batch_id}/ranges",
    summary="List how full the number ranges of a draft are",
    description="Member, card and account numbers in use, and what approving the draft takes. Empty for a batch that "
    "is no draft. Roles: operator, reviewer, registrar, auditor.",
    responses=problems(404),
)
def ranges(service: Svc, caller: Caller, batch_id: BatchId) -> list[RangeResponse]:
    return [RangeResponse.model_validate(use) for use in service.rosters.ranges(caller, batch_id)]


@router.post(
    "/{batch_id}/submit",
    summary="Submit a draft for review",
    description="The reviewers can approve or return it afterwards. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "batch B20261122-001 is with the reviewers already")),
)
def submit(service: Svc, caller: Caller, batch_id: BatchId) -> BatchResponse:
    return BatchResponse.model_validate(service.rosters.submit(caller, batch_id))


@router.post(
    "/{batch_id}/approve",
    summary="Approve a draft",
    description="The person who imported the batch cannot approve it (403 `own-work`). Role: reviewer.",
    responses=problems(403, 404, 409, s403=_OWN, s409=_STANDS),
)
def approve(service: Svc, caller: Caller, batch_id: BatchId) -> BatchResponse:
    return BatchResponse.model_validate(service.rosters.approve(caller, batch_id))


@router.post(
    "/{batch_id}/return",
    summary="Return a draft to the clerk",
    description="The reason is shown to the clerk. Role: reviewer.",
    responses=problems(404, 409, s409=("conflict", "batch B20261122-001 is not sent")),
)
def give_back(service: Svc, caller: Caller, batch_id: BatchId, why: ReasonRequest) -> BatchResponse:
    return BatchResponse.model_validate(service.rosters.give_back(caller, batch_id, why.reason))


@router.post(
    "/{batch_id}/discard",
    summary="Discard a draft, or a batch without cards",
    description="Deletes its rows, unused dossiers and form; the same form may be uploaded again. Role: registrar.",
    responses=problems(404, 409),
)
def discard(service: Svc, caller: Caller, batch_id: BatchId, why: ReasonRequest) -> BatchResponse:
    return BatchResponse.model_validate(service.rosters.discard(caller, batch_id, why.reason))


@router.post(
    "/{batch_id}/prepare",
    status_code=202,
    summary="Prepare the missing dossiers",
    description="Runs in the background, once at a time for a batch; `batch.changed` events and GET report the "
    "progress. A further call after the end prepares what is still missing. Role: operator.",
    responses=problems(404, 409, s409=("conflict", "batch B20261122-001 is being prepared already, for op")),
)
def prepare(service: Svc, caller: Caller, batch_id: BatchId) -> Preparation:
    return service.batches.prepare(caller, batch_id)


@router.get(
    "/{batch_id}/preparation",
    summary="Get the progress of the preparation",
    description="Describes the last preparation since the service started; null where there was none. Roles: "
    "operator, reviewer, registrar, auditor.",
)
def preparation(service: Svc, caller: Caller, batch_id: BatchId) -> Preparation | None:
    return service.batches.preparation(caller, batch_id)


@router.get(
    "/{batch_id}/report",
    summary="Get the batch report",
    description="Gives the totals that the printable report shows. Roles: operator, reviewer, registrar, auditor.",
    responses=problems(404),
)
def report(service: Svc, caller: Caller, batch_id: BatchId) -> ReportResponse:
    return ReportResponse.model_validate(service.batches.report(caller, batch_id))


@router.get(
    "/{batch_id}/report.html",
    summary="Download the batch report",
    description="Gives one self-contained HTML file. Roles: operator, reviewer, registrar, auditor.",
    response_class=Response,
    responses={**file_response("text/html", "The report as an HTML file."), **problems(404)},
)
def report_html(service: Svc, caller: Caller, batch_id: BatchId) -> Response:
    page = service.batches.report_html(caller, batch_id)
    return download(page.encode(), f"{batch_id}-report.html", "text/html; charset=utf-8")


@router.get(
    "/{batch_id}/rejects",
    summary="List rejected chips",
    description="The oldest reject comes first. Roles: operator, reviewer, registrar, auditor.",
    responses=problems(404),
)
def rejects(service: Svc, caller: Caller, batch_id: BatchId, paged: Paged) -> Items[Reject]:
    return items(service.batches.rejects(caller, batch_id, paged.cursor, paged.limit))


@router.get(
    "/{batch_id}/chips",
    summary="List chips that are still in use",
    description="These chips are bound to a dossier and have no result yet. Roles: operator, reviewer, registrar, "
    "auditor.",
    responses=problems(404),
)
def chips(service: Svc, caller: Caller, batch_id: BatchId, paged: Paged) -> Items[BoundChipResponse]:
    page: Page[Any] = part_of(service.batches.bound(caller, batch_id), paged.cursor, paged.limit)
    return items_of(page, BoundChipResponse.model_validate)


@router.post(
    "/{batch_id}/release",
    summary="Release a missing chip",
    description="Its card goes on the hotlist, and its dossier is prepared again. Role: operator.",
    responses=problems(404, 409, s409=("conflict", "a lane may still have that chip")),
)
def release(service: Svc, caller: Caller, batch_id: BatchId, chip: ReleaseChipRequest) -> BatchResponse:
    return BatchResponse.model_validate(
        service.batches.release_missing(caller, batch_id, chip.chip_serial, chip.reason)
    )


@router.post(
    "/{batch_id}/close",
    summary="Sign and close a finished batch",
    description="Two people sign: the first signature is valid for a day (`signed_by`), and the second closes the "
    "batch and destroys its dossiers. The batch must be done and balanced. Roles: operator, reviewer; no tokens.",
    responses=problems(403, 404, 409, s403=("own-work", "you signed this batch; a second person closes it")),
)
def close(service: Svc, caller: Caller, batch_id: BatchId) -> BatchDetailResponse:
    return BatchDetailResponse.model_validate(service.batches.close_batch(caller, batch_id))


def _summary(batch: Batch, review: ReviewEvent | None) -> BatchSummaryResponse:
    return BatchSummaryResponse(**BatchResponse.model_validate(batch).model_dump(), review=review)
