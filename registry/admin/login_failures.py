"""Failed sign-ins by key (an address, a name), which throttle brute force. Keys are stored as keyed hashes only,
because people type passwords into name fields."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from registry.db.context import RegistryContext
from registry.db.tables import failures


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """Failures of one key. ``blocked_until`` may be in the past."""

    count: int
    last_at: datetime
    blocked_until: datetime | None


class LoginFailures:
    """Repository of failed sign-ins."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def failed(self, key: str, *, forget: timedelta) -> FailureRecord:
        """Count one more failure. Failures older than ``forget`` are not counted."""
        now = self._context.clock()
        with self._context.write() as conn:
            insert = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
            first: Any = insert(failures).values(key_hash=self._hash(key), times=1, last_at=now)
            old = bindparam("old", now - forget, type_=failures.c.last_at.type)
            counted = {
                "times": case((failures.c.last_at < old, 1), else_=failures.c.times + 1),
                "blocked_until": case((failures.c.last_at < old, None), else_=failures.c.blocked_until),
                "last_at": now,
            }
            again = first.on_conflict_do_update(index_elements=[failures.c.key_hash], set_=counted)
            row = conn.execute(again.returning(failures)).one()
            return FailureRecord(row.times, row.last_at, row.blocked_until)

    def of(self, keys: Collection[str]) -> dict[str, FailureRecord]:
        """The records of those keys that have failures."""
        hashes = {self._hash(key): key for key in keys}
        with self._context.read() as conn:
            rows = conn.execute(select(failures).where(failures.c.key_hash.in_(hashes))).all()
        return {hashes[bytes(row.key_hash)]: FailureRecord(row.times, row.last_at, row.blocked_until) for row in rows}

    def block(self, key: str, until: datetime) -> None:
        """Refuse sign-ins with this key until then; for a key that has failures."""
        with self._context.write() as conn:
            conn.execute(update(failures).where(failures.c.key_hash == self._hash(key)).values(blocked_until=until))

    def clear(self, *keys: str) -> None:
        """Delete the failures of these keys."""
        with self._context.write() as conn:
            conn.execute(delete(failures).where(failures.c.key_hash.in_([self._hash(key) for key in keys])))

    def sweep(self, older_than: timedelta) -> int:
        """Delete the failures of keys that did not fail for so long; returns their number."""
        with self._context.write() as conn:
            return conn.execute(
                delete(failures).where(failures.c.last_at < self._context.clock() - older_than)
            ).rowcount

    def _hash(self, key: str) -> bytes:
        return self._context.personal.indexes([f"failure {key}"])[0]
