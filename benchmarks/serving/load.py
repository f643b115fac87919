"""A load client: many connections, one request at a time on each, with little processor time a request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import cast

import uvloop


class _Connection(asyncio.Protocol):
    """Repeats a request as soon as its answer is complete."""

    def __init__(self, request: bytes, until: float, done: asyncio.Future[None]) -> None:
        self._request, self._until, self._done = request, until, done
        self._received = b""
        self.answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's transports do not inherit from it
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or len(body) < _length(head):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._fail(f"unexpected answer: {head[:40]!r}")
            return
        self._received = b""
        self.answers += 1
        if time.monotonic() < self._until:
            self._transport.write(self._request)
        elif not self._done.done():
            self._done.set_result(None)
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._fail("the connection was closed")

    def _fail(self, sentence: str) -> None:
        if not self._done.done():
            self._done.set_exception(ConnectionError(sentence))


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])


async def _load(address: tuple[str, int], request: bytes, seconds: float, connections: int) -> float:
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
    protocols = [
        await loop.create_connection(partial(_Connection, request, began + seconds, end), *address) for end in ends
    ]
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*ends)
    return sum(protocol.answers for _, protocol in protocols) / (time.monotonic() - began)


def requests_a_second(
    address: tuple[str, int], path: str, headers: Mapping[str, str], *, seconds: float = 1.0, connections: int = 16
) -> float:
    """Answers a second to GET over ``connections`` for ``seconds``.

    Raises ConnectionError for an answer other than 200.
    """
    lines = [f"GET {path} HTTP/1.1", f"Host: {address[0]}", *(f"{name}: {value}" for name, value in headers.items())]
    request = "\r\n".join([*lines, "", ""]).encode()
    return uvloop.run(_load(address, request, seconds, connections))
