"""Edits of a returned roster over HTTP: a row changed, added or left out, and a corrected form in its place."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form
from pydantic import Field

from personalize.intake.single import RowCells
from reader_service.api.intake.reviewing import SheetRow
from reader_service.api.rosters import BAD_FORM, FormFile, FormName, UnitName
from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, BatchId, ReasonRequest, RequestModel, ResponseModel, problems
from reader_service.services.uploads import pieces
from registry.batches.editing.differences import RowDifference
from registry.batches.editing.edits import Corrections, RowEdit

router = Resource(prefix="/batches", tags=["batches"], responses=problems(*ALWAYS))

_WITH_REVIEWERS = ("conflict", "batch B20261122-001 is with the reviewers: it is edited once they return it")
_CHANGED = ("conflict", "the differences to batch B20261122-001 are others than those shown: look at them again")


class LeaveOutRequest(ReasonRequest):
    """`last_edit` is the number of the newest edit that the caller has seen, 0 for none; null does not compare it."""

    last_edit: int | None = Field(None, ge=0, le=2**53, examples=[0])


class UndoRequest(RequestModel):
    """`last_edit` is the number of the newest edit that the caller has seen; null does not compare it."""

    last_edit: int | None = Field(None, ge=0, le=2**53, examples=[12])


class RowRequest(LeaveOutRequest):
    """New values of a row, as a form has them. A field that is null keeps what the row has; an empty text is an empty
    cell. `document` names the identity document (证件类型), otherwise the form of the number shows it. `last_edit` is
    the number of the newest edit that the caller has seen, 0 for none; null does not compare it."""

    id_number: str | None = Field(None, max_length=200)
    document: str | None = Field(None, max_length=200, examples=["护照"])
    name: str | None = Field(None, max_length=200)
    gender: str | None = Field(None, max_length=200, examples=["女"])
    mobile: str | None = Field(None, max_length=200)
    unit: str | None = Field(None, max_length=200)
    seq: str | None = Field(None, max_length=200, examples=["12"])


class CorrectionsResponse(ResponseModel):
    """Differences to the roster on record, masked, row by row. `unchanged` counts the other rows; `seen` is to be sent
    with the same form to accept them."""

    batch_id: str
    rows: list[RowDifference]
    counts: dict[str, int]
    unchanged: int
    seen: str


@router.post(
    "/{batch_id}/rows",
    name="add_row",
    status_code=201,
    summary="Add a row to a returned roster",
    description="Behind the last row. The row is judged as a form's rows are; the answer has its findings. "
    "Role: registrar.",
    responses=problems(404, 409, s409=_WITH_REVIEWERS),
)
def add_row(service: Svc, caller: Caller, batch_id: BatchId, row: RowRequest) -> RowDifference:
    return service.editing.edit(caller, batch_id, None, _cells(row), row.reason, last_edit=row.last_edit)


@router.post(
    "/{batch_id}/rows/{sheet_row}",
    name="edit_row",
    summary="Change a row of a returned roster",
    description="Its findings are renewed at once, and its mark of the review falls away. The values of a rejected row "
    "are not on record, so all of them are given. Who edits a batch does not approve it. Role: registrar.",
    responses=problems(404, 409, s409=_WITH_REVIEWERS),
)
def edit_row(service: Svc, caller: Caller, batch_id: BatchId, sheet_row: SheetRow, row: RowRequest) -> RowDifference:
    return service.editing.edit(caller, batch_id, sheet_row, _cells(row), row.reason, last_edit=row.last_edit)


@router.post(
    "/{batch_id}/rows/{sheet_row}/leave-out",
    name="leave_out_row",
    summary="Leave a row out of a returned roster",
    description="The unit's confirmation (annex 3) falls away. Role: registrar.",
    responses=problems(404, 409, s409=_WITH_REVIEWERS),
)
def leave_out(
    service: Svc, caller: Caller, batch_id: BatchId, sheet_row: SheetRow, why: LeaveOutRequest
) -> RowDifference:
    return service.editing.leave_out(caller, batch_id, sheet_row, why.reason, last_edit=why.last_edit)


@router.get(
    "/{batch_id}/edits",
    name="edits",
    summary="List the edits of a roster",
    description="The newest comes first; who, when, why and which fields, masked. Roles: registrar, reviewer, auditor.",
    responses=problems(404),
)
def edits(service: Svc, caller: Caller, batch_id: BatchId, paged: Paged) -> Items[RowEdit]:
    return items(service.editing.history(caller, batch_id, paged.cursor, paged.limit))


@router.post(
    "/{batch_id}/edits/undo",
    name="undo_edit",
    summary="Undo the newest edit of a roster",
    description="A corrected form is undone as a whole. Possible until the roster is submitted again; marks and a "
    "confirmation that fell away do not come back. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "no edit of batch B20261122-001 is left to undo")),
)
def undo(service: Svc, caller: Caller, batch_id: BatchId, seen: UndoRequest) -> list[RowDifference]:
    return list(service.editing.undo(caller, batch_id, last_edit=seen.last_edit))


@router.post(
    "/{batch_id}/corrections/check",
    name="check_corrections",
    summary="Show how a corrected form differs from a returned roster",
    description="Nothing is stored. Role: registrar.",
    responses=problems(404, 409, 413, 429, 422, s422=BAD_FORM, s409=_WITH_REVIEWERS),
)
def check_corrections(
    service: Svc,
    caller: Caller,
    batch_id: BatchId,
    file: FormFile,
    unit: UnitName = None,
    form: FormName = None,
) -> CorrectionsResponse:
    content = pieces(file.file.read)
    return _corrections(
        service.editing.corrections(caller, batch_id, file.filename or "", content, unit=unit, form=form)
    )


@router.post(
    "/{batch_id}/corrections",
    name="correct",
    summary="Accept a corrected form",
    description="Its rows take the place of those on record, where the differences are those that `seen` is of. Rows "
    "that stay as they are keep their marks. Role: registrar.",
    responses=problems(404, 409, 413, 429, 422, s422=BAD_FORM, s409=_CHANGED),
)
def correct(
    service: Svc,
    caller: Caller,
    batch_id: BatchId,
    file: FormFile,
    seen: Annotated[
        str, Form(description="As the differences gave it.", min_length=64, max_length=64, examples=["0" * 64])
    ],
    reason: Annotated[
        str, Form(description="Why the form is corrected.", min_length=1, max_length=500, examples=["as returned"])
    ],
    unit: UnitName = None,
    form: FormName = None,
) -> CorrectionsResponse:
    content = pieces(file.file.read)
    return _corrections(
        service.editing.correct(
            caller, batch_id, file.filename or "", content, seen=seen, reason=reason, unit=unit, form=form
        )
    )


def _cells(row: RowRequest) -> RowCells:
    return RowCells(**row.model_dump(exclude={"reason", "last_edit"}))


def _corrections(shown: Corrections) -> CorrectionsResponse:
    return CorrectionsResponse(
        batch_id=shown.batch_id,
        rows=list(shown.rows),
        counts=shown.counts,
        unchanged=shown.unchanged,
        seen=shown.seen,
    )
