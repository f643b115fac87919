"""A request's body, taken whole before anything is done with it: not too large, not too slow, and its digest known.

So a client that stops in the middle holds nothing but its own connection, and a write that comes again is recognized.
"""

from __future__ import annotations

import asyncio
import hmac
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from starlette.types import Message, Receive

from reader_service.access.csrf import MULTIPART
from reader_service.access.settings import AccessSettings
from reader_service.errors import Invalid, RequestTooLarge, TooSlow

HEAD: Final = 64 * 1024
"""Where the hidden fields of a form are looked for."""
_IN_MEMORY: Final = 1024 * 1024
_PIECE: Final = 64 * 1024


class ClientGone(Exception):
    """The client went away before its request was whole."""


class Body:
    """The bytes of one request, on disk where they are many. ``close`` when done."""

    def __init__(self, secret: bytes, content_type: bytes) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)
        self._digest = hmac.new(secret, digestmod="sha256")
        self._cut = _boundary(content_type)
        self._tail = b""
        self.size = 0
        self.head = b""

    def add(self, piece: bytes) -> None:
        self._file.write(piece)
        self.size += len(piece)
        if len(self.head) < HEAD:
            self.head += piece[: HEAD - len(self.head)]
        if not self._cut:
            self._digest.update(piece)
            return
        *whole, rest = (self._tail + piece).split(self._cut)
        for part in whole:
            self._digest.update(part)
        keep = len(self._cut) - 1
        self._digest.update(rest[: max(0, len(rest) - keep)])
        self._tail = rest[max(0, len(rest) - keep) :]

    def digest(self) -> bytes:
        """HMAC-SHA-256 under the caller's own secret: what is stored tells nothing about a body that can be guessed.
        A multipart form's boundary, which is another each time, is left out."""
        whole = self._digest.copy()
        whole.update(self._tail)
        return whole.digest()

    def replay(self, after: Receive) -> Receive:
        """The body for the application to read; then what the connection says."""
        self._file.seek(0)
        left = self.size
        sent = False

        async def receive() -> Message:
            nonlocal left, sent
            if sent:
                return await after()
            piece = self._file.read(_PIECE)
            left -= len(piece)
            sent = left <= 0
            return {"type": "http.request", "body": piece, "more_body": not sent}

        return receive

    def close(self) -> None:
        self._file.close()


async def take(
    receive: Receive, headers: Mapping[bytes, bytes], settings: AccessSettings, *, secret: bytes, known: bool
) -> Body:
    """Read a whole body. Uploads of somebody who is ``known`` may be larger.

    Raises RequestTooLarge, TooSlow, Invalid (a length that is none), ClientGone.
    """
    kind = headers.get(b"content-type", b"").lower()
    limit = settings.upload if known and kind.startswith(MULTIPART) else settings.body
    try:
        length = int(headers.get(b"content-length", b"0"))
    except ValueError:
        raise Invalid("the Content-Length is no number") from None
    if length > limit:
        raise RequestTooLarge(f"the body has more than {limit} bytes", limit=limit)
    body = Body(secret, headers.get(b"content-type", b""))
    try:
        async with asyncio.timeout(settings.body_seconds):
            await _read(receive, body, limit, settings.chunk_seconds)
    except TimeoutError:
        body.close()
        raise TooSlow("the body did not arrive in time; send it again") from None
    except BaseException:
        body.close()
        raise
    return body


def held_back(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a body that is too large was not sent yet: its length was told, and an answer is waited for. RFC 9110,
    10.1.1."""
    return b"content-length" in headers and headers.get(b"expect", b"").lower() == b"100-continue"


async def drain(receive: Receive, settings: AccessSettings) -> None:
    """Read on for a while and throw away: a client that is still sending would not see the answer."""
    left = 4 * settings.upload
    with suppress(TimeoutError):
        async with asyncio.timeout(settings.chunk_seconds):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


async def _read(receive: Receive, body: Body, limit: int, seconds: float) -> None:
    more = True
    while more:
        async with asyncio.timeout(seconds):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece, more = message.get("body", b""), message.get("more_body", False)
        if body.size + len(piece) > limit:
            raise RequestTooLarge(f"the body has more than {limit} bytes", limit=limit)
        body.add(piece)


def _boundary(content_type: bytes) -> bytes:
    """RFC 2046, 5.1.1. Empty for what is no multipart form."""
    if not content_type.lower().startswith(MULTIPART):
        return b""
    _, _, after = content_type.partition(b"boundary=")
    return after.partition(b";")[0].strip().strip(b'"')[:200]
