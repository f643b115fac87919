"""Users and tokens, for administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path
from pydantic import AwareDatetime, BaseModel, Field

from reader_service.http.deps import Caller, Reason, Svc
from reader_service.http.paging import Items, Paged, items
from reader_service.http.resource import Resource
from reader_service.http.schemas import RequestModel
from reader_service.principal import Role
from registry.admin import tokens
from registry.admin import users as people

router = Resource(prefix="/users", tags=["users"])
tokens_router = Resource(prefix="/tokens", tags=["users"])

Name = Annotated[str, Path(max_length=200, examples=["wang.fang"])]
Language = Literal["zh", "en"]
Roles = Annotated[list[Role], Field(min_length=1, max_length=len(Role), examples=[["operator"]])]


class UserResponse(BaseModel):
    name: str
    display: str
    roles: list[str]
    disabled: bool
    must_change: bool
    language: str
    made_at: datetime
    password_at: datetime
    signed_in_at: datetime | None


class NewUserRequest(RequestModel):
    name: str = Field(max_length=64, examples=["wang.fang"])
    display: str = Field("", max_length=64, examples=["王芳"])
    roles: Roles
    language: Language = "zh"


class ChangeUserRequest(RequestModel):
    display: str | None = Field(None, min_length=1, max_length=64, examples=["王芳"])
    roles: Roles | None = None
    language: Language | None = None
    reason: Reason = Field(examples=["moved to the counter"])


class OptionalReasonRequest(RequestModel):
    reason: Reason = Field(examples=["left the office"])


class OneTimePasswordResponse(BaseModel):
    """``password`` is told this once and must be changed at the first sign-in."""

    user: UserResponse
    password: str


class TokenResponse(BaseModel):
    id: int
    label: str
    roles: list[str]
    made_by: str
    made_at: datetime
    until: datetime
    used_at: datetime | None
    revoked_at: datetime | None


class NewTokenRequest(RequestModel):
    label: str = Field(min_length=1, max_length=64, examples=["till 3"])
    roles: Roles
    until: AwareDatetime = Field(examples=["2027-01-31T00:00:00+08:00"], description="Within 366 days.")


class TokenSecretResponse(BaseModel):
    """``secret`` is told this once: ``Authorization: Bearer mc_...``."""

    token: TokenResponse
    secret: str


def _user(user: people.User) -> UserResponse:
    return UserResponse(
        name=user.name,
        display=user.display,
        roles=sorted(user.roles),
        disabled=user.disabled,
        must_change=user.must_change,
        language=user.language,
        made_at=user.made_at,
        password_at=user.password_at,
        signed_in_at=user.signed_in_at,
    )


def _token(token: tokens.TokenRecord) -> TokenResponse:
    return TokenResponse(
        id=token.id,
        label=token.label,
        roles=sorted(token.roles),
        made_by=token.made_by,
        made_at=token.made_at,
        until=token.until,
        used_at=token.used_at,
        revoked_at=token.revoked_at,
    )


@router.get("")
def users(service: Svc, p: Caller, paged: Paged) -> Items[UserResponse]:
    """By name."""
    return items(service.people.users(p, paged.cursor, paged.limit), _user)


@router.post("", status_code=201)
def add_user(service: Svc, p: Caller, new: NewUserRequest) -> OneTimePasswordResponse:
    """With a one-time password, told in this answer and nowhere else."""
    made = service.people.add(p, new.name, new.display, new.roles, language=new.language)
    return OneTimePasswordResponse(user=_user(made.user), password=made.password)


@router.get("/{name}")
def user(service: Svc, p: Caller, name: Name) -> UserResponse:
    """One user."""
    return _user(service.people.user(p, name))


@router.patch("/{name}")
def change_user(service: Svc, p: Caller, name: Name, asked: ChangeUserRequest) -> UserResponse:
    """Other roles end that person's sessions; nobody changes one's own."""
    changed = service.people.change(
        p, name, asked.reason, display=asked.display, roles=asked.roles, language=asked.language
    )
    return _user(changed)


@router.post("/{name}/disable")
def disable_user(service: Svc, p: Caller, name: Name, why: OptionalReasonRequest) -> UserResponse:
    """Ends sessions and leases, and the force of tokens that the person made."""
    return _user(service.people.disable(p, name, why.reason))


@router.post("/{name}/enable")
def enable_user(service: Svc, p: Caller, name: Name, why: OptionalReasonRequest) -> UserResponse:
    """Lets somebody in again who was disabled."""
    return _user(service.people.enable(p, name, why.reason))


@router.post("/{name}/reset")
def reset_password(service: Svc, p: Caller, name: Name, why: OptionalReasonRequest) -> OneTimePasswordResponse:
    """A one-time password instead of the present one."""
    made = service.people.reset(p, name, why.reason)
    return OneTimePasswordResponse(user=_user(made.user), password=made.password)


@router.delete("/{name}/sessions")
def end_sessions(service: Svc, p: Caller, name: Name) -> dict[str, int]:
    """Sign somebody out everywhere."""
    return {"ended": service.people.end_sessions(p, name)}


@tokens_router.get("")
def all_tokens(service: Svc, p: Caller, paged: Paged) -> Items[TokenResponse]:
    """Newest first, those no longer in force too."""
    return items(service.people.tokens(p, paged.cursor, paged.limit), _token)


@tokens_router.post("", status_code=201)
def make_token(service: Svc, p: Caller, new: NewTokenRequest) -> TokenSecretResponse:
    """For a machine. The roles reviewer and administrator are for people only."""
    made = service.people.make_token(p, new.label, new.roles, new.until)
    return TokenSecretResponse(token=_token(made.token), secret=made.secret)


@tokens_router.post("/{number}/revoke")
def revoke_token(
    service: Svc, p: Caller, number: Annotated[int, Path(ge=1, lt=2**63)], why: OptionalReasonRequest
) -> TokenResponse:
    """For ever."""
    return _token(service.people.revoke_token(p, number, why.reason))
