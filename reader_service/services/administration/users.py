"""Users and tokens, for administrators."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from reader_service.access.accounts import AccountService
from reader_service.access.authenticator import key_of, new_token
from reader_service.access.passwords import one_time
from reader_service.errors import Forbidden, Invalid
from reader_service.principal import READS_MEMBERS, Permission, Principal, Role, permissions_of
from reader_service.registry_errors import needs_reason, translate_registry_errors
from registry.admin.sessions import SessionRecord
from registry.admin.tokens import TokenRecord
from registry.admin.users import User
from registry.db.paging import Page
from registry.store import Registry
from terminal.names import fold

LONGEST_TOKEN: Final = timedelta(days=366)
"""A token always ends; a machine that works on gets a new one each year."""
_NOT_FOR_TOKENS: Final = frozenset({Role.REVIEWER, Role.ADMINISTRATOR})
"""Who approves is a second person, and who makes tokens is one too."""


@dataclass(frozen=True, slots=True)
class IssuedPassword:
    """A user with a one-time ``password``, which is shown once and must be changed at the first sign-in."""

    user: User
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token with its ``secret`` (``mc_...``), which is shown once; the registry stores its hash."""

    token: TokenRecord
    secret: str = field(repr=False)


class UserService:
    """Every method checks USERS. Raises NotFound, Conflict, Invalid, Unavailable."""

    def __init__(self, registry: Registry, accounts: AccountService) -> None:
        self._registry = registry
        self._accounts = accounts

    def users(self, p: Principal, cursor: str | None = None, limit: int = 50) -> Page[User]:
        """Sorted by name."""
        p.need(Permission.USERS)
        with translate_registry_errors():
            return self._registry.users.page(cursor, limit)

    def user(self, p: Principal, name: str) -> User:
        p.need(Permission.USERS)
        with translate_registry_errors():
            return self._registry.users.user(name)

    def add(
        self, p: Principal, name: str, display: str, roles: Collection[Role], *, language: str = "zh"
    ) -> IssuedPassword:
        """Add a user with a one-time password."""
        p.need(Permission.USERS)
        password = one_time()
        with translate_registry_errors():
            stored = self._accounts.passwords.hash(password)
            user = self._registry.users.add(name, display, stored, _names(roles), by=p.name, language=language)
        return IssuedPassword(user, password)

    def change(
        self,
        p: Principal,
        name: str,
        reason: str,
        *,
        display: str | None = None,
        roles: Collection[Role] | None = None,
        language: str | None = None,
    ) -> User:
        """A change of roles ends the user's sessions and created tokens. Nobody changes their own roles: Forbidden."""
        p.need(Permission.USERS)
        if roles is not None:
            _somebody_else(p, name)
        checked = needs_reason(reason)
        with translate_registry_errors():
            user = self._registry.users.change(
                name,
                by=p.name,
                reason=checked,
                display=display,
                roles=None if roles is None else _names(roles),
                language=language,
            )
        self._end_access(user) if roles is not None else self._accounts.authenticator.forget()
        return user

    def disable(self, p: Principal, name: str, reason: str) -> User:
        """End the user's sessions, leases and issued tokens; the last administrator stays."""
        p.need(Permission.USERS)
        _somebody_else(p, name)
        with translate_registry_errors():
            user = self._registry.users.disable(name, by=p.name, reason=needs_reason(reason))
        self._end_access(user)
        return user

    def enable(self, p: Principal, name: str, reason: str) -> User:
        p.need(Permission.USERS)
        with translate_registry_errors():
            user = self._registry.users.enable(name, by=p.name, reason=needs_reason(reason))
        self._accounts.authenticator.forget()
        return user

    def reset(self, p: Principal, name: str, reason: str) -> IssuedPassword:
        """Set a one-time password and end the user's sessions and created tokens."""
        p.need(Permission.USERS)
        why = needs_reason(reason)
        password = one_time()
        with translate_registry_errors():
            stored = self._accounts.passwords.hash(password)
            user = self._registry.users.set_password(name, stored, by=p.name, must_change=True, reason=why)
            self._accounts.throttle.succeeded(user.name)
        self._end_access(user)
        return IssuedPassword(user, password)

    def sessions(self, p: Principal, name: str) -> list[SessionRecord]:
        """The user's sessions that have not ended, newest first."""
        p.need(Permission.USERS)
        with translate_registry_errors():
            return self._registry.sessions.of(name)

    def end_sessions(self, p: Principal, name: str) -> int:
        """Give the number of sessions that ended."""
        p.need(Permission.USERS)
        with translate_registry_errors():
            user = self._registry.users.user(name)
            ended = self._registry.sessions.end_all(user.name, by=p.name)
        self._accounts.end_access(user.name)
        return ended

    def tokens(self, p: Principal, cursor: str | None = None, limit: int = 50) -> Page[TokenRecord]:
        """Newest first, ended tokens included."""
        p.need(Permission.USERS)
        with translate_registry_errors():
            return self._registry.tokens.page(cursor, limit)

    def make_token(
        self, p: Principal, label: str, roles: Collection[Role], until: datetime, outlet: int | None = None
    ) -> IssuedToken:
        """Issue a token for a machine, or for the counters of an outlet; one that reads members waits for ``consent``.
        Raises Invalid for roles that are for people only, for other roles than counter with an outlet, or an end that
        is too far; NotFound, Conflict for the outlet."""
        p.need(Permission.USERS)
        if p.token:
            raise Forbidden("a token cannot make tokens")
        if personal := sorted(_NOT_FOR_TOKENS & set(roles)):
            sentence = f"these roles are for people only: {', '.join(personal)}"
            raise Invalid(sentence, {"roles": sentence})
        if outlet is not None and set(roles) != {Role.COUNTER}:
            sentence = "a token of an outlet has the role counter alone"
            raise Invalid(sentence, {"roles": sentence})
        if until > self._accounts.now() + LONGEST_TOKEN:
            sentence = f"a token ends within {LONGEST_TOKEN.days} days"
            raise Invalid(sentence, {"until": sentence})
        secret = new_token()
        with translate_registry_errors():
            token = self._registry.tokens.make(
                label,
                key_of(secret),
                _names(roles),
                until=until,
                by=p.name,
                needs_consent=bool(READS_MEMBERS & permissions_of(frozenset(roles))),
                outlet=outlet,
            )
        return IssuedToken(token, secret)

    def consent_to_token(self, p: Principal, number: int) -> TokenRecord:
        """Consent, as a second administrator, to a token that reads members. Raises OwnWork for its creator, Forbidden
        for a token, Conflict for one that has ended, NotFound."""
        p.need(Permission.USERS)
        if p.token:
            raise Forbidden("a token cannot consent to tokens")
        with translate_registry_errors():
            return self._registry.tokens.consent(number, by=p.name)

    def revoke_token(self, p: Principal, number: int, reason: str) -> TokenRecord:
        """End a token for good."""
        p.need(Permission.USERS)
        with translate_registry_errors():
            token = self._registry.tokens.revoke(number, by=p.name, reason=needs_reason(reason))
        self._accounts.end_access(token.actor, token.label)
        return token

    def _end_access(self, user: User) -> None:
        """End the leases of a user and of the tokens that the user created."""
        with translate_registry_errors():
            created = self._registry.tokens.of(user.name)
        self._accounts.end_access(user.name)
        for token in created:
            self._accounts.end_access(token.actor, token.label)


def _names(roles: Collection[Role]) -> list[str]:
    if not roles:
        raise Invalid("this needs a role at least", {"roles": "name a role at least"})
    return [role.value for role in roles]


def _somebody_else(p: Principal, name: str) -> None:
    if fold(name) == fold(p.name):
        raise Forbidden("ask another administrator: nobody does this to oneself")
