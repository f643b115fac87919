"""The web server: address, slow clients, renewed TLS files, and a shutdown that lets every card be finished."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from types import FrameType
from typing import Any, Final

import uvicorn
from anyio import to_thread
from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from reader_service import process
from reader_service.accepting import Accepted, Acceptor
from reader_service.http.errors import MEDIA_TYPE, Problem
from reader_service.http.middleware import API_POLICY, NO_STORE, headers
from reader_service.listen import Listen
from reader_service.tls import TlsFiles

HEAD_SECONDS: Final = 10.0
"""Seconds that a request's head may take, the TLS handshake before it included."""
HEAD_BYTES: Final = 64 * 1024
UNREAD_SECONDS: Final = 60.0
"""Seconds that a client may read nothing; the kernel's buffer hides its reading for a while."""
_GRACE_SECONDS: Final = 10
"""Seconds at the end for answers that are under way; the seconds that lanes took count, but for the last three."""
_LEAST_GRACE_SECONDS: Final = 3
_LINGER_SECONDS: Final = 0.5
_LATE_SECONDS: Final = 5.0
"""Seconds by which a busy loop may be late; more is a pause of the machine."""
_WARN_TICKS: Final = 36_000
"""Ticks of a tenth of a second between looks at the expiry of the certificates."""
_WEBSOCKET_BYTES: Final = 4096
"""Of one message from a client: nothing of it is read."""


