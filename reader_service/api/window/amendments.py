"""Amendments of a member's name or mobile number over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import Field

from reader_service.http.paging import Items, Paged, items_of
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, ReasonRequest, ResponseModel, problems
from registry.members.amendments import AmendmentState
from registry.values import BatchState

router = Resource(prefix="/amendments", tags=["members"], responses=problems(*ALWAYS))

_OWN = ("own-work", "who requested an amendment does not decide it; a second person does")
AmendmentNumber = Annotated[int, Path(ge=1, lt=2**62, examples=[5], description="The number of an amendment.")]


class AmendmentRequest(ReasonRequest):
    """New data of a member; an empty value stays as it is. `new_card`: with the approval the member's card is withdrawn
    and replaced by one with the new data."""

    member_id: int = Field(ge=1, lt=2**62, examples=[17])
    name: str = Field("", max_length=60)
    mobile: str = Field("", max_length=20)
    new_card: bool = False


class AmendmentResponse(ResponseModel):
    """An amendment; personal data are masked. `fields` names what it changes; `batch` makes the new card."""

    number: int
    member_id: int
    member_number: str
    id_masked: str
    unit: str
    at: datetime
    by: str
    reason: str
    fields: list[str] = Field(examples=[["name"]])
    name_now: str
    mobile_now: str
    name_after: str
    mobile_after: str
    new_card: bool
    state: AmendmentState
    decided_at: datetime | None
    decided_by: str | None
    decided_reason: str
    batch: str | None
    batch_state: BatchState | None


class AmendedDataResponse(ResponseModel):
    """The name and the mobile number in clear, as on record now and as the amendment has them."""

    name_now: str
    mobile_now: str
    name_after: str
    mobile_after: str


@router.post(
    "",
    status_code=201,
    name="request_amendment",
    summary="Request an amendment of a member's data",
    description="Nothing changes before a second person approves. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "these data are on record as they are")),
)
def request(service: Svc, caller: Caller, new: AmendmentRequest) -> AmendmentResponse:
    requested = service.amendments.request(
        caller, new.member_id, new.name, new.mobile, new.reason, new_card=new.new_card
    )
    return AmendmentResponse.model_validate(requested)


@router.get(
    "", name="amendments", summary="List amendments", description="The newest comes first. Roles: registrar, reviewer."
)
def amendments(
    service: Svc,
    caller: Caller,
    paged: Paged,
    state: Annotated[AmendmentState | None, Query(description="Only amendments in this state.")] = None,
) -> Items[AmendmentResponse]:
    page = service.amendments.page(caller, paged.cursor, paged.limit, state=state)
    return items_of(page, AmendmentResponse.model_validate)


@router.get(
    "/{number}",
    name="amendment",
    summary="Get an amendment",
    description="Personal data are masked. Roles: registrar, reviewer.",
    responses=problems(404),
)
def show(service: Svc, caller: Caller, number: AmendmentNumber) -> AmendmentResponse:
    return AmendmentResponse.model_validate(service.amendments.amendment(caller, number))


@router.post(
    "/{number}/look",
    name="look_at_amendment",
    summary="Show the data of an amendment in clear",
    description="The audit entry is written before the data are sent. Role: reviewer.",
    responses=problems(404, 409, s409=("conflict", "amendment 5 was decided already")),
)
def look(service: Svc, caller: Caller, number: AmendmentNumber) -> AmendedDataResponse:
    shown = service.amendments.look(caller, number)
    now, after = shown.now, shown.after
    return AmendedDataResponse(
        name_now=now.name, mobile_now=now.mobile, name_after=after.name, mobile_after=after.mobile
    )


@router.post(
    "/{number}/approve",
    name="approve_amendment",
    summary="Approve an amendment",
    description="The record changes; with `new_card` the card is withdrawn and its replacement approved. Role: "
    "reviewer, but not the person who requested it.",
    responses=problems(404, 409, s409=_OWN),
)
def approve(service: Svc, caller: Caller, number: AmendmentNumber) -> AmendmentResponse:
    return AmendmentResponse.model_validate(service.amendments.approve(caller, number))


@router.post(
    "/{number}/refuse",
    name="refuse_amendment",
    summary="Refuse an amendment",
    description="The record stays as it is. Role: reviewer, but not the person who requested it.",
    responses=problems(404, 409, s409=_OWN),
)
def refuse(service: Svc, caller: Caller, number: AmendmentNumber, why: ReasonRequest) -> AmendmentResponse:
    return AmendmentResponse.model_validate(service.amendments.refuse(caller, number, why.reason))


@router.post(
    "/{number}/cancel",
    name="cancel_amendment",
    summary="Cancel an amendment that waits",
    description="The record stays as it is. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "amendment 5 was decided already")),
)
def cancel(service: Svc, caller: Caller, number: AmendmentNumber, why: ReasonRequest) -> AmendmentResponse:
    return AmendmentResponse.model_validate(service.amendments.cancel(caller, number, why.reason))
