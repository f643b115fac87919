"""Events over HTTP: JSON arrays over a WebSocket, or server-sent events; each listener receives what its roles allow.

A listener gets all new events and then waits a little, longer the more listeners there are, so that a thousand of them
cost a bounded share of the processor and each message holds several events. No listener blocks another.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Final, cast

from fastapi import Header, Query, Request, WebSocket
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocketDisconnect

from reader_service.errors import TooMany
from reader_service.events import GAP, Event, EventBus, SlowConsumer
from reader_service.http.metrics import Measures
from reader_service.http.resource import Caller, Resource, Svc, still_in
from reader_service.http.stream_limits import ConnectionLimit, LimitedStream
from reader_service.principal import Permission, Principal

MAY_HEAR: Final[dict[str, Permission]] = {
    "reader.added": Permission.READERS_VIEW,
    "reader.removed": Permission.READERS_VIEW,
    "reader.forgotten": Permission.READERS_VIEW,
    "reader.state": Permission.READERS_VIEW,
    "card.inserted": Permission.READERS_VIEW,
    "card.removed": Permission.READERS_VIEW,
    "service.fault": Permission.READERS_VIEW,
    "lane.state": Permission.LANES_VIEW,
    "lane.card": Permission.LANES_VIEW,
    "machine.state": Permission.LANES_VIEW,
    "verdict": Permission.VERIFY,
    "cashier.changed": Permission.REDEEM,
    "redemption.offers": Permission.REDEEM,
    "redemption.refused": Permission.REDEEM,
    "redemption.result": Permission.REDEEM,
    "redemption.reversed": Permission.REDEEM,
    "redemption.queue": Permission.REDEEM,
    "batch.changed": Permission.BATCHES_VIEW,
    "hotlist.published": Permission.LISTS_FETCH,
    "lists.fetched": Permission.VERIFY,
    "trace": Permission.APDU,
}
"""The permission that receives each kind of event; other kinds are sent to nobody."""

BEAT_SECONDS: Final = 15.0
"""Seconds of silence after which a stream gets a comment, and the session of a listener is checked again."""
SLOW, LEFT, FULL, ENDING = 4008, 4001, 1013, 1001
"""Why a WebSocket is closed: fell behind, signed out, too many listeners, the service ends. RFC 6455, 7.4."""
_PACE: Final = 0.000_25
_TEXTS: Final = 64
_AFTER: Final = r"[0-9a-zA-Z]{1,16}-[0-9]{1,18}"

After = Annotated[
    str | None,
    Query(pattern=f"^{_AFTER}$", description="Resume after the event with this id.", examples=["1a2b3c4d-17"]),
]


def hears(principal: Principal) -> Callable[[str], bool]:
    """The kinds of events that a caller may receive."""
    heard = frozenset({GAP, *(kind for kind, permission in MAY_HEAR.items() if principal.may(permission))})
    return heard.__contains__


@dataclass(frozen=True, slots=True)
class _Form:
    """The encoding of a group of events."""

    name: str
    write: Callable[[list[Event]], str]


ARRAY: Final = _Form("array", lambda events: f"[{','.join(event.json for event in events)}]")
STREAM: Final = _Form(
    "stream", lambda events: "".join(f"id: {e.id}\nevent: {e.kind}\ndata: {e.json}\n\n" for e in events)
)


class Audience:
    """All listeners of one application: their pace, and encoded texts that many of them share."""

    def __init__(self, bus: EventBus, measures: Measures) -> None:
        self._bus = bus
        self._measures = measures
        self._texts: OrderedDict[tuple[object, ...], str] = OrderedDict()
        self._listening = 0

    def texts(self, principal: Principal, after: str | None, form: _Form) -> AsyncIterator[str]:
        """The events of one listener from this call on, encoded. The iteration raises SlowConsumer; it ends with the
        bus."""
        return self._encoded(self._bus.subscribe(after, kinds=hears(principal)), principal, form)

    async def _encoded(
        self, batches: AsyncIterator[list[Event]], principal: Principal, form: _Form
    ) -> AsyncIterator[str]:
        self._listening += 1
        try:
            async for events in batches:
                yield self._text(principal, form, events)
                await self._pace()
        except SlowConsumer:
            self._measures.dropped.inc()
            raise
        finally:
            self._listening -= 1

    def _text(self, principal: Principal, form: _Form, events: list[Event]) -> str:
        """Encoded once for all listeners that receive the same events."""
        key = (form.name, principal.roles, events[0].number, events[-1].number, len(events))
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = form.write(events)
            if len(self._texts) > _TEXTS:
                self._texts.popitem(last=False)
        return text

    async def _pace(self) -> None:
        """Wait for the next beat, which all listeners share."""
        beat = self._listening * _PACE
        await asyncio.sleep(beat - asyncio.get_running_loop().time() % beat)


async def serve_socket(
    socket: WebSocket, texts: AsyncIterator[str], still: Callable[[], Awaitable[bool]], patience: float
) -> None:
    """Run until the client leaves, falls behind, is signed out, or the service ends."""
    writing = asyncio.ensure_future(_write(socket, texts, patience))
    reading = asyncio.ensure_future(_until_gone(socket, still))
    try:
        done, _ = await asyncio.wait((writing, reading), return_when=asyncio.FIRST_COMPLETED)
    finally:
        writing.cancel()
        reading.cancel()
        await asyncio.gather(writing, reading, return_exceptions=True)
    code = next(iter(done)).result()
    if code:
        with suppress(RuntimeError, WebSocketDisconnect):  # it went at the same moment
            await socket.close(code)


async def _write(socket: WebSocket, texts: AsyncIterator[str], patience: float) -> int:
    """The close code; 0 where the client is gone."""
    try:
        async for text in texts:
            async with asyncio.timeout(patience):
                await socket.send_text(text)
    except (SlowConsumer, TimeoutError):
        return SLOW
    except WebSocketDisconnect:
        return 0
    return ENDING


async def _until_gone(socket: WebSocket, still: Callable[[], Awaitable[bool]]) -> int:
    """Discards what the client sends. 0 where it is gone, else the close code."""
    loop = asyncio.get_running_loop()
    checked_at = loop.time()
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT_SECONDS):
                if (await socket.receive())["type"] == "websocket.disconnect":
                    return 0
        if loop.time() - checked_at >= BEAT_SECONDS:
            checked_at = loop.time()
            if not await still():
                return LEFT


async def stream_lines(texts: AsyncIterator[str], still: Callable[[], Awaitable[bool]]) -> AsyncIterator[str]:
    """Server-sent events with comments while nothing happens; ends when the listener must reconnect."""
    loop = asyncio.get_running_loop()
    checked_at = loop.time()
    waiting = asyncio.ensure_future(_next(texts))
    try:
        yield ": here\n\n"
        while True:
            await asyncio.wait((waiting,), timeout=BEAT_SECONDS)
            if loop.time() - checked_at >= BEAT_SECONDS:
                checked_at = loop.time()
                if not await still():
                    return
            if not waiting.done():
                yield ": here\n\n"
                continue
            text = waiting.result()
            if text is None:
                return
            waiting = asyncio.ensure_future(_next(texts))
            yield text
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def _next(texts: AsyncIterator[str]) -> str | None:
    """None at the end, and for a listener that fell behind: it reconnects after its last event."""
    try:
        return await anext(texts, None)
    except SlowConsumer:
        return None


router = Resource(prefix="/events", tags=["events"])


@router.websocket("")
async def listen(socket: WebSocket, service: Svc, p: Caller, after: After = None) -> None:
    """Each message is a JSON array of events, in order. What a client sends is not read."""
    texts = _audience(socket).texts(p, after, ARRAY)  # whoever is accepted misses nothing from then on
    await socket.accept()
    connections: ConnectionLimit = socket.app.state.connections
    try:
        with connections.connection():
            patience = service.accounts.settings.chunk_seconds
            await serve_socket(socket, texts, lambda: still_in(socket), patience)
    except TooMany:
        await socket.close(FULL)


@router.get(
    "/stream",
    summary="Stream events",
    description="Server-sent events (WHATWG HTML, 9.2) of the kinds that the caller's roles may receive. A "
    "browser resumes by itself after the last event it received.",
    response_class=LimitedStream,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def stream(
    request: Request,
    p: Caller,
    after: After = None,
    last_event_id: Annotated[
        str | None, Header(pattern=f"^{_AFTER}$", description="The same as `after`, as browsers send it.")
    ] = None,
) -> LimitedStream:
    texts = _audience(request).texts(p, last_event_id or after, STREAM)
    return LimitedStream(stream_lines(texts, lambda: still_in(request)))


def _audience(connection: HTTPConnection) -> Audience:
    return cast("Audience", connection.app.state.audience)
