"""Rosters over HTTP: the upload of a form, its findings row by row, and its annotated copy."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import File, Form, Query, Response, UploadFile
from pydantic import ConfigDict

from reader_service.access.settings import FILE_MB
from reader_service.api.batches import BatchResponse
from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, XLSX, BatchId, Line, ResponseModel, download, file_response, problems
from reader_service.services.issuing.rosters import RosterFinding, UploadView
from reader_service.services.uploads import pieces

router = Resource(prefix="/rosters", tags=["rosters"], responses=problems(*ALWAYS))

FormFile = Annotated[
    UploadFile,
    File(description=f"A registration form: .xlsx, .xls or .csv, up to {FILE_MB} MB, without macros or password."),
]
UnitName = Annotated[Line | None, Form(description="The unit, where it differs from the one in the form's title.")]
FormName = Annotated[
    Literal["hebei", "beijing", "tianjin"] | None,
    Form(
        description="The declared form of a federation that it is read as; without it, columns are recognized by their "
        "titles."
    ),
]
BAD_FORM = ("unreadable-form", "form.xlsx has macros: open it and save it as .xlsx, without macros")


class UploadResponse(ResponseModel):
    """The result of an upload. `batch` is null where no row was accepted and none requests a change; nothing is stored
    then. `unchanged` and `changes` count rows of people who have a card or are in a batch. `earlier` is the closed
    batch of the same file."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {
                "filename": "form.xlsx",
                "unit": "石家庄铁道大学工会",
                "batch": None,
                "accepted": 0,
                "rejected": 1,
                "counts": {"PHONE_MISSING": 1},
                "warnings": [],
                "findings": [
                    {
                        "sheet_row": 4,
                        "seq": 1,
                        "accepted": False,
                        "codes": ["PHONE_MISSING"],
                        "reason_zh": "没有填写手机号码。",
                        "reason_en": "the mobile number is missing.",
                        "name_masked": "孙**",
                        "id_masked": "",
                        "mobile_masked": "",
                        "verdict": "rejected",
                    }
                ],
                "unchanged": 0,
                "changes": 0,
                "earlier": None,
            }
        },
    )

    filename: str
    unit: str | None
    batch: BatchResponse | None
    accepted: int
    rejected: int
    counts: dict[str, int]
    warnings: list[tuple[str, str]]
    findings: list[RosterFinding]
    unchanged: int
    changes: int
    earlier: str | None


@router.post(
    "",
    status_code=201,
    summary="Upload a registration form",
    description="Checks every row and makes a draft batch of the accepted ones. The form is stored encrypted, for its "
    "annotated copy, until the batch is discarded or closed. People who have a card or are in a batch are unchanged, "
    "or their row requests a change, which approval makes. Answers 200 without a batch where nothing is accepted or "
    "changed. "
    "Role: registrar.",
    responses={
        200: {"model": UploadResponse, "description": "No row was accepted or requests a change; nothing is stored."},
        **problems(409, 413, 429, 422, s422=BAD_FORM, s409=("conflict", "this file was imported before")),
    },
)
def upload(
    service: Svc, caller: Caller, file: FormFile, response: Response, unit: UnitName = None, form: FormName = None
) -> UploadResponse:
    content = pieces(file.file.read)
    view: UploadView = service.rosters.upload(caller, file.filename or "", content, unit=unit, form=form)
    if view.batch is None:
        response.status_code = 200
    else:
        response.headers["Location"] = f"/api/v1/batches/{view.batch.id}"
    return UploadResponse.model_validate(view)


@router.post(
    "/check",
    summary="Check a form without storing it",
    description="Gives the form as .xlsx with the findings beside each row, and stores nothing. Role: registrar.",
    response_class=Response,
    responses={**file_response(XLSX, "The annotated form as .xlsx."), **problems(413, 429, 422, s422=BAD_FORM)},
)
def check(service: Svc, caller: Caller, file: FormFile, unit: UnitName = None, form: FormName = None) -> Response:
    copy = service.rosters.check(caller, file.filename or "", pieces(file.file.read), unit=unit, form=form)
    return download(copy.content, copy.filename, XLSX)


@router.get(
    "/{batch_id}/findings",
    summary="List the findings of a form",
    description="One item per row, in sheet order; personal data are masked. Roles: registrar, reviewer, auditor.",
    responses=problems(404),
)
def findings(
    service: Svc,
    caller: Caller,
    batch_id: BatchId,
    paged: Paged,
    only: Annotated[
        Literal["rejected", "noted", "accepted", "unchanged", "change"] | None,
        Query(
            description="Only rejected rows, accepted rows that were corrected, accepted rows, or those of people who "
            "have a card or are in a batch: unchanged, or with a change."
        ),
    ] = None,
) -> Items[RosterFinding]:
    return items(service.rosters.findings(caller, batch_id, paged.cursor, paged.limit, only=only))


@router.get(
    "/{batch_id}/annotated",
    summary="Download the annotated form",
    description="Gives the uploaded form as .xlsx with the findings beside each row; formulas are replaced by their "
    "values. It holds personal data in clear, so each download is audited. It is deleted when the batch is discarded "
    "or closed. Role: registrar.",
    response_class=Response,
    responses={**file_response(XLSX, "The annotated form as .xlsx."), **problems(404, 429)},
)
def annotated(service: Svc, caller: Caller, batch_id: BatchId) -> Response:
    form = service.rosters.annotated(caller, batch_id)
    return download(form.content, form.filename, XLSX)
