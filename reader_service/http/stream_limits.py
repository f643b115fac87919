"""The limit of concurrent listeners, to events and live pages together: each holds a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from reader_service.errors import TooMany

RETRY_SECONDS: Final = 30


class ConnectionLimit:
    """Counts open streams; ``on_change`` gets the number. On the event loop only."""

    def __init__(self, most: int, on_change: Callable[[int], object]) -> None:
        self._most, self._on_change = most, on_change
        self._taken = 0

    @contextmanager
    def connection(self) -> Iterator[None]:
        """Hold one of the connections until the block ends. Raises TooMany where all are in use."""
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
    """Server-sent events within the limit, or 429 before anything is sent."""

    media_type = "text/event-stream"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connections: ConnectionLimit = scope["app"].state.connections
        with connections.connection():
            await super().__call__(scope, receive, send)
