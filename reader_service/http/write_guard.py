"""The checks of every write: it is intended (CSRF), its body is complete, and it is done once (Idempotency-Key)."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from typing import Final

from anyio import CancelScope, to_thread
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from reader_service.access import csrf
from reader_service.access.authenticator import AuthenticatedCaller
from reader_service.access.settings import AccessSettings
from reader_service.errors import KeyMissing, NotMeant, NotSignedIn, RequestTooLarge
from reader_service.http import bodies, idempotency
from reader_service.http.errors import FOR_PROGRAMS, Page, answer
from reader_service.http.idempotency import IdempotencyStore, InMemoryIdempotencyStore, StoredResponse
from reader_service.http.middleware import READS, refuse_foreign
from reader_service.principal import Principal
from registry.admin.idempotency import Begun, StoredReply
from registry.db.privacy import scrub
from registry.errors import RegistryUnavailable
from terminal.errors import MembercardError

_SESSION: Final = "/api/v1/session"
"""The caller's own session: its responses carry cookies and are not stored."""
_HERE: Final = (
    *("/api/v1/verify", "/api/v1/read", "/api/v1/readers", "/api/v1/developer", "/api/v1/lanes"),
    *("/api/v1/redemptions/open", "/api/v1/redemptions/acknowledge", "/api/v1/redemptions/queue"),
    "/api/v1/card-changes",
    *("/counter/", "/developer/", "/station/start", "/station/lanes/", "/station/all/", "/station/readers/"),
)
"""About this machine's readers: stored in memory, so that they work while the database is away. So are those about
cards at distant counters, one or more for each insertion: the registry answers them the same when they come again."""

DISCLOSES: Final = re.compile(r"/(?:unmask|look|rows|account|reset|check|users|tokens)$")
"""Addresses outside ``_HERE`` whose responses hold personal data in clear, or a password or token that is shown
once."""

log = logging.getLogger("reader_service.requests")


class WriteGuard:
    """Stands between RequestMiddleware, which identifies the caller, and the endpoints."""

    def __init__(
        self,
        app: ASGIApp,
        settings: AccessSettings,
        store: IdempotencyStore,
        replayed: Callable[[Principal, str, str], None],
        page: Page | None = None,
    ) -> None:
        """``replayed`` audits that a stored response with personal data or a secret is given again."""
        self._app = app
        self._replayed = replayed
        self._settings = settings
        self._store = store
        self._here = InMemoryIdempotencyStore()
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READS:
            await self._app(scope, receive, send)
            return
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        caller: AuthenticatedCaller | None = scope["state"]["caller"]
        try:
            if caller is None or not caller.principal.token:
                refuse_foreign(headers, tls=self._settings.tls)
            body = await bodies.take(
                receive, headers, self._settings, secret=scope["state"].get("secret", b""), known=caller is not None
            )
        except MembercardError as e:
            if isinstance(e, RequestTooLarge) and not bodies.held_back(headers):
                await bodies.drain(receive, self._settings)
            refusal: MembercardError = e
            ended = caller is None and scope["state"].get("secret")
            if isinstance(e, RequestTooLarge) and ended and bodies.is_upload(headers):
                refusal = NotSignedIn("sign in first")  # a caller whose session is in force may send so much
            response = answer(Request(scope), refusal, self._page)
            response.headers["connection"] = "close"  # the rest of the body is not read
            await response(scope, receive, send)
            return
        try:
            await self._whole(scope, receive, send, headers, body)
        except MembercardError as e:
            await answer(Request(scope), e, self._page)(scope, receive, send)
        finally:
            body.close()

    async def _whole(
        self, scope: Scope, receive: Receive, send: Send, headers: Mapping[bytes, bytes], body: bodies.Body
    ) -> None:
        caller: AuthenticatedCaller | None = scope["state"]["caller"]
        kind = headers.get(b"content-type", b"")
        if caller is not None and not caller.principal.token:
            given = headers.get(csrf.HEADER, b"").decode("latin-1") or csrf.form_field(csrf.FIELD, kind, body.head)
            if not csrf.knows(caller.csrf, given):
                raise NotMeant("the X-CSRF-Token is missing or is not this session's; reload the page")
        key = headers.get(idempotency.HEADER, b"").decode("latin-1")
        if not key and not scope["path"].startswith(FOR_PROGRAMS):
            key = csrf.form_field(csrf.KEY_FIELD, kind, body.head)
        if caller is None or scope["path"].startswith(_SESSION):
            await self._app(scope, body.replay(receive), send)
        elif key:
            await self._once(scope, receive, send, caller, idempotency.checked(key), body)
        elif caller.principal.token:
            raise KeyMissing("a write by a token needs an Idempotency-Key header: a fresh UUID for each thing to do")
        else:
            await self._app(scope, body.replay(receive), send)

    async def _once(
        self, scope: Scope, receive: Receive, send: Send, caller: AuthenticatedCaller, key: str, body: bodies.Body
    ) -> None:
        """Raises IdempotencyKeyReused, RequestInProgress, RegistryUnavailable, Unavailable."""
        name = caller.principal.name
        store = self._here if scope["path"].startswith(_HERE) else self._store
        query = scope["query_string"].decode("latin-1")
        request = f"{scope['method']} {scope['path']}"
        digest = hashlib.sha256(f"{request}?{query}\0".encode("utf-8", "surrogatepass") + body.digest()).digest()
        # An ID number in an address is not stored.
        begun = await idempotency.begin(store, name, key, scrub(request), digest)
        if isinstance(begun, StoredReply):
            if store is self._store and DISCLOSES.search(scope["path"]):
                origin = scope["client"][0] if scope.get("client") else ""
                await to_thread.run_sync(self._replayed, caller.principal, scrub(request), origin)
            for message in idempotency.again(begun, htmx=b"hx-request" in dict(scope["headers"])):
                await send(message)
            return
        caught = StoredResponse()
        done = False
        try:
            await self._app(scope, body.replay(receive), caught.send)
            done = True
        finally:
            # The response is stored even where the client went away: it will send the request again.
            with CancelScope(shield=True):
                await self._keep(store, name, key, begun, caught.reply() if done else None)
        for message in caught.messages():
            await send(message)

    async def _keep(
        self, store: IdempotencyStore, name: str, key: str, begun: Begun, reply: StoredReply | None
    ) -> None:
        try:
            await idempotency.end(store, name, key, begun, reply)
        except RegistryUnavailable as e:
            log.warning("response not stored", extra={"kind": type(e).__name__})
