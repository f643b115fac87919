"""Batches over HTTP: their way from a draft to the end, their accounts, their report."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import Field

from reader_service.http.deps import Caller, Svc
from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Resource
from reader_service.http.schemas import (
    ALWAYS,
    BatchId,
    Line,
    ReasonRequest,
    RequestModel,
    ResponseModel,
    answers,
    download,
    problems,
)
from reader_service.registry_errors import part_of
from reader_service.services.batches import BatchView
from registry.batches.reviews import ChangeKind, ReviewEvent
from registry.db.paging import Page
from registry.values import Batch, BatchState

router = Resource(prefix="/batches", tags=["batches"], responses=problems(*ALWAYS))

_OWN = ("own-work", "who imported a batch does not approve it; a second person does")
_STANDS = ("conflict", "batch B20261122-001 is approved; only a draft can be approved")


class BatchResponse(ResponseModel):
    """A batch. `to_prepare` members still need a dossier, `verified` have their card."""

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


class ReviewResponse(ResponseModel):
    """A step of a draft between clerk and reviewer."""

    at: datetime
    by: str
    step: Literal["submitted", "returned"]
    reason: str


class BatchSummaryResponse(BatchResponse):
    """A batch in a list, with the last step of its review; null for one that was never sent."""

    review: ReviewResponse | None


class AccountsResponse(ResponseModel):
    """Two equations that hold at every moment: dossiers = waiting + claimed + verified + remade, and
    chips_fed = chips_verified + chips_rejected + chips_in_reader."""

    members: int
    to_prepare: int
    dossiers: int
    waiting: int
    claimed: int
    missing: int
    verified: int
    remade: int
    chips_fed: int
    chips_verified: int
    chips_rejected: int
    chips_in_reader: int
    cards: int
    balanced: bool


class PreparationResponse(ResponseModel):
    """Dossiers in the making. `fault` is a sentence where it failed; what was made until then is kept."""

    batch_id: str
    state: Literal["running", "done", "failed"]
    made: int
    total: int
    by: str
    begun_at: datetime
    ended_at: datetime | None
    fault: str
    code: str = Field(description="Of `fault`, for programs.")
    params: dict[str, str]


class BatchDetailResponse(ResponseModel):
    """A batch with its accounts. `signed_by` signed its closing and waits for a second person."""

    batch: BatchResponse
    accounts: AccountsResponse
    preparation: PreparationResponse | None
    signed_by: str | None
    review: ReviewResponse | None


class RosterChangeResponse(ResponseModel):
    """What a row changes, masked. `fields` differ: name, gender, mobile; masked texts may look alike all the same."""

    sheet_row: int
    member_id: int
    kind: ChangeKind
    unit: str
    id_masked: str
    fields: list[str]
    name_before: str
    name_after: str
    mobile_before: str
    mobile_after: str


class RejectResponse(ResponseModel):
    """A chip that was refused for ever; `bin` names the tray. `code` is the reason for programs, and `params` what a
    sentence in another language may name."""

    at: datetime
    chip_serial: str
    reason: str
    step: str
    bin: str
    lane: str
    card_number: str | None
    sequence: int | None
    code: str = Field(examples=["mute"])
    params: dict[str, str]


class BoundChipResponse(ResponseModel):
    """A chip that still has to come back; `missing` once its lane's time ran out."""

    card_number: str
    sequence: int
    chip_serial: str
    lane: str
    lease_until: datetime
    missing: bool


class StockResponse(ResponseModel):
    """Blank chips: received = verified + rejected + in_reader + left."""

    received: int
    fed: int
    verified: int
    rejected: int
    in_reader: int
    foreign: int
    left: int
    balanced: bool


class LaneShareResponse(ResponseModel):
    """A lane's share of a batch; seconds are per card."""

    lane: str
    cards: int
    median: float
    slowest: float


class ReportResponse(ResponseModel):
    """What the report of a batch sums up."""

    batch: BatchResponse
    accounts: AccountsResponse
    stock: StockResponse
    codes: list[tuple[str, int]] = Field(description="Reasoned rows were returned, and how often.")
    verdicts: list[tuple[str, int]] = Field(description="What the read-back found, and how often.")
    lanes: list[LaneShareResponse]
    rejects: list[RejectResponse]


