"""Request bodies, read completely before the request is handled: limited in size and time, with a digest.

A client that stops in the middle holds only its own connection, and a repeated write is recognized.
"""

from __future__ import annotations

import asyncio
import hmac
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.types import Message, Receive

from reader_service.access.csrf import FORM, MULTIPART
from reader_service.access.settings import AccessSettings
from reader_service.errors import Invalid, RequestTooLarge, TooSlow

HEAD: Final = 64 * 1024
"""Where the hidden fields of a form are looked for."""
_IN_MEMORY: Final = 1024 * 1024
_PIECE: Final = 64 * 1024


class ClientGone(Exception):
    """The client went away before its request was complete."""


class Body:
    """The bytes of one request, on disk where they are many. Call ``close`` at the end."""

    def __init__(self, secret: bytes, content_type: bytes) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)
        self._digest = hmac.new(secret, digestmod="sha256")
        self._fields = content_type.lower().startswith(FORM)
        self._cut = _boundary(content_type)
        self._tail = b""
        self.size = 0
        self.head = b""

    def add(self, piece: bytes) -> None:
        self._file.write(piece)
        self.size += len(piece)
        if len(self.head) < HEAD:
            self.head += piece[: HEAD - len(self.head)]
        if self._fields:
            return
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
        """HMAC-SHA-256 under the caller's own secret, so that a stored digest reveals nothing about a body that can be
        guessed. The same form has the same digest whether the browser or htmx writes it: the boundary of a multipart
        form is left out, and escapes and ends of lines of other forms are made alike."""
        whole = self._digest.copy()
        if self._fields:
            self._file.seek(0)
            whole.update(_alike(self._file.read()))
        whole.update(self._tail)
        return whole.digest()

    def replay(self, after: Receive) -> Receive:
        """An ASGI receive that gives the body to the application, then the connection's messages."""
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
    """Read a complete body. Uploads of a ``known`` caller may be larger.

    Raises RequestTooLarge, TooSlow, Invalid (a faulty Content-Length), ClientGone.
    """
    limit = settings.upload if known and is_upload(headers) else settings.body
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


def is_upload(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the body is a form with files."""
    return headers.get(b"content-type", b"").lower().startswith(MULTIPART)


def held_back(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the client waits for permission to send its body (Expect: 100-continue). RFC 9110, 10.1.1."""
    return b"content-length" in headers and headers.get(b"expect", b"").lower() == b"100-continue"


async def drain(receive: Receive, settings: AccessSettings) -> None:
    """Read and discard the rest for a while: a client that is still sending would not see the response."""
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


def _alike(form: bytes) -> bytes:
    """The fields of a form, in order. URL Standard, 5."""
    fields = parse_qsl(form.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    lines = [(name, value.replace("\r\n", "\n")) for name, value in fields]
    return urlencode(lines, encoding="latin-1").encode("ascii")


def _boundary(content_type: bytes) -> bytes:
    """RFC 2046, 5.1.1. Empty for other content types."""
    if not content_type.lower().startswith(MULTIPART):
        return b""
    _, _, after = content_type.partition(b"boundary=")
    return after.partition(b";")[0].strip().strip(b'"')[:200]
