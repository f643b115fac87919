"""Identification of callers by cookie or token: looked up in the registry at most every two seconds, cached in between.

While the database is away, cached callers stay valid for a while, so that a counter works without the network; nobody
else can sign in. A database that does not answer is not waited for: one request at a time probes whether it is back.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, NoReturn

from anyio import move_on_after, to_thread

from reader_service.access.settings import AccessSettings
from reader_service.errors import Unavailable
from reader_service.principal import Principal, Role
from registry.errors import RegistryUnavailable
from registry.store import Registry, utc_now

TOKEN: Final = re.compile(r"mc_[A-Za-z0-9_-]{43}")
SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_CACHE_SIZE: Final = 10_000
_TOUCH_SECONDS: Final = 60.0
PATIENCE_SECONDS: Final = 1.0
"""Seconds that a cached caller waits for the database."""
SILENT_SECONDS: Final = 2.0
"""Seconds for which a database that gave no answer is not asked again."""


@dataclass(frozen=True, slots=True)
class AuthenticatedCaller:
    """An identified caller. ``csrf`` is empty for a token, ``key`` is the hash of the secret."""

    principal: Principal
    key: bytes = field(repr=False)
    until: datetime
    csrf: str = field(default="", repr=False)
    must_change: bool = False
    language: str = ""


@dataclass(slots=True)
class _CachedCaller:
    caller: AuthenticatedCaller
    checked_at: float
    touched: float


def new_secret() -> str:
    """A random secret of 256 bits for a cookie."""
    return secrets.token_urlsafe(32)


def new_token() -> str:
    return f"mc_{secrets.token_urlsafe(32)}"


def key_of(secret: str) -> bytes:
    """The stored hash of a secret of 256 bits, which needs no salt."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class Authenticator:
    """Looks up sessions and tokens. Safe from any thread."""

    def __init__(
        self,
        registry: Registry,
        settings: AccessSettings,
        *,
        clock: Callable[[], datetime] = utc_now,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._settings = settings
        self._fresh_seconds = settings.fresh.total_seconds()
        self._clock = clock
        self._ticks = ticks
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, _CachedCaller] = OrderedDict()
        self._turn = 0
        self._silent_until = 0.0

    def fresh(self, key: bytes) -> AuthenticatedCaller | None:
        """The cached caller, without waiting; None where the cache has none that is fresh."""
        entry = self._entries.get(key)
        if entry is None or self._ticks() - entry.checked_at > self._fresh_seconds:
            return None
        return entry.caller if self._clock() < entry.caller.until else None

    async def identify(self, key: bytes, *, token: bool) -> AuthenticatedCaller | None:
        """As ``fresh``, else as ``find``; a cached caller waits a second at most.

        Raises Unavailable where the database is away and the caller is not cached.
        """
        caller = self.fresh(key)
        if caller is not None:
            return caller
        before, now = self._usable(self._entries.get(key)), self._ticks()
        if now < self._silent_until:
            return before or _nobody_new()
        if self._silent_until:
            self._silent_until = now + SILENT_SECONDS  # this request probes; the others go on
        find = partial(self.find, key, token=token)
        if before is None:
            return await to_thread.run_sync(find)
        with move_on_after(PATIENCE_SECONDS):
            return await to_thread.run_sync(find, abandon_on_cancel=True)
        self._silent_until = self._ticks() + SILENT_SECONDS
        return before

    def find(self, key: bytes, *, token: bool) -> AuthenticatedCaller | None:
        """Look the caller up in the registry; None where there is none. Waits for the database.

        Raises Unavailable where the database is away and the caller is not cached.
        """
        with self._lock:
            turn, before = self._turn, self._entries.get(key)
        now = self._ticks()
        try:
            caller = self._token(key) if token else self._session(key)
        except RegistryUnavailable as e:
            self._silent_until = self._ticks() + SILENT_SECONDS
            return self._usable(before) or _nobody_new(e)
        self._silent_until = 0.0
        touched = before.touched if before else now - _TOUCH_SECONDS
        if caller is not None and now - touched >= _TOUCH_SECONDS:
            touched = now
            self._touch(key, token)
        with self._lock:
            if caller is None:
                self._entries.pop(key, None)
            elif turn == self._turn:
                self._entries[key] = _CachedCaller(caller, now, touched)
                self._entries.move_to_end(key)
                if len(self._entries) > _CACHE_SIZE:
                    self._entries.popitem(last=False)
        return caller

    def forget(self) -> None:
        """Drop the whole cache after a change of rights, and the results of lookups in progress."""
        with self._lock:
            self._turn += 1
            self._entries.clear()

    def _usable(self, entry: _CachedCaller | None) -> AuthenticatedCaller | None:
        """The cached caller that stays valid while the database is away."""
        if entry is None or self._ticks() - entry.checked_at > self._settings.away.total_seconds():
            return None
        return entry.caller if self._clock() < entry.caller.until else None

    def _session(self, key: bytes) -> AuthenticatedCaller | None:
        session = self._registry.sessions.find(key)
        if session is None:
            return None
        user = session.user
        principal = Principal(user.name, roles_of(user.roles))
        return AuthenticatedCaller(principal, key, session.until, session.csrf, user.must_change, user.language)

    def _token(self, key: bytes) -> AuthenticatedCaller | None:
        token = self._registry.tokens.find(key)
        if token is None:
            return None
        principal = Principal(token.actor, roles_of(token.roles), token.label, token.outlet or 0)
        return AuthenticatedCaller(principal, key, token.until)

    def _touch(self, key: bytes, token: bool) -> None:
        records = self._registry.tokens if token else self._registry.sessions
        try:
            records.touch(key)
        except RegistryUnavailable:
            return  # When it was last used is a courtesy, not a condition.


def _nobody_new(cause: Exception | None = None) -> NoReturn:
    raise Unavailable("the database cannot be reached, so nobody can be let in; try again") from cause


def roles_of(names: frozenset[str]) -> frozenset[Role]:
    """Roles by name. Unknown roles, stored by a newer program, are left out."""
    return frozenset(role for role in Role if role.value in names)
