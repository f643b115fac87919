"""Throttling of password guesses: each failure beyond a few doubles the wait, per name and per address.

Failures are stored in the registry, so that a restart or another service on the same database does not reset them.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reader_service.access.addresses import is_loopback
from reader_service.errors import TooMany
from registry.admin.login_failures import FailureRecord
from registry.store import Registry, utc_now
from terminal.names import fold


@dataclass(frozen=True, slots=True)
class ThrottleLimits:
    """``free`` failures have no wait; the next waits a second, and each further one twice as long, up to
    ``longest``."""

    free: int
    longest: timedelta
    forget: timedelta

    def wait(self, count: int) -> timedelta:
        beyond = count - self.free
        return timedelta() if beyond <= 0 else min(self.longest, timedelta(seconds=2.0 ** min(beyond - 1, 30)))


BY_NAME: Final = ThrottleLimits(4, timedelta(minutes=5), timedelta(hours=24))
"""Not longer, or anybody could keep somebody else out for good; still only 300 guesses a day."""
BY_ADDRESS: Final = ThrottleLimits(20, timedelta(minutes=15), timedelta(hours=24))
"""Many people may sit behind one address."""


class Throttle:
    """Checked before each password. Raises RegistryUnavailable throughout."""

    def __init__(
        self,
        registry: Registry,
        *,
        clock: Callable[[], datetime] = utc_now,
        by_name: ThrottleLimits = BY_NAME,
        by_address: ThrottleLimits = BY_ADDRESS,
    ) -> None:
        self._failures = registry.login_failures
        self._clock = clock
        self._by_name, self._by_address = by_name, by_address
        self.longest_memory = max(by_name.forget, by_address.forget)

    def check(self, name: str, address: str) -> None:
        """Raises TooMany while the name or the address has to wait."""
        now = self._clock()
        known = self._failures.of([key for key, _ in self._keys(name, address)])
        waits = [f.blocked_until - now for f in known.values() if f.blocked_until is not None and f.blocked_until > now]
        if waits:
            self._refuse(max(waits))

    def failed(self, name: str, address: str) -> None:
        """Count a failure for both; the next attempt may have to wait."""
        now = self._clock()
        for key, patience in self._keys(name, address):
            counted: FailureRecord = self._failures.failed(key, forget=patience.forget)
            wait = patience.wait(counted.count)
            if wait:
                self._failures.block(key, now + wait)

    def succeeded(self, name: str) -> None:
        """Reset the failures of the name. Those of the address stay, or one good account would free all guesses."""
        self._failures.clear(_name_key(name))

    def _keys(self, name: str, address: str) -> list[tuple[str, ThrottleLimits]]:
        keys = [(_name_key(name), self._by_name)]
        return [*keys, (f"address {network(address)}", self._by_address)] if address else keys

    def _refuse(self, wait: timedelta) -> None:
        seconds = max(1, math.ceil(wait.total_seconds()))
        raise TooMany(f"too many wrong passwords; try again in {seconds} seconds", seconds)


_LOOPBACK: Final = "loopback"
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def _name_key(name: str) -> str:
    return f"name {fold(name)}"


def network(address: str) -> str:
    """The address that failures count for: itself, or for IPv6 its /64, which is what one customer gets.
    RFC 6177, 2."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if is_loopback(str(parsed)):
        return _LOOPBACK  # 127.0.0.0/8 and ::1 are one machine; what 6to4 and NAT64 carry comes from another one
    embedded = _embedded(parsed) if isinstance(parsed, ipaddress.IPv6Address) else None
    parsed = embedded or parsed
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for: mapped (RFC 4291), 6to4 (RFC 3056) or NAT64 (RFC 6052)."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
