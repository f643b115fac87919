"""Changes on issued chips over HTTP: ordered, taken back, run on the card in a reader, and the activation of a card."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import Header, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field, SecretStr

from reader_service.api.verify import VerdictResponse
from reader_service.http.paging import Items, Paged, items_of
from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import (
    ALWAYS,
    Line,
    ReaderRequest,
    ReasonRequest,
    RequestModel,
    ResponseModel,
    problems,
)
from registry.members.wanted import UpdateKind, UpdateState
from terminal.member.values import Category, Entitlement, Period
from terminal.secret import Secret

router = Resource(prefix="/updates", tags=["updates"], responses=problems(*ALWAYS))

_REFUSED = ("conflict", "The card is on the hotlist since 2026-11-20: lost.")
ChangeNumber = Annotated[int, Path(ge=1, lt=2**62, examples=[7], description="The number of a wanted change.")]
Lease = Annotated[str, Header(max_length=200, description="The token of the caller's lease; empty in counter mode.")]
CardNumbers = Annotated[
    str | None, Query(pattern=r"^[0-9]{13,19}$", examples=["6212260000000000012"], description="Only of this card.")
]


class EntitlementRequest(RequestModel):
    """One entitlement of a card. Uses that the chip counted in a period that goes on stay used."""

    benefit_class: str = Field(pattern=r"^[0-9]{4}$", examples=["0101"])
    limit: int = Field(ge=1, le=255)
    period: Literal["day", "month", "quarter", "year", "once"] = "year"
    start: date = Field(ge=date(2000, 1, 1), le=date(2049, 12, 31), examples=["2027-01-01"])
    pin: bool = False

    def entitlement(self) -> Entitlement:
        period = Period[self.period.upper()]
        return Entitlement(self.benefit_class, self.limit, 0, period, self.start, self.pin)


class ChangesRequest(ReasonRequest):
    """Values that a card is to have; those that are not given stay. `blocked` blocks or unblocks the application,
    `unblock_pin` gives all tries of the PIN again, and `last_date` sets back the last date of a card that a counter
    with a wrong clock locked. What lifts a block waits for a second person; where the federation requires it, so do the
    member's rights (validity, cover, category, entitlements)."""

    card_number: str = Field(pattern=r"^[0-9]{13,19}$", examples=["6212260000000000012"])
    valid_through: date | None = None
    cover_ends: date | None = None
    category: Literal["in_post", "retired", "dispatched", "model_worker", "in_hardship"] | None = None
    entitlements: list[EntitlementRequest] | None = Field(None, max_length=30)
    blocked: bool | None = None
    unblock_pin: Literal[True] | None = None
    last_date: date | None = None

    def changes(self) -> dict[UpdateKind, object]:
        entitlements = None if self.entitlements is None else tuple(one.entitlement() for one in self.entitlements)
        wanted = {
            UpdateKind.VALIDITY: self.valid_through,
            UpdateKind.COVER: self.cover_ends,
            UpdateKind.CATEGORY: None if self.category is None else Category[self.category.upper()],
            UpdateKind.ENTITLEMENTS: entitlements,
            UpdateKind.BLOCK: self.blocked,
            UpdateKind.PIN_UNBLOCK: self.unblock_pin,
            UpdateKind.LAST_DATE: self.last_date,
        }
        return {kind: value for kind, value in wanted.items() if value is not None}


class ActivationRequest(ReaderRequest):
    """The reader with the card, and what identified its member."""

    identified_by: Line = Field(examples=["ID card"])


class NewPinRequest(ActivationRequest):
    """The reader with the card, what identified its member, and the PIN that the member typed twice. `token`: of a
    second person, where the PIN is blocked."""

    pin: SecretStr = Field(max_length=12, examples=["not-a-pin"])
    again: SecretStr = Field(max_length=12, examples=["not-a-pin"])
    token: SecretStr = Field(SecretStr(""), max_length=200)


class ConsentRequest(RequestModel):
    """`token`: of the second person, typed at somebody else's window; empty where the caller consents."""

    token: SecretStr = Field(SecretStr(""), max_length=200)


class ConsentsRequest(RequestModel):
    """`numbers`: the changes that the caller consents to."""

    numbers: list[int] = Field(min_length=1, max_length=500, examples=[[7, 8]])


class ChangeResponse(ResponseModel):
    """A wanted change of one chip. `refusal` says why the chip does not take it; `consented_by` is the second person
    of a change that two people order."""

    id: int
    card_number: str
    sequence: int
    kind: UpdateKind
    state: UpdateState
    wanted_at: datetime
    wanted_by: str
    reason: str
    consented_at: datetime | None
    consented_by: str | None
    ended_at: datetime | None
    ended_by: str | None
    place: str | None
    refusal: str | None


@router.get("", name="changes", summary="List changes of chips", description="The newest comes first. Role: registrar.")
def changes(service: Svc, caller: Caller, paged: Paged, card: CardNumbers = None) -> Items[ChangeResponse]:
    page = service.updates.page(caller, paged.cursor, paged.limit, card_number=card)
    return items_of(page, ChangeResponse.model_validate)


