"""Members over HTTP. What is searched for comes in a body: an ID number in an address would stand in every log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import Field

from reader_service.api.cards import CardResponse
from reader_service.http.deps import Caller, Svc
from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Resource
from reader_service.http.schemas import ALWAYS, Line, MemberId, ReasonRequest, RequestModel, ResponseModel, problems
from registry.db.paging import MOST
from registry.values import CardState

router = Resource(prefix="/members", tags=["members"], responses=problems(*ALWAYS))


class MemberResponse(ResponseModel):
    """A member, masked. `card_number` and `card_state` are of the newest card; `member_number` comes with approval."""

    member_id: int
    member_number: str | None
    name_masked: str = Field(examples=["孙**"])
    id_masked: str = Field(examples=["**************3974"])
    mobile_masked: str = Field(examples=["*******4135"])
    unit: str
    category: int
    registered_at: datetime
    withdrawn_at: datetime | None
    card_number: str | None
    card_state: CardState | None


class MemberEventResponse(ResponseModel):
    """What happened to a member or to one of their cards; `card` is number and sequence, or empty."""

    at: datetime
    event: str
    by: str
    reason: str
    detail: str
    card: str


class UnmaskedResponse(ResponseModel):
    """A person's data in clear."""

    id_number: str
    name: str
    gender: str
    mobile: str


class SearchRequest(RequestModel):
    """Whom to look for."""

    text: str = Field(
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="A card number (13 to 19 digits), a member number (12), an ID number (18 characters) or a whole "
        "name.",
        examples=["130000000001"],
    )
    limit: int = Field(50, ge=1, le=MOST)
    cursor: str | None = Field(None, max_length=1000)


class TransferRequest(ReasonRequest):
    """Where a member goes, and why."""

    unit: Line = Field(examples=["石家庄铁道大学工会"])


@router.get(
    "",
    summary="Members, in the order in which they were put on record",
    description="Masked. Role: registrar.",
)
def list_members(
    service: Svc,
    caller: Caller,
    paged: Paged,
    unit: Annotated[Line | None, Query(description="Of this unit only.")] = None,
) -> Items[MemberResponse]:
    return items(service.members.page(caller, paged.cursor, paged.limit, unit=unit), MemberResponse.model_validate)


@router.post(
    "/search",
    summary="Find a member",
    description="By card number, member number, ID number or whole name; masked. Role: registrar.",
)
def search(service: Svc, caller: Caller, wanted: SearchRequest) -> Items[MemberResponse]:
    page = service.members.find(caller, wanted.text, wanted.cursor, wanted.limit)
    return items(page, MemberResponse.model_validate)


@router.get("/{member_id}", summary="A member, masked", description="Role: registrar.", responses=problems(404))
def member(service: Svc, caller: Caller, member_id: MemberId) -> MemberResponse:
    return MemberResponse.model_validate(service.members.member(caller, member_id))


@router.get(
    "/{member_id}/cards",
    summary="A member's cards",
    description="Oldest first. Role: registrar.",
    responses=problems(404),
)
def cards(service: Svc, caller: Caller, member_id: MemberId) -> list[CardResponse]:
    return [CardResponse.model_validate(card) for card in service.members.cards(caller, member_id)]


@router.get(
    "/{member_id}/history",
    summary="What happened to a member and their cards",
    description="Oldest first. Role: registrar.",
    responses=problems(404),
)
def history(service: Svc, caller: Caller, member_id: MemberId) -> list[MemberEventResponse]:
    return [MemberEventResponse.model_validate(event) for event in service.members.history(caller, member_id)]


@router.post(
    "/{member_id}/unmask",
    summary="See a member's data in clear",
    description="Needs a reason, and is in the audit before anything is told. Role: registrar.",
    responses=problems(404),
)
def unmask(service: Svc, caller: Caller, member_id: MemberId, why: ReasonRequest) -> UnmaskedResponse:
    return UnmaskedResponse.model_validate(service.members.unmask(caller, member_id, why.reason))


@router.post(
    "/{member_id}/transfer",
    summary="Move a member to another unit",
    description="A card made before still names the old unit; `replace` makes another. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "this member is of that unit already")),
)
def transfer(service: Svc, caller: Caller, member_id: MemberId, to: TransferRequest) -> MemberResponse:
    return MemberResponse.model_validate(service.members.transfer(caller, member_id, to.unit, to.reason))


@router.post(
    "/{member_id}/withdraw",
    summary="A member leaves the union",
    description="A living card is withdrawn, and refused everywhere from the next hotlist on. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "this member has left the union")),
)
def withdraw(service: Svc, caller: Caller, member_id: MemberId, why: ReasonRequest) -> MemberResponse:
    return MemberResponse.model_validate(service.members.withdraw(caller, member_id, why.reason))
