"""The caller's own session over HTTP: sign-in and sign-out, password, language and other sessions."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Annotated, Literal

from fastapi import Body, Request, Response
from pydantic import BaseModel, Field, SecretStr

from reader_service.access import cookies
from reader_service.access.accounts import SignedIn
from reader_service.access.authenticator import AuthenticatedCaller
from reader_service.http.resource import Origin, Resource, SessionCaller, Svc, caller_of
from reader_service.http.schemas import RequestModel
from reader_service.principal import Permission, Role, permissions_of

router = Resource(prefix="/session", tags=["session"])

Password = Annotated[SecretStr, Field(max_length=1000)]


class SignInRequest(RequestModel):
    """A user name and its password."""

    name: str = Field(max_length=200, examples=["wang.fang"])
    password: Password = Field(examples=["correct horse battery"])


class ChangePasswordRequest(RequestModel):
    """The present password and the new one."""

    old: Password = Field(examples=["abcd-efgh-jkmn-pqrs"])
    new: Password = Field(examples=["a sentence that only I know"])


class CallerResponse(BaseModel):
    """The authenticated caller. `csrf` goes into the header X-CSRF-Token of every write with the session's cookie."""

    name: str
    token: str = Field(description="The token's label; empty for a person.")
    roles: list[Role]
    permissions: list[Permission]
    must_change: bool = Field(description="Every other resource answers 403 until the password is changed.")
    until: datetime
    csrf: str


class SessionResponse(BaseModel):
    """A session of the caller that has not ended."""

    opened_at: datetime
    seen_at: datetime
    until: datetime
    origin: str


def me_of(caller: AuthenticatedCaller) -> CallerResponse:
    p = caller.principal
    roles, permissions = _in_order(p.roles)
    return CallerResponse.model_construct(  # the values are our own and need no validation
        name=p.name,
        token=p.token,
        roles=roles,
        permissions=permissions,
        must_change=caller.must_change,
        until=caller.until,
        csrf=caller.csrf,
    )


@cache
def _in_order(roles: frozenset[Role]) -> tuple[list[Role], list[Permission]]:
    """Sorted roles and permissions, computed once per combination of roles: programs request this resource most."""
    return sorted(roles), sorted(permissions_of(roles))


def _let_in(service: Svc, response: Response, signed: SignedIn) -> CallerResponse:
    cookies.give(response, signed.secret, tls=service.accounts.settings.tls)
    return me_of(signed.caller)


@router.get(
    "",
    summary="Get the caller",
    description="Identifies the caller by the session's cookie or by the token, with roles and permissions.",
    response_model=CallerResponse,
)
async def me(request: Request) -> Response:
    caller_of(request)
    return Response(me_of(request.state.caller).model_dump_json(), media_type="application/json")


@router.post(
    "",
    status_code=201,
    summary="Sign in",
    description="Sets the session's cookie. Each further wrong attempt waits longer: 429 with Retry-After.",
)
def sign_in(service: Svc, response: Response, origin: Origin, credentials: SignInRequest) -> CallerResponse:
    return _let_in(
        service, response, service.accounts.sign_in(credentials.name, credentials.password.get_secret_value(), origin)
    )


@router.delete(
    "",
    status_code=204,
    summary="Sign out",
    description="Ends the session and every lease of its user, and deletes the cookie.",
)
def sign_out(service: Svc, caller: SessionCaller) -> Response:
    service.accounts.sign_out(caller)
    response = Response(status_code=204)
    cookies.take(response, tls=service.accounts.settings.tls)
    return response


@router.post(
    "/password",
    summary="Change the password",
    description="Ends every session of the user and starts a new one, whose cookie the response sets.",
)
def change_password(
    service: Svc, response: Response, caller: SessionCaller, origin: Origin, passwords: ChangePasswordRequest
) -> CallerResponse:
    signed = service.accounts.change_password(
        caller, passwords.old.get_secret_value(), passwords.new.get_secret_value(), origin
    )
    return _let_in(service, response, signed)


@router.post(
    "/language", name="speak", summary="Set the language", description="Sets the language of the user's pages."
)
def set_language(
    service: Svc,
    caller: SessionCaller,
    language: Annotated[Literal["zh", "en"], Body(embed=True, description="Chinese or English.")],
) -> CallerResponse:
    service.accounts.speak(caller, language)
    return me_of(caller)


@router.get("/all", summary="List the caller's sessions", description="The newest session comes first.")
def sessions(service: Svc, caller: SessionCaller) -> list[SessionResponse]:
    return [
        SessionResponse(opened_at=s.opened_at, seen_at=s.seen_at, until=s.until, origin=s.origin)
        for s in service.accounts.sessions(caller)
    ]


@router.delete(
    "/others",
    summary="End the caller's other sessions",
    description="Gives the number of sessions that ended; the session of this request stays.",
)
def end_others(service: Svc, caller: SessionCaller) -> dict[str, int]:
    return {"ended": service.accounts.end_others(caller)}
