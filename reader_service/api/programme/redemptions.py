"""Redemptions over HTTP: uploads of an outlet's counters, what is booked, and findings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import Field

from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, Line, ReasonRequest, RequestModel, problems
from reader_service.services.redeeming.values import RedemptionQueue
from registry.programme.booking import BookedAgain, BookingResult
from registry.programme.findings import Finding
from registry.programme.grants import GrantRefused, GrantRequest, OnlineGrant
from registry.programme.judgement import FindingKind
from registry.programme.redemptions import RedemptionView
from registry.programme.uploads.journals import MOST_ROWS

router = Resource(prefix="/redemptions", tags=["programme"], responses=problems(*ALWAYS))
findings_router = Resource(prefix="/findings", tags=["programme"], responses=problems(*ALWAYS))

_JOURNAL = r"^[0-9a-f]{32}$"
JournalName = Annotated[
    str, Path(pattern=_JOURNAL, examples=["0123456789abcdef0123456789abcdef"], description="The name of a journal.")
]
FindingNumber = Annotated[int, Path(ge=1, lt=2**62, examples=[7], description="The number of a finding.")]
OutletFilter = Annotated[int | None, Query(ge=1, lt=2**62, description="Only those of this outlet.")]
_OTHER_OUTLET = ("conflict", "this journal is one of another outlet")
_NO_MERCHANT = ("conflict", "nothing is redeemed here: the settings name no merchant")
_NO_FINDING = ("not-found", "there is no finding 7")


class UploadRequest(RequestModel):
    """Rows of a counter's journal in their order, as docs/redemption-journal.md has them."""

    journal: str = Field(pattern=_JOURNAL, examples=["0123456789abcdef0123456789abcdef"])
    previous: str = Field(
        pattern=r"^[0-9a-f]{64}$", examples=["00" * 32], description="The hash of the row before the first."
    )
    rows: list[dict[str, Any]] = Field(
        min_length=1,
        max_length=MOST_ROWS,
        examples=[[{"n": 1, "at": "2026-11-30T04:00:00.000+00:00", "kind": "opened"}]],
    )


class GrantWanted(RequestModel):
    """A request of a counter, as its journal has it; amounts in fen. `list_price` is that of one unit, where the
    cashier entered it; `answers` are the questions answered with yes."""

    journal: str = Field(pattern=_JOURNAL, examples=["0123456789abcdef0123456789abcdef"])
    intent: int = Field(ge=1, lt=2**53, description="The row of the request.", examples=[41])
    card_number: str = Field(pattern=r"^[0-9]{12,19}$", examples=["6212260000000000012"])
    sequence: int = Field(ge=0, le=99, examples=[1])
    merchant: str = Field(min_length=1, max_length=15, examples=["PARK-EAST"])
    terminal: str = Field(pattern=r"^[0-9A-Za-z]{8}$", examples=["T0000001"])
    benefit: str = Field(min_length=1, max_length=40, examples=["film"])
    product: str = Field(min_length=1, max_length=40, examples=["ticket"])
    quantity: int = Field(ge=1, le=255, examples=[1])
    price: int = Field(ge=0, lt=10**12, examples=[1000])
    edition: int = Field(ge=1, lt=2**53, description="The programme edition of the counter.", examples=[3])
    list_price: int | None = Field(None, ge=0, lt=10**12)
    event: str = Field("", max_length=200)
    place: str = Field("", max_length=40)
    answers: list[Annotated[str, Field(max_length=40)]] = Field(default_factory=list, max_length=10)

    def request(self) -> GrantRequest:
        """As the registry takes it."""
        return GrantRequest(**{**self.model_dump(), "answers": tuple(self.answers)})


@dataclass(frozen=True, slots=True)
class GrantAnswer:
    """One of both: the use that was counted, or the reason in both languages."""

    granted: OnlineGrant | None
    refused: GrantRefused | None

    @classmethod
    def of(cls, answer: OnlineGrant | GrantRefused) -> GrantAnswer:
        return cls(answer, None) if isinstance(answer, OnlineGrant) else cls(None, answer)


class DecisionRequest(ReasonRequest):
    """The decision on a finding, with the reason."""

    decision: Literal["accepted", "refused"]


@router.get(
    "",
    summary="List booked redemptions",
    description="The last booked comes first. `held`: an open finding keeps it from being settled, or a person has "
    "refused it. Roles: registrar, reviewer, auditor.",
)
def redemptions(
    service: Svc,
    caller: Caller,
    paged: Paged,
    merchant: Annotated[Line | None, Query(description="Only those at this merchant.")] = None,
    outlet: OutletFilter = None,
    first: Annotated[date | None, Query(description="Only those from this day on.")] = None,
    last: Annotated[date | None, Query(description="Only those to this day.")] = None,
) -> Items[RedemptionView]:
    page = service.booking.page(
        caller, paged.cursor, paged.limit, merchant=merchant, outlet=outlet, first=first, last=last
    )
    return items(page)


