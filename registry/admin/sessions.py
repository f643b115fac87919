"""Sessions of signed-in users, found by the SHA-256 of the secret in the cookie, so that a stored row opens none."""

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
    """A session. ``csrf`` goes into the forms of its pages. It ends at ``until``, or ``idle`` after ``seen_at``."""

    user: User
    csrf: str = field(repr=False)
    opened_at: datetime
    seen_at: datetime
    until: datetime
    idle: timedelta
    origin: str


class Sessions:
    """Repository of sessions."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def open(
        self, name: str, token_hash: bytes, csrf: str, *, lifetime: timedelta, idle: timedelta, origin: str = ""
    ) -> SessionRecord:
        """Record a sign-in from ``origin``. Raises NotOnRecord, RegistryConflict for a user who is disabled."""
        now = self._context.clock()
        with self._context.write() as conn:
            # Locked to the end: disabling the user or setting a password meanwhile ends this session with the others.
            user = named(conn, name, hold=True)
            if user.disabled:
                sentence = f"{user.name} is disabled and cannot sign in"
                raise RegistryConflict(sentence, reason="user-disabled", user=user.name)
            conn.execute(
                insert(sessions).values(
                    token_hash=token_hash,
                    user_id=user.id,
                    csrf=csrf,
                    opened_at=now,
                    seen_at=now,
                    until=now + lifetime,
                    idle_seconds=round(idle.total_seconds()),
                    origin=origin,
                )
            )
            conn.execute(update(users).where(users.c.id == user.id).values(signed_in_at=now))
            self._context.audit(conn, user.name, "session.open", f"user:{user.name}", origin=origin)
            return SessionRecord(user_of(named(conn, name)), csrf, now, now, now + lifetime, idle, origin)

    def find(self, token_hash: bytes) -> SessionRecord | None:
        """None for a session that is unknown, ended or idle too long, or whose user is disabled."""
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
        """Record that the session was used now; for once a minute, not for each request."""
        with self._context.write() as conn:
            matches = sessions.c.token_hash == token_hash
            conn.execute(update(sessions).where(matches).values(seen_at=self._context.clock()))

    def of(self, name: str) -> list[SessionRecord]:
        """A user's sessions that have not ended, newest first. Raises NotOnRecord."""
        chosen = select(sessions, users).join(users).order_by(sessions.c.opened_at.desc())
        with self._context.read() as conn:
            user = named(conn, name)
            matches = (sessions.c.user_id == user.id, sessions.c.until > self._context.clock())
            return [_session(row) for row in conn.execute(chosen.where(*matches))]

    def end(self, token_hash: bytes, *, by: str) -> bool:
        """End a session; returns whether there was one."""
        with self._context.write() as conn:
            ended = conn.execute(delete(sessions).where(sessions.c.token_hash == token_hash))
            if ended.rowcount:
                self._context.audit(conn, by, "session.end", f"user:{by}")
            return bool(ended.rowcount)

    def end_all(self, name: str, *, by: str, keep: bytes | None = None) -> int:
        """End every session of a user except ``keep``; returns their number. Raises NotOnRecord."""
        with self._context.write() as conn:
            user = named(conn, name)
            ending = delete(sessions).where(sessions.c.user_id == user.id)
            if keep is not None:
                ending = ending.where(sessions.c.token_hash != keep)
            ended: CursorResult[Any] = conn.execute(ending)
            if ended.rowcount:
                self._context.audit(conn, by, "session.end", f"user:{user.name}", sessions=ended.rowcount)
            return ended.rowcount

    def sweep(self) -> int:
        """Delete expired sessions; returns their number."""
        with self._context.write() as conn:
            return conn.execute(delete(sessions).where(sessions.c.until <= self._context.clock())).rowcount


def _session(row: Row[*tuple[Any, ...]]) -> SessionRecord:
    idle = timedelta(seconds=row.idle_seconds)
    return SessionRecord(user_of(row), row.csrf, row.opened_at, row.seen_at, row.until, idle, row.origin)
