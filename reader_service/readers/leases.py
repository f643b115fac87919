"""The holders of the readers: a user for a while, a lane, or the counter. Kept in memory, so that a crash frees them
all."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from reader_service.errors import Invalid, LeaseHeld, LeaseLost
from reader_service.principal import Permission, Principal
from reader_service.readers.values import Lease, LeaseView, Mode

LONGEST: Final = 600.0
"""Longest lease in seconds; a longer need renews it."""
_MOVED: Final = timedelta(seconds=2)


@dataclass(slots=True)
class _Held:
    owner: tuple[str, str]
    lease: Lease
    ends: float

    def move(self, until: datetime) -> bool:
        """Correct the end that others see, where the lease ends later than that; whether it does."""
        if until - self.lease.until < _MOVED:
            return False
        self.lease = replace(self.lease, until=until)
        return True


class Leases:
    """The leases of one service. ``known(reader_id)`` raises NotFound for an unknown reader; ``changed(reader_id,
    ended)`` is called after each change and says whether a lease ended.

    A user holds a reader once: taking it again extends the same lease. Nobody else gets it before it ends. Every method
    for users checks READERS_LEASE.
    """

    def __init__(
        self,
        *,
        known: Callable[[str], object] = lambda reader_id: None,
        changed: Callable[[str, bool], None] = lambda reader_id, ended: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._known, self._changed = known, changed
        self._clock, self._monotonic = clock, monotonic
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}
        self._modes: dict[str, Mode] = {}

    def take(self, p: Principal, reader_id: str, seconds: float = 60) -> Lease:
        """Lease a free reader, or extend one's own lease with the same token.

        Raises NotFound, Invalid, LeaseHeld (``holder``, ``until`` in params; lanes and counter mode hold a reader too).
        """
        p.need(Permission.READERS_LEASE)
        self._known(reader_id)
        with self._lock:
            self._free_of_modes(reader_id)
            held = self._living(reader_id)
            if held is not None and held.owner != _owner(p):
                raise _taken(reader_id, held.lease)
            ended = held is None and reader_id in self._held
            token = held.lease.token if held else secrets.token_urlsafe(24)
            lease = self._put(p, reader_id, token, seconds)
        self._changed(reader_id, ended)  # an expired one that was not swept yet
        return lease

    def renew(self, p: Principal, reader_id: str, token: str, seconds: float = 60) -> Lease:
        """Raises LeaseLost, Invalid."""
        p.need(Permission.READERS_LEASE)
        with self._lock:
            self._checked(p, reader_id, token)
            return self._put(p, reader_id, token, seconds)

    def give_back(self, p: Principal, reader_id: str, token: str) -> None:
        """Raises LeaseLost."""
        p.need(Permission.READERS_LEASE)
        with self._lock:
            self._checked(p, reader_id, token)
            del self._held[reader_id]
        self._changed(reader_id, True)

    def free_all(self, name: str, token: str = "") -> int:
        """End all leases of a user, or of a token, at sign-out or revocation, and give their number."""
        with self._lock:
            ended = [reader for reader, held in self._held.items() if held.owner == (name, token)]
            for reader in ended:
                del self._held[reader]
        for reader in ended:
            self._changed(reader, True)
        return len(ended)

    def check(self, p: Principal, reader_id: str, token: str) -> None:
        """Check that the caller holds this lease. Raises LeaseLost."""
        with self._lock:
            self._checked(p, reader_id, token)

    def check_counter(self, reader_id: str) -> None:
        """That the reader is in counter mode. Raises LeaseLost."""
        if self.mode(reader_id) is not Mode.COUNTER:
            raise LeaseLost(f"reader {reader_id} is in no counter mode; take a lease of it first", reader=reader_id)

    def held(self, reader_id: str) -> LeaseView | None:
        """The holder of a leased reader."""
        with self._lock:
            held = self._living(reader_id)
            return LeaseView(held.lease.holder, held.lease.until) if held else None

    def mode(self, reader_id: str) -> Mode:
        with self._lock:
            return self._modes.get(reader_id, Mode.FREE)

    def refuse_others(self, p: Principal, reader_id: str) -> None:
        """Raises LeaseHeld where somebody else holds the reader."""
        with self._lock:
            held = self._living(reader_id)
            if held is not None and held.owner != _owner(p):
                raise _taken(reader_id, held.lease)

    def drop(self, reader_id: str) -> None:
        """Forget a reader that was removed, without notice."""
        with self._lock:
            self._held.pop(reader_id, None)
            self._modes.pop(reader_id, None)

    def occupy(self, p: Principal, reader_id: str, mode: Mode) -> None:
        """Give a free reader, or one that the caller leased, to a lane or the counter; the lease ends.

        Raises NotFound, LeaseHeld.
        """
        self._known(reader_id)
        with self._lock:
            self._free_of_modes(reader_id)
            held = self._living(reader_id)
            if held is not None and held.owner != _owner(p):
                raise _taken(reader_id, held.lease)
            self._modes[reader_id] = mode
            ended = self._held.pop(reader_id, None) is not None
        self._changed(reader_id, ended)

    def vacate(self, reader_id: str, mode: Mode) -> None:
        """Free a reader of that mode; does nothing in another mode."""
        with self._lock:
            if self._modes.get(reader_id) is not mode:
                return
            del self._modes[reader_id]
        self._changed(reader_id, False)

    def sweep(self) -> list[str]:
        """Forget expired leases and give their readers. A lease that a pause of the machine did not use up ends later
        than its holder was told: its time is corrected."""
        now, at = self._monotonic(), self._clock()
        with self._lock:
            ended = [reader for reader, held in self._held.items() if held.ends <= now]
            for reader in ended:
                del self._held[reader]
            moved = [held for held in self._held.values() if held.move(at + timedelta(seconds=held.ends - now))]
        for reader in ended:
            self._changed(reader, True)
        for held in moved:
            self._changed(held.lease.reader, False)
        return ended

    def _put(self, p: Principal, reader_id: str, token: str, seconds: float) -> Lease:
        if not 1 <= seconds <= LONGEST:
            raise Invalid(
                f"a lease is for 1 to {LONGEST:.0f} seconds", {"seconds": f"1 to {LONGEST:.0f}"}, longest=LONGEST
            )
        lease = Lease(reader_id, token, holder(p), self._clock() + timedelta(seconds=seconds))
        self._held[reader_id] = _Held(_owner(p), lease, self._monotonic() + seconds)
        return lease

    def _living(self, reader_id: str) -> _Held | None:
        held = self._held.get(reader_id)
        return held if held is not None and held.ends > self._monotonic() else None

    def _checked(self, p: Principal, reader_id: str, token: str) -> None:
        held = self._living(reader_id)
        same = held is not None and hmac.compare_digest(held.lease.token.encode(), token.encode())
        if held is None or not same or held.owner != _owner(p):
            raise LeaseLost(
                f"reader {reader_id} is not leased to you, or not any more; take it again", reader=reader_id
            )

    def _free_of_modes(self, reader_id: str) -> None:
        mode = self._modes.get(reader_id)
        if mode is not None:
            raise LeaseHeld(f"reader {reader_id} works as a {mode}; end that first", reader=reader_id, holder=str(mode))


def holder(p: Principal) -> str:
    """The name of a lease's holder."""
    return f"{p.name} ({p.token})" if p.token else p.name


def _owner(p: Principal) -> tuple[str, str]:
    return p.name, p.token


def _taken(reader_id: str, lease: Lease) -> LeaseHeld:
    until = lease.until.isoformat(timespec="seconds")
    sentence = f"reader {reader_id} is leased to {lease.holder} until {until}; wait, or ask them to give it back"
    return LeaseHeld(sentence, reader=reader_id, holder=lease.holder, until=until)
