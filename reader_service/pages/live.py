"""A stream of rendered HTML for a page: all live parts at first, then those that changed. The page never polls.

Parts carry state, not differences: a page that reconnects gets all of them, and a missed event has no lasting effect.
Server-sent events: WHATWG HTML, 9.2.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol

from reader_service.events import Event, EventBus, SlowConsumer
from reader_service.http.stream_limits import LimitedStream

EVENT_STREAM: Final = "text/event-stream"
"""The media type of server-sent events: what a live page accepts."""
TICK: Final = 1.0
"""Seconds without an event after which a page is asked for changes that need none."""
SESSION_CHECK: Final = 5.0
"""Seconds between two checks that the viewer is still signed in."""
BEAT: Final = 10
"""Ticks without a message after which a beat is sent; static/live.js takes the stream for lost after 25 s."""


class LivePage(Protocol):
    """The live parts of a viewer's page. Both methods give HTML, each top element with its id; empty if unchanged."""

    async def whole(self) -> str: ...

    async def after(self, events: list[Event]) -> str:
        """``events`` is empty at a tick."""
        ...


def stream(
    bus: EventBus,
    page: LivePage,
    kinds: Callable[[str], bool],
    still: Callable[[], Awaitable[bool]],
    *,
    tick: float = TICK,
    pause: float = 0.0,
) -> LimitedStream:
    """The response of a page's live address. ``kinds`` selects events; ``still`` says whether the viewer is
    signed in, else the page reloads. ``pause``: seconds between two messages at least."""
    return LimitedStream(
        _messages(bus, page, kinds, still, tick, pause),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _messages(
    bus: EventBus,
    page: LivePage,
    kinds: Callable[[str], bool],
    still: Callable[[], Awaitable[bool]],
    tick: float,
    pause: float,
) -> AsyncIterator[bytes]:
    after = bus.last_id()
    yield message("parts", await page.whole())
    silent, checked_at = 0, time.monotonic()
    try:
        async for events in _ticking(bus.subscribe(after, kinds=kinds), tick):
            if time.monotonic() - checked_at > SESSION_CHECK:
                checked_at = time.monotonic()
                if not await still():
                    yield message("leave", "")
                    return
            html = await page.after(events)
            silent = 0 if html else silent + 1
            if html:
                yield message("parts", html)
                await asyncio.sleep(pause)
            elif silent >= BEAT:
                silent = 0
                yield message("beat", "")
    except SlowConsumer:
        return  # it reconnects, and gets every part


async def _ticking(events: AsyncIterator[list[Event]], tick: float) -> AsyncIterator[list[Event]]:
    """Events as they come, and an empty list for each tick without any."""
    coming = asyncio.ensure_future(anext(events))
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=tick)
            if not done:
                yield []
                continue
            try:
                batch = coming.result()
            except StopAsyncIteration:
                return
            yield batch
            coming = asyncio.ensure_future(anext(events))
    finally:
        coming.cancel()


def message(name: str, data: str) -> bytes:
    """One server-sent event; every line of ``data`` is a field of its own, so that no text can start another event."""
    lines = "".join(f"data: {line}\n" for line in (data.splitlines() or [""]))
    return f"event: {name}\n{lines}\n".encode()
