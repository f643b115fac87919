"""The counter's verdict over HTTP, with what the card says of its member."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import Header, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from reader_service.http.deps import Caller, Svc
from reader_service.http.resource import Resource
from reader_service.http.schemas import ALWAYS, ReaderRequest, ResponseModel, problems
from terminal.member.outcome import Proof, VerdictCode

router = Resource(prefix="/verify", tags=["verify"], responses=problems(*ALWAYS))


class MemberFactsResponse(ResponseModel):
    """What a genuine card says of its member; identity and card number are masked."""

    card_number: str = Field(examples=["621226******0000012"])
    sequence: int
    name: str
    id_number_ends: str
    mobile_ends: str
    member_number: str | None
    sex: str | None
    unit_name: str | None
    unit_code: str | None
    category: str | None
    scheme: str | None
    valid_from: date | None
    valid_through: date
    card_expires: date
    cover_ends: date | None
    cover_valid: bool


class EntitlementResponse(ResponseModel):
    """What is left in a benefit class today."""

    benefit_class: str
    left: int
    limit: int
    period: str


class HotlistResponse(ResponseModel):
    """The hotlist that the verdict was given by; an old one knows nothing of what happened since."""

    version: int | None
    age_seconds: int | None
    current: bool


class ListsResponse(ResponseModel):
    """The lists that verdicts are given by. `live`: of now, and not kept from before because the database is away."""

    trust_version: int
    trust_current: bool
    hotlist_version: int | None
    hotlist_seconds: int | None
    hotlist_current: bool
    live: bool


class VerdictResponse(ResponseModel):
    """The one answer of a counter. `member` is there only when the card has proven itself."""

    verdict: VerdictCode
    sentence: str
    failed_check: str | None
    proven: Proof
    at: datetime
    member: MemberFactsResponse | None
    entitlements: list[EntitlementResponse]
    trust_version: int
    hotlist: HotlistResponse
    reader: str
    reader_name: str
    seconds: float
    lists: ListsResponse


@router.post(
    "",
    summary="Verify the card in a reader",
    description="In a reader that the caller leased (header Lease-Token), or one in counter mode. Whatever the card "
    "does is a verdict, `CARD_FAULT` at worst; 409 `reader-out` says that there is no card or no reader. Works while "
    "the database is away. Roles: operator, counter, developer.",
    response_model=VerdictResponse,
    responses=problems(404, 409, s409=("reader-out", "there is no card in reader virtual-pcd-00-00")),
)
def verify(
    service: Svc,
    caller: Caller,
    where: ReaderRequest,
    lease_token: Annotated[
        str, Header(max_length=200, description="The token of the caller's lease; none in counter mode.")
    ] = "",
) -> Response:
    return JSONResponse(service.counter.verify(caller, where.reader, lease=lease_token).to_json())


@router.get(
    "/lists",
    summary="How old the lists are",
    description="Roles: operator, counter, developer.",
)
def lists(service: Svc, caller: Caller) -> ListsResponse:
    return ListsResponse.model_validate(service.counter.lists_age(caller))
