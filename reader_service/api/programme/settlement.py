"""Settlement over HTTP: rates of merchants, statements with their signatures and files, and disputes."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

from fastapi import Path, Query
from pydantic import Field
from starlette.responses import Response

from reader_service.api.programme.merchants import BENEFIT, MerchantNumber
from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import (
    ALWAYS,
    CSV,
    PDF,
    XLSX,
    Line,
    ReasonRequest,
    RequestModel,
    download,
    file_response,
    problems,
)
from registry.programme.changes import MerchantChange
from registry.programme.disputes import Dispute
from registry.programme.payouts import Payout, PayoutList
from registry.programme.rates import MOST, WHOLE, Rate, RateView
from registry.programme.statement import Statement, StatementSheet, StatementState

router = Resource(prefix="/settlements", tags=["programme"], responses=problems(*ALWAYS))
disputes_router = Resource(prefix="/disputes", tags=["programme"], responses=problems(*ALWAYS))

_MONTH: Final = r"^[0-9]{4}-(0[1-9]|1[0-2])$"
StatementNumber = Annotated[int, Path(ge=1, lt=2**62, examples=[12], description="The number of a statement.")]
DisputeNumber = Annotated[int, Path(ge=1, lt=2**62, examples=[4], description="The number of a dispute.")]
PayoutNumber = Annotated[int, Path(ge=1, lt=2**62, examples=[2], description="The number of a payout list.")]
_NO_PAYOUT = ("not-found", "there is no payout list 2")
_NO_STATEMENT = ("not-found", "there is no statement 12")
_NO_MERCHANT = ("not-found", "there is no merchant PARK-EAST")
_NO_DISPUTE = ("not-found", "there is no dispute 4")


class RateRequest(ReasonRequest):
    """What is paid for redemptions from a day on; below zero the merchant pays."""

    benefit_class: str = Field(
        pattern=BENEFIT,
        max_length=40,
        description="The class, or the code of a benefit that the union counts.",
        examples=["0101"],
    )
    valid_from: date = Field(examples=["2026-01-01"])
    per_unit: int = Field(0, ge=-MOST, le=MOST, description="Fen for each unit.", examples=[250])
    share: int = Field(0, ge=-WHOLE, le=WHOLE, description="Ten-thousandths of the amount.", examples=[-150])


class StatementRequest(RequestModel):
    """Whose statement of which month; with a reason a closed month is reopened."""

    merchant: Line = Field(examples=["PARK-EAST"])
    month: str = Field(pattern=_MONTH, examples=["2026-11"])
    reason: str = Field("", max_length=500)


class PayoutRequest(RequestModel):
    """The month of a payout list."""

    month: str = Field(pattern=_MONTH, examples=["2026-11"])


class SignatureRequest(RequestModel):
    """The digest of the statement that was looked at."""

    digest: str = Field(pattern=r"^[0-9a-f]{64}$", examples=["ab" * 32])


class DisputeRequest(ReasonRequest):
    """A booked redemption, and why it is disputed."""

    redemption: int = Field(ge=1, lt=2**62, examples=[31])


class DisputeDecisionRequest(ReasonRequest):
    """The decision on a dispute, with the reason."""

    decision: Literal["accepted", "refused"]


@router.get(
    "",
    summary="List statements of merchants",
    description="The last drawn up comes first. Amounts are in fen; `due` is what the union owes the merchant, below "
    "zero the merchant owes the union. Roles: registrar, reviewer, auditor.",
)
def statements(
    service: Svc,
    caller: Caller,
    paged: Paged,
    merchant: Annotated[Line | None, Query(description="Only those of this merchant.")] = None,
    month: Annotated[str | None, Query(pattern=_MONTH, description="Only those of this month.")] = None,
    state: Annotated[StatementState | None, Query(description="Only those in this state.")] = None,
) -> Items[Statement]:
    page = service.settlement.page(caller, paged.cursor, paged.limit, merchant=merchant, month=month, state=state)
    return items(page)


@router.post(
    "",
    summary="Draw up a statement",
    description="A draft with all that can be settled up to the end of the month. For a closed month it is the next "
    "version and needs a reason; the version before stays in force until two people have signed. Role: registrar.",
    responses=problems(404, 409, s404=_NO_MERCHANT, s409=("conflict", "2026-10 has to be settled first")),
)
def draw_up(service: Svc, caller: Caller, wanted: StatementRequest) -> StatementSheet:
    return service.settlement.draw_up(caller, wanted.merchant, wanted.month, wanted.reason)


@router.get(
    "/rates/{number}",
    summary="List the rates of a merchant",
    description="What the union pays for redemptions, by benefit and day. Roles: registrar, reviewer, auditor.",
    responses=problems(404, s404=_NO_MERCHANT),
)
def rates(service: Svc, caller: Caller, number: MerchantNumber) -> Items[RateView]:
    return items(service.settlement.rates(caller, number))


@router.post(
    "/rates/{number}",
    summary="Request a rate of a merchant",
    description="Once a second person approves the change, it takes the place of one of the same benefit and day; "
    "statements that are drawn up keep theirs. Role: registrar.",
    responses=problems(404, s404=_NO_MERCHANT),
)
def request_rate(service: Svc, caller: Caller, number: MerchantNumber, new: RateRequest) -> MerchantChange:
    rate = Rate(new.benefit_class, new.valid_from, new.per_unit, new.share)
    return service.settlement.request_rate(caller, number, rate, new.reason)


@router.get(
    "/payouts",
    summary="List payout lists",
    description="The newest first. Roles: registrar, reviewer, auditor.",
)
def payouts(
    service: Svc,
    caller: Caller,
    paged: Paged,
    month: Annotated[str | None, Query(pattern=_MONTH, description="Only those of this month.")] = None,
) -> Items[Payout]:
    return items(service.settlement.payouts(caller, paged.cursor, paged.limit, month=month))


@router.post(
    "/payouts",
    summary="Draw up a payout list",
    description="What the signed statements of a month come to and no list has had; of a month that was reopened, the "
    "difference. Role: registrar.",
    responses=problems(409, s409=("conflict", "no signed statement of 2026-11 is left for a payout list")),
)
def draw_up_payout(service: Svc, caller: Caller, wanted: PayoutRequest) -> PayoutList:
    return service.settlement.draw_up_payout(caller, wanted.month)


@router.get(
    "/payouts/{payout}",
    summary="Get a payout list",
    description="Accounts show their last four characters. Roles: registrar, reviewer, auditor.",
    responses=problems(404, s404=_NO_PAYOUT),
)
def payout(service: Svc, caller: Caller, payout: PayoutNumber) -> PayoutList:
    return service.settlement.payout(caller, payout)


@router.get(
    "/payouts/{payout}/payout.xlsx",
    summary="Download a payout list as a workbook",
    description="With accounts in clear; audited. Role: registrar.",
    response_class=Response,
    responses={**file_response(XLSX, "The list (应付清单)."), **problems(404, s404=_NO_PAYOUT)},
)
def payout_xlsx(service: Svc, caller: Caller, payout: PayoutNumber) -> Response:
    return unstored(download(service.settlement.payout_xlsx(caller, payout), f"应付清单-{payout}.xlsx", XLSX))


@router.get(
    "/payouts/{payout}/payout.csv",
    summary="Download a payout list as CSV",
    description="With accounts in clear; audited. Role: registrar.",
    response_class=Response,
    responses={**file_response(CSV, "The list (应付清单)."), **problems(404, s404=_NO_PAYOUT)},
)
def payout_csv(service: Svc, caller: Caller, payout: PayoutNumber) -> Response:
    return unstored(download(service.settlement.payout_csv(caller, payout), f"应付清单-{payout}.csv", CSV))


@router.get(
    "/{number}",
    summary="Get a statement",
    description="With its sums by outlet and benefit, and all its entries. Roles: registrar, reviewer, auditor.",
    responses=problems(404, s404=_NO_STATEMENT),
)
def statement(service: Svc, caller: Caller, number: StatementNumber) -> StatementSheet:
    return service.settlement.sheet(caller, number)


@router.post(
    "/{number}/sign",
    summary="Sign a statement",
    description="The first signature, or the second one by another person, which closes it. Roles: registrar, "
    "reviewer, in person.",
    responses=problems(404, 409, s404=_NO_STATEMENT, s409=("conflict", "statement 12 is closed already")),
)
def sign(service: Svc, caller: Caller, number: StatementNumber, signature: SignatureRequest) -> Statement:
    return service.settlement.sign(caller, number, signature.digest)


@router.post(
    "/{number}/discard",
    summary="Discard a statement that is not closed",
    description="Its redemptions wait for the next one. Role: registrar.",
    responses=problems(404, 409, s404=_NO_STATEMENT, s409=("conflict", "statement 12 is closed already")),
)
def discard(service: Svc, caller: Caller, number: StatementNumber, why: ReasonRequest) -> Statement:
    return service.settlement.discard(caller, number, why.reason)


@router.get(
    "/{number}/statement.pdf",
    summary="Download a statement",
    description="A PDF file with room for two signatures. Roles: registrar, reviewer, auditor.",
    response_class=Response,
    responses={**file_response(PDF, "The statement (结算单)."), **problems(404, 409, s404=_NO_STATEMENT)},
)
def statement_pdf(service: Svc, caller: Caller, number: StatementNumber) -> Response:
    content = service.settlement.statement_pdf(caller, number)
    return download(content, f"结算单-{number}.pdf", PDF)


@router.get(
    "/{number}/statement.xlsx",
    summary="Download a statement as a workbook",
    description="Amounts are numbers in yuan. Roles: registrar, reviewer, auditor.",
    response_class=Response,
    responses={**file_response(XLSX, "The statement (结算单)."), **problems(404, s404=_NO_STATEMENT)},
)
def statement_xlsx(service: Svc, caller: Caller, number: StatementNumber) -> Response:
    content = service.settlement.statement_xlsx(caller, number)
    return download(content, f"结算单-{number}.xlsx", XLSX)


@disputes_router.get(
    "",
    summary="List disputes",
    description="The oldest first. Roles: registrar, reviewer, auditor.",
)
def disputes(
    service: Svc,
    caller: Caller,
    paged: Paged,
    decided: Annotated[bool, Query(description="Decided disputes instead of open ones.")] = False,
) -> Items[Dispute]:
    return items(service.settlement.disputes(caller, paged.cursor, paged.limit, decided=decided))


@disputes_router.post(
    "",
    summary="Dispute a redemption",
    description="It is not settled before another person has decided. Role: reviewer; or counter, with a token of an "
    "outlet of the merchant.",
    responses=problems(404, 409, s404=("not-found", "there is no redemption 31"), s409=("conflict", "disputed before")),
)
def dispute(service: Svc, caller: Caller, what: DisputeRequest) -> Dispute:
    return service.settlement.dispute(caller, what.redemption, what.reason)


@disputes_router.post(
    "/{number}/decide",
    summary="Decide a dispute",
    description="Accepts the redemption as it is booked, or refuses it: then it is not settled, or taken back in the "
    "next month. Role: reviewer, in person, and not the one who raised it.",
    responses=problems(404, 409, s404=_NO_DISPUTE, s409=("conflict", "dispute 4 is decided already")),
)
def decide(service: Svc, caller: Caller, number: DisputeNumber, decided: DisputeDecisionRequest) -> Dispute:
    return service.settlement.decide(caller, number, decided.decision, decided.reason)


def unstored(response: Response) -> Response:
    """No cache keeps what has accounts in clear."""
    response.headers["Cache-Control"] = "no-store"
    return response
