"""Reading a card over HTTP: its applications and their data elements, without a verdict."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, ExplainedResponse, ReaderRequest, ResponseModel, problems
from reader_service.services.counter.reading import CardApplicationKind

router = Resource(prefix="/read", tags=["verify"], responses=problems(*ALWAYS))


class ApplicationResponse(ResponseModel):
    """An application on the card. `elements` are its data elements; personal ones are masked. `fault` says why some of
    it could not be read."""

    kind: CardApplicationKind
    aid: str = Field(examples=["A000000333010101"])
    label: str = Field(examples=["PBOC DEBIT"])
    fault: str
    elements: list[ExplainedResponse]


class ContentsResponse(ResponseModel):
    """What any terminal can read from the card. `seconds` runs from power-up to the end of the reading."""

    reader: str
    atr: str
    protocol: str = Field(examples=["T=1"])
    seconds: float
    applications: list[ApplicationResponse]


@router.post(
    "",
    summary="Read the card in a reader",
    description="Reads the member application and the payment applications as any terminal can, without a verdict. "
    "Each payment application increments its transaction counter. The caller must hold the lease of the reader "
    "(header Lease-Token), or the reader must be in counter mode. Roles: operator, counter, developer.",
    response_model=ContentsResponse,
    responses=problems(404, 409, s409=("reader-out", "there is no card in reader virtual-pcd-00-00")),
)
def read(
    service: Svc,
    caller: Caller,
    where: ReaderRequest,
    lease_token: Annotated[
        str, Header(max_length=200, description="The token of the caller's lease; empty in counter mode.")
    ] = "",
) -> Response:
    return JSONResponse(service.reading.read(caller, where.reader, lease=lease_token).to_json())
