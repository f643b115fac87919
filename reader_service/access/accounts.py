"""Sign-in and sign-out, and what users do with their own account."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from reader_service.access.authenticator import (
    TOKEN,
    AuthenticatedCaller,
    Authenticator,
    key_of,
    new_secret,
    roles_of,
)
from reader_service.access.passwords import LONGEST, Passwords, check_rules
from reader_service.access.settings import AccessSettings
from reader_service.access.throttle import Throttle
from reader_service.errors import Invalid, MustChangePassword, NotSignedIn, TooMany, UserDisabled, WrongPassword
from reader_service.principal import Principal
from reader_service.registry_errors import translate_registry_errors
from registry.admin.sessions import SessionRecord
from registry.admin.users import User
from registry.db.audit_chain import AuditEntry, Fact
from registry.store import Registry, utc_now
from terminal.names import fold

_LANES = 64
_INSIDE = 8
"""Most threads that may check passwords or wait to do so: threads are few."""
_SOMEBODY = "somebody"
_UNMASKED = re.compile(r"/([0-9]{1,18})/unmask$")


class FreesLeases(Protocol):
    """The readers' leases, as far as the end of a session ends them."""

    def free_all(self, name: str, token: str = "") -> int: ...


@dataclass(frozen=True, slots=True)
class SignedIn:
    """``secret`` goes into the cookie and nowhere else."""

    secret: str = field(repr=False)
    caller: AuthenticatedCaller
    user: User