class ReleaseChipRequest(RequestModel):
    """A chip that is lost, and what became of it."""

    chip_serial: str = Field(pattern=r"^[0-9A-Z-]{1,40}$", examples=["00000000000000000007"])
    reason: str = Field(min_length=1, max_length=500, examples=["fell behind the machine"])


@router.get(
    "",
    summary="Batches, newest first",
    description="Roles: operator, reviewer, registrar, auditor.",
)
def list_batches(
    service: Svc,
    caller: Caller,
    paged: Paged,
    unit: Annotated[Line | None, Query(description="Of this unit only.")] = None,
    stage: Annotated[Literal["draft", "approved", "closed", "discarded"] | None, Query()] = None,
) -> Items[BatchSummaryResponse]:
    page = service.batches.page(caller, paged.cursor, paged.limit, unit=unit, stage=stage)
    standing = service.batches.standing(caller, [batch.id for batch in page.items])
    return items(page, lambda batch: _line(batch, standing.get(batch.id)))


@router.get("/stock", summary="Blank chips", description="Roles: operator, reviewer, registrar, auditor.")
def stock(service: Svc, caller: Caller) -> StockResponse:
    return StockResponse.model_validate(service.batches.stock(caller))


@router.get(
    "/{batch_id}",
    summary="A batch with its accounts",
    description="Roles: operator, reviewer, registrar, auditor.",
    responses=problems(404),
)
def show(service: Svc, caller: Caller, batch_id: BatchId) -> BatchDetailResponse:
    return _view(service.batches.show(caller, batch_id))


@router.get(
    "/{batch_id}/reviews",
    summary="The way of a draft between clerk and reviewer",
    description="Oldest first. Roles: registrar, reviewer, auditor.",
    responses=problems(404),
)
def reviews(service: Svc, caller: Caller, batch_id: BatchId) -> list[ReviewResponse]:
    return [ReviewResponse.model_validate(step) for step in service.rosters.reviews(caller, batch_id)]


@router.get(
    "/{batch_id}/changes",
    summary="What approving a batch changes",
    description="Row by row in sheet order, masked. Roles: registrar, reviewer, auditor.",
    responses=problems(404),
)
def changes(
    service: Svc,
    caller: Caller,
    batch_id: BatchId,
    paged: Paged,
    kind: Annotated[ChangeKind | None, Query(description="Only these.")] = None,
) -> Items[RosterChangeResponse]:
    kinds = tuple(ChangeKind) if kind is None else (kind,)
    page = service.rosters.changes(caller, batch_id, paged.cursor, paged.limit, kinds=kinds)
    return items(page, RosterChangeResponse.model_validate)


@router.post(
    "/{batch_id}/submit",
    summary="Send a draft for review",
    description="Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "batch B20261122-001 is with the reviewers already")),
)
def submit(service: Svc, caller: Caller, batch_id: BatchId) -> BatchResponse:
    return BatchResponse.model_validate(service.rosters.submit(caller, batch_id))


@router.post(
    "/{batch_id}/approve",
    summary="Let a draft through",
    description="A second person does this, never the one who imported it: that is 403 `own-work`. Role: reviewer.",
    responses=problems(403, 404, 409, s403=_OWN, s409=_STANDS),
)
def approve(service: Svc, caller: Caller, batch_id: BatchId) -> BatchResponse:
    return BatchResponse.model_validate(service.rosters.approve(caller, batch_id))


@router.post(
    "/{batch_id}/return",
    summary="Send a draft back to the clerk",
    description="With a reason. Role: reviewer.",
    responses=problems(404, 409, s409=("conflict", "batch B20261122-001 is not sent")),
)
def give_back(service: Svc, caller: Caller, batch_id: BatchId, why: ReasonRequest) -> BatchResponse:
    return BatchResponse.model_validate(service.rosters.give_back(caller, batch_id, why.reason))


@router.post(
    "/{batch_id}/discard",
    summary="Give up a draft",
    description="Its rows and its form are deleted; the same form may be uploaded again. Role: registrar.",
    responses=problems(404, 409),
)
def discard(service: Svc, caller: Caller, batch_id: BatchId, why: ReasonRequest) -> BatchResponse:
    return BatchResponse.model_validate(service.rosters.discard(caller, batch_id, why.reason))


