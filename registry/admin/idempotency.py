"""Idempotency keys: the response to a request is stored, and returned when the same request is repeated.

A key belongs to one principal and one request. Bodies may hold personal data, so responses are sealed, and deleted
when they expire.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from registry.db.context import RegistryContext
from registry.db.tables import replies
from registry.errors import RegistryConflict

HOLD = timedelta(minutes=2)
KEEP = timedelta(hours=24)


class IdempotencyKeyReused(RegistryConflict):
    """The key was used before, for another request."""

    def __init__(self) -> None:
        sentence = "this idempotency key was used for another request; choose a new one"
        super().__init__(sentence, reason="key-reused")


class RequestInProgress(RegistryConflict):
    """The same request is being worked on."""

    def __init__(self) -> None:
        super().__init__("the same request is being worked on; ask again in a moment", reason="in-progress")


@dataclass(frozen=True, slots=True)
class Begun:
    """The caller is to carry out the request. ``attempt`` grows with each attempt that is abandoned or times out."""

    attempt: int


@dataclass(frozen=True, slots=True)
class StoredReply:
    """A response: HTTP status, headers and body."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class IdempotencyKeys:
    """Repository of idempotency keys."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def begin(
        self,
        principal: str,
        key: str,
        request: str,
        digest: bytes,
        *,
        hold: timedelta = HOLD,
        keep: timedelta = KEEP,
    ) -> Begun | StoredReply:
        """Begin a request, or get the stored response to it. ``request`` is method and path, ``digest`` is of the body.
        A request that is not finished within ``hold`` (its process died) may begin again; its response is stored for
        ``keep``.

        Raises IdempotencyKeyReused, RequestInProgress.
        """
        now = self._context.clock()
        times = {"begun_at": now, "held_until": now + hold, "until": now + keep}
        with self._context.write() as conn:
            row = _row(conn, principal, key)
            if row is not None and row.until <= now:
                conn.execute(delete(replies).where(*_mine(principal, key)))
                row = None
            if row is None:
                fresh = {"principal": principal, "key": key, "request": request, "digest": digest, "attempt": 1}
                return self._first(conn, fresh | times)
            if row.request != request or not hmac.compare_digest(bytes(row.digest), digest):
                raise IdempotencyKeyReused
            if row.status is not None:
                return self._opened(row)
            if row.held_until > now:
                raise RequestInProgress
            again = Begun(row.attempt + 1)
            conn.execute(update(replies).where(*_mine(principal, key)).values(attempt=again.attempt, **times))
            return again

    def finish(self, principal: str, key: str, begun: Begun, reply: StoredReply) -> None:
        """Store the response. Does nothing where another attempt has begun meanwhile."""
        seal_key = self._context.personal.seal_key()
        body = base64.b64encode(reply.body).decode()
        headers = [part for pair in reply.headers.items() for part in pair]
        sealed = self._context.personal.seal(seal_key, _place(principal, key), body, *headers)
        values = {"status": reply.status, "sealed": sealed, "seal_key": str(seal_key)}
        with self._context.write() as conn:
            held = (*_mine(principal, key), replies.c.attempt == begun.attempt, replies.c.status.is_(None))
            conn.execute(update(replies).where(*held).values(values))

    def give_up(self, principal: str, key: str, begun: Begun) -> None:
        """The request failed: a repeated one begins again."""
        with self._context.write() as conn:
            held = (*_mine(principal, key), replies.c.attempt == begun.attempt, replies.c.status.is_(None))
            conn.execute(update(replies).where(*held).values(held_until=self._context.clock()))

    def sweep(self) -> int:
        """Delete expired responses; returns their number."""
        with self._context.write() as conn:
            return conn.execute(delete(replies).where(replies.c.until <= self._context.clock())).rowcount

    def _first(self, conn: Connection, values: dict[str, Any]) -> Begun:
        add: Any = (postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert)(replies)
        added = add.values(values).on_conflict_do_nothing().returning(replies.c.attempt)
        if conn.execute(added).scalar_one_or_none() is None:
            raise RequestInProgress  # the same request came twice at the same time
        return Begun(1)

    def _opened(self, row: Row[*tuple[Any, ...]]) -> StoredReply:
        parts = self._context.personal.open(row.seal_key, row.sealed, _place(row.principal, row.key))
        body, *headers = map(str, parts)
        return StoredReply(row.status, dict(zip(headers[::2], headers[1::2], strict=True)), base64.b64decode(body))


def _row(conn: Connection, principal: str, key: str) -> Row[*tuple[Any, ...]] | None:
    return conn.execute(select(replies).where(*_mine(principal, key)).with_for_update()).one_or_none()


def _mine(principal: str, key: str) -> tuple[Any, ...]:
    return replies.c.principal == principal, replies.c.key == key


def _place(principal: str, key: str) -> str:
    return f"replies.sealed/{json.dumps([principal, key])}"