def serve(
    app: FastAPI,
    listen: Listen,
    *,
    stop: Callable[[], None],
    ready: Callable[[str], None],
    listener: socket.socket | None = None,
    tls: TlsFiles | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, at ``listener`` where it was opened before. Raises Invalid for a port in use. Call
    ``listen.check`` first.

    SIGHUP renews the TLS files. It ends the service where there are none, or where the terminal was closed.

    ``ready`` gets the address once the server listens; ``stop`` ends lanes and listeners before connections are closed.
    """
    with listener or listen.open() as opened:
        config = config_of(app, listen, tls)
        app.state.tls = config.tls
        Server(config, stop, ready).run([opened])


class Config(uvicorn.Config):
    """The configuration of the server; ``tls`` is None where it speaks plain HTTP."""

    def __init__(self, app: ASGIApp, tls: TlsFiles | None, **options: Any) -> None:
        super().__init__(app, ssl_context_factory=(lambda *_: tls.context) if tls else None, **options)
        self.tls = tls


def config_of(app: ASGIApp, listen: Listen, tls: TlsFiles | None = None) -> Config:
    """The configuration of the server, with the TLS files of ``listen`` where no others are in use."""
    return Config(
        app,
        tls or listen.tls_files(),
        http=Connection,
        ws=Socket,
        ws_max_size=_WEBSOCKET_BYTES,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


class Server(uvicorn.Server):
    """Shuts down in order: lanes first, then listeners, then connections. Accepts connections itself, so that refused
    ones get an answer and there is always room for one more."""

    def __init__(self, config: Config, stop: Callable[[], None], ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._stop = stop
        self._ready = ready
        self._tls = config.tls
        self._renew = False
        self._terminal = process.has_terminal()
        self._acceptor: Acceptor | None = None

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        await super().startup([])
        if not self.started or not sockets:
            return
        self._acceptor = Acceptor(
            sockets,
            self._connection,
            self._tls,
            seconds=HEAD_SECONDS,
            most=process.connections(),
            count=lambda: len(self.server_state.connections),
            make_room=self._make_room,
        )
        if self._tls is not None:
            self._tls.warn()
        host, port = sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self._ready(f"{'https' if self._tls else 'http'}://{shown}:{port}")

    def _connection(self) -> Connection:
        return Connection(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    def _make_room(self) -> bool:
        """Close a connection that waits for its next request, or else the one whose request takes longest to arrive;
        whether there is one."""
        connections = [one for one in self.server_state.connections if isinstance(one, Connection)]
        arriving = [(one.head_due, one) for one in connections if one.head_due is not None]
        idle = next((one for one in connections if one.idle), None)
        if idle is None and arriving:
            _, idle = min(arriving, key=itemgetter(0))
        if idle is not None:
            idle.transport.abort()
        return idle is not None

    async def on_tick(self, counter: int) -> bool:
        if self._tls is not None:
            if self._renew:
                self._renew = False
                self._tls.renew()
            if counter % _WARN_TICKS == 0:
                self._tls.warn()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        begun = asyncio.get_running_loop().time()
        stopping = asyncio.ensure_future(to_thread.run_sync(self._stop, abandon_on_cancel=True))
        while not self.force_exit and not stopping.done():
            await asyncio.wait((stopping,), timeout=0.1)
        stopping.cancel()
        if self._acceptor is not None:
            self._acceptor.close()
        spent = int(asyncio.get_running_loop().time() - begun)
        self.config.timeout_graceful_shutdown = max(_LEAST_GRACE_SECONDS, _GRACE_SECONDS - spent)
        await super().shutdown(sockets)

    def hang_up(self, number: int, frame: FrameType | None) -> None:
        """SIGHUP: the terminal was closed, or somebody renewed the TLS files."""
        if self._tls is None or (self._terminal and not process.has_terminal()):
            self.handle_exit(number, frame)
        else:
            self._renew = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike the inherited one it does not kill the process afterwards: there is more to close. A terminal that is
        closed ends it too, unless the process ignores that signal (nohup)."""
        main = threading.current_thread() is threading.main_thread()
        handlers = {signal.SIGINT: self.handle_exit, signal.SIGTERM: self.handle_exit, signal.SIGHUP: self.hang_up}
        heard = {
            number: handler for number, handler in handlers.items() if signal.getsignal(number) is not signal.SIG_IGN
        }
        before = {number: signal.signal(number, handler) for number, handler in heard.items()} if main else {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Unread:
    """Cuts a connection whose client does not read: a normal close would wait for it, with its memory and its file
    descriptor."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop, self._transport = loop, transport
        self._timer: asyncio.TimerHandle | None = None
        self._taken = False

    def watch(self) -> None:
        """Watch until everything is sent."""
        if self._timer is None:
            self._wait()

    def taken(self) -> None:
        """The client read something."""
        self._taken = True

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        left = self._transport.get_write_buffer_size()
        self._taken = False
        due = self._loop.time() + UNREAD_SECONDS
        self._timer = self._loop.call_at(due, self._look, left, due) if left else None

    def _look(self, before: int, due: float) -> None:
        paused = self._loop.time() - due > _LATE_SECONDS  # the machine, and the client with it or not
        if paused or self._taken or self._transport.get_write_buffer_size() < before:
            self._wait()
        else:
            self._timer = None
            self._transport.abort()


class Socket(WebSocketsSansIOProtocol):
    """A WebSocket that a client cannot hold by not reading."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._unread = Unread(self.loop, self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unread.end()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread.taken()

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self._unread.watch()


class Connection(HttpToolsProtocol, Accepted):
    """Closes connections whose request does not start, stalls or has endless headers, or whose response is not read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._upgraded = False
        self._deadline: asyncio.TimerHandle | None = None
        self._head = 0
        self._in_head = False
        self._refused = False

    @property
    def idle(self) -> bool:
        """Whether it waits for its next request."""
        done = self.cycle is not None and self.cycle.response_complete
        return done and not self._in_head and not self._upgraded and not self.transport.is_closing()

    @property
    def head_due(self) -> float | None:
        """When the head that is arriving must be complete, by the time of the loop; None where none is."""
        due = self._deadline
        return due.when() if due is not None and not self.transport.is_closing() else None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._unread = Unread(self.loop, transport)
        self._begin(self.accepted_at)

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        self._unread.end()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread.taken()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._unread.watch()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._unread.watch()

    def handle_websocket_upgrade(self) -> None:
        """From here on the connection is the WebSocket's: whatever watched over it must not close it."""
        self._upgraded = True
        self._unread.end()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if self._upgraded:
            return
        if not self._in_head:
            self._watch_idle()
            return
        self._head += len(data)
        if self._head > HEAD_BYTES:
            self._refuse(431, "too-large", f"the head of a request has {HEAD_BYTES} bytes at most")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin()

    def on_headers_complete(self) -> None:
        self._arrived()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "bad-request", "this is no HTTP request")

    def _begin(self, since: float | None = None) -> None:
        if not self._in_head:
            self._in_head, self._head = True, 0
            self._deadline = self.loop.call_at((since or self.loop.time()) + HEAD_SECONDS, self.transport.close)

    def _arrived(self) -> None:
        self._in_head = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _watch_idle(self) -> None:
        """Data after the response (a body that nobody wanted) must not end the watch over an idle connection."""
        done = self.cycle is not None and self.cycle.response_complete and not self.transport.is_closing()
        if done and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _refuse(self, status: int, code: str, detail: str) -> None:
        body = Problem(status, code, detail).body()
        fields = [*headers(API_POLICY, tls=self.config.is_ssl), NO_STORE]
        head = (
            f"HTTP/1.1 {status} ",
            f"content-type: {MEDIA_TYPE}",
            f"content-length: {len(body)}",
            "connection: close",
            *(f"{name.decode()}: {value.decode()}" for name, value in fields),
        )
        self.transport.write("\r\n".join((*head, "", "")).encode() + body)
        # Closed at once, the connection would be reset under the client that still sends, and the answer lost.
        self._refused = True
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)
