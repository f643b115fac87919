"""What every page has: templates, language, theme, navigation by role, flash messages, and errors people can read."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlsplit
from uuid import uuid4

from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from reader_service.errors import NotSignedIn
from reader_service.http.errors import Problem, problem_of
from reader_service.pages.words import Words, words
from reader_service.principal import Permission, Principal
from registry.db.privacy import scrub

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
    """One entry of the navigation: the name is its text key, icon and path; ``key`` is pressed after ``g``."""

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
    NavigationEntry("progress", Permission.STATISTICS, "p"),
    NavigationEntry("developer", Permission.APDU, "d"),
    NavigationEntry("audit", Permission.AUDIT, "a"),
    NavigationEntry("users", Permission.USERS, "u"),
)


class Shell:
    """Renders pages and parts of pages for one service."""

    def __init__(self, service: ReaderService) -> None:
        self.service = service
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def router(self) -> APIRouter:
        """A router of pages, which are no part of the API's document."""
        return APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    def words(self, request: Request) -> Words:
        return words(request.state.language)

    def page(self, request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """A whole page. Templates extend ``base.html``; what they may use is listed at the top of ``macros.html``."""
        principal: Principal | None = request.state.principal
        said = _flash_of(request)
        answer = HTMLResponse(
            self.html(
                request.state.language,
                template,
                csrf=request.state.csrf,
                principal=principal,
                places=[place for place in PLACES if principal is not None and principal.may(place.needs)],
                path=request.url.path,
                back=_here(request),
                theme=theme_of(request),
                flash=said,
                station=self.service.parts.station,
                **values,
            ),
            status_code=status,
        )
        if said:
            answer.delete_cookie(FLASH_COOKIE, path="/")
        return answer

    def part(self, request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """A piece of a page, for htmx. It knows ``csrf`` and ``principal`` too. A browser that sent the form by itself,
        before htmx was there, gets it on a page of its own."""
        if not _from_htmx(request):
            return self.page(request, "alone.html", status=status, part=template, alone=True, **values)
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
        """Rendered without a request: for streams."""
        t = words(language)
        return self._environment.get_template(template).render(
            t=t,
            language=t.language,
            new_key=new_key,
            now=datetime.now(UTC),
            **values,
        )

    def go(self, request: Request, path: str, said: str = "", *, kind: str = "ok", **values: object) -> Response:
        """On to ``path`` after a form was taken; ``said`` is the key of a message shown there, once."""
        path = own_path(path)
        if _from_htmx(request):
            answer = Response(status_code=204, headers={"HX-Redirect": quote(path, safe="/?&=%:#")})
        else:
            answer = RedirectResponse(path, status_code=303)
        if said:
            told = json.dumps({"said": said, "kind": kind, "values": {name: str(v) for name, v in values.items()}})
            answer.set_cookie(
                FLASH_COOKIE,
                base64.urlsafe_b64encode(told.encode()).decode(),
                max_age=FLASH_SECONDS,
                httponly=True,
                samesite="strict",
                secure=request.url.scheme == "https",
            )
        return answer

    def done(self, request: Request, path: str) -> Response:
        """Nothing to say: what a live page shows of it comes by its stream. A browser that sent the form by itself is
        led back to ``path``: an answer without a page would stop the scripts that are still on their way."""
        return Response(status_code=204) if _from_htmx(request) else self.go(request, path)

    def say(self, request: Request, path: str, said: str, *, kind: str = "ok", **values: object) -> Response:
        """A message on the page that is there, after a form was taken through htmx; its dialog closes. ``path`` is that
        page, for a browser that sent the form by itself."""
        if not _from_htmx(request):
            return self.go(request, path, said, kind=kind, **values)
        answer = self.part(request, "message.html", kind=kind, text=self.words(request)(said, **values))
        answer.headers["HX-Retarget"] = "#messages"
        answer.headers["HX-Reswap"] = "innerHTML"
        return answer

    def refused(self, request: Request, error: Exception) -> Response:
        """What was refused, as a page; for htmx as a message that goes where messages go. Raises what is our fault."""
        if isinstance(error, NotSignedIn):
            here = _here(request) if request.method == "GET" and not _from_htmx(request) else "/"
            return self.go(request, f"/login?next={quote(here)}")
        problem = problem_of(error)
        if problem is None:
            raise error
        if isinstance(error, HTTPException) and problem.status == 404:
            problem = replace(problem, params={"rule": "address"})
        t = self.words(request)
        values = {"problem": problem, "sentence": said_of(problem, t), "fields": fields_of(problem, t)}
        if _from_htmx(request):
            answer = self.part(request, "problem_part.html", status=problem.status, **values)
            answer.headers["HX-Retarget"] = "#messages"
            answer.headers["HX-Reswap"] = "innerHTML"
        else:
            again = request.method == "GET" and problem.status in _PASSING
            answer = self.page(request, "problem.html", status=problem.status, again=again, **values)
        answer.headers.update({name: problem.headers[name] for name in problem.headers if name == "Retry-After"})
        return answer


def _from_htmx(request: Request) -> bool:
    return "HX-Request" in request.headers


def new_key() -> str:
    """For the hidden field that lets a form be taken once only, however often it is sent."""
    return str(uuid4())


def principal_of(request: Request) -> Principal:
    """Who asks. Raises NotSignedIn, which takes them to the sign-in page."""
    principal: Principal | None = request.state.principal
    if principal is None:
        raise NotSignedIn("sign in first")
    return principal


_PASSING: Final = (408, 429, 503)
"""Refusals that may be none a little later."""
_RULES: Final = ("rule", "code", "reason")
"""Parameters of a refusal that may name it more closely."""


def said_of(problem: Problem, t: Words) -> str:
    """A refusal in the reader's language: by the most particular text there is, else the sentence itself."""
    detail = problem.detail if t.language == "en" else str(problem.params.get("chinese", problem.detail))
    values = {"detail": detail} | {name: str(value) for name, value in problem.params.items()}
    rules = [str(problem.params[name]).replace(" ", "-") for name in _RULES if name in problem.params]
    for key in (*(f"problem.{problem.code}.{rule}" for rule in rules), f"problem.{problem.code}"):
        if key in t:
            try:
                return t(key, **values)
            except KeyError:  # the text asks for a value that this one does not carry
                continue
    return problem.detail if t.language == "en" else t("problem.otherwise", detail=detail)


def fields_of(problem: Problem, t: Words) -> dict[str, str]:
    """What is wrong with which field; ``problem.field.NAME.RULE`` is its text in the reader's language, if any."""
    rule = problem.params.get("rule", "")
    fields = {name: text for name, text in problem.fields.items() if text != problem.detail}  # said already
    return {name: t.either(f"problem.field.{name}.{rule}", text) for name, text in fields.items()}


def _here(request: Request) -> str:
    """Where somebody is, with what they chose there, to come back to; not where a person's number stands in the
    address, which no page of ours has and none repeats."""
    query = request.url.query
    here = f"{request.url.path}?{query}" if query else request.url.path
    plain = unquote(here)
    return here if scrub(plain) == plain else "/"


def theme_of(request: Request) -> str:
    theme = request.cookies.get(THEME_COOKIE, "")
    return theme if theme in THEMES else THEMES[0]


def own_path(path: str) -> str:
    """A path of this site, whatever was asked for: no other host, no scheme, no backslash that a browser turns."""
    parts = urlsplit(path)
    safe = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if safe and not parts.scheme and not parts.netloc else "/"


def _flash_of(request: Request) -> dict[str, Any] | None:
    """The message that the last form left, or None. A cookie is anybody's text: it may only name a text of ours."""
    try:
        told = json.loads(base64.urlsafe_b64decode(request.cookies.get(FLASH_COOKIE, "")))
        text = words(request.state.language)(str(told["said"]), **dict(told["values"]))
        return {"kind": told["kind"] if told["kind"] in ("bad", "warn") else "ok", "text": text}
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None