@router.post(
    "/{batch_id}/prepare",
    status_code=202,
    summary="Make the dossiers that are missing",
    description="In the background, one preparation a batch at a time; events `batch.changed` and GET tell how far it "
    "is. Said again after it ended, it makes what is still missing. Role: operator.",
    responses=problems(404, 409, s409=("conflict", "batch B20261122-001 is being prepared already, for op")),
)
def prepare(service: Svc, caller: Caller, batch_id: BatchId) -> PreparationResponse:
    return PreparationResponse.model_validate(service.batches.prepare(caller, batch_id))


@router.get(
    "/{batch_id}/preparation",
    summary="How far the preparation is",
    description="Of the last one in this service; null where there was none since it started. "
    "Roles: operator, reviewer, registrar, auditor.",
)
def preparation(service: Svc, caller: Caller, batch_id: BatchId) -> PreparationResponse | None:
    found = service.batches.preparation(caller, batch_id)
    return None if found is None else PreparationResponse.model_validate(found)


@router.get(
    "/{batch_id}/report",
    summary="The report in figures",
    description="Roles: operator, reviewer, registrar, auditor.",
    responses=problems(404),
)
def report(service: Svc, caller: Caller, batch_id: BatchId) -> ReportResponse:
    return ReportResponse.model_validate(service.batches.report(caller, batch_id))


@router.get(
    "/{batch_id}/report.html",
    summary="The report as a page to keep",
    description="One self-contained HTML file, to download. Roles: operator, reviewer, registrar, auditor.",
    response_class=Response,
    responses={**answers("text/html", "The report."), **problems(404)},
)
def report_html(service: Svc, caller: Caller, batch_id: BatchId) -> Response:
    page = service.batches.report_html(caller, batch_id)
    return download(page.encode(), f"{batch_id}-report.html", "text/html; charset=utf-8")


@router.get(
    "/{batch_id}/rejects",
    summary="Chips that were refused",
    description="Oldest first. Roles: operator, reviewer, registrar, auditor.",
    responses=problems(404),
)
def rejects(service: Svc, caller: Caller, batch_id: BatchId, paged: Paged) -> Items[RejectResponse]:
    page = service.batches.rejects(caller, batch_id, paged.cursor, paged.limit)
    return items(page, RejectResponse.model_validate)


@router.get(
    "/{batch_id}/chips",
    summary="Chips that still have to come back",
    description="Roles: operator, reviewer, registrar, auditor.",
    responses=problems(404),
)
def chips(service: Svc, caller: Caller, batch_id: BatchId, paged: Paged) -> Items[BoundChipResponse]:
    page: Page[Any] = part_of(service.batches.bound(caller, batch_id), paged.cursor, paged.limit)
    return items(page, BoundChipResponse.model_validate)


@router.post(
    "/{batch_id}/release",
    summary="Give up a chip that is lost",
    description="Its card goes on the hotlist and its dossier is made again. Role: operator.",
    responses=problems(404, 409, s409=("conflict", "a lane may still have that chip")),
)
def release(service: Svc, caller: Caller, batch_id: BatchId, chip: ReleaseChipRequest) -> BatchResponse:
    return BatchResponse.model_validate(
        service.batches.release_missing(caller, batch_id, chip.chip_serial, chip.reason)
    )


@router.post(
    "/{batch_id}/close",
    summary="Sign a finished batch",
    description="Two people: the first one's signature waits a day (`signed_by`), the second one's closes the batch "
    "and destroys its dossiers. The batch is done and its accounts balance. Roles: operator, reviewer; no tokens.",
    responses=problems(403, 404, 409, s403=("own-work", "you signed this batch; a second person closes it")),
)
def close(service: Svc, caller: Caller, batch_id: BatchId) -> BatchDetailResponse:
    return _view(service.batches.close_batch(caller, batch_id))


def _line(batch: Batch, review: ReviewEvent | None) -> BatchSummaryResponse:
    told = BatchResponse.model_validate(batch).model_dump()
    return BatchSummaryResponse(**told, review=None if review is None else ReviewResponse.model_validate(review))


def _view(view: BatchView) -> BatchDetailResponse:
    return BatchDetailResponse.model_validate(view)