@router.post(
    "/uploads",
    summary="Upload rows of a redemption journal",
    description="Proves and books each redemption once; what is wrong with a row becomes a finding. One upload is "
    "booked whole or not at all, and repeated it changes nothing. `through` is the last row on record. "
    "Role: counter, with a token of an outlet.",
    responses=problems(409, 413, s409=_OTHER_OUTLET),
)
def upload(service: Svc, caller: Caller, sent: UploadRequest) -> BookingResult:
    return service.booking.upload(caller, sent.journal, bytes.fromhex(sent.previous), sent.rows)


@router.get(
    "/uploads/{journal}",
    summary="Get how far a journal is uploaded",
    description="`through` is the last row on record; 0 for a new journal. Role: counter, with a token of an outlet.",
    responses=problems(409, s409=_OTHER_OUTLET),
)
def through(service: Svc, caller: Caller, journal: JournalName) -> dict[str, int]:
    return {"through": service.booking.through(caller, journal)}


@router.post(
    "/grants",
    summary="Request a benefit that the union counts",
    description="Counts the use over all counters and cards of the member, or says why not, before the member pays. "
    "It is named by the counter's journal and the row of its request: requested again, it is the same use. The price "
    "of the answer counts. Role: counter, with a token of an outlet.",
    responses=problems(409, s409=_OTHER_OUTLET),
)
def grant(service: Svc, caller: Caller, wanted: GrantWanted) -> GrantAnswer:
    return GrantAnswer.of(service.booking.ask(caller, wanted.request()))


@router.get(
    "/queue",
    summary="Get what waits at this counter",
    description="Rows of the journal that the union does not have, since when, the last upload that succeeded, and "
    "why its service takes none. For the service of a counter. Role: counter.",
    responses=problems(409, s409=_NO_MERCHANT),
)
def queue(service: Svc, caller: Caller) -> RedemptionQueue:
    return service.redemptions.queue(caller)


@router.post(
    "/queue/upload",
    summary="Upload what waits now",
    description="Starts the next attempt at once, in the background; without it, attempts go on by themselves. "
    "Answers what waits before it. Role: counter.",
    responses=problems(409, s409=_NO_MERCHANT),
)
def upload_now(service: Svc, caller: Caller) -> RedemptionQueue:
    return service.redemptions.upload(caller)


@findings_router.get(
    "",
    summary="List findings",
    description="What booking found to be wrong, the oldest first: a work list of what is open. Roles: registrar, "
    "reviewer, auditor.",
)
def findings(
    service: Svc,
    caller: Caller,
    paged: Paged,
    kind: Annotated[FindingKind | None, Query(description="Only findings of this kind.")] = None,
    outlet: OutletFilter = None,
    closed: Annotated[bool, Query(description="Closed findings instead of open ones.")] = False,
) -> Items[Finding]:
    page = service.booking.findings(caller, paged.cursor, paged.limit, kind=kind, outlet=outlet, closed=closed)
    return items(page)


@findings_router.get(
    "/{number}",
    summary="Get a finding",
    description="With its decision, where it has one. Roles: registrar, reviewer, auditor.",
    responses=problems(404, s404=_NO_FINDING),
)
def finding(service: Svc, caller: Caller, number: FindingNumber) -> Finding:
    return service.booking.finding(caller, number)


@findings_router.post(
    "/{number}/close",
    summary="Decide a finding",
    description="Accepts or refuses it, once: a redemption with a refused finding is not settled. One that holds a "
    "redemption is accepted by two people: the first call leaves it open with `first_by`. Role: reviewer, in person.",
    responses=problems(404, 409, s404=_NO_FINDING, s409=("conflict", "finding 7 is closed already")),
)
def close(service: Svc, caller: Caller, number: FindingNumber, decided: DecisionRequest) -> Finding:
    return service.booking.close_finding(caller, number, decided.decision, decided.reason)


@findings_router.post(
    "/book",
    summary="Book again what can be booked now",
    description="Of every open finding `unknown-card` whose card is on record by now, and `wrong-cryptogram`, whose "
    "key may be back: as `POST /findings/{number}/book` does. Answers those of which something came. Role: reviewer, "
    "in person.",
)
def book_all(service: Svc, caller: Caller) -> list[BookedAgain]:
    return list(service.booking.book_all_again(caller))


@findings_router.post(
    "/{number}/book",
    summary="Book the redemption of a finding",
    description="Of a finding `unknown-card` whose card is on record by now, or `wrong-cryptogram` whose key is back: "
    "it is proven and judged as with its upload, and booked once. `booked` is false where it still proves nothing or "
    "has no card on record: the finding stays open; `findings` counts new ones. Role: reviewer, in person.",
    responses=problems(
        404, 409, s404=_NO_FINDING, s409=("conflict", "finding 7 has no redemption that could be booked")
    ),
)
def book(service: Svc, caller: Caller, number: FindingNumber) -> BookedAgain:
    return service.booking.book_again(caller, number)
