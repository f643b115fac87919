"""Rushes over HTTP: what is announced, claims and their tickets, returns, and uses of tickets at counters."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import AwareDatetime, Field

from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, Line, RequestModel, ResponseModel, problems
from reader_service.services.programme.rushes import SignedTicket
from registry.rush.uses import TicketFinding, TicketUse, UsesReport
from registry.rush.values import Claimed, ClaimRefused, ClaimState, ClaimView, RushView

router = Resource(prefix="/rushes", tags=["programme"], responses=problems(*ALWAYS))

RushNumber = Annotated[int, Path(ge=1, lt=2**31, examples=[3], description="The number of a rush.")]
TicketNumber = Annotated[int, Path(ge=1, lt=2**62, examples=[12], description="The number of a ticket or claim.")]
_NO_RUSH = ("not-found", "there is no rush 3")
_NO_TICKET = ("not-found", "there is no ticket 12")


class TicketClaimRequest(RequestModel):
    """One ticket of a lot for the member who has the card. `key` is the client's own: sent again under it, it is the
    same claim, and has the same answer."""

    lot: Line = Field(max_length=40, examples=["ditan"])
    card_number: str = Field(pattern=r"^[0-9]{13,19}$", examples=["6212260000000000012"])
    key: str = Field(min_length=8, max_length=80, examples=["window-2-000017"])


class TicketClaimResponse(ResponseModel):
    """`claim`: a ticket (`granted`) or a place on the waiting list (`waiting`, with `position`); else `refused` says
    why in both languages."""

    claim: Claimed | None
    refused: ClaimRefused | None


class TicketUseEntry(RequestModel):
    """A ticket that a counter took, and when."""

    number: int = Field(ge=1, lt=2**62, examples=[12])
    at: AwareDatetime = Field(examples=["2026-11-22T10:00:00+08:00"])


class TicketUsesRequest(RequestModel):
    """The tickets that one counter took. Sent again they are on record."""

    counter: Line = Field(max_length=80, examples=["east entrance"])
    uses: list[TicketUseEntry] = Field(max_length=5000)


class TicketFindingsResponse(ResponseModel):
    """`twice`: two counters took the ticket; `ended`: it had gone back, or its rush was cancelled."""

    items: list[TicketFinding]


@router.get(
    "",
    summary="List rushes",
    description="The newest comes first. Roles: registrar, reviewer, auditor.",
)
def rushes(service: Svc, caller: Caller, paged: Paged) -> Items[RushView]:
    return items(service.rushes.page(caller, paged.cursor, paged.limit))


@router.get(
    "/findings",
    summary="List tickets that were taken wrongly",
    description="Taken by two counters, or after they had ended. Roles: registrar, reviewer, auditor.",
)
def findings(service: Svc, caller: Caller) -> TicketFindingsResponse:
    return TicketFindingsResponse(items=service.rushes.findings(caller))


@router.post(
    "/uses",
    summary="Report the tickets that a counter took",
    description="Sent again they are on record. `unknown` are numbers of no ticket. Role: counter.",
    responses=problems(409, s409=("conflict", "name the counter that took the tickets")),
)
def report(service: Svc, caller: Caller, wanted: TicketUsesRequest) -> UsesReport:
    return service.rushes.report(caller, wanted.counter, [TicketUse(one.number, one.at) for one in wanted.uses])


@router.get(
    "/tickets/{ticket}",
    summary="Get the signed code of a ticket",
    description="A counter checks it offline, once. It is shown as a QR code. Role: registrar.",
    responses=problems(404, 409, s404=_NO_TICKET, s409=("conflict", "claim 12 has no valid ticket")),
)
def ticket_code(service: Svc, caller: Caller, ticket: TicketNumber) -> SignedTicket:
    return service.rushes.ticket(caller, ticket)


@router.post(
    "/tickets/{ticket}/return",
    summary="Return a ticket, or leave the waiting list",
    description="A ticket goes to the first on the waiting list at once. Repeated, it stays as it is. Role: registrar.",
    responses=problems(404, 409, s404=_NO_TICKET, s409=("conflict", "ticket 12 was used; it cannot go back")),
)
def give_back(service: Svc, caller: Caller, ticket: TicketNumber) -> ClaimView:
    return service.rushes.give_back(caller, ticket)


@router.get(
    "/{rush}",
    summary="Get a rush",
    description="With the stock of each lot, what is taken, and who waits. Roles: registrar, reviewer, auditor.",
    responses=problems(404, s404=_NO_RUSH),
)
def show(service: Svc, caller: Caller, rush: RushNumber) -> RushView:
    return service.rushes.rush(caller, rush)


@router.get(
    "/{rush}/claims",
    summary="List the claims of a rush",
    description="In the order in which they came, the card by its last four digits. Roles: registrar, reviewer, "
    "auditor.",
)
def claims(
    service: Svc,
    caller: Caller,
    rush: RushNumber,
    paged: Paged,
    state: Annotated[ClaimState | None, Query(description="Only those in this state.")] = None,
) -> Items[ClaimView]:
    return items(service.rushes.claims(caller, rush, paged.cursor, paged.limit, state))


@router.post(
    "/{rush}/claims",
    summary="Claim a ticket for a member who is there",
    description="First come first served. A refusal is an answer, not an error. Role: registrar.",
)
def claim(service: Svc, caller: Caller, rush: RushNumber, wanted: TicketClaimRequest) -> TicketClaimResponse:
    answer = service.rushes.claim(caller, rush, wanted.lot, wanted.card_number, wanted.key)
    refused = answer if isinstance(answer, ClaimRefused) else None
    return TicketClaimResponse(claim=answer if isinstance(answer, Claimed) else None, refused=refused)
