"""Idempotency keys: a repeated write gets the first response again, by the Idempotency-Key header or a form's hidden
field.

draft-ietf-httpapi-idempotency-key-header-07. Responses are stored in the registry for a day; those about this machine's
readers, which exist in this process only, in its memory.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from anyio import to_thread
from starlette.types import Message

from reader_service.errors import Invalid
from registry.admin.idempotency import Begun, IdempotencyKeyReused, RequestInProgress, StoredReply

HEADER: Final = b"idempotency-key"
REPLAYED: Final = (b"idempotency-replayed", b"true")

_KEY = re.compile(r"[!-~]{1,255}")
_NOT_STORED: Final = frozenset({401, 403, 408, 413, 429})
"""Answers that say that nothing was done and that may be others the next time; 5xx too."""
_SEE_OTHER: Final = 303
_NO_CONTENT: Final = 204
_PAGE: Final = b"<!doctype html"
_STORE_SECONDS: Final = 600.0
_STORE_SIZE: Final = 4096
_OWN_HEADERS: Final = frozenset(
    {
        *("content-type", "content-disposition", "cache-control", "retry-after", "location"),
        *("hx-redirect", "hx-retarget", "hx-reswap", "problem"),
    }
)


class IdempotencyStore(Protocol):
    """``Registry.idempotency_keys``, or this process's memory."""

    def begin(self, principal: str, key: str, request: str, digest: bytes) -> Begun | StoredReply: ...

    def finish(self, principal: str, key: str, begun: Begun, reply: StoredReply) -> None: ...

    def give_up(self, principal: str, key: str, begun: Begun) -> None: ...


@dataclass(slots=True)
class _StoredEntry:
    request: str
    digest: bytes
    attempt: int
    until: float
    working: bool = True
    reply: StoredReply | None = None


class InMemoryIdempotencyStore:
    """A store for this process alone. Drops the oldest entries."""

    def __init__(self, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[str, str], _StoredEntry] = OrderedDict()

    def begin(self, principal: str, key: str, request: str, digest: bytes) -> Begun | StoredReply:
        """Raises IdempotencyKeyReused, RequestInProgress."""
        now = self._ticks()
        with self._lock:
            entry = self._entries.get((principal, key))
            if entry is None or entry.until <= now:
                self._entries[principal, key] = _StoredEntry(request, digest, 1, now + _STORE_SECONDS)
                self._entries.move_to_end((principal, key))
                if len(self._entries) > _STORE_SIZE:
                    self._entries.popitem(last=False)
                return Begun(1)
            if (entry.request, entry.digest) != (request, digest):
                raise IdempotencyKeyReused
            if entry.reply is not None:
                return entry.reply
            if entry.working:
                raise RequestInProgress
            entry.attempt, entry.working = entry.attempt + 1, True
            return Begun(entry.attempt)

    def finish(self, principal: str, key: str, begun: Begun, reply: StoredReply) -> None:
        with self._lock:
            entry = self._entries.get((principal, key))
            if entry is not None and entry.attempt == begun.attempt:
                entry.reply, entry.working = reply, False

    def give_up(self, principal: str, key: str, begun: Begun) -> None:
        with self._lock:
            entry = self._entries.get((principal, key))
            if entry is not None and entry.attempt == begun.attempt:
                entry.working = False


def checked(key: str) -> str:
    """The key as it is stored, without the quotes of a structured field (RFC 8941, 3.3.3). Raises Invalid."""
    bare = key[1:-1] if len(key) > 2 and key[0] == key[-1] == '"' else key
    if not _KEY.fullmatch(bare):
        form = "1 to 255 visible ASCII characters"
        raise Invalid(f"the Idempotency-Key is not {form}", {"Idempotency-Key": form})
    return bare


class StoredResponse:
    """Collects the application's response, to store it before it is sent."""

    def __init__(self) -> None:
        self._messages: list[Message] = []

    async def send(self, message: Message) -> None:
        self._messages.append(message)

    def reply(self) -> StoredReply | None:
        """The response to store; None where it means that nothing was done."""
        if not self._messages or self._messages[0]["type"] != "http.response.start":
            return None
        status = int(self._messages[0]["status"])
        if status >= 500 or status in _NOT_STORED:
            return None
        body = b"".join(message.get("body", b"") for message in self._messages[1:])
        return StoredReply(status, _own(self._messages[0].get("headers", ())), body)

    def messages(self) -> list[Message]:
        return self._messages


def _own(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    pairs = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
    return {name: value for name, value in pairs if name in _OWN_HEADERS}


def again(reply: StoredReply, *, htmx: bool = False) -> list[Message]:
    """A stored response as ASGI messages. ``htmx`` sent the request this time: a response that was stored for the
    browser's own form leads it, or fills the page, in htmx's way; and the other way round."""
    status, headers = reply.status, dict(reply.headers)
    if htmx and status == _SEE_OTHER and "location" in headers:
        status, headers = _NO_CONTENT, headers | {"hx-redirect": headers.pop("location")}
    elif not htmx and "hx-redirect" in headers:
        status, headers = _SEE_OTHER, headers | {"location": headers.pop("hx-redirect")}
    elif htmx and reply.body.lstrip()[: len(_PAGE)].lower() == _PAGE:
        headers |= {"hx-retarget": "body", "hx-reswap": "innerHTML"}
    length = [] if status == _NO_CONTENT else [(b"content-length", str(len(reply.body)).encode())]
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return [
        {"type": "http.response.start", "status": status, "headers": [*encoded, *length, REPLAYED]},
        {"type": "http.response.body", "body": reply.body},
    ]


async def begin(store: IdempotencyStore, principal: str, key: str, request: str, digest: bytes) -> Begun | StoredReply:
    """Raises IdempotencyKeyReused, RequestInProgress, RegistryUnavailable."""
    if isinstance(store, InMemoryIdempotencyStore):
        return store.begin(principal, key, request, digest)
    return await to_thread.run_sync(store.begin, principal, key, request, digest)


async def end(store: IdempotencyStore, principal: str, key: str, begun: Begun, reply: StoredReply | None) -> None:
    """Store the response; without one the request had no effect. Raises RegistryUnavailable."""
    done = partial(store.give_up, principal, key, begun)
    if reply is not None:
        done = partial(store.finish, principal, key, begun, reply)
    if isinstance(store, InMemoryIdempotencyStore):
        done()
    else:
        await to_thread.run_sync(done)
