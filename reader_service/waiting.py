"""A station that starts before its database: it answers that it is not ready, and retries until the
database is there."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from contextvars import copy_context
from types import FrameType
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from reader_service.http.errors import FOR_PROGRAMS, Problem
from reader_service.http.health import HealthResponse
from reader_service.http.middleware import API_POLICY, added, headers
from reader_service.listen import Listen
from reader_service.pages.words import LANGUAGES, words
from reader_service.serving import Server, config_of
from reader_service.tls import TlsFiles
from registry.errors import RegistryUnavailable
from registry.store import Registry

EVERY: Final = 2.0
_log = logging.getLogger(__name__)


def opened(
    attempt: Callable[[], Registry],
    listen: Listen,
    listener: socket.socket,
    *,
    every: float = EVERY,
    tls: TlsFiles | None = None,
) -> Registry | None:
    """The registry that ``attempt`` opens in the end; None where SIGTERM or SIGINT comes first.

    Until then ``/health/ready`` answers 503. Raises faults that waiting does not mend: a server that refuses this user,
    a database of a newer program, a file that is none.
    """
    try:
        return attempt()
    except RegistryUnavailable as e:
        if not e.retryable:
            raise
        return _Wait(attempt, every, str(e)).over(listen, listener, tls)


class _Server(Server):
    """Knows whether a signal ended it."""

    signalled = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.signalled = True
        super().handle_exit(sig, frame)


class _Wait:
    """One thread tries to open the registry while the server answers that it is away."""

    def __init__(self, attempt: Callable[[], Registry], every: float, why: str) -> None:
        self._attempt, self._every, self._why = attempt, every, why
        self._ended = threading.Event()
        self._registry: Registry | None = None
        self._fault: Exception | None = None

    def over(self, listen: Listen, listener: socket.socket, tls: TlsFiles | None) -> Registry | None:
        server = _Server(config_of(_away(listen.tls), listen, tls), self._ended.set, self._listening)
        inside = copy_context().run  # with the settings in use: without, the thread would open the default registry
        trying = threading.Thread(target=inside, args=(self._try, server), name="waiting for the database", daemon=True)
        trying.start()
        with listener.dup() as own:  # the server closes its socket at the end; the real one takes this place
            server.run([own])
        trying.join()
        if server.signalled:
            if self._registry is not None:
                self._registry.close()
            return None
        if self._fault is not None:
            raise self._fault
        _log.info("the database is there")
        return self._registry

    def _listening(self, address: str) -> None:
        _log.warning("%s; trying again every %g seconds, at %s meanwhile", self._why, self._every, address)

    def _try(self, server: Server) -> None:
        while not self._ended.wait(self._every):
            try:
                self._registry = self._attempt()
            except Exception as e:  # whatever it is: it ends the wait, and is raised where the wait was begun
                if isinstance(e, RegistryUnavailable) and e.retryable:
                    continue
                self._fault = e
            server.should_exit = True
            return


def _away(tls: bool) -> ASGIApp:
    """Answers every request that the service waits; it is alive, but not ready."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await _answer(Request(scope), tls)(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1013})  # try again later, RFC 6455 registry
        else:
            await _lifespan(receive, send)

    return app


def _answer(request: Request, tls: bool) -> Response:
    path = request.url.path
    if path == "/health/live":
        answer: Response = JSONResponse({"live": True})
    elif path == "/health/ready":
        answer = JSONResponse(HealthResponse(ready=False, parts={"database": "away"}).model_dump(), 503)
    elif path.startswith(FOR_PROGRAMS):
        answer = Problem(503, "unavailable", "the database is away; the service waits for it").response()
    else:
        texts = "".join(f'<p lang="{language}">{words(language)("problem.waiting")}</p>' for language in LANGUAGES)
        page = f'<!doctype html><html lang="zh"><meta charset="utf-8"><title>membercard</title>{texts}</html>'
        answer = HTMLResponse(page, 503, {"Refresh": f"{EVERY:.0f}"})
    if answer.status_code == 503:
        answer.headers["Retry-After"] = f"{EVERY:.0f}"
    answer.raw_headers[:] = added(answer.raw_headers, headers(API_POLICY, tls=tls))
    return answer


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
