"""Accepts connections: TLS within a limit of time, an answer and a log line for refused ones, and room within the limit
of open files."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Final

from reader_service.tls import HandshakeRefused, TlsFiles

_AT_ONCE: Final = 64
"""Connections accepted before others get their turn."""
_LINGER_SECONDS: Final = 0.5
"""How long a refused client may still send: closed at once, the connection would be reset and the answer lost."""
_PAUSE_SECONDS: Final = 0.2
_TURN_SECONDS: Final = 0.02
_EARLY_SECONDS: Final = 1.0
"""How old a handshake must be to give way to a new client."""
_NOTED_SECONDS: Final = 60.0
_NOTED: Final = 20
"""Lines at most about refused connections in that time."""
_TLS_ONLY: Final = (
    "本端口只接受 HTTPS，请使用以 https:// 开头的地址。\n"
    "This port takes HTTPS only: use an address that begins with https://\n"
).encode()
_PLAIN_HTTP: Final = (
    b"HTTP/1.1 400 \r\ncontent-type: text/plain; charset=utf-8\r\nx-content-type-options: nosniff\r\n"
    b"cache-control: no-store\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(_TLS_ONLY), _TLS_ONLY)
)
_log = logging.getLogger(__name__)


class Accepted(asyncio.Protocol):
    """The protocol of a connection."""

    accepted_at: float | None = None
    """When it was accepted, by the time of the loop: the limit of its first head includes the handshake."""


class Refusals:
    """Log lines about refused connections: one for each address and reason in a minute, and the number of the others.
    On the event loop only."""

    def __init__(self) -> None:
        self._noted: set[tuple[str, str]] = set()
        self._more = 0

    def note(self, address: str, reason: str) -> None:
        if not self._noted:
            asyncio.get_running_loop().call_later(_NOTED_SECONDS, self._next)
        if (address, reason) in self._noted or len(self._noted) >= _NOTED:
            self._more += 1
            return
        self._noted.add((address, reason))
        _log.warning("a connection was refused: %s", reason, extra={"address": address})

    def _next(self) -> None:
        if self._more:
            _log.warning("%d more connections were refused in the last minute", self._more)
        self._noted.clear()
        self._more = 0


class Acceptor:
    """Accepts at ``listeners`` until ``close``.

    ``create`` makes the protocol of a connection; ``seconds`` is the limit for its TLS handshake and first head
    together. While ``count()`` connections are ``most`` or more, ``make_room()`` is to close one that waits for its
    client; where it finds none and no handshake takes long, new connections are closed.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        create: Callable[[], Accepted],
        tls: TlsFiles | None,
        *,
        seconds: float,
        most: int,
        count: Callable[[], int],
        make_room: Callable[[], bool],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listeners, self._create, self._tls = listeners, create, tls
        self._seconds, self._most, self._count, self._make_room = seconds, most, count, make_room
        self._opening: set[asyncio.Task[None]] = set()
        self._handshakes: dict[socket.socket, float] = {}
        self._refusals = Refusals()
        self._closed = False
        for listener in listeners:
            listener.setblocking(False)
            self._loop.add_reader(listener, self._accept, listener)

    def close(self) -> None:
        """Accept no more; handshakes that are not over end."""
        self._closed = True
        for listener in self._listeners:
            self._loop.remove_reader(listener)
        for task in self._opening:
            task.cancel()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            crowded = self._full()
            full = crowded and not self._room()
            if full and self._opening:
                self._wait(listener, _TURN_SECONDS)  # those are soon at work, idle or gone
                return
            try:
                line, place = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # the client went away meanwhile
            except OSError as fault:  # no file descriptor or memory is left: accept(2)
                self._refusals.note("", f"accepting fails: {fault.strerror}")
                self._make_room()
                self._wait(listener, _PAUSE_SECONDS)
                return
            address = str(place[0])
            if full:
                self._refusals.note(address, "too many connections are open")
                line.close()
                continue
            task = self._loop.create_task(self._open(line, address))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
            if crowded:
                return  # who gave way counts until the next turn, in which the others are accepted

    def _full(self) -> bool:
        """A connection in its handshake has two descriptors."""
        return self._count() + len(self._opening) + len(self._handshakes) >= self._most

    def _room(self) -> bool:
        """Close what waits for its client; whether there is any."""
        if self._make_room():
            return True
        for spare, begun in self._handshakes.items():
            if self._loop.time() - begun > _EARLY_SECONDS:
                del self._handshakes[spare]
                with contextlib.suppress(OSError):
                    spare.shutdown(socket.SHUT_RDWR)
                return True
        return False

    def _wait(self, listener: socket.socket, seconds: float) -> None:
        self._loop.remove_reader(listener)
        self._loop.call_later(seconds, self._go_on, listener)

    def _go_on(self, listener: socket.socket) -> None:
        if not self._closed:
            self._loop.add_reader(listener, self._accept, listener)

    async def _open(self, line: socket.socket, address: str) -> None:
        accepted_at = self._loop.time()

        def created() -> Accepted:
            protocol = self._create()
            protocol.accepted_at = accepted_at
            return protocol

        with contextlib.suppress(OSError):
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is None:
            with contextlib.suppress(OSError):  # it went away meanwhile
                await self._loop.connect_accepted_socket(created, line)
            return
        try:
            spare = line.dup()  # the loop closes the other one before the client knows why
        except OSError as fault:
            self._refusals.note(address, f"accepting fails: {fault.strerror}")
            line.close()
            return
        with spare:
            self._handshakes[spare] = accepted_at
            try:
                await self._loop.connect_accepted_socket(
                    created, line, ssl=self._tls.context, ssl_handshake_timeout=self._seconds
                )
            except HandshakeRefused as refused:
                self._refusals.note(
                    address, "plain HTTP at a TLS port" if refused.plain_http else f"TLS: {refused.sentence}"
                )
                await self._answer(spare, _PLAIN_HTTP if refused.plain_http else refused.alert)
            except ConnectionAbortedError:
                self._refusals.note(address, f"TLS: no handshake within {self._seconds:g} seconds")
            except OSError as gone:  # broken TLS among them
                _log.debug("a client left during the TLS handshake: %s", type(gone).__name__)
            finally:
                self._handshakes.pop(spare, None)

    async def _answer(self, line: socket.socket, answer: bytes) -> None:
        """Send the reason to a refused client, and read on until it has it."""
        with contextlib.suppress(OSError, TimeoutError):
            line.send(answer)
            line.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(_LINGER_SECONDS):
                while await self._loop.sock_recv(line, 65536):
                    pass
