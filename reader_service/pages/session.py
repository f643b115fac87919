"""Signing in and out, one's password, and how one likes the pages: language and theme."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from reader_service.access import cookies
from reader_service.access.accounts import AccountService
from reader_service.access.authenticator import AuthenticatedCaller
from reader_service.errors import Invalid, NotFound, NotSignedIn, ServiceError, WrongPassword
from reader_service.http.deps import origin_of
from reader_service.http.errors import problem_of
from reader_service.pages.shell import PLACES, THEME_COOKIE, THEMES, Shell, fields_of, own_path, said_of
from reader_service.pages.words import LANGUAGES
from reader_service.service import ReaderService

Text = Annotated[str, Form(max_length=4096)]
_YEAR = 365 * 24 * 3600


def router(shell: Shell) -> APIRouter:
    pages = shell.router()
    _signing(pages, shell)
    _password(pages, shell)
    _liking(pages, shell)
    return pages


def _signing(pages: APIRouter, shell: Shell) -> None:
    @pages.get("/")
    def first(request: Request) -> Response:
        """The first page that one's roles have something on."""
        who = request.state.principal
        if who is None:
            return RedirectResponse("/login", 303)
        for place in PLACES:
            if who.may(place.needs):
                return RedirectResponse(place.path, 303)
        raise NotFound("no page belongs to your roles", rule="no-page")

    @pages.get("/login")
    def ask(request: Request, next: Annotated[str, Query()] = "/") -> Response:
        if request.state.principal is not None:
            return RedirectResponse(own_path(next), 303)
        return shell.page(request, "login.html", next=own_path(next), name="", error="")

    @pages.post("/login")
    def sign_in(request: Request, name: Text = "", password: Text = "", next: Text = "/") -> Response:
        door = door_of(request)
        try:
            inside = door.sign_in(name, password, origin_of(request))
        except ServiceError as refused:
            values = {"next": own_path(next), "name": name, "error": _said(shell, request, refused)}
            return shell.page(request, "login.html", status=_status(refused), **values)
        answer = RedirectResponse("/password" if inside.known.must_change else own_path(next), 303)
        cookies.give(answer, inside.secret, tls=door.settings.tls)
        return answer

    @pages.post("/logout")
    def sign_out(request: Request) -> Response:
        door = door_of(request)
        if request.state.known is not None:
            door.sign_out(request.state.known)
        answer = shell.go(request, "/login", "session.said-out")
        cookies.take(answer, tls=door.settings.tls)
        return answer


def _password(pages: APIRouter, shell: Shell) -> None:
    @pages.get("/password")
    def ask_password(request: Request) -> Response:
        known = _known(request)
        return shell.page(request, "password.html", must_change=known.must_change, errors={}, error="")

    @pages.post("/password")
    def change(request: Request, old: Text = "", password: Text = "", again: Text = "") -> Response:
        known, door, t = _known(request), door_of(request), shell.words(request)
        try:
            if password != again:
                raise Invalid("the two are not the same", {"again": t("session.not-the-same")})
            inside = door.change_password(known, old, password, origin_of(request))
        except ServiceError as refused:
            problem = problem_of(refused)
            errors = fields_of(problem, t) if problem else {}
            if isinstance(refused, WrongPassword):
                errors = {"old": t("session.wrong-old")}
            error = "" if errors else _said(shell, request, refused)
            values = {"must_change": known.must_change, "errors": errors, "error": error}
            return shell.page(request, "password.html", status=_status(refused), **values)
        answer = shell.go(request, "/", "session.said-changed")
        cookies.give(answer, inside.secret, tls=door.settings.tls)
        return answer


def _liking(pages: APIRouter, shell: Shell) -> None:
    @pages.post("/language")
    def language(request: Request, language: Text = "", back: Text = "/") -> Response:
        answer = shell.go(request, back)
        if language in LANGUAGES:
            cookies.give_language(answer, language, tls=door_of(request).settings.tls)
        return answer

    @pages.post("/theme")
    def theme(request: Request, theme: Text = "", back: Text = "/") -> Response:
        answer = shell.go(request, back)
        if theme in THEMES:
            tls = door_of(request).settings.tls
            answer.set_cookie(THEME_COOKIE, theme, max_age=_YEAR, secure=tls, httponly=True, samesite="strict")
        return answer


def door_of(request: Request) -> AccountService:
    return cast("ReaderService", request.app.state.service).door


def _known(request: Request) -> AuthenticatedCaller:
    known: AuthenticatedCaller | None = request.state.known
    if known is None:
        raise NotSignedIn("sign in first")
    return known


def _said(shell: Shell, request: Request, refused: ServiceError) -> str:
    problem = problem_of(refused)
    return said_of(problem, shell.words(request)) if problem else str(refused)


def _status(refused: ServiceError) -> int:
    problem = problem_of(refused)
    return problem.status if problem else 400
