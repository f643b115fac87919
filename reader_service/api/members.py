"""Members over HTTP. A search text comes in the body: an ID number in an address would stand in every log."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Query
from pydantic import Field

from reader_service.api.cards import CardResponse
from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, Line, MemberId, ReasonRequest, RequestModel, ResponseModel, problems
from registry.covers.values import Departure
from registry.db.paging import MOST
from registry.members.members import MemberEvent
from registry.members.views import MemberView

router = Resource(prefix="/members", tags=["members"], responses=problems(*ALWAYS))


class SearchRequest(RequestModel):
    """A search for members."""

    text: str = Field(
        min_length=1,
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="A card number (13 to 19 digits), a member number (12 digits), an ID number (18 characters), a "
        "mobile number or a whole name; a surname; the last four to eight characters of a number, or a masked number "
        "(`621226…0001`); or a part of the unit's name.",
        examples=["130000000001"],
    )
    limit: int = Field(50, ge=1, le=MOST, description="The most items on this page.")
    cursor: str | None = Field(None, max_length=1000, description="`next` of the previous page.")


class UnmaskedResponse(ResponseModel):
    """A member's data in clear."""

    id_number: str
    name: str
    gender: str
    mobile: str


class TransferRequest(ReasonRequest):
    """The unit to which a member moves, and the reason."""

    unit: Line = Field(examples=["石家庄铁道大学工会"])


class DepartureRequest(ReasonRequest):
    """Why a member leaves the union. `left_on` is the day, today without it; `because` says whether covers end with it
    (`died`) or with their term."""

    because: Departure = Departure.WITHDREW
    left_on: date | None = None


@router.get(
    "",
    summary="List members",
    description="In the order of their registration; personal data are masked. Role: registrar.",
)
def list_members(
    service: Svc,
    caller: Caller,
    paged: Paged,
    unit: Annotated[Line | None, Query(description="Only members of this unit.")] = None,
) -> Items[MemberView]:
    return items(service.members.page(caller, paged.cursor, paged.limit, unit=unit))


@router.post(
    "/search",
    summary="Find members",
    description="Searches by card number, member number, ID number, mobile number, name, surname or a part of the "
    "unit's name; personal data are masked. Role: registrar.",
)
def search(service: Svc, caller: Caller, wanted: SearchRequest) -> Items[MemberView]:
    return items(service.members.find(caller, wanted.text, wanted.cursor, wanted.limit))


@router.get(
    "/{member_id}",
    summary="Get a member",
    description="Personal data are masked. Role: registrar.",
    responses=problems(404),
)
def member(service: Svc, caller: Caller, member_id: MemberId) -> MemberView:
    return service.members.member(caller, member_id)


@router.get(
    "/{member_id}/cards",
    summary="List the cards of a member",
    description="The oldest card comes first. Role: registrar.",
    responses=problems(404),
)
def cards(service: Svc, caller: Caller, member_id: MemberId) -> list[CardResponse]:
    return [CardResponse.model_validate(card) for card in service.members.cards(caller, member_id)]


@router.get(
    "/{member_id}/history",
    summary="List the events of a member",
    description="Includes the events of the member's cards; the oldest event comes first. Role: registrar.",
    responses=problems(404),
)
def history(service: Svc, caller: Caller, member_id: MemberId) -> list[MemberEvent]:
    return service.members.history(caller, member_id)


@router.post(
    "/{member_id}/unmask",
    summary="Show a member's data in clear",
    description="Needs a reason. The audit entry is written before the data are sent. Role: registrar.",
    responses=problems(404),
)
def unmask(service: Svc, caller: Caller, member_id: MemberId, why: ReasonRequest) -> UnmaskedResponse:
    return UnmaskedResponse.model_validate(service.members.unmask(caller, member_id, why.reason))


@router.post(
    "/{member_id}/transfer",
    summary="Move a member to another unit",
    description="A card issued before still names the old unit; `replace` issues a new card. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "this member is of that unit already")),
)
def transfer(service: Svc, caller: Caller, member_id: MemberId, to: TransferRequest) -> MemberView:
    return service.members.transfer(caller, member_id, to.unit, to.reason)


@router.post(
    "/{member_id}/withdraw",
    summary="Withdraw a member from the union",
    description="The member's current card is withdrawn: counters reject it from the next hotlist on. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "this member has left the union")),
)
def withdraw(service: Svc, caller: Caller, member_id: MemberId, why: DepartureRequest) -> MemberView:
    return service.members.withdraw(caller, member_id, why.reason, why.because, why.left_on)