@router.post(
    "",
    status_code=201,
    name="want_changes",
    summary="Order changes of a chip",
    description="They run at the next insertion of the card at a window or an online counter, once. A newer change "
    "takes the place of one of its kind that waits. One that lifts a block is `proposed` until a second person "
    "consents, and so is one of the member's rights where the federation requires it. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "card 6212260000000000012 is lost: nothing on it is changed")),
)
def want(service: Svc, caller: Caller, wanted: ChangesRequest) -> list[ChangeResponse]:
    ordered = service.updates.want(caller, wanted.card_number, wanted.changes(), wanted.reason)
    return [ChangeResponse.model_validate(one) for one in ordered]


@router.post(
    "/{number}/withdraw",
    name="withdraw_change",
    summary="Take back a change of a chip",
    description="Only one that was not sent to the card. Role: registrar.",
    responses=problems(404, 409, s409=("conflict", "change 7 is done and cannot be taken back")),
)
def withdraw(service: Svc, caller: Caller, number: ChangeNumber, why: ReasonRequest) -> ChangeResponse:
    return ChangeResponse.model_validate(service.updates.withdraw(caller, number, why.reason))


@router.post(
    "/consent",
    name="consent_to_changes",
    summary="Consent to several changes as the second person",
    description="To all of them or to none; the caller ordered none of them. Role: reviewer.",
    responses=problems(404, 409, s409=("conflict", "change 7 is done and waits for nobody's consent")),
)
def consent_all(service: Svc, caller: Caller, wanted: ConsentsRequest) -> list[ChangeResponse]:
    return [ChangeResponse.model_validate(one) for one in service.updates.consent_all(caller, wanted.numbers)]


@router.post(
    "/{number}/consent",
    name="consent_to_change",
    summary="Consent to a change as the second person",
    description="The second person, who did not order it: as the caller, or by a token of theirs that is typed at the "
    "window. Then the change runs at the next insertion. Role: reviewer, or a registrar with a reviewer's token.",
    responses=problems(404, 409, s409=("conflict", "change 7 is done and waits for nobody's consent")),
)
def consent(service: Svc, caller: Caller, number: ChangeNumber, second: ConsentRequest) -> ChangeResponse:
    consented = service.updates.consent(caller, number, token=second.token.get_secret_value())
    return ChangeResponse.model_validate(consented)


@router.post(
    "/{number}/refuse",
    name="refuse_change",
    summary="Refuse a change that waits for consent",
    description="The change is taken back. Role: reviewer.",
    responses=problems(404, 409, s409=("conflict", "change 7 is done and waits for nobody's consent")),
)
def refuse(service: Svc, caller: Caller, number: ChangeNumber, why: ReasonRequest) -> ChangeResponse:
    return ChangeResponse.model_validate(service.updates.refuse(caller, number, why.reason))


@router.post(
    "/pin",
    name="change_pin",
    summary="Give the card in a reader a new PIN",
    description="With its member present, who was identified and typed the PIN twice. It is stored enciphered until "
    "the chip has it. Gives the verdict afterwards. Role: registrar; also counters where the station allows it "
    "(setting `counters_activate`).",
    response_model=VerdictResponse,
    responses=problems(404, 409, s409=("conflict", "card 6212260000000000012 has no PIN")),
)
def change_pin(service: Svc, caller: Caller, what: NewPinRequest, lease_token: Lease = "") -> Response:
    pin, again = (Secret(typed.get_secret_value().encode()) for typed in (what.pin, what.again))
    view = service.updates.change_pin(
        caller, what.reader, what.identified_by, pin, again, token=what.token.get_secret_value(), lease=lease_token
    )
    return JSONResponse(view.to_json())


@router.post(
    "/run",
    name="run_changes",
    summary="Run the changes of the card in a reader",
    description="A counter does so by itself at each insertion; here a fault is answered. What was torn is finished. "
    "Gives the verdict afterwards. Role: registrar; also counters where the station allows them to activate cards.",
    response_model=VerdictResponse,
    responses=problems(404, 409, s409=_REFUSED),
)
def run(service: Svc, caller: Caller, where: ReaderRequest, lease_token: Lease = "") -> Response:
    return JSONResponse(service.updates.run(caller, where.reader, lease=lease_token).to_json())


@router.post(
    "/activate",
    name="activate_chip",
    summary="Activate the card in a reader",
    description="With its member present, who was identified. The card becomes active when its chip has confirmed. A "
    "torn activation is finished by the same call. Gives the verdict afterwards. Role: registrar; also counters where "
    "the station allows it (setting `counters_activate`).",
    response_model=VerdictResponse,
    responses=problems(404, 409, s409=_REFUSED),
)
def activate(service: Svc, caller: Caller, what: ActivationRequest, lease_token: Lease = "") -> Response:
    view = service.updates.activate(caller, what.reader, what.identified_by, lease=lease_token)
    return JSONResponse(view.to_json())
