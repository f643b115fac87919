"""Users and tokens over HTTP, for administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path
from pydantic import AwareDatetime, BaseModel, Field

from reader_service.http.paging import Items, Paged, items_of
from reader_service.http.resource import Caller, Reason, Resource, Svc
from reader_service.http.schemas import RequestModel
from reader_service.principal import Role
from registry.admin.tokens import TokenRecord
from registry.admin.users import User

_WHO = "Role: administrator."

router = Resource(prefix="/users", tags=["users"])
tokens_router = Resource(prefix="/tokens", tags=["users"])

Name = Annotated[
    str, Path(max_length=200, examples=["wang.fang"], description="The name with which the user signs in.")
]
Language = Literal["zh", "en"]
Roles = Annotated[list[Role], Field(min_length=1, max_length=len(Role), examples=[["operator"]])]


class UserResponse(BaseModel):
    """A user of the service. `display` is the name that pages show."""

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
    """A user to add."""

    name: str = Field(max_length=64, examples=["wang.fang"])
    display: str = Field("", max_length=64, examples=["王芳"])
    roles: Roles
    language: Language = "zh"


class ChangeUserRequest(RequestModel):
    """The changes to a user; absent fields stay as they are."""

    display: str | None = Field(None, min_length=1, max_length=64, examples=["王芳"])
    roles: Roles | None = None
    language: Language | None = None
    reason: Reason = Field(examples=["moved to the counter"])


class AccountReasonRequest(RequestModel):
    """The reason for a change to a user or token."""

    reason: Reason = Field(examples=["left the office"])


class OneTimePasswordResponse(BaseModel):
    """A user with a one-time password. The password is shown this once and must be changed at the first sign-in."""

    user: UserResponse
    password: str


class TokenResponse(BaseModel):
    """A token of a machine, without its secret."""

    id: int
    label: str
    roles: list[str]
    made_by: str
    made_at: datetime
    until: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    waits_for_consent: bool = Field(description="It is not in force before a second administrator consents.")
    consented_by: str | None
    consented_at: datetime | None
    outlet: int | None = Field(description="The outlet whose counters use it.")


class NewTokenRequest(RequestModel):
    """A token to issue."""

    label: str = Field(min_length=1, max_length=64, examples=["till 3"])
    roles: Roles
    until: AwareDatetime = Field(
        examples=["2027-01-31T00:00:00+08:00"], description="The end of the token, within 366 days."
    )
    outlet: int | None = Field(
        None,
        ge=1,
        lt=2**62,
        examples=[None],
        description="The outlet whose counters upload redemptions with it, with the role counter alone.",
    )


class TokenSecretResponse(BaseModel):
    """A token with its secret, which is shown this once. Send it as `Authorization: Bearer mc_...`."""

    token: TokenResponse
    secret: str


def _user(user: User) -> UserResponse:
    return UserResponse(
        name=user.name,
        display=user.display,
        roles=sorted(user.roles),
        disabled=user.disabled,
        must_change=user.must_change,
        language=user.language,
        made_at=user.created_at,
        password_at=user.password_at,
        signed_in_at=user.signed_in_at,
    )


def _token(token: TokenRecord) -> TokenResponse:
    return TokenResponse(
        id=token.id,
        label=token.label,
        roles=sorted(token.roles),
        made_by=token.created_by,
        made_at=token.created_at,
        until=token.until,
        used_at=token.used_at,
        revoked_at=token.revoked_at,
        waits_for_consent=token.waits,
        consented_by=token.consented_by,
        consented_at=token.consented_at,
        outlet=token.outlet,
    )


@router.get("", summary="List users", description=f"Sorted by name. {_WHO}")
def users(service: Svc, p: Caller, paged: Paged) -> Items[UserResponse]:
    return items_of(service.users.users(p, paged.cursor, paged.limit), _user)


@router.post(
    "",
    status_code=201,
    summary="Add a user",
    description=f"The response holds a one-time password, which is shown nowhere else. {_WHO}",
)
def add_user(service: Svc, p: Caller, new: NewUserRequest) -> OneTimePasswordResponse:
    issued = service.users.add(p, new.name, new.display, new.roles, language=new.language)
    return OneTimePasswordResponse(user=_user(issued.user), password=issued.password)


@router.get("/{name}", summary="Get a user", description=f"Gives the roles and the state of the user. {_WHO}")
def user(service: Svc, p: Caller, name: Name) -> UserResponse:
    return _user(service.users.user(p, name))


@router.patch(
    "/{name}",
    summary="Change a user",
    description="A change of roles ends the user's sessions and revokes the tokens that the user issued. Nobody can "
    f"change their own roles. {_WHO}",
)
def change_user(service: Svc, p: Caller, name: Name, change: ChangeUserRequest) -> UserResponse:
    changed = service.users.change(
        p, name, change.reason, display=change.display, roles=change.roles, language=change.language
    )
    return _user(changed)


@router.post(
    "/{name}/disable",
    summary="Disable a user",
    description=f"Ends the user's sessions and leases, and disables the tokens that the user issued. {_WHO}",
)
def disable_user(service: Svc, p: Caller, name: Name, why: AccountReasonRequest) -> UserResponse:
    return _user(service.users.disable(p, name, why.reason))


@router.post("/{name}/enable", summary="Enable a user", description=f"A disabled user may sign in again. {_WHO}")
def enable_user(service: Svc, p: Caller, name: Name, why: AccountReasonRequest) -> UserResponse:
    return _user(service.users.enable(p, name, why.reason))


@router.post(
    "/{name}/reset",
    summary="Reset a password",
    description="Replaces the password by a one-time password, ends the user's sessions, and revokes the tokens that "
    f"the user issued. {_WHO}",
)
def reset_password(service: Svc, p: Caller, name: Name, why: AccountReasonRequest) -> OneTimePasswordResponse:
    issued = service.users.reset(p, name, why.reason)
    return OneTimePasswordResponse(user=_user(issued.user), password=issued.password)


@router.delete(
    "/{name}/sessions",
    summary="End all sessions of a user",
    description=f"Gives the number of sessions that ended. {_WHO}",
)
def end_sessions(service: Svc, p: Caller, name: Name) -> dict[str, int]:
    return {"ended": service.users.end_sessions(p, name)}


@tokens_router.get(
    "", summary="List tokens", description=f"The newest token comes first; ended tokens are included. {_WHO}"
)
def all_tokens(service: Svc, p: Caller, paged: Paged) -> Items[TokenResponse]:
    return items_of(service.users.tokens(p, paged.cursor, paged.limit), _token)


@tokens_router.post(
    "",
    status_code=201,
    summary="Issue a token",
    description="A token is for a machine and cannot have the roles reviewer and administrator. One that reads members "
    f"(role registrar) is not in force before a second administrator consents. {_WHO}",
)
def make_token(service: Svc, p: Caller, new: NewTokenRequest) -> TokenSecretResponse:
    issued = service.users.make_token(p, new.label, new.roles, new.until, new.outlet)
    return TokenSecretResponse(token=_token(issued.token), secret=issued.secret)


@tokens_router.post(
    "/{number}/consent",
    summary="Consent to a token",
    description="A token that reads members is in force once a second administrator consents; who issued it cannot "
    f"(403 `own-work`). {_WHO}",
)
def consent_to_token(
    service: Svc, p: Caller, number: Annotated[int, Path(ge=1, lt=2**63, description="The number of the token.")]
) -> TokenResponse:
    return _token(service.users.consent_to_token(p, number))


@tokens_router.post(
    "/{number}/revoke",
    summary="Revoke a token",
    description=f"The token ends at once and cannot be enabled again. {_WHO}",
)
def revoke_token(
    service: Svc,
    p: Caller,
    number: Annotated[int, Path(ge=1, lt=2**63, description="The number of the token.")],
    why: AccountReasonRequest,
) -> TokenResponse:
    return _token(service.users.revoke_token(p, number, why.reason))
