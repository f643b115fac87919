"""Users of the program, found by name whatever its spacing and capitals. Passwords are argon2id hashes that the caller
computes."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from registry.db.actors import person_of
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import sessions, tokens, users
from registry.errors import NotOnRecord, RegistryConflict
from terminal.names import all_visible, fold, same_name

ADMINISTRATOR: Final = "administrator"
"""The role that somebody always has: its last holder can neither be disabled nor given other roles."""
_NAME = re.compile(r"[\w.@-]+(?: [\w.@-]+){0,7}")
_ROLE = re.compile(r"[a-z]{1,32}")
_LANGUAGES = ("zh", "en")
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class User:
    """A user, without the password. ``must_change``: the password has to be changed at the next sign-in."""

    name: str
    display: str
    roles: frozenset[str]
    disabled: bool
    must_change: bool
    language: str
    created_at: datetime
    password_at: datetime
    signed_in_at: datetime | None


class Users:
    """Repository of users."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def first(self, name: str, display: str, password_hash: str, roles: Collection[str]) -> User | None:
        """Add the first user, who must change the password; None where there are users already."""
        with self._context.write() as conn:
            self._lock_out_rivals(conn)
            if conn.execute(select(func.count()).select_from(users)).scalar_one():
                return None
            row = self._insert(conn, name, display, password_hash, roles, "zh", True)
            self._context.audit(conn, "first start", "user.add", f"user:{name}", roles=roles_text(roles))
            return user_of(row)

    def add(
        self,
        name: str,
        display: str,
        password_hash: str,
        roles: Collection[str],
        *,
        by: str,
        language: str = "zh",
        must_change: bool = True,
    ) -> User:
        """Add a user. A name is up to 64 letters, digits and ``. @ - _``, with single blanks between words.

        Raises RegistryConflict where the name is taken or malformed.
        """
        with self._context.write() as conn:
            row = self._insert(conn, name, display, password_hash, roles, language, must_change)
            self._context.audit(conn, by, "user.add", f"user:{name}", roles=roles_text(roles))
            return user_of(row)

    def user(self, name: str) -> User:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return user_of(named(conn, name))

    def password_hash(self, name: str) -> str | None:
        """None for a name that is not on record."""
        with self._context.read() as conn:
            return conn.execute(select(users.c.password_hash).where(users.c.folded == fold(name))).scalar_one_or_none()

    def people(self, actors: Collection[str]) -> dict[str, str]:
        """The person behind each actor (``registry.db.actors``)."""
        with self._context.read() as conn:
            return {actor: person_of(conn, actor) for actor in set(actors)}

    def any(self) -> bool:
        """Whether there are users on record."""
        with self._context.read() as conn:
            return conn.execute(select(users.c.id).limit(1)).scalar_one_or_none() is not None

    def page(self, cursor: str | None = None, limit: int = 50) -> Page[User]:
        """All users, by name. Raises BadCursor."""
        place = func.lower(users.c.name)
        chosen = select(users, place.label("place")).order_by(place).limit(cut(limit) + 1)
        if cursor is not None:
            chosen = chosen.where(place > read_cursor(cursor, str)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, user_of, lambda row: [row.place])

    def change(
        self,
        name: str,
        *,
        by: str,
        reason: str = "",
        display: str | None = None,
        roles: Collection[str] | None = None,
        language: str | None = None,
    ) -> User:
        """Change the given fields. Other roles end every session of the user and revoke the tokens that they created,
        so that nothing goes on with the old roles.

        Raises NotOnRecord, RegistryConflict for the last administrator.
        """
        values: dict[str, Any] = {}
        if display is not None:
            values["display"] = _display(display)
        if language is not None:
            values["language"] = _language(language)
        if roles is not None:
            values["roles"] = roles_text(roles)
        with self._context.write() as conn:
            self._lock_out_rivals(conn)
            before = named(conn, name)
            if roles is not None and ADMINISTRATOR not in roles:
                self._refuse_last_administrator(conn, before)
            if values:
                conn.execute(update(users).where(users.c.id == before.id).values(values))
            if roles is not None:
                conn.execute(delete(sessions).where(sessions.c.user_id == before.id))
            revoked = _revoke_tokens_of(conn, before.id, self._context.clock()) if roles is not None else []
            facts = {f"new_{field}": str(value) for field, value in values.items()}
            self._context.audit(conn, by, "user.change", f"user:{before.name}", reason, **facts)
            self._audit_revoked(conn, revoked, by, f"the roles of {before.name} were changed")
            return user_of(named(conn, name))

    def set_password(self, name: str, password_hash: str, *, by: str, must_change: bool, reason: str = "") -> User:
        """Set a password and end every session of the user. ``must_change`` for a password that somebody else knows: it
        also revokes the tokens that the user created.

        Raises NotOnRecord.
        """
        with self._context.write() as conn:
            user = named(conn, name)
            values = {"password_hash": password_hash, "must_change": must_change, "password_at": self._context.clock()}
            conn.execute(update(users).where(users.c.id == user.id).values(values))
            conn.execute(delete(sessions).where(sessions.c.user_id == user.id))
            revoked = _revoke_tokens_of(conn, user.id, self._context.clock()) if must_change else []
            self._context.audit(conn, by, "user.password", f"user:{user.name}", reason, reset=must_change)
            self._audit_revoked(conn, revoked, by, f"the password of {user.name} was reset")
            return user_of(named(conn, name))

    def disable(self, name: str, *, by: str, reason: str) -> User:
        """Disable a user and end every session; tokens that the user created are not valid until ``enable``.

        Raises RegistryConflict for the last administrator, NotOnRecord.
        """
        return self._switch(name, True, by, reason)

    def enable(self, name: str, *, by: str, reason: str) -> User:
        """Let a disabled user sign in again. Raises NotOnRecord, RegistryConflict without a reason."""
        return self._switch(name, False, by, reason)

    def _switch(self, name: str, off: bool, by: str, reason: str) -> User:
        reason = reason_given(reason)
        with self._context.write() as conn:
            self._lock_out_rivals(conn)
            user = named(conn, name)
            if off:
                self._refuse_last_administrator(conn, user)
                conn.execute(delete(sessions).where(sessions.c.user_id == user.id))
            conn.execute(update(users).where(users.c.id == user.id).values(disabled=off))
            action = "user.disable" if off else "user.enable"
            self._context.audit(conn, by, action, f"user:{user.name}", reason)
            return user_of(named(conn, name))

    def _audit_revoked(self, conn: Connection, revoked: Sequence[Row[*tuple[Any, ...]]], by: str, reason: str) -> None:
        for token in revoked:
            self._context.audit(conn, by, "token.revoke", f"token:{token.id}", reason, label=token.label)

    def _insert(
        self,
        conn: Connection,
        name: str,
        display: str,
        password_hash: str,
        roles: Collection[str],
        language: str,
        must_change: bool,
    ) -> Row[*tuple[Any, ...]]:
        if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name) or not all_visible(name):
            sentence = "a user's name is letters, digits and . @ - _ with single blanks, 64 at most"
            raise RegistryConflict(sentence, reason="user-name")
        taken = conn.execute(select(users.c.name)).scalars()
        if (other := next((present for present in taken if same_name(present, name)), None)) is not None:
            raise RegistryConflict(f"there is a user {other} already", reason="user-taken", user=other)
        now = self._context.clock()
        values = {
            "name": name,
            "folded": fold(name),
            "display": _display(display or name),
            "password_hash": password_hash,
            "roles": roles_text(roles),
            "disabled": False,
            "must_change": must_change,
            "language": _language(language),
            "created_at": now,
            "password_at": now,
        }
        return conn.execute(insert(users).values(values).returning(users)).one()

    def _lock_out_rivals(self, conn: Connection) -> None:
        """Two administrators who take each other's role away at the same time wait for each other here."""
        if conn.dialect.name == "postgresql":
            conn.exec_driver_sql("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")

    def _refuse_last_administrator(self, conn: Connection, user: Row[*tuple[Any, ...]]) -> None:
        others = select(users.c.roles).where(users.c.id != user.id, ~users.c.disabled)
        left = any(ADMINISTRATOR in roles.split() for roles in conn.execute(others).scalars())
        if ADMINISTRATOR in user.roles.split() and not user.disabled and not left:
            sentence = f"{user.name} is the last administrator; make another one first"
            raise RegistryConflict(sentence, reason="last-administrator", user=user.name)


