"""The connections of clients: slow ones and silent ones are closed, what is no request is answered by a problem, and
nothing of one client grows without a limit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

from reader_service.accepting import Accepted
from reader_service.http.errors import MEDIA_TYPE, Problem
from reader_service.http.middleware import API_POLICY, NO_STORE, headers

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

HEAD_SECONDS: Final = 10.0
"""Seconds that a request's head may take, the TLS handshake before it included."""
HEAD_BYTES: Final = 64 * 1024
"""Of a head, and of whatever else brings a request no further: trailers, extensions of chunks, empty lines."""
PIPELINED: Final = 64
"""Requests that may wait behind the one that is answered."""
UNREAD_SECONDS: Final = 60.0
"""Seconds that a client may read nothing; the kernel's buffer hides its reading for a while."""
_LINGER_SECONDS: Final = 0.5
_LEAVE_SECONDS: Final = 2.0
"""Seconds that a client at rest has to close its side when the service ends."""
_LATE_SECONDS: Final = 5.0
"""Seconds by which a busy loop may be late; more is a pause of the machine."""
_PIECE: Final = 16 * 1024
"""Bytes that are read at once, and so the accuracy of the limits."""
_NO_REQUEST: Final = Problem(400, "bad-request", "this is no HTTP request")
_NO_HANDSHAKE: Final = Problem(400, "bad-request", "this is no handshake of a WebSocket")


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
    """A WebSocket that a client cannot hold by not reading, or by a handshake that is none."""

    _refused = False
    _left = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._unread = Unread(self.loop, self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unread.end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if not self.handshake_initiated:  # the whole head was there: the library refuses it, and sends nothing
            self._refused = True
            _refuse(self.transport, self.loop, _NO_HANDSHAKE, tls=self.config.is_ssl)

    def shutdown(self) -> None:
        """The service ends. RFC 6455, 7.4.1."""
        self._left = True
        if not self.handshake_complete or self.close_sent or self.transport.is_closing():
            super().shutdown()
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.GOING_AWAY})
        self.conn.send_close(CloseCode.GOING_AWAY)
        self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.close()
        _leave(self.transport, self.loop)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread.taken()

    async def send(self, message: ASGISendEvent) -> None:
        if self._left:
            raise ClientDisconnected  # what the library takes for a fault of the application
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True  # by a refusal, which the library takes for a fault of the application

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self._unread.watch()


class Connection(HttpToolsProtocol, Accepted):
    """Closes connections whose request does not start, stalls or has endless headers, or whose response is not read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._upgraded = False
        self._deadline: asyncio.TimerHandle | None = None
        self._overhead = 0
        self._in_head = False
        self._in_body = False
        self._refusal: Problem | None = None

    @property
    def idle(self) -> bool:
        """Whether its client has the answer, and it waits for the next request."""
        done = self.cycle is not None and self.cycle.response_complete and not self.transport.get_write_buffer_size()
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
        more = bool(self.pipeline)
        super().on_response_complete()
        if self.transport.is_closing():
            self._unread.watch()
        elif self.pipeline:
            self.flow.pause_reading()  # each answer would let in hundreds of requests
        elif self._refusal is not None and not more:
            self._end(self._refusal)

    def shutdown(self) -> None:
        """The service ends."""
        at_rest = not self._answering
        super().shutdown()
        if at_rest:
            _leave(self.transport, self.loop)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._unread.watch()

    def handle_websocket_upgrade(self) -> None:
        """From here on the connection is the WebSocket's: whatever watched over it must not close it."""
        if self._answering:
            self._refuse(_NO_HANDSHAKE)
            return
        self._upgraded = True
        self._unread.end()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE):
            if self._refusal is not None or self._upgraded:
                return
            self._receive(data[start : start + _PIECE])

    def _receive(self, piece: bytes) -> None:
        self._overhead += len(piece)
        super().data_received(piece)
        if self._upgraded or self._refusal is not None:
            return
        if not self._in_head:
            self._watch_idle()
        if self._overhead > HEAD_BYTES:
            self._refuse(Problem(431, "too-large", f"the head of a request has {HEAD_BYTES} bytes at most"))

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= PIPELINED:
            raise ValueError("too many requests at once")
        super().on_message_begin()
        self._begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # a trailer is no header: RFC 9110, 6.5.1
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._arrived()
        self._overhead = 0
        if not self.url.startswith(b"/"):
            self._take_authority()
        before = self.cycle
        super().on_headers_complete()
        self._in_body = self.cycle is not before

    def on_body(self, body: bytes) -> None:
        self._overhead = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(_NO_REQUEST)

    def _take_authority(self) -> None:
        """The host in the address is the host of the request, whatever the header says. RFC 9112, 3.2.2."""
        url = httptools.parse_url(self.url)
        if url.host is None:
            return
        host = b"[%s]" % url.host if b":" in url.host else url.host
        authority = b"%s@%s" % (url.userinfo, host) if url.userinfo is not None else host
        if url.port is not None:
            authority += b":%d" % url.port
        self.headers[:] = [(name, authority if name == b"host" else value) for name, value in self.headers]
        self.url = (url.path or b"/") + (b"?" + url.query if url.query else b"")

    def _begin(self, since: float | None = None) -> None:
        if not self._in_head:
            self._in_head, self._overhead = True, 0
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

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, problem: Problem) -> None:
        """Read no further, and answer with a problem behind the answers to earlier requests."""
        self._arrived()
        self._refusal = problem
        if self._in_body and self.pipeline:  # the last one cannot be done, and has not begun
            self.pipeline.popleft()
        elif self._in_body:
            begun, self.cycle.disconnected = self.cycle.response_started, True
            self.cycle.message_event.set()
            if begun:
                self.transport.close()
            else:
                self._end(problem)
        elif not self._answering:
            self._end(problem)

    def _end(self, problem: Problem) -> None:
        _refuse(self.transport, self.loop, problem, tls=self.config.is_ssl)


def _refuse(transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, problem: Problem, *, tls: bool) -> None:
    """Send a problem and close. At once, the connection would be reset under a client that still sends, and the answer
    lost."""
    body = problem.body()
    fields = [*headers(API_POLICY, tls=tls), NO_STORE]
    head = (
        f"HTTP/1.1 {problem.status} ",
        f"content-type: {MEDIA_TYPE}",
        f"content-length: {len(body)}",
        "connection: close",
        *(f"{name.decode()}: {value.decode()}" for name, value in fields),
    )
    transport.write("\r\n".join((*head, "", "")).encode() + body)
    loop.call_later(_LINGER_SECONDS, transport.close)


def _leave(transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
    """End a closed connection whose client has everything, and does not close its side of TLS. RFC 8446, 6.1."""

    def look() -> None:
        if not transport.get_write_buffer_size():
            transport.abort()

    loop.call_later(_LEAVE_SECONDS, look)
