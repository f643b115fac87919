"""How many may listen at once, to events and to live pages alike: each holds a connection and a share of the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from reader_service.errors import TooMany

RETRY_SECONDS: Final = 30


class ConnectionLimit:
    """``told`` hears how many are taken. On the event loop only."""

    def __init__(self, most: int, on_change: Callable[[int], object]) -> None:
        self._most, self._on_change = most, on_change
        self._taken = 0

    @contextmanager
    def connection(self) -> Iterator[None]:
        """One seat, until the block ends. Raises TooMany where all are taken."""
        if self._taken >= self._most:
            raise TooMany("too many listen already; try again later", RETRY_SECONDS)
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, by: int) -> None:
        self._taken += by
        self._on_change(self._taken)


class LimitedStream(StreamingResponse):
    """Server-sent events to somebody who has a seat, or 429 before anything is sent."""

    media_type = "text/event-stream"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connections: ConnectionLimit = scope["app"].state.connections
        with connections.connection():
            await super().__call__(scope, receive, send)
