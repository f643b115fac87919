"""The web server: address, renewed TLS files, and a shutdown that lets every card be finished."""

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

from reader_service import connections, process
from reader_service.accepting import Acceptor
from reader_service.connections import Connection, Socket
from reader_service.listen import Listen
from reader_service.tls import TlsFiles

_GRACE_SECONDS: Final = 10
"""Seconds at the end for answers that are under way; the seconds that lanes took count, but for the last three."""
_LEAST_GRACE_SECONDS: Final = 3
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
            seconds=connections.HEAD_SECONDS,
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
        closed ends it too, unless the process ignores that signal (nohup). A signal that was blocked before is
        taken now, and blocked again afterwards."""
        main = threading.current_thread() is threading.main_thread()
        handlers = {signal.SIGINT: self.handle_exit, signal.SIGTERM: self.handle_exit, signal.SIGHUP: self.hang_up}
        heard = {
            number: handler for number, handler in handlers.items() if signal.getsignal(number) is not signal.SIG_IGN
        }
        before = {number: signal.signal(number, handler) for number, handler in heard.items()} if main else {}
        held = signal.pthread_sigmask(signal.SIG_UNBLOCK, heard if main else ())
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
            for number, handler in before.items():
                signal.signal(number, handler)