def named(conn: Connection, name: str, *, hold: bool = False) -> Row[*tuple[Any, ...]]:
    """The row of a user; ``hold`` locks it. Raises NotOnRecord, without the name, which may be a mistyped password."""
    chosen = select(users).where(users.c.folded == fold(name))
    row = conn.execute(chosen.with_for_update() if hold else chosen).one_or_none()
    if row is None:
        raise NotOnRecord("there is no user of that name", reason="user")
    return row


def _revoke_tokens_of(conn: Connection, user_id: int, at: datetime) -> Sequence[Row[*tuple[Any, ...]]]:
    """Revoke the tokens of a user that have not ended; returns their ids and labels."""
    living = tokens.c.created_by == user_id, tokens.c.revoked_at.is_(None), tokens.c.until > at
    return conn.execute(
        update(tokens).where(*living).values(revoked_at=at).returning(tokens.c.id, tokens.c.label)
    ).all()


def user_of(row: Row[*tuple[Any, ...]]) -> User:
    return User(
        name=row.name,
        display=row.display,
        roles=frozenset(row.roles.split()),
        disabled=row.disabled,
        must_change=row.must_change,
        language=row.language,
        created_at=row.created_at,
        password_at=row.password_at,
        signed_in_at=row.signed_in_at,
    )


def roles_text(roles: Collection[str]) -> str:
    """Roles as they are stored. Raises RegistryConflict."""
    if not all(_ROLE.fullmatch(role) for role in roles):
        raise RegistryConflict("a role is lower-case letters", reason="role")
    return " ".join(sorted(set(roles)))


def _display(display: str) -> str:
    if not display.strip() or len(display) > _LONGEST_NAME or not all_visible(display):
        raise RegistryConflict("the name shown is 1 to 64 printable characters", reason="display-name")
    return display.strip()


def _language(language: str) -> str:
    if language not in _LANGUAGES:
        raise RegistryConflict(f"a language is {' or '.join(_LANGUAGES)}", reason="language")
    return language
