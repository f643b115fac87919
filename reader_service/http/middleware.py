"""The middleware of every request, as plain ASGI: host check, identification of the caller, response headers, log and
metrics. Writes pass ``WriteGuard`` next."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.status import WS_1008_POLICY_VIOLATION
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reader_service.access import cookies, csrf
from reader_service.access.accounts import AccountService
from reader_service.access.authenticator import SECRET, TOKEN, AuthenticatedCaller, key_of
from reader_service.errors import Broken, Invalid, MustChangePassword, NotMeant, NotSignedIn, WrongHost
from reader_service.http.bodies import ClientGone
from reader_service.http.errors import FOR_PROGRAMS, Page, answer, problem_of
from reader_service.http.metrics import Measures
from terminal.errors import MembercardError

PASSWORD_PAGE: Final = "/password"  # noqa: S105 - a path
_FREE: Final = ("/login", "/logout", "/password", "/language", "/theme", "/health", "/metrics", "/api/v1/session")
"""Addresses that answer while the password must be changed."""
_PUBLIC_API: Final = frozenset({("POST", "/api/v1/session"), ("GET", "/api/v1/openapi.json"), ("GET", "/api/docs")})
_API: Final = "/api/"
_STATIC: Final = "/static/"
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SLOW_SECONDS: Final = 2.0
_REFUSAL_SECONDS: Final = 60.0
_MANY: Final = 1000
_ACCEPTED: Final = 101
_UNKNOWN_LANGUAGE: Final = "zh"
_AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:/?#@\\\s,]+)(?::([0-9]{0,5}))?")
"""Host and port of RFC 9110, 7.2, without a user or anything behind the port."""
_HIGHEST_PORT: Final = 65535
_ONCE: Final = (b"authorization", b"origin", b"x-csrf-token", b"idempotency-key", b"content-type")
"""Headers of which a second one would be taken for the first."""

Headers = list[tuple[bytes, bytes]]

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""Content-Security-Policy of pages. CSP Level 3."""
API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
"""Of answers that are no pages."""
_FEATURES: Final = ("camera", "display-capture", "geolocation", "microphone", "payment", "serial", "usb")
_ALWAYS: Final = (
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),  # "no-referrer" makes browsers send forms with "Origin: null" (Fetch, 3.2)
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", ", ".join(f"{feature}=()" for feature in _FEATURES)),
)
_TLS: Final = ("strict-transport-security", "max-age=63072000")
NO_STORE: Final = (b"cache-control", b"no-store")

log = logging.getLogger("reader_service.requests")


