"""Users page: users and tokens, their roles and state. A new password or token is shown once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

from fastapi import Form, Request
from starlette.responses import HTMLResponse, Response

from reader_service.errors import Invalid, NotFound
from reader_service.http.resource import Svc
from reader_service.pages.shell import Cursor, PageShell, Shell, Text, page_router, principal_of
from reader_service.principal import Principal, Role

if TYPE_CHECKING:
    from reader_service.service import ReaderService

ROWS: Final = 100
TOKEN_DAYS: Final = (30, 90, 180, 365)
USERS_ONLY: Final = (Role.REVIEWER, Role.ADMINISTRATOR)
"""Roles that no token has."""
_DIGITS: Final = 18
_ROLES: Final = {role.value: role for role in Role}

Roles = Annotated[list[str] | None, Form()]


router = page_router()


@router.get("/users")
def users(request: Request, shell: PageShell, service: Svc, cursor: Cursor = None, tokens: Cursor = None) -> Response:
    return shell.page(request, "administration/users.html", **_lists(service, principal_of(request), cursor, tokens))


@router.post("/users")
def add(
    request: Request,
    shell: PageShell,
    service: Svc,
    name: Text = "",
    display: Text = "",
    language: Text = "zh",
    roles: Roles = None,
) -> Response:
    who = principal_of(request)
    created = service.users.add(who, name.strip(), display.strip() or name.strip(), _roles(roles), language=language)
    return _part_with_secret(
        shell, request, "administration/user_password.html", created=created, **_lists(service, who)
    )


@router.get("/users/{name}")
def person(request: Request, shell: PageShell, service: Svc, name: str) -> Response:
    who = principal_of(request)
    shown, sessions = service.users.user(who, name), service.users.sessions(who, name)
    return shell.page(request, "administration/user.html", user=shown, sessions=sessions, roles=list(Role))


@router.post("/users/{name}/roles")
def roles(
    request: Request, shell: PageShell, service: Svc, name: str, reason: Text = "", roles: Roles = None
) -> Response:
    user = service.users.change(principal_of(request), name, reason, roles=_roles(roles))
    return shell.go(request, _path(user.name), "users.done-roles", name=user.name)


@router.post("/users/{name}/reset")
def reset(request: Request, shell: PageShell, service: Svc, name: str, reason: Text = "") -> Response:
    created = service.users.reset(principal_of(request), name, reason)
    return _part_with_secret(shell, request, "administration/user_password.html", created=created, page=None)


@router.post("/users/{name}/end-sessions")
def end_sessions(request: Request, shell: PageShell, service: Svc, name: str) -> Response:
    ended = service.users.end_sessions(principal_of(request), name)
    return shell.go(request, _path(name), "users.done-sessions", n=ended)


@router.post("/users/{name}/{step}")
def step(request: Request, shell: PageShell, service: Svc, name: str, step: str, reason: Text = "") -> Response:
    """Disable or enable a user. Raises NotFound for another step."""
    steps = {"disable": service.users.disable, "enable": service.users.enable}
    if step not in steps:
        raise NotFound("there is no such step")
    user = steps[step](principal_of(request), name, reason)
    return shell.go(request, _path(user.name), f"users.done-{step}", name=user.name)


@router.post("/tokens")
def make(
    request: Request,
    shell: PageShell,
    service: Svc,
    label: Text = "",
    days: Annotated[int, Form()] = 90,
    roles: Roles = None,
    outlet: Text = "",
) -> Response:
    """``outlet``: the number of the one whose counters use it; empty for a token of anything else."""
    who = principal_of(request)
    if outlet.strip() and (not outlet.strip().isdecimal() or len(outlet.strip()) > _DIGITS):
        raise Invalid("an outlet has a number", {"outlet": "a whole number"})
    if days not in TOKEN_DAYS:
        raise Invalid("a token is good for one of the times offered", {"days": ", ".join(map(str, TOKEN_DAYS))})
    until = service.parts.clock() + timedelta(days=days)
    place = int(outlet) if outlet.strip() else None
    created = service.users.make_token(who, label.strip(), _roles(roles), until, place)
    return _part_with_secret(
        shell, request, "administration/token_secret.html", created=created, **_lists(service, who)
    )


@router.post("/tokens/{number}/consent")
def consent(request: Request, shell: PageShell, service: Svc, number: int) -> Response:
    token = service.users.consent_to_token(principal_of(request), number)
    return shell.go(request, "/users", "users.done-consent", label=token.label)


@router.post("/tokens/{number}/revoke")
def revoke(request: Request, shell: PageShell, service: Svc, number: int, reason: Text = "") -> Response:
    token = service.users.revoke_token(principal_of(request), number, reason)
    return shell.go(request, "/users", "users.done-revoke", label=token.label)


def _lists(
    service: ReaderService, who: Principal, cursor: str | None = None, tokens: str | None = None
) -> dict[str, Any]:
    return {
        "page": service.users.users(who, cursor, ROWS),
        "tokens": service.users.tokens(who, tokens, ROWS),
        "roles": list(Role),
        "token_roles": [role for role in Role if role not in USERS_ONLY],
        "token_days": TOKEN_DAYS,
    }


def _part_with_secret(shell: Shell, request: Request, template: str, **values: Any) -> HTMLResponse:
    """A part with a secret, which no cache stores."""
    response = shell.part(request, template, **values)
    response.headers["Cache-Control"] = "no-store"
    return response


def _roles(names: list[str] | None) -> list[Role]:
    """Raises Invalid for an unknown role."""
    try:
        return [_ROLES[name] for name in names or ()]
    except KeyError:
        raise Invalid("there is no such role", {"roles": ", ".join(_ROLES)}) from None


def _path(name: str) -> str:
    return f"/users/{quote(name, safe='')}"
