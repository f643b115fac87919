"""What every page has: templates, language, theme, navigation by role, messages, and refusals as pages."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote, unquote, urlsplit
from uuid import uuid4

from fastapi import APIRouter, Depends, Form, Query, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from programme.wording import signed_yuan, yuan
from reader_service.errors import NotSignedIn, ServiceError
from reader_service.http.errors import Problem, problem_of
from reader_service.http.resource import service_of
from reader_service.pages.live import EVENT_STREAM, message
from reader_service.pages.tables import labelled
from reader_service.pages.words import Words, words
from reader_service.principal import Permission, Principal
from reader_service.services.administration.signatures import WaitingSignature
from registry.db.privacy import scrub
from terminal.visible import visible

if TYPE_CHECKING:
    from reader_service.service import ReaderService

TEMPLATES: Final = Path(__file__).parent / "templates"
STATIC: Final = Path(__file__).parent / "static"

THEMES: Final = ("system", "light", "dark")
THEME_COOKIE: Final = "theme"
FLASH_COOKIE: Final = "flash"
FLASH_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """An entry of the navigation. ``name`` is its text key, icon and path; ``key`` follows ``g`` on the keyboard."""

    name: str
    needs: Permission
    key: str

    @property
    def path(self) -> str:
        return f"/{self.name}"


PLACES: Final = (
    NavigationEntry("station", Permission.LANES_VIEW, "s"),
    NavigationEntry("counter", Permission.VERIFY, "c"),
    NavigationEntry("intake", Permission.ROSTERS_VIEW, "i"),
    NavigationEntry("registry", Permission.MEMBERS_FIND, "r"),
    NavigationEntry("packing", Permission.CARDS_VIEW, "b"),
    NavigationEntry("programme", Permission.PROGRAMMES_VIEW, "o"),
    NavigationEntry("merchants", Permission.MERCHANTS_VIEW, "m"),
    NavigationEntry("settlements", Permission.REDEMPTIONS_VIEW, "e"),
    NavigationEntry("progress", Permission.STATISTICS, "p"),
    NavigationEntry("developer", Permission.APDU, "d"),
    NavigationEntry("audit", Permission.AUDIT, "a"),
    NavigationEntry("users", Permission.USERS, "u"),
)


def shown(value: object) -> object:
    """What a template writes: no text of people turns or hides the text around it. Escaping comes after this."""
    return visible(value, keep="\n\r\t") if type(value) is str else value


@cache
def templates() -> Environment:
    """The templates of all pages, compiled once in a process: they know no service."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["labelled"] = labelled
    environment.filters["yuan"] = yuan
    environment.filters["signed_yuan"] = signed_yuan
    return environment


