"""WebSocket clients that count events, many in one process: the part of RFC 6455 that the service's text frames use."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import Callable
from typing import Any, cast


class Listener(asyncio.Protocol):
    """Receives events and counts those that contain ``mark``; ``on_message`` gets the payload of each message."""

    def __init__(self, request: bytes, mark: bytes, on_message: Callable[[bytes], None] | None = None) -> None:
        self._request, self._mark, self._on_message = request, mark, on_message
        self._buffer = b""
        self._open = False
        self.count = 0
        self.lost = ""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.connection_lost(ConnectionError(head[:60].decode()))
                return
            self._open, self._buffer = True, rest
            self.ready.set_result(None)
        while (frame := self._frame()) is not None:
            self._take(*frame)

    def _frame(self) -> tuple[int, bytes] | None:
        """Opcode and payload of the next frame, which is neither masked nor fragmented. RFC 6455, 5.2."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1], 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + length:
            return None
        self._buffer = buffer[start + length :]
        return buffer[0] & 0x0F, buffer[start : start + length]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == 0x1:
            self.count += payload.count(self._mark)
            if self._on_message is not None:
                self._on_message(payload)
        elif opcode == 0x9:
            mask = os.urandom(4)
            masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
            self._transport.write(bytes([0x8A, 0x80 | len(payload)]) + mask + masked)
        elif opcode == 0x8:
            self.lost = f"closed with {int.from_bytes(payload[:2], 'big')}"

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = self.lost or str(error or "closed")
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(self.lost))

    def close(self) -> None:
        self._transport.close()


async def listen(
    address: tuple[str, int], token: str, mark: bytes, on_message: Callable[[bytes], None] | None = None
) -> Listener:
    """A connected listener."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        "GET /api/v1/events HTTP/1.1",
        f"Host: {address[0]}",
        f"Authorization: Bearer {token}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
    )
    request = "\r\n".join([*lines, "", ""]).encode()
    _, listener = await asyncio.get_running_loop().create_connection(
        lambda: Listener(request, mark, on_message), *address
    )
    async with asyncio.timeout(30):
        await listener.ready
    return listener


def in_order(payloads: list[bytes], name: str) -> list[Any]:
    """This value of each event's data, in order of arrival; events without it are left out."""
    events = [event for payload in payloads for event in json.loads(payload)]
    return [event["data"][name] for event in events if name in event["data"]]
