"""The review of a roster over HTTP: rows in clear, marks, and the unit's confirmation (annex 3)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path, Response
from pydantic import Field

from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import (
    ALWAYS,
    PDF,
    XLSX,
    BatchId,
    ReasonRequest,
    RequestModel,
    ResponseModel,
    file_response,
    private_download,
    problems,
)
from registry.batches.confirmations import Confirmation, ConfirmedCounts
from registry.batches.row_reviews import ClearRow, ReviewProgress, RowDoubt, RowMark

router = Resource(prefix="/batches", tags=["batches"], responses=problems(*ALWAYS))

_OWN = ("own-work", "who imported a batch does not review it; a second person does")
_NOT_SENT = ("conflict", "batch B20261122-001 is not sent for review")
SheetRow = Annotated[int, Path(ge=1, lt=2**31, examples=[4], description="The row of the form, counted from 1.")]


class LookRequest(ReasonRequest):
    """Rows behind the row `after` are shown. `printed`: the caller prints them in clear, which the audit says."""

    after: int = Field(0, ge=0, lt=2**31)
    limit: int = Field(50, ge=1, le=50)
    printed: bool = False


class ClearRowResponse(ResponseModel):
    """A row in clear. `copy` is the number of its ID copy in annex 5: the row's number in the form. A rejected row has
    no data but a masked name."""

    sheet_row: int
    copy_number: str
    verdict: str
    codes: list[str]
    id_number: str
    name: str
    gender: str
    mobile: str
    unit: str
    mark: RowMark | None
    note: str
    marked_by: str


class ClearRowsResponse(ResponseModel):
    """Rows in clear; `next` is the value for `after` of the next request, null at the end."""

    rows: list[ClearRowResponse]
    next: int | None


class ProgressResponse(ResponseModel):
    """How far the review has come, and the rows in doubt. `resume_after` is the value for `after` that continues it."""

    rows: int
    right: int
    in_doubt: int
    open: int
    resume_after: int | None
    doubts: list[RowDoubt]


class MarkRequest(RequestModel):
    """`mark` null takes a mark back. A doubt needs a note."""

    mark: RowMark | None = Field(examples=["doubt"])
    note: str = Field("", max_length=200, examples=["the copy shows another birthday"])


class ConfirmationRequest(RequestModel):
    """What annex 3 says. `explanation` is needed where the numbers differ from the form, or the seal is missing."""

    members: int = Field(ge=0, le=1_000_000, examples=[50])
    copies: int = Field(ge=0, le=1_000_000, examples=[50])
    contact: str = Field(min_length=1, max_length=60)
    phone: str = Field(min_length=6, max_length=25, examples=["0311-85000000"])
    seal: bool
    explanation: str = Field("", max_length=500)


class ConfirmationResponse(ResponseModel):
    """A confirmation; the contact is masked. `people` is the number of rows that it was compared with, `current`
    whether the batch still has so many."""

    at: datetime
    by: str
    people: int
    members: int
    copies: int
    contact_masked: str
    phone_masked: str
    seal: bool
    explanation: str
    current: bool


@router.post(
    "/{batch_id}/look",
    name="look_at_rows",
    summary="Show rows of a submitted draft in clear",
    description="The audit entry (who, which rows, why) is written before the data are sent. Role: reviewer, signed in "
    "in person, but not who imported the batch.",
    responses=problems(403, 404, 409, s403=_OWN, s409=_NOT_SENT),
)
def look(service: Svc, caller: Caller, batch_id: BatchId, which: LookRequest, response: Response) -> ClearRowsResponse:
    shown = service.reviewing.look(
        caller, batch_id, which.reason, after=which.after, limit=which.limit, printed=which.printed
    )
    response.headers["Cache-Control"] = "no-store"
    return ClearRowsResponse(rows=[_clear(row) for row in shown.rows], next=shown.next)


@router.get(
    "/{batch_id}/review",
    name="review_progress",
    summary="Get the progress of a review",
    description="With the rows in doubt and their notes. Roles: registrar, reviewer, auditor.",
    responses=problems(404),
)
def progress(service: Svc, caller: Caller, batch_id: BatchId) -> ProgressResponse:
    so_far = service.reviewing.progress(caller, batch_id)
    return _progress(so_far, service.reviewing.doubts(caller, batch_id))


@router.post(
    "/{batch_id}/rows/{sheet_row}/mark",
    name="mark_row",
    summary="Mark a row as right or in doubt",
    description="A batch with a row in doubt cannot be approved. Role: reviewer, signed in in person, but not who "
    "imported the batch.",
    responses=problems(403, 404, 409, s403=_OWN, s409=_NOT_SENT),
)
def mark(service: Svc, caller: Caller, batch_id: BatchId, sheet_row: SheetRow, result: MarkRequest) -> ProgressResponse:
    so_far = service.reviewing.mark(caller, batch_id, sheet_row, result.mark, result.note)
    return _progress(so_far, service.reviewing.doubts(caller, batch_id))


@router.post(
    "/{batch_id}/confirmation",
    name="confirm_counts",
    summary="Enter the unit's confirmation (annex 3)",
    description="A later one takes the place of an earlier one until the batch is approved. Role: reviewer, signed in "
    "in person, but not who imported the batch.",
    responses=problems(403, 404, 409, s403=_OWN, s409=("conflict", "the confirmation bears no seal")),
)
def confirm(service: Svc, caller: Caller, batch_id: BatchId, counted: ConfirmationRequest) -> ConfirmationResponse:
    counts = ConfirmedCounts(**counted.model_dump())
    return ConfirmationResponse.model_validate(service.reviewing.confirm(caller, batch_id, counts))


@router.get(
    "/{batch_id}/confirmation",
    name="confirmation",
    summary="Get the unit's confirmation (annex 3)",
    description="Null where none was entered; the contact is masked. Roles: registrar, reviewer, auditor.",
    responses=problems(404),
)
def confirmation(service: Svc, caller: Caller, batch_id: BatchId) -> ConfirmationResponse | None:
    known: Confirmation | None = service.reviewing.confirmation(caller, batch_id)
    return None if known is None else ConfirmationResponse.model_validate(known)


@router.get(
    "/{batch_id}/confirmation.pdf",
    name="confirmation_pdf",
    summary="Download annex 3 as a cover sheet",
    description="With the contact in clear, which is audited. Role: reviewer.",
    response_class=Response,
    responses={**file_response(PDF, "The cover sheet (附件3)."), **problems(404, 409)},
)
def cover_pdf(service: Svc, caller: Caller, batch_id: BatchId) -> Response:
    return private_download(service.reviewing.cover_pdf(caller, batch_id), f"{batch_id}-附件3.pdf", PDF)


@router.get(
    "/{batch_id}/confirmation.xlsx",
    name="confirmation_xlsx",
    summary="Download annex 3 as a workbook",
    description="With the contact in clear, which is audited. Role: reviewer.",
    response_class=Response,
    responses={**file_response(XLSX, "The cover sheet (附件3)."), **problems(404)},
)
def cover_xlsx(service: Svc, caller: Caller, batch_id: BatchId) -> Response:
    return private_download(service.reviewing.cover_xlsx(caller, batch_id), f"{batch_id}-附件3.xlsx", XLSX)


def _clear(row: ClearRow) -> ClearRowResponse:
    person = row.person
    return ClearRowResponse(
        sheet_row=row.sheet_row,
        copy_number="" if row.copy is None else str(row.copy),
        verdict=row.verdict,
        codes=list(row.codes),
        id_number="" if person is None else person.id_number,
        name=row.name_masked if person is None else person.name,
        gender="" if person is None else person.sex.name.lower(),
        mobile="" if person is None else person.mobile,
        unit=row.unit,
        mark=row.mark,
        note=row.note,
        marked_by=row.marked_by,
    )


def _progress(so_far: ReviewProgress, doubts: list[RowDoubt]) -> ProgressResponse:
    return ProgressResponse(
        rows=so_far.rows,
        right=so_far.right,
        in_doubt=so_far.doubts,
        open=so_far.open,
        resume_after=so_far.resume_after,
        doubts=doubts,
    )