class AccountService:
    """``authenticator`` identifies callers; the methods change sessions and accounts."""

    def __init__(
        self,
        registry: Registry,
        settings: AccessSettings,
        *,
        passwords: Passwords | None = None,
        leases: FreesLeases | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.settings = settings
        self.authenticator = Authenticator(registry, settings, clock=clock)
        self.passwords = passwords or Passwords()
        self.throttle = Throttle(registry, clock=clock)
        self._registry = registry
        self._leases = leases
        self.now = clock
        self._inside = threading.BoundedSemaphore(_INSIDE)
        self._turns = [threading.Lock() for _ in range(_LANES)]

    def sign_in(self, name: str, password: str, origin: str) -> SignedIn:
        """Raises WrongPassword, UserDisabled, TooMany, Unavailable."""
        with translate_registry_errors(), self._turn(name):
            user = self._user(name, password, origin)
            self.throttle.succeeded(name)
            return self._open(user, origin)

    def prove(self, name: str, password: str, origin: str) -> Principal:
        """The user whose password this is, without a session. Raises WrongPassword, UserDisabled, MustChangePassword,
        TooMany, Unavailable."""
        with translate_registry_errors(), self._turn(name):
            user = self._user(name, password, origin)
            if user.must_change:
                raise MustChangePassword("change the password first, on the service's pages: somebody else knows it")
            self.throttle.succeeded(name)
            return Principal(user.name, roles_of(user.roles))

    def prove_token(self, secret: str) -> Principal:
        """The token with this secret. Raises NotSignedIn, Unavailable."""
        caller = self.authenticator.find(key_of(secret), token=True) if TOKEN.fullmatch(secret) else None
        if caller is None:
            raise NotSignedIn("this token is not in force")
        return caller.principal

    def sign_out(self, caller: AuthenticatedCaller) -> None:
        """Ends this session and the leases of its user."""
        with translate_registry_errors():
            self._registry.sessions.end(caller.key, by=caller.principal.name)
        self.end_access(caller.principal.name)

    def change_password(self, caller: AuthenticatedCaller, old: str, new: str, origin: str) -> SignedIn:
        """Change the caller's own password; every session ends, and a new one starts.

        Raises WrongPassword, Invalid (the rules), TooMany, Unavailable.
        """
        name = caller.principal.name
        with translate_registry_errors(), self._turn(name):
            self._check(name, old, origin)
            check_rules(new, name)
            if self.passwords.matches(self._registry.users.password_hash(name), new):
                raise Invalid("choose another password: it is the old one", {"password": "it is the old one"})
            user = self._registry.users.set_password(name, self.passwords.hash(new), by=name, must_change=False)
            self.end_access(name)
            return self._open(user, origin)

    def me(self, caller: AuthenticatedCaller) -> User:
        with translate_registry_errors():
            return self._registry.users.user(caller.principal.name)

    def sessions(self, caller: AuthenticatedCaller) -> list[SessionRecord]:
        """The caller's sessions that have not ended, newest first."""
        with translate_registry_errors():
            return self._registry.sessions.of(caller.principal.name)

    def end_others(self, caller: AuthenticatedCaller) -> int:
        """End the caller's other sessions and give their number."""
        with translate_registry_errors():
            ended = self._registry.sessions.end_all(caller.principal.name, by=caller.principal.name, keep=caller.key)
        self.authenticator.forget()
        return ended

    def speak(self, caller: AuthenticatedCaller, language: str) -> User:
        """Set the language of the caller's pages. Raises Conflict for an unknown one."""
        with translate_registry_errors():
            user = self._registry.users.change(caller.principal.name, by=caller.principal.name, language=language)
        self.authenticator.forget()
        return user

    def refused(self, principal: Principal, what: str, origin: str) -> None:
        """Write the refused request of an identified caller into the audit."""
        with translate_registry_errors():
            self._registry.audit.note(AuditEntry(principal.name, "access.refused", origin=origin, facts={"what": what}))

    def replayed(self, principal: Principal, what: str, origin: str) -> None:
        """Write into the audit that a stored response with personal data or a secret was given again."""
        member = _UNMASKED.search(what)
        action, subject = ("member.unmask", f"member:{member[1]}") if member else ("access.replayed", "")
        facts: dict[str, Fact] = {"what": what, "replayed": True}
        with translate_registry_errors():
            self._registry.audit.note(AuditEntry(principal.name, action, subject, origin=origin, facts=facts))

    def end_access(self, name: str, token: str = "") -> None:
        """After a change of rights: drop the cached rights of all callers, and end the leases of this user or token."""
        self.authenticator.forget()
        if self._leases is not None:
            self._leases.free_all(name, token)

    @contextmanager
    def _turn(self, name: str) -> Iterator[None]:
        """One attempt at a time per name, so that concurrent attempts are counted one by one."""
        if not self._inside.acquire(blocking=False):
            raise TooMany("too many are signing in at this moment; try again in a second", 1)
        try:
            with self._turns[hash(fold(name)) % _LANES]:
                yield
        finally:
            self._inside.release()

    def _user(self, name: str, password: str, origin: str) -> User:
        """The enabled user whose password this is. Raises WrongPassword, UserDisabled, TooMany."""
        self._check(name, password, origin)
        user = self._registry.users.user(name)
        if user.disabled:
            raise UserDisabled("this user is disabled; ask an administrator")
        return user

    def _check(self, name: str, password: str, origin: str) -> None:
        self.throttle.check(name, origin)
        stored = self._registry.users.password_hash(name)
        if len(password) <= LONGEST and self.passwords.matches(stored, password):
            return
        self.throttle.failed(name, origin)
        # What was typed as a name may be a password, so an unknown name is not written down.
        actor = self._registry.users.user(name).name if stored is not None else _SOMEBODY
        self._registry.audit.note(AuditEntry(actor, "session.refused", origin=origin))
        raise WrongPassword("name or password is wrong")

    def _open(self, user: User, origin: str) -> SignedIn:
        secret, csrf = new_secret(), new_secret()
        session = self._registry.sessions.open(
            user.name,
            key_of(secret),
            csrf,
            lifetime=self.settings.lifetime,
            idle=self.settings.idle,
            origin=origin,
        )
        principal = Principal(user.name, roles_of(user.roles))
        caller = AuthenticatedCaller(principal, key_of(secret), session.until, csrf, user.must_change, user.language)
        return SignedIn(secret, caller, session.user)
