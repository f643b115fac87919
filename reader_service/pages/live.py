"""One stream of ready-made HTML for a page: everything at first, then whatever changed. The page asks for nothing.

The state itself is sent, never a difference: whoever lost the line and comes back gets the whole of it, and an event
that was missed cannot be missed for long. Server-sent events: WHATWG HTML, 9.2.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Protocol

from reader_service.events import Event, EventBus, SlowConsumer
from reader_service.http.stream_limits import LimitedStream

TICK: Final = 1.0
"""Seconds after which a page is asked whether it has something to add, where nothing happened."""
ASK: Final = 5.0
"""Seconds after which it is asked again whether the looker is still signed in."""
BEAT: Final = 10
"""Ticks of silence after which a sign of life is sent; static/live.js takes the line for lost after 25 s."""


class LivePage(Protocol):
    """What one reader of a page sees. Both give HTML, each top element with its id; empty where nothing changed."""

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
    """The response of a page's live address. ``kinds`` says which events matter; ``still`` is asked every few seconds
    whether the looker may go on, else the page is loaded anew. ``pause``: seconds between two sendings at least."""
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
    silent, asked = 0, time.monotonic()
    try:
        async for events in _ticking(bus.subscribe(after, kinds=kinds), tick):
            if time.monotonic() - asked > ASK:
                asked = time.monotonic()
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
        return  # it asks again, and gets everything


async def _ticking(events: AsyncIterator[list[Event]], tick: float) -> AsyncIterator[list[Event]]:
    """The events as they come, and an empty list for each tick without any."""
    coming = asyncio.ensure_future(anext(events))
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=tick)
            if not done:
                yield []
                continue
            try:
                found = coming.result()
            except StopAsyncIteration:
                return
            yield found
            coming = asyncio.ensure_future(anext(events))
    finally:
        coming.cancel()


def message(name: str, data: str) -> bytes:
    """One server-sent event; every line of ``data`` is a field of its own, so that no text can begin another event."""
    lines = "".join(f"data: {line}\n" for line in (data.splitlines() or [""]))
    return f"event: {name}\n{lines}\n".encode()
