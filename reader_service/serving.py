"""The web server: address, TLS, slow clients, and a shutdown that lets every card be finished."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn
from anyio import to_thread
from cryptography import x509
from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from reader_service.access.addresses import is_loopback
from reader_service.access.settings import LOOPBACK, AccessSettings
from reader_service.errors import Invalid
from reader_service.http.errors import MEDIA_TYPE, Problem
from reader_service.http.middleware import API_POLICY, NO_STORE, headers

HEAD_SECONDS: Final = 10.0
"""Seconds that a request's head may take, and that an idle connection may stay."""
HEAD_BYTES: Final = 64 * 1024
UNREAD_SECONDS: Final = 60.0
"""Seconds that a client may read nothing; the kernel's buffer hides its reading for a while."""
_GRACE_SECONDS: Final = 10
_BACKLOG: Final = 2048
_LINGER_SECONDS: Final = 0.5
_WEBSOCKET_BYTES: Final = 4096
"""Of one message from a client: nothing of it is read."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen. ``cert`` and ``key`` are PEM files; with ``client_ca`` only stations whose certificate it signed
    come in. ``names``: further host names that this service answers to. ``port`` 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 8080
    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    names: tuple[str, ...] = ()

    @property
    def tls(self) -> bool:
        return self.cert is not None

    def check(self) -> None:
        """Raises Invalid: for anything but this machine without TLS, and for TLS files that do not fit."""
        if (self.cert is None) != (self.key is None):
            raise Invalid("TLS needs both: a certificate (--tls-cert) and its key (--tls-key)")
        if self.client_ca is not None and not self.tls:
            raise Invalid("stations can show certificates (--client-ca) only over TLS: give --tls-cert and --tls-key")
        if not self.tls and self.host != "localhost" and not is_loopback(self.host):
            raise Invalid(
                f"without TLS the service listens on this machine only, not on {self.host}: passwords and personal "
                "data would cross the network in clear; give --tls-cert and --tls-key, or leave --host away"
            )
        if self.tls:
            _tls_files_fit(self)

    def open(self) -> socket.socket:
        """The listening socket. Raises Invalid where something else listens there, OSError."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            return socket.create_server((self.host, self.port), family=family, backlog=_BACKLOG)
        except OSError as e:
            if e.errno == errno.EADDRINUSE:
                raise Invalid(f"port {self.port} of {self.host} is taken; name another with --port") from None
            raise

    def access_settings(self) -> AccessSettings:
        """The access rules for this address: the service answers for the names in its certificate."""
        named = [*LOOPBACK, *self.names, *_names_of(self.cert)]
        return AccessSettings(hosts=tuple(dict.fromkeys(name.lower() for name in named)), tls=self.tls)


def serve(
    app: FastAPI,
    listen: Listen,
    *,
    stop: Callable[[], None],
    ready: Callable[[str], None],
    listener: socket.socket | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, at ``listener`` where it was opened before. Raises Invalid for a port in use. Call
    ``listen.check`` first.

    ``ready`` gets the address once the server listens; ``stop`` ends lanes and listeners before connections are closed.
    """
    with listener or listen.open() as opened:
        Server(config_of(app, listen), stop, ready).run([opened])


def config_of(app: ASGIApp, listen: Listen) -> uvicorn.Config:
    """The configuration of the server."""
    return uvicorn.Config(
        app,
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
        ssl_certfile=listen.cert,
        ssl_keyfile=listen.key,
        ssl_ca_certs=listen.client_ca,
        ssl_cert_reqs=ssl.CERT_REQUIRED if listen.client_ca else ssl.CERT_NONE,
    )


class Server(uvicorn.Server):
    """Shuts down in order: lanes first, then listeners, then connections."""

    def __init__(self, config: uvicorn.Config, stop: Callable[[], None], ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._stop = stop
        self._ready = ready

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            self._ready(f"{'https' if self.config.is_ssl else 'http'}://{shown}:{port}")

    async def shutdown(self, sockets: Any = None) -> None:
        stopping = asyncio.ensure_future(to_thread.run_sync(self._stop, abandon_on_cancel=True))
        while not self.force_exit and not stopping.done():
            await asyncio.wait((stopping,), timeout=0.1)
        stopping.cancel()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike the inherited one it does not kill the process afterwards: there is more to close. A terminal that is
        closed ends it too, unless the process ignores that signal (nohup)."""
        main = threading.current_thread() is threading.main_thread()
        heard = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if main else ()
        numbers = [number for number in heard if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self.handle_exit) for number in numbers}
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
        self._timer = self._loop.call_later(UNREAD_SECONDS, self._look, left) if left else None

    def _look(self, before: int) -> None:
        if self._taken or self._transport.get_write_buffer_size() < before:
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


class Connection(HttpToolsProtocol):
    """Closes connections whose request does not start, stalls or has endless headers, or whose response is not read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._upgraded = False
        self._deadline: asyncio.TimerHandle | None = None
        self._head = 0
        self._in_head = False
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._unread = Unread(self.loop, transport)
        self._begin()

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

    def _begin(self) -> None:
        if not self._in_head:
            self._in_head, self._head = True, 0
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

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


def _tls_files_fit(listen: Listen) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(str(listen.cert), str(listen.key), password=_no_password)
        if listen.client_ca is not None:
            context.load_verify_locations(str(listen.client_ca))
    except ssl.SSLError as e:
        raise Invalid(f"the TLS files do not fit together or are not PEM: {e.reason or 'unreadable'}") from None
    except OSError as e:
        raise Invalid(f"cannot read a TLS file: {e.strerror}") from None


def _no_password() -> str:
    """A key under a password would have the service wait at a terminal that nobody sees."""
    return ""


def _names_of(cert: Path | None) -> list[str]:
    """Subject alternative names. RFC 5280, 4.2.1.6."""
    if cert is None:
        return []
    certificate = x509.load_pem_x509_certificate(cert.read_bytes())
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = names.get_values_for_type(x509.IPAddress)
    shown = [f"[{address}]" if address.version == 6 else str(address) for address in addresses]
    return [*names.get_values_for_type(x509.DNSName), *shown]
