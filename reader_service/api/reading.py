"""What is on a card, over HTTP: its applications and their data elements, in words and unjudged."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from reader_service.http.deps import Caller, Svc
from reader_service.http.resource import Resource
from reader_service.http.schemas import ALWAYS, ExplainedResponse, ReaderRequest, ResponseModel, problems
from reader_service.services.reading import ApplicationKind

router = Resource(prefix="/read", tags=["verify"], responses=problems(*ALWAYS))


class ApplicationResponse(ResponseModel):
    """An application. `elements` are its data elements, personal ones masked; `fault` says why not all of it could be
    read."""

    kind: ApplicationKind
    aid: str = Field(examples=["A000000333010101"])
    label: str = Field(examples=["PBOC DEBIT"])
    fault: str
    elements: list[ExplainedResponse]


class ContentsResponse(ResponseModel):
    """What a card tells any terminal. `seconds` from its power to the end."""

    reader: str
    atr: str
    protocol: str = Field(examples=["T=1"])
    seconds: float
    applications: list[ApplicationResponse]


@router.post(
    "",
    summary="Read the card in a reader",
    description="The member application and the payment applications, as any terminal may read them, and no verdict. "
    "Each payment application counts one in its transaction counter. In a reader that the caller leased (header "
    "Lease-Token), or one in counter mode. Roles: operator, counter, developer.",
    response_model=ContentsResponse,
    responses=problems(404, 409, s409=("reader-out", "there is no card in reader virtual-pcd-00-00")),
)
def read(
    service: Svc,
    caller: Caller,
    where: ReaderRequest,
    lease_token: Annotated[
        str, Header(max_length=200, description="The token of the caller's lease; none in counter mode.")
    ] = "",
) -> Response:
    return JSONResponse(service.reading.read(caller, where.reader, lease=lease_token).to_json())
