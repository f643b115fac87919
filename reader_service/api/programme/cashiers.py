"""Cashiers of a counter over HTTP, for cash registers: who is at a reader, sign-in with a PIN, and sign-out."""

from __future__ import annotations

from fastapi import Response
from pydantic import Field, SecretStr

from reader_service.http.resource import Caller, Resource, Svc
from reader_service.http.schemas import ALWAYS, ReaderId, RequestModel, ResponseModel, problems
from terminal.secret import Secret

router = Resource(prefix="/readers", tags=["redeem"], responses=problems(*ALWAYS))


class CashierSignInRequest(RequestModel):
    """A cashier with the own PIN, which is compared and stored nowhere."""

    name: str = Field(min_length=1, max_length=100, examples=["王芳"])
    pin: SecretStr = Field(min_length=1, max_length=12, examples=["4071"])


class PresentResponse(ResponseModel):
    """Who is at a reader: `cashier` stands in the redemptions there, and is null where nobody is signed in. `required`:
    this counter has cashiers, and redeems nothing before one has signed in."""

    cashier: str | None = Field(examples=["王芳"])
    manager: bool
    required: bool


@router.get(
    "/{reader_id}/cashier",
    summary="Get the cashier at a reader",
    description="Half an hour without a redemption signs a cashier out. Role: counter.",
)
def present(service: Svc, caller: Caller, reader_id: ReaderId) -> PresentResponse:
    cashier, required = service.cashiers.present(caller, reader_id), service.cashiers.enabled
    if cashier is None:
        return PresentResponse(cashier=None, manager=False, required=required)
    return PresentResponse(cashier=cashier.name, manager=cashier.manager, required=required)


@router.post(
    "/{reader_id}/cashier",
    summary="Sign a cashier in at a reader",
    description="Replaces the cashier who is signed in at the reader. Wrong PINs are limited by name: after four, each "
    "doubles the wait, up to five minutes (429 with Retry-After). Role: counter.",
    responses=problems(409, 429, s409=("conflict", "the name or the PIN is wrong")),
)
def sign_in(service: Svc, caller: Caller, reader_id: ReaderId, given: CashierSignInRequest) -> PresentResponse:
    pin = Secret(given.pin.get_secret_value().encode())
    cashier = service.cashiers.sign_in(caller, reader_id, given.name, pin)
    return PresentResponse(cashier=cashier.name, manager=cashier.manager, required=True)


@router.delete(
    "/{reader_id}/cashier",
    summary="Sign the cashier out at a reader",
    description="Nobody is at the reader then; where nobody was, nothing changes. Role: counter.",
    status_code=204,
)
def sign_out(service: Svc, caller: Caller, reader_id: ReaderId) -> Response:
    service.cashiers.sign_out(caller, reader_id)
    return Response(status_code=204)
