"""Answers kept for a request that comes again: one key, one principal, one request, one answer.

Bodies may hold personal data, so answers are sealed, and gone when their time is over.
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
    """The key came before, with another request."""

    def __init__(self) -> None:
        sentence = "this idempotency key was used for another request; choose a new one"
        super().__init__(sentence, reason="key-reused")


class RequestInProgress(RegistryConflict):
    """The same request is being worked on."""

    def __init__(self) -> None:
        super().__init__("the same request is being worked on; ask again in a moment", reason="in-progress")


@dataclass(frozen=True, slots=True)
class Begun:
    """The request is the caller's to do. ``attempt`` grows each time that one is given up or its time runs out."""

    attempt: int


@dataclass(frozen=True, slots=True)
class StoredReply:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class IdempotencyKeys:
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
        """Take a request in hand, or get what was answered to it. ``request`` is method and path, ``digest`` is of
        the body; one that is not finished within ``hold`` (its process died) may be begun again.

        Raises IdempotencyKeyReused, RequestInProgress.
        """
        now = self._context.clock()
        times = {"begun_at": now, "held_until": now + hold, "until": now + keep}
        with self._context.write() as conn:
            found = _row(conn, principal, key)
            if found is not None and found.until <= now:
                conn.execute(delete(replies).where(*_mine(principal, key)))
                found = None
            if found is None:
                fresh = {"principal": principal, "key": key, "request": request, "digest": digest, "attempt": 1}
                return self._first(conn, fresh | times)
            if found.request != request or not hmac.compare_digest(bytes(found.digest), digest):
                raise IdempotencyKeyReused
            if found.status is not None:
                return self._opened(found)
            if found.held_until > now:
                raise RequestInProgress
            again = Begun(found.attempt + 1)
            conn.execute(update(replies).where(*_mine(principal, key)).values(attempt=again.attempt, **times))
            return again

    def finish(self, principal: str, key: str, begun: Begun, reply: StoredReply) -> None:
        """Keep the answer. Says nothing where somebody else took the request over meanwhile."""
        seal_key = self._context.personal.seal_key()
        body = base64.b64encode(reply.body).decode()
        headers = [part for pair in reply.headers.items() for part in pair]
        sealed = self._context.personal.seal(seal_key, _place(principal, key), body, *headers)
        values = {"status": reply.status, "sealed": sealed, "seal_key": str(seal_key)}
        with self._context.write() as conn:
            held = (*_mine(principal, key), replies.c.attempt == begun.attempt, replies.c.status.is_(None))
            conn.execute(update(replies).where(*held).values(values))

    def give_up(self, principal: str, key: str, begun: Begun) -> None:
        """The request came to nothing: whoever sends it again begins anew."""
        with self._context.write() as conn:
            held = (*_mine(principal, key), replies.c.attempt == begun.attempt, replies.c.status.is_(None))
            conn.execute(update(replies).where(*held).values(held_until=self._context.clock()))

    def sweep(self) -> int:
        """Delete answers whose time is over; how many."""
        with self._context.write() as conn:
            return conn.execute(delete(replies).where(replies.c.until <= self._context.clock())).rowcount

    def _first(self, conn: Connection, values: dict[str, Any]) -> Begun:
        add: Any = (postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert)(replies)
        added = add.values(values).on_conflict_do_nothing().returning(replies.c.attempt)
        if conn.execute(added).scalar_one_or_none() is None:
            raise RequestInProgress  # somebody else sent the same at the same time
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
