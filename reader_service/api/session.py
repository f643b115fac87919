"""One's own session: sign in, who am I, the password, the language, the other sessions."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Annotated, Literal

from fastapi import Body, Request, Response
from pydantic import BaseModel, Field, SecretStr

from reader_service.access import cookies
from reader_service.access.accounts import SignedIn
from reader_service.access.authenticator import AuthenticatedCaller
from reader_service.http.deps import Origin, Signed, Svc, caller_of
from reader_service.http.resource import Resource
from reader_service.http.schemas import RequestModel
from reader_service.principal import Permission, Role, permissions_of

router = Resource(prefix="/session", tags=["session"])

Password = Annotated[SecretStr, Field(max_length=1000)]


class SignInRequest(RequestModel):
    name: str = Field(max_length=200, examples=["wang.fang"])
    password: Password = Field(examples=["correct horse battery"])


class ChangePasswordRequest(RequestModel):
    old: Password = Field(examples=["abcd-efgh-jkmn-pqrs"])
    new: Password = Field(examples=["a sentence that only I know"])


class CallerResponse(BaseModel):
    """Who asks. ``csrf`` goes into the header X-CSRF-Token of every write with the session's cookie."""

    name: str
    token: str = Field(description="The token's label; empty for a person.")
    roles: list[Role]
    permissions: list[Permission]
    must_change: bool = Field(description="Nothing but this resource answers before the password is changed.")
    until: datetime
    csrf: str


class SessionResponse(BaseModel):
    opened_at: datetime
    seen_at: datetime
    until: datetime
    origin: str


def me_of(known: AuthenticatedCaller) -> CallerResponse:
    p = known.principal
    roles, permissions = _in_order(p.roles)
    return CallerResponse.model_construct(  # of our own values, which need no second look
        name=p.name,
        token=p.token,
        roles=roles,
        permissions=permissions,
        must_change=known.must_change,
        until=known.until,
        csrf=known.csrf,
    )


@cache
def _in_order(roles: frozenset[Role]) -> tuple[list[Role], list[Permission]]:
    """Of so many combinations of roles at most; this is what machines ask most."""
    return sorted(roles), sorted(permissions_of(roles))


def _let_in(service: Svc, response: Response, signed: SignedIn) -> CallerResponse:
    cookies.give(response, signed.secret, tls=service.door.settings.tls)
    return me_of(signed.known)


@router.get("", response_model=CallerResponse)
async def me(request: Request) -> Response:
    """Who asks, by cookie or token."""
    caller_of(request)
    return Response(me_of(request.state.known).model_dump_json(), media_type="application/json")


@router.post("", status_code=201)
def sign_in(service: Svc, response: Response, origin: Origin, asked: SignInRequest) -> CallerResponse:
    """Sets the session's cookie. Wrong attempts take longer and longer: 429 with Retry-After."""
    return _let_in(service, response, service.door.sign_in(asked.name, asked.password.get_secret_value(), origin))


@router.delete("", status_code=204)
def sign_out(service: Svc, known: Signed) -> Response:
    service.door.sign_out(known)
    response = Response(status_code=204)
    cookies.take(response, tls=service.door.settings.tls)
    return response


@router.post("/password")
def change_password(
    service: Svc, response: Response, known: Signed, origin: Origin, asked: ChangePasswordRequest
) -> CallerResponse:
    """Ends every session of this person and begins a new one, whose cookie this answer sets."""
    signed = service.door.change_password(known, asked.old.get_secret_value(), asked.new.get_secret_value(), origin)
    return _let_in(service, response, signed)


@router.post("/language")
def speak(service: Svc, known: Signed, language: Annotated[Literal["zh", "en"], Body(embed=True)]) -> CallerResponse:
    """The language of one's pages."""
    service.door.speak(known, language)
    return me_of(known)


@router.get("/all")
def sessions(service: Svc, known: Signed) -> list[SessionResponse]:
    """One's own that have not ended, newest first."""
    return [
        SessionResponse(opened_at=s.opened_at, seen_at=s.seen_at, until=s.until, origin=s.origin)
        for s in service.door.sessions(known)
    ]


@router.delete("/others")
def end_others(service: Svc, known: Signed) -> dict[str, int]:
    """End all of one's sessions but this one."""
    return {"ended": service.door.end_others(known)}
