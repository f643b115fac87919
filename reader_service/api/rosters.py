"""Rosters over HTTP: a form comes in as an upload, its findings and its annotated copy go out."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import File, Form, Query, Response, UploadFile
from pydantic import ConfigDict

from reader_service.api.batches import BatchResponse
from reader_service.http.deps import Caller, Svc
from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Resource
from reader_service.http.schemas import ALWAYS, XLSX, BatchId, Line, ResponseModel, answers, download, problems
from reader_service.services.rosters import RosterFinding, UploadView
from reader_service.services.uploads import pieces

router = Resource(prefix="/rosters", tags=["rosters"], responses=problems(*ALWAYS))

FormFile = Annotated[
    UploadFile, File(description="A registration form: .xlsx, .xls or .csv, up to 15 MB, without macros or password.")
]
UnitName = Annotated[Line | None, Form(description="The unit, if it is not the one that the form's title names.")]
_BAD_FORM = ("unreadable-form", "form.xlsx has macros: open it and save it as .xlsx, without macros")


class FindingResponse(ResponseModel):
    """A row of a form. Personal data are masked; a rejected row's are not kept at all."""

    sheet_row: int
    seq: int | None
    accepted: bool
    codes: list[str]
    reason_zh: str
    reason_en: str
    name_masked: str
    id_masked: str
    mobile_masked: str


class UploadResponse(ResponseModel):
    """What became of an upload. Without `batch` nobody could be accepted, and nothing is kept."""

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
                    }
                ],
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
    findings: list[FindingResponse]


@router.post(
    "",
    status_code=201,
    summary="Upload a registration form",
    description="Checks every row and makes a draft batch of those that pass. The form is kept sealed, for its "
    "annotated copy, until the batch is given up or closed. Answers 200 and no batch where no row passes. "
    "Role: registrar.",
    responses={
        200: {"model": UploadResponse, "description": "No row passed; nothing is kept."},
        **problems(409, 413, 429, 422, s422=_BAD_FORM, s409=("conflict", "this file was imported before")),
    },
)
def upload(service: Svc, caller: Caller, file: FormFile, response: Response, unit: UnitName = None) -> UploadResponse:
    view: UploadView = service.rosters.upload(caller, file.filename or "", pieces(file.file.read), unit=unit)
    if view.batch is None:
        response.status_code = 200
    else:
        response.headers["Location"] = f"/api/v1/batches/{view.batch.id}"
    return UploadResponse.model_validate(view)


@router.post(
    "/check",
    summary="Check a form and keep nothing",
    description="The form back as .xlsx with the reasons beside each row: for a form whose rows are all returned, and "
    "for looking first. Role: registrar.",
    response_class=Response,
    responses={**answers(XLSX, "The annotated form."), **problems(413, 429, 422, s422=_BAD_FORM)},
)
def check(service: Svc, caller: Caller, file: FormFile, unit: UnitName = None) -> Response:
    made = service.rosters.check(caller, file.filename or "", pieces(file.file.read), unit=unit)
    return download(made.content, made.filename, XLSX)


@router.get(
    "/{batch_id}/findings",
    summary="The rows of a form, and why",
    description="In sheet order, masked. Roles: registrar, reviewer, auditor.",
    responses=problems(404),
)
def findings(
    service: Svc,
    caller: Caller,
    batch_id: BatchId,
    paged: Paged,
    only: Annotated[
        Literal["rejected", "noted", "accepted"] | None,
        Query(description="Only these: returned, accepted with something mended, accepted."),
    ] = None,
) -> Items[FindingResponse]:
    page = service.rosters.findings(caller, batch_id, paged.cursor, paged.limit, only=only)
    return items(page, _finding)


def _finding(finding: RosterFinding) -> FindingResponse:
    return FindingResponse.model_validate(finding)


@router.get(
    "/{batch_id}/annotated",
    summary="The form back, annotated",
    description="The clerk's own form as .xlsx with the reasons beside each row, every formula replaced by its value. "
    "It holds personal data in clear, so fetching it is audited. Gone once the batch is given up or closed. "
    "Role: registrar.",
    response_class=Response,
    responses={**answers(XLSX, "The annotated form."), **problems(404, 429)},
)
def annotated(service: Svc, caller: Caller, batch_id: BatchId) -> Response:
    made = service.rosters.annotated(caller, batch_id)
    return download(made.content, made.filename, XLSX)
