"""The counter's verdict over HTTP, with the member data of the card."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import Header, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, ReaderRequest, ResponseModel, problems
from reader_service.services.counter.counter import ListsAge
from reader_service.services.counter.fetched_lists import ListDates
from reader_service.services.counter.fetching import FetchState
from registry.members.wanted import UpdateKind
from terminal.member.lists import HotlistState
from terminal.member.outcome import Proof, VerdictCode

router = Resource(prefix="/verify", tags=["verify"], responses=problems(*ALWAYS))


class MemberFactsResponse(ResponseModel):
    """The member data of a genuine card; identity and card number are masked."""

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
    """What is left in a benefit class on the day of the verdict."""

    benefit_class: str
    left: int
    limit: int
    period: str


class HotlistResponse(ResponseModel):
    """The hotlist that the verdict is based on. An old hotlist lacks the cards reported since."""

    version: int | None
    age_seconds: int | None
    current: bool
    state: HotlistState


class NextStepResponse(ResponseModel):
    """What to do now, in both languages."""

    zh: str = Field(examples=["可以享受会员服务"])
    en: str = Field(examples=["Serve this member"])


class VerdictResponse(ResponseModel):
    """The verdict on a card. `member` is null unless the card has proven to be genuine."""

    verdict: VerdictCode
    sentence: str
    delivered: bool | None = Field(
        description="Of a card that is not activated: whether its member has it. False for one that was taken out of "
        "its box. Null for every other verdict, and where the registry of this service does not know."
    )
    next_step: NextStepResponse
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
    lists: ListsAge
    updates: list[UpdateKind] = Field(
        examples=[["validity"]], description="Ordered changes that this insertion wrote on the chip."
    )
    update_unfinished: bool = Field(description="The card left before its changes were done; insert it again.")


@router.post(
    "",
    summary="Verify the card in a reader",
    description="The caller must hold the lease of the reader (header Lease-Token), or the reader must be in counter "
    "mode. Every behaviour of a card gives a verdict, `CARD_FAULT` at worst; 409 `reader-out` means that there is no "
    "card or no reader. Works while the database is away. Roles: operator, counter, developer.",
    response_model=VerdictResponse,
    responses=problems(404, 409, s409=("reader-out", "there is no card in reader virtual-pcd-00-00")),
)
def verify(
    service: Svc,
    caller: Caller,
    where: ReaderRequest,
    lease_token: Annotated[
        str, Header(max_length=200, description="The token of the caller's lease; empty in counter mode.")
    ] = "",
) -> Response:
    return JSONResponse(service.counter.verify(caller, where.reader, lease=lease_token).to_json())


@router.get(
    "/lists",
    summary="Get the age of the lists",
    description="Gives the versions of the trust list and the hotlist that verdicts are based on. Roles: operator, "
    "counter, developer.",
)
def lists(service: Svc, caller: Caller) -> ListsAge:
    return service.counter.lists_age(caller)


class CounterListsResponse(ResponseModel):
    """The lists of this counter, and what came of the last time that they were fetched."""

    lists: list[ListDates]
    fetch: FetchState


@router.get(
    "/lists/dates",
    summary="Get version, age and end of each list",
    description="Gives the lists of this counter: `ending` is one that ends soon, `over` and `missing` cannot be "
    "relied on. `fetch` says when they were last fetched from the issuer, and why not. Roles: operator, counter, "
    "developer.",
)
def dates(service: Svc, caller: Caller) -> CounterListsResponse:
    return CounterListsResponse(lists=service.fetching.dates(caller), fetch=service.fetching.state(caller))


@router.post(
    "/lists/fetch",
    status_code=202,
    summary="Fetch the lists at once",
    description="Asks the issuer for newer lists in the background, whatever the last attempt came to; the event "
    "`lists.fetched` tells of new ones. Roles: operator, counter, developer.",
)
def fetch(service: Svc, caller: Caller) -> FetchState:
    return service.fetching.fetch(caller)
