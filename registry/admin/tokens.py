"""API tokens of machines: found by the SHA-256 of a secret of 256 bits, limited to roles, always with an expiry."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from registry.admin.users import named, roles_text
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import tokens, users
from registry.errors import NotOnRecord, RegistryConflict

_LONGEST_LABEL = 64


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token. ``label`` names its machine; ``created_by`` is the user who is responsible for it."""

    id: int
    label: str
    roles: frozenset[str]
    created_by: str
    created_at: datetime
    until: datetime
    used_at: datetime | None
    revoked_at: datetime | None


class Tokens:
    """Repository of API tokens."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def make(self, label: str, token_hash: bytes, roles: Collection[str], *, until: datetime, by: str) -> TokenRecord:
        """Create a token; ``by`` is a user on record. Raises RegistryConflict, NotOnRecord."""
        now = self._context.clock()
        if not label.strip() or len(label) > _LONGEST_LABEL or not label.isprintable():
            raise RegistryConflict("a token's label is 1 to 64 printable characters", reason="token-label")
        if until <= now or not roles:
            raise RegistryConflict("a token needs a role and an end that is still to come", reason="token-end")
        with self._context.write() as conn:
            creator = named(conn, by)
            values = {
                "token_hash": token_hash,
                "label": label.strip(),
                "roles": roles_text(roles),
                "created_by": creator.id,
                "created_at": now,
                "until": until,
            }
            number = conn.execute(insert(tokens).values(values).returning(tokens.c.id)).scalar_one()
            self._context.audit(conn, creator.name, "token.make", f"token:{number}", label=label, roles=values["roles"])
            return _by_id(conn, number)

    def find(self, token_hash: bytes) -> TokenRecord | None:
        """None for a token that is unknown, expired or revoked, or whose creator is disabled."""
        chosen = _tokens().where(tokens.c.token_hash == token_hash, ~users.c.disabled, tokens.c.revoked_at.is_(None))
        with self._context.read() as conn:
            row = conn.execute(chosen.where(tokens.c.until > self._context.clock())).one_or_none()
        return None if row is None else _token(row)

    def touch(self, token_hash: bytes) -> None:
        """Record that the token was used now; for once a minute, not for each request."""
        with self._context.write() as conn:
            match = tokens.c.token_hash == token_hash
            conn.execute(update(tokens).where(match).values(used_at=self._context.clock()))

    def page(self, cursor: str | None = None, limit: int = 50) -> Page[TokenRecord]:
        """All tokens, newest first. Raises BadCursor."""
        chosen = _tokens().order_by(tokens.c.id.desc()).limit(cut(limit) + 1)
        if cursor is not None:
            chosen = chosen.where(tokens.c.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _token, lambda row: [row.id])

    def revoke(self, number: int, *, by: str, reason: str) -> TokenRecord:
        """Revoke a token for ever; repeated, it changes nothing. Raises NotOnRecord, RegistryConflict."""
        reason = reason_given(reason)
        with self._context.write() as conn:
            token = _by_id(conn, number)
            if token.revoked_at is not None:
                return token
            conn.execute(update(tokens).where(tokens.c.id == number).values(revoked_at=self._context.clock()))
            self._context.audit(conn, by, "token.revoke", f"token:{number}", reason, label=token.label)
            return _by_id(conn, number)


def _tokens() -> Select[Any]:
    return select(tokens, users.c.name.label("creator")).join(users, users.c.id == tokens.c.created_by)


def _by_id(conn: Connection, number: int) -> TokenRecord:
    row = conn.execute(_tokens().where(tokens.c.id == number)).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no token {number}", reason="token", token=number)
    return _token(row)


def _token(row: Row[*tuple[Any, ...]]) -> TokenRecord:
    return TokenRecord(
        id=row.id,
        label=row.label,
        roles=frozenset(row.roles.split()),
        created_by=row.creator,
        created_at=row.created_at,
        until=row.until,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
    )
