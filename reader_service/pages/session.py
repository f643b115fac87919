"""Sign-in and sign-out, password change, and preferences: language and theme."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Form, Query, Request
from starlette.responses import RedirectResponse, Response

from reader_service.access import cookies
from reader_service.access.accounts import AccountService
from reader_service.access.authenticator import AuthenticatedCaller
from reader_service.errors import Invalid, NotFound, NotSignedIn, ServiceError, WrongPassword
from reader_service.http.errors import problem_of
from reader_service.http.resource import origin_of
from reader_service.pages.shell import (
    PLACES,
    THEME_COOKIE,
    THEMES,
    PageShell,
    Shell,
    fields_of,
    own_path,
    page_router,
    sentence_of,
)
from reader_service.pages.words import LANGUAGES
from reader_service.service import ReaderService

Text = Annotated[str, Form(max_length=4096)]
_YEAR = 365 * 24 * 3600


router = page_router()


@router.get("/")
def first(request: Request) -> Response:
    """Redirect to the first page that the caller's roles open."""
    who = request.state.principal
    if who is None:
        return RedirectResponse("/login", 303)
    for place in PLACES:
        if who.may(place.needs):
            return RedirectResponse(place.path, 303)
    raise NotFound("no page belongs to your roles", rule="no-page")


@router.get("/login")
def ask(request: Request, shell: PageShell, next: Annotated[str, Query()] = "/") -> Response:
    if request.state.principal is not None:
        return RedirectResponse(own_path(next), 303)
    return shell.page(request, "login.html", next=own_path(next), name="", error="")


@router.post("/login")
def sign_in(request: Request, shell: PageShell, name: Text = "", password: Text = "", next: Text = "/") -> Response:
    accounts = accounts_of(request)
    try:
        session = accounts.sign_in(name, password, origin_of(request))
    except ServiceError as refused:
        values = {"next": own_path(next), "name": name, "error": _sentence(shell, request, refused)}
        return shell.page(request, "login.html", status=_status(refused), **values)
    response = RedirectResponse("/password" if session.caller.must_change else own_path(next), 303)
    cookies.give(response, session.secret, tls=accounts.settings.tls)
    return response


@router.post("/logout")
def sign_out(request: Request, shell: PageShell) -> Response:
    accounts = accounts_of(request)
    if request.state.caller is not None:
        accounts.sign_out(request.state.caller)
    response = shell.go(request, "/login", "session.done-signed-out")
    cookies.take(response, tls=accounts.settings.tls)
    return response


@router.get("/password")
def ask_password(request: Request, shell: PageShell) -> Response:
    caller = _caller(request)
    return shell.page(request, "password.html", must_change=caller.must_change, errors={}, error="")


@router.post("/password")
def change(request: Request, shell: PageShell, old: Text = "", password: Text = "", again: Text = "") -> Response:
    caller, accounts, t = _caller(request), accounts_of(request), shell.words(request)
    try:
        if password != again:
            raise Invalid("the two are not the same", {"again": t("session.not-the-same")})
        session = accounts.change_password(caller, old, password, origin_of(request))
    except ServiceError as refused:
        problem = problem_of(refused)
        errors = fields_of(problem, t) if problem else {}
        if isinstance(refused, WrongPassword):
            errors = {"old": t("session.wrong-old")}
        error = "" if errors else _sentence(shell, request, refused)
        values = {"must_change": caller.must_change, "errors": errors, "error": error}
        return shell.page(request, "password.html", status=_status(refused), **values)
    response = shell.go(request, "/", "session.done-changed")
    cookies.give(response, session.secret, tls=accounts.settings.tls)
    return response


@router.post("/language")
def language(request: Request, shell: PageShell, language: Text = "", back: Text = "/") -> Response:
    response = shell.go(request, back)
    if language in LANGUAGES:
        cookies.give_language(response, language, tls=accounts_of(request).settings.tls)
    return response


@router.post("/theme")
def theme(request: Request, shell: PageShell, theme: Text = "", back: Text = "/") -> Response:
    response = shell.go(request, back)
    if theme in THEMES:
        tls = accounts_of(request).settings.tls
        response.set_cookie(THEME_COOKIE, theme, max_age=_YEAR, secure=tls, httponly=True, samesite="strict")
    return response


def accounts_of(request: Request) -> AccountService:
    return cast("ReaderService", request.app.state.service).accounts


def _caller(request: Request) -> AuthenticatedCaller:
    caller: AuthenticatedCaller | None = request.state.caller
    if caller is None:
        raise NotSignedIn("sign in first")
    return caller


def _sentence(shell: Shell, request: Request, refused: ServiceError) -> str:
    problem = problem_of(refused)
    return sentence_of(problem, shell.words(request)) if problem else str(refused)


def _status(refused: ServiceError) -> int:
    problem = problem_of(refused)
    return problem.status if problem else 400