class Shell:
    """Renders pages and parts of pages for one service."""

    def __init__(self, service: ReaderService) -> None:
        self.service = service

    def words(self, request: Request) -> Words:
        return words(request.state.language, self.service.parts.zone)

    def page(self, request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """A whole page. Templates extend ``base.html``; what they may use is listed at the top of ``macros.html``."""
        principal: Principal | None = request.state.principal
        flash = _flash_of(request)
        places = [place for place in PLACES if principal is not None and principal.may(place.needs)]
        if "waiting" not in values:
            values["waiting"] = self._waiting(principal)
        values["todos"] = self._todos(principal, values["waiting"])
        response = HTMLResponse(
            self.html(
                request.state.language,
                template,
                csrf=request.state.csrf,
                principal=principal,
                places=places,
                origin=str(request.base_url).rstrip("/"),
                path=request.url.path,
                back=_here(request),
                theme=theme_of(request),
                flash=flash,
                station=self.service.parts.station,
                **values,
            ),
            status_code=status,
        )
        if flash:
            response.delete_cookie(FLASH_COOKIE, path="/")
        return response

    def _waiting(self, principal: Principal | None) -> list[WaitingSignature]:
        """Missing signatures, for the navigation; none while the database is away, which hides no page."""
        if principal is None:
            return []
        try:
            return self.service.signatures.waiting(principal)
        except ServiceError:
            return []

    def _todos(self, principal: Principal | None, waiting: Any) -> dict[str, int]:
        """What the viewer has to do, by page; nothing while the database is away."""
        if principal is None or principal.token:
            return {}
        try:
            return self.service.todos.of(principal, waiting)
        except ServiceError:
            return {}

    def part(self, request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """A part of a page, for htmx. A browser that sent the form itself, before htmx was loaded, gets a page with
        this part alone."""
        if not _from_htmx(request):
            return self.page(request, "single_part.html", status=status, part=template, single_part=True, **values)
        return HTMLResponse(
            self.html(
                request.state.language,
                template,
                csrf=request.state.csrf,
                principal=request.state.principal,
                **values,
            ),
            status_code=status,
        )

    def html(self, language: str, template: str, **values: object) -> str:
        """A rendered template, without a request: for streams."""
        t = words(language, self.service.parts.zone)
        source = templates().get_template(template)
        now = self.service.parts.now()
        return source.render(t=t, language=t.language, new_key=new_key, now=now, **values)

    def go(self, request: Request, path: str, message: str = "", *, kind: str = "ok", **values: object) -> Response:
        """Lead to ``path`` after a form was accepted; ``message`` is the key of a text shown there once."""
        path = own_path(path)
        if _from_htmx(request):
            response = Response(status_code=204, headers={"HX-Redirect": quote(path, safe="/?&=%:#")})
        else:
            response = RedirectResponse(path, status_code=303)
        if message:
            flash = json.dumps(
                {"message": message, "kind": kind, "values": {name: str(v) for name, v in values.items()}}
            )
            response.set_cookie(
                FLASH_COOKIE,
                base64.urlsafe_b64encode(flash.encode()).decode(),
                max_age=FLASH_SECONDS,
                httponly=True,
                samesite="strict",
                secure=request.url.scheme == "https",
            )
        return response

    def done(self, request: Request, path: str) -> Response:
        """No message, as a live page shows the effect by its stream. A browser that sent the form itself is led back to
        ``path``: a response without a page would cancel the scripts that are still loading."""
        return Response(status_code=204) if _from_htmx(request) else self.go(request, path)

    def notify(self, request: Request, path: str, message: str, *, kind: str = "ok", **values: object) -> Response:
        """A message on the present page, after a form was accepted through htmx; its dialog closes. ``path`` is that
        page, for a browser that sent the form itself."""
        if not _from_htmx(request):
            return self.go(request, path, message, kind=kind, **values)
        response = self.part(request, "message.html", kind=kind, text=self.words(request)(message, **values))
        response.headers["HX-Retarget"] = "#messages"
        response.headers["HX-Reswap"] = "innerHTML"
        return response

    def refused(self, request: Request, error: Exception) -> Response:
        """A refusal as a page, for htmx as a message, for a live page's stream as the event that sends it to
        the sign-in page. Raises an error that is no refusal."""
        if isinstance(error, NotSignedIn):
            if request.headers.get("accept") == EVENT_STREAM:  # a page that lost its session while it was not connected
                return Response(message("leave", ""), media_type=EVENT_STREAM)
            here = _here(request) if request.method == "GET" and not _from_htmx(request) else _sender(request)
            return self.go(request, f"/login?next={quote(here)}")
        problem = problem_of(error)
        if problem is None:
            raise error
        if isinstance(error, HTTPException) and problem.status == 404:
            problem = replace(problem, params={"rule": "address"})
        t = self.words(request)
        values: dict[str, Any] = {
            "problem": problem,
            "sentence": sentence_of(problem, t),
            "fields": fields_of(problem, t),
        }
        if _from_htmx(request):
            response = self.part(request, "problem_part.html", status=problem.status, **values)
            response.headers["HX-Retarget"] = "#messages"
            response.headers["HX-Reswap"] = "innerHTML"
            response.headers["Problem"] = problem.code
        else:
            again = request.method == "GET" and problem.status in _TEMPORARY
            response = self.page(request, "problem.html", status=problem.status, again=again, waiting=[], **values)
        response.headers.update({name: problem.headers[name] for name in problem.headers if name == "Retry-After"})
        return response


async def _shell(connection: HTTPConnection) -> Shell:
    return Shell(service_of(connection))


PageShell = Annotated[Shell, Depends(_shell)]
"""The shell over the service that the request came to."""


Text = Annotated[str, Form()]
"""A field of a form; empty where the browser sent none."""
Cursor = Annotated[str | None, Query()]
"""Where the next page of a list begins."""


def page_router() -> APIRouter:
    """A router for pages, which the API document leaves out."""
    return APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


def _from_htmx(request: Request) -> bool:
    return "HX-Request" in request.headers


def new_key() -> str:
    """A value for the hidden field by which a form is accepted once, however often it is sent."""
    return str(uuid4())


def principal_of(request: Request) -> Principal:
    """The caller. Raises NotSignedIn, which leads to the sign-in page."""
    principal: Principal | None = request.state.principal
    if principal is None:
        raise NotSignedIn("sign in first")
    return principal


_TEMPORARY: Final = (408, 429, 503)
"""Statuses of refusals that may pass by themselves."""
_RULES: Final = ("rule", "code", "reason")
"""Parameters of a refusal that name it more closely."""


def sentence_of(problem: Problem, t: Words) -> str:
    """A refusal in the viewer's language: the most specific text there is, else the original sentence."""
    detail = problem.detail if t.language == "en" else str(problem.params.get("chinese", problem.detail))
    values = {"detail": detail} | {name: str(value) for name, value in problem.params.items()}
    rules = [str(problem.params[name]).replace(" ", "-") for name in _RULES if name in problem.params]
    for key in (*(f"problem.{problem.code}.{rule}" for rule in rules), f"problem.{problem.code}"):
        if key in t:
            try:
                return t(key, **values)
            except KeyError:  # the text needs a value that this refusal lacks
                continue
    return problem.detail if t.language == "en" else t("problem.otherwise", detail=detail)


def fields_of(problem: Problem, t: Words) -> dict[str, str]:
    """Errors by field; ``problem.field.NAME.RULE`` is the text in the viewer's language, if any."""
    rule = problem.params.get("rule", "")
    fields = {
        name: t.either(f"problem.field.{name}.{rule}", t.wrong(name, text)) for name, text in problem.fields.items()
    }
    return {name: text for name, text in fields.items() if text != problem.detail}  # the sentence has it


def _here(request: Request) -> str:
    """Path and query of the present page, to come back to; "/" where the address contains a person's number, which no
    page may repeat."""
    query = request.url.query
    here = f"{request.url.path}?{query}" if query else request.url.path
    plain = unquote(here)
    return here if scrub(plain) == plain else "/"


def _sender(request: Request) -> str:
    """The page that sent a form, to come back to; "/" where it is unknown or its address contains a person's number."""
    try:
        sender = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return "/"
    if sender.netloc != request.headers.get("host", ""):
        return "/"
    path = own_path(f"{sender.path}?{sender.query}" if sender.query else sender.path)
    plain = unquote(path)
    return path if scrub(plain) == plain else "/"


def theme_of(request: Request) -> str:
    theme = request.cookies.get(THEME_COOKIE, "")
    return theme if theme in THEMES else THEMES[0]


def own_path(path: str) -> str:
    """``path`` if it is one of this site, else "/": no host, no scheme, no backslash (browsers take it for a slash)."""
    parts = urlsplit(path)
    safe = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if safe and not parts.scheme and not parts.netloc else "/"


def _flash_of(request: Request) -> dict[str, Any] | None:
    """The message that the last form left, or None. A cookie can be forged: it only names one of our texts."""
    try:
        flash = json.loads(base64.urlsafe_b64decode(request.cookies.get(FLASH_COOKIE, "")))
        text = words(request.state.language)(str(flash["message"]), **dict(flash["values"]))
        return {"kind": flash["kind"] if flash["kind"] in ("bad", "warn") else "ok", "text": text}
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None