class RequestMiddleware:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, accounts: AccountService, measures: Measures, page: Page | None = None) -> None:
        self._app = app
        self._accounts = accounts
        self._measures = measures
        self._page = page
        tls = accounts.settings.tls
        self._cookie = cookies.name(tls=tls)
        self._page_headers, self._api_headers = headers(PAGE_POLICY, tls=tls), headers(API_POLICY, tls=tls)
        self._hosts: set[bytes] = set()
        self._refusals: dict[tuple[str, str], float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        ours = self._api_headers if scope["path"].startswith(FOR_PROGRAMS) else self._page_headers
        patience = self._accounts.settings.chunk_seconds
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = added(message["headers"], ours)
            if not message.get("more_body", False):
                await send(message)
                return
            try:  # a client that does not read for so long is gone, or reconnects
                async with asyncio.timeout(patience):
                    await send(message)
            except TimeoutError:
                raise ClientGone from None

        try:
            refusal = await self._admit(scope)
            if refusal is not None:
                await refusal(scope, receive, send_on)
            else:
                await self._app(scope, receive, send_on)
        except ClientGone:
            return
        except Exception as error:
            broken = self._fault(error)
            if status:
                raise  # half of the response is sent: the server cuts the connection
            await answer(Request(scope), broken, self._page)(scope, receive, send_on)
        finally:
            await self._after(scope, status, time.perf_counter() - begun)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refused before it is accepted, with a problem (ASGI, WebSocket Denial Response)."""
        begun = time.perf_counter()
        scope.setdefault("state", {})["principal"] = None
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "websocket.accept":
                status = _ACCEPTED
            elif message["type"] == "websocket.http.response.start":
                status = message["status"]
                message["headers"] = added(message["headers"], self._api_headers)
            elif message["type"] == "websocket.close" and not status:
                wrong = message.get("code") == WS_1008_POLICY_VIOLATION  # of FastAPI, for what it cannot read
                await _denial(HTTPException(422 if wrong else 404))(scope, receive, send_on)
                return
            await send(message)

        try:
            request_headers = dict(scope["headers"])
            self._check_host(scope["headers"])
            caller = await self._identify(scope, request_headers)
            if caller is None:
                raise NotSignedIn("sign in first, or send a token that is in force")
            if caller.must_change:
                raise MustChangePassword("change the password first: somebody else knows it")
            if not caller.principal.token:
                refuse_foreign(request_headers, tls=self._accounts.settings.tls)
        except MembercardError as e:
            await _denial(e)(scope, receive, send_on)
        else:
            await self._app(scope, receive, send_on)
        finally:
            if status != _ACCEPTED:
                await self._after(scope, status, time.perf_counter() - begun)

    async def _admit(self, scope: Scope) -> Response | None:
        """Identify the caller in the request's state; gives a response where the request ends here."""
        request_headers = dict(scope["headers"])
        path: str = scope["path"]
        state = scope.setdefault("state", {})
        state.update(principal=None, caller=None, csrf="", language=_UNKNOWN_LANGUAGE)
        try:
            self._check_host(scope["headers"])
            if path.startswith(_STATIC):
                state["language"] = _language(request_headers, None)
                return None
            caller = await self._identify(scope, request_headers)
            if caller is None and path.startswith(_API) and (scope["method"], path) not in _PUBLIC_API:
                raise NotSignedIn("sign in first, or send a token that is in force")
            if caller is not None and caller.must_change and not path.startswith(_FREE):
                raise MustChangePassword("change the password first: somebody else knows it")
        except MembercardError as e:
            if isinstance(e, MustChangePassword) and not path.startswith(_API) and scope["method"] in READS:
                return RedirectResponse(PASSWORD_PAGE, 303)
            state["language"] = _language(request_headers, state["caller"])
            return answer(Request(scope), e, self._page)
        return None

    async def _identify(self, scope: Scope, request_headers: Mapping[bytes, bytes]) -> AuthenticatedCaller | None:
        """Raises NotSignedIn for an invalid token, Unavailable."""
        state = scope.setdefault("state", {})
        given = request_headers.get(b"authorization")
        if given is not None:
            kind, _, secret = given.decode("latin-1").partition(" ")
            right = kind.lower() == "bearer" and TOKEN.fullmatch(secret)
            caller = await self._authenticated(secret, token=True) if right else None
            if caller is None:
                raise NotSignedIn("this token is not in force")
        else:
            secret = cookies.read(request_headers.get(b"cookie", b""), self._cookie)
            caller = await self._authenticated(secret, token=False) if SECRET.fullmatch(secret) else None
        state["secret"] = secret.encode("latin-1")
        state["caller"] = caller
        state["principal"] = caller.principal if caller else None
        state["csrf"] = caller.csrf if caller else ""
        state["language"] = _language(request_headers, caller)
        return caller

    async def _authenticated(self, secret: str, *, token: bool) -> AuthenticatedCaller | None:
        return await self._accounts.authenticator.identify(key_of(secret), token=token)

    def _check_host(self, sent_headers: Headers) -> None:
        """Protects against foreign names that point here (DNS rebinding), and against two answers to one question.
        Raises WrongHost; Invalid for another header that stands there twice."""
        names = [name for name, _ in sent_headers]
        hosts = [value for name, value in sent_headers if name == b"host"]
        if len(hosts) != 1:
            raise WrongHost("a request names one host")  # RFC 9112, 3.2
        for once in _ONCE:
            if names.count(once) > 1:
                raise Invalid(f"the header {once.decode()} stands there twice", {once.decode(): "once"})
        sent = hosts[0]
        if sent in self._hosts:
            return
        authority = _AUTHORITY.fullmatch(sent.decode("latin-1").lower())
        name = authority[1] if authority and int(authority[2] or 0) <= _HIGHEST_PORT else ""
        settings = self._accounts.settings
        if name not in settings.hosts and name not in settings.renewed_hosts():
            raise WrongHost("this service does not answer under that host name")
        if len(self._hosts) < _MANY:
            self._hosts.add(sent)

    def _fault(self, error: Exception) -> Broken:
        """Log the fault by its place only: its text may hold personal data."""
        error_id = secrets.token_hex(6)
        frames = extract_tb(error.__traceback__)
        own = [frame for frame in frames if Path(__file__).parent.parent.parent in Path(frame.filename).parents]
        places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in (own or list(frames))[-5:]]
        log.error("fault", extra={"error_id": error_id, "kind": type(error).__name__, "places": places})
        return Broken(f"something went wrong here; the log names it {error_id}", error_id=error_id)

    async def _after(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        wire_method = scope.get("method", "WEBSOCKET")
        method = wire_method if wire_method in _METHODS else "other"
        self._measures.request(method, route, status, seconds)
        principal = scope["state"]["principal"]
        notable = status >= 400 or status == 0 or method not in READS or seconds > _SLOW_SECONDS
        if notable or log.isEnabledFor(logging.DEBUG):
            who = principal.name if principal else ""
            fields: dict[str, Any] = {"method": method, "route": route, "status": status, "who": who}
            fields["ms"] = round(seconds * 1000, 1)
            log.log(logging.INFO if notable else logging.DEBUG, "request", extra=fields)
        if status == 403 and principal is not None:
            await self._refused(scope, f"{method} {route}")

    async def _refused(self, scope: Scope, what: str) -> None:
        """Audit a refusal, once a minute for the same one, so that nobody can fill the audit."""
        principal = scope["state"]["principal"]
        now = time.monotonic()
        if now - self._refusals.get((principal.name, what), -_REFUSAL_SECONDS) < _REFUSAL_SECONDS:
            return
        if len(self._refusals) >= _MANY:
            self._refusals.clear()
        self._refusals[principal.name, what] = now
        origin = scope["client"][0] if scope.get("client") else ""
        try:
            await to_thread.run_sync(self._accounts.refused, principal, what, origin)
        except MembercardError as e:
            log.warning("refusal not audited", extra={"kind": type(e).__name__})


_METHODS: Final = frozenset({*READS, "POST", "PUT", "PATCH", "DELETE", "WEBSOCKET"})


def _denial(error: Exception) -> Response:
    """The response to a refused WebSocket. Raises what is no refusal."""
    problem = problem_of(error)
    if problem is None:
        raise error
    return problem.response()


def _route(scope: Scope) -> str:
    """The declared path with parameter names: card numbers belong in no log and no metric."""
    included = scope.get("fastapi", {}).get("effective_route_context")  # knows the prefix, which the route does not
    route = included or scope.get("route")
    return getattr(route, "path_format", None) or ("static" if scope["path"].startswith(_STATIC) else "other")


def _language(request_headers: Mapping[bytes, bytes], caller: AuthenticatedCaller | None) -> str:
    """The language chosen on this machine, else the user's, else the browser's, else Chinese."""
    sent = request_headers.get(b"cookie")
    if sent is not None and (chosen := cookies.read(sent, cookies.LANGUAGE)) in cookies.LANGUAGES:
        return chosen
    if caller is not None and caller.language:
        return caller.language
    wanted = request_headers.get(b"accept-language", b"")[:2].lower()
    return "en" if wanted == b"en" else _UNKNOWN_LANGUAGE


def refuse_foreign(request_headers: Mapping[bytes, bytes], *, tls: bool) -> None:
    """Raises NotMeant for a request from another site's page."""
    if not csrf.same_origin(request_headers, tls=tls):
        raise NotMeant("this came from a page of another site")


def headers(policy: str, *, tls: bool) -> Headers:
    """Response headers as ASGI takes them; HSTS under TLS only (RFC 6797, 7.2)."""
    pairs = [("content-security-policy", policy), *_ALWAYS, *([_TLS] if tls else [])]
    return [(name.encode(), value.encode()) for name, value in pairs]


def added(present: Headers, ours: Headers) -> Headers:
    """Response headers with ours. A response that may be cached says so itself; every other is not stored."""
    for name, _ in present:
        if name == b"cache-control":
            return [*present, *ours]
    return [*present, *ours, NO_STORE]
