"""Who is signed in. A session is found by the SHA-256 of the secret in its cookie: what is stored opens nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, Row, delete, insert, select, update

from registry.admin.users import User, named, user_of
from registry.db.context import RegistryContext
from registry.db.tables import sessions, users
from registry.errors import RegistryConflict


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """``csrf`` goes into the forms of this session's pages. It ends at ``until``, or ``idle`` after ``seen_at``."""

    user: User
    csrf: str = field(repr=False)
    opened_at: datetime
    seen_at: datetime
    until: datetime
    idle: timedelta
    origin: str


class Sessions:
    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def open(
        self, name: str, token_hash: bytes, csrf: str, *, lifetime: timedelta, idle: timedelta, origin: str = ""
    ) -> SessionRecord:
        """Somebody signed in, from ``origin``. Raises RegistryConflict for a person who is disabled."""
        now = self._context.clock()
        with self._context.write() as conn:
            # Held to the end: who is disabled or gets another password meanwhile loses this session with the others.
            person = named(conn, name, hold=True)
            if person.disabled:
                sentence = f"{person.name} is disabled and cannot sign in"
                raise RegistryConflict(sentence, reason="user-disabled", user=person.name)
            conn.execute(
                insert(sessions).values(
                    token_hash=token_hash,
                    user_id=person.id,
                    csrf=csrf,
                    opened_at=now,
                    seen_at=now,
                    until=now + lifetime,
                    idle_seconds=round(idle.total_seconds()),
                    origin=origin,
                )
            )
            conn.execute(update(users).where(users.c.id == person.id).values(signed_in_at=now))
            self._context.audit(conn, person.name, "session.open", f"user:{person.name}", origin=origin)
            return SessionRecord(user_of(named(conn, name)), csrf, now, now, now + lifetime, idle, origin)

    def find(self, token_hash: bytes) -> SessionRecord | None:
        """None for one that is unknown, ended, was idle too long, or is of somebody disabled."""
        chosen = select(sessions, users).join(users).where(sessions.c.token_hash == token_hash)
        with self._context.read() as conn:
            row = conn.execute(chosen).one_or_none()
        if row is None:
            return None
        session = _session(row)
        now = self._context.clock()
        alive = now < session.until and now < session.seen_at + session.idle and not session.user.disabled
        return session if alive else None

    def touch(self, token_hash: bytes) -> None:
        """It was used now. Cheap enough for once a minute, not for each request."""
        with self._context.write() as conn:
            mine = sessions.c.token_hash == token_hash
            conn.execute(update(sessions).where(mine).values(seen_at=self._context.clock()))

    def of(self, name: str) -> list[SessionRecord]:
        """A person's sessions that have not ended, newest first."""
        chosen = select(sessions, users).join(users).order_by(sessions.c.opened_at.desc())
        with self._context.read() as conn:
            person = named(conn, name)
            mine = (sessions.c.user_id == person.id, sessions.c.until > self._context.clock())
            return [_session(row) for row in conn.execute(chosen.where(*mine))]

    def end(self, token_hash: bytes, *, by: str) -> bool:
        """Whether there was one."""
        with self._context.write() as conn:
            ended = conn.execute(delete(sessions).where(sessions.c.token_hash == token_hash))
            if ended.rowcount:
                self._context.audit(conn, by, "session.end", f"user:{by}")
            return bool(ended.rowcount)

    def end_all(self, name: str, *, by: str, keep: bytes | None = None) -> int:
        """Every session of a person but the one to ``keep``; how many."""
        with self._context.write() as conn:
            person = named(conn, name)
            gone = delete(sessions).where(sessions.c.user_id == person.id)
            if keep is not None:
                gone = gone.where(sessions.c.token_hash != keep)
            ended: CursorResult[Any] = conn.execute(gone)
            if ended.rowcount:
                self._context.audit(conn, by, "session.end", f"user:{person.name}", sessions=ended.rowcount)
            return ended.rowcount

    def sweep(self) -> int:
        """Delete those that ended by themselves; how many."""
        with self._context.write() as conn:
            return conn.execute(delete(sessions).where(sessions.c.until <= self._context.clock())).rowcount


def _session(row: Row[*tuple[Any, ...]]) -> SessionRecord:
    idle = timedelta(seconds=row.idle_seconds)
    return SessionRecord(user_of(row), row.csrf, row.opened_at, row.seen_at, row.until, idle, row.origin)
