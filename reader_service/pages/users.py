"""Users and tokens: added, given roles, disabled, reset. A new password or token is shown once, and never again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, Response

from reader_service.errors import Invalid, NotFound
from reader_service.pages.shell import Shell, principal_of
from reader_service.principal import Principal, Role

if TYPE_CHECKING:
    from reader_service.service import ReaderService

ROWS: Final = 100
TOKEN_DAYS: Final = (30, 90, 180, 365)
PEOPLE_ONLY: Final = (Role.REVIEWER, Role.ADMINISTRATOR)
"""Roles that no token is given."""
_ROLES: Final = {role.value: role for role in Role}

Text = Annotated[str, Form()]
Roles = Annotated[list[str] | None, Form()]
Cursor = Annotated[str | None, Query()]


def router(shell: Shell) -> APIRouter:
    pages = shell.router()
    _people(pages, shell)
    _person(pages, shell)
    _tokens(pages, shell)
    return pages


def _people(pages: APIRouter, shell: Shell) -> None:
    service = shell.service

    @pages.get("/users")
    def users(request: Request, cursor: Cursor = None, tokens: Cursor = None) -> Response:
        return shell.page(request, "users.html", **_lists(service, principal_of(request), cursor, tokens))

    @pages.post("/users")
    def add(
        request: Request, name: Text = "", display: Text = "", language: Text = "zh", roles: Roles = None
    ) -> Response:
        who = principal_of(request)
        made = service.people.add(who, name.strip(), display.strip() or name.strip(), _roles(roles), language=language)
        return _once(shell, request, "users_password.html", made=made, **_lists(service, who))


def _person(pages: APIRouter, shell: Shell) -> None:
    service = shell.service

    @pages.get("/users/{name}")
    def person(request: Request, name: str) -> Response:
        who = principal_of(request)
        shown, sessions = service.people.user(who, name), service.people.sessions(who, name)
        return shell.page(request, "users_person.html", user=shown, sessions=sessions, roles=list(Role))

    @pages.post("/users/{name}/roles")
    def roles(request: Request, name: str, reason: Text = "", roles: Roles = None) -> Response:
        user = service.people.change(principal_of(request), name, reason, roles=_roles(roles))
        return shell.go(request, _path(user.name), "users.said-roles", name=user.name)

    @pages.post("/users/{name}/reset")
    def reset(request: Request, name: str, reason: Text = "") -> Response:
        made = service.people.reset(principal_of(request), name, reason)
        return _once(shell, request, "users_password.html", made=made, page=None)

    @pages.post("/users/{name}/end-sessions")
    def end_sessions(request: Request, name: str) -> Response:
        ended = service.people.end_sessions(principal_of(request), name)
        return shell.go(request, _path(name), "users.said-sessions", n=ended)

    @pages.post("/users/{name}/{step}")
    def step(request: Request, name: str, step: str, reason: Text = "") -> Response:
        """disable or enable. Raises NotFound for another step."""
        steps = {"disable": service.people.disable, "enable": service.people.enable}
        if step not in steps:
            raise NotFound("there is no such step")
        user = steps[step](principal_of(request), name, reason)
        return shell.go(request, _path(user.name), f"users.said-{step}", name=user.name)


def _tokens(pages: APIRouter, shell: Shell) -> None:
    service = shell.service

    @pages.post("/tokens")
    def make(request: Request, label: Text = "", days: Annotated[int, Form()] = 90, roles: Roles = None) -> Response:
        who = principal_of(request)
        if days not in TOKEN_DAYS:
            raise Invalid("a token is good for one of the times offered", {"days": ", ".join(map(str, TOKEN_DAYS))})
        made = service.people.make_token(who, label.strip(), _roles(roles), datetime.now(UTC) + timedelta(days=days))
        return _once(shell, request, "users_token.html", made=made, **_lists(service, who))

    @pages.post("/tokens/{number}/revoke")
    def revoke(request: Request, number: int, reason: Text = "") -> Response:
        token = service.people.revoke_token(principal_of(request), number, reason)
        return shell.go(request, "/users", "users.said-revoke", label=token.label)


def _lists(
    service: ReaderService, who: Principal, cursor: str | None = None, tokens: str | None = None
) -> dict[str, Any]:
    return {
        "page": service.people.users(who, cursor, ROWS),
        "tokens": service.people.tokens(who, tokens, ROWS),
        "roles": list(Role),
        "token_roles": [role for role in Role if role not in PEOPLE_ONLY],
        "token_days": TOKEN_DAYS,
    }


def _once(shell: Shell, request: Request, template: str, **values: Any) -> HTMLResponse:
    """A part that holds a secret: it is in no cache."""
    answer = shell.part(request, template, **values)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _roles(names: list[str] | None) -> list[Role]:
    """Raises Invalid for a role that there is not."""
    try:
        return [_ROLES[name] for name in names or ()]
    except KeyError:
        raise Invalid("there is no such role", {"roles": ", ".join(_ROLES)}) from None


def _path(name: str) -> str:
    return f"/users/{quote(name, safe='')}"
