"""The access rules as one value, set at the start and never read from the environment."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

LISTENERS: Final = 2000
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
FILE_MB: Final = 15
"""Size of an uploaded file at most, in units of 1,048,576 bytes: the only place where it is set."""
FILE_BYTES: Final = FILE_MB * 1024 * 1024
_FORM_BYTES: Final = 64 * 1024
"""Bytes of a form around a file, at most."""


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """``hosts``: names (without port) that this service answers for. ``tls``: clients connect over TLS. ``lifetime``
    and ``idle`` end a session. ``fresh``: how long a caller is cached; ``away``: how long a cached caller stays valid
    while the database is away."""

    hosts: tuple[str, ...] = LOOPBACK
    renewed_hosts: Callable[[], Collection[str]] = tuple
    """The names of the certificate in use, which is renewed while the service runs."""
    tls: bool = False
    lifetime: timedelta = timedelta(hours=12)
    idle: timedelta = timedelta(hours=1)
    fresh: timedelta = timedelta(seconds=2)
    away: timedelta = timedelta(hours=12)
    body: int = 256 * 1024
    """Bytes of a body that is no upload."""
    upload: int = FILE_BYTES + _FORM_BYTES
    """Bytes of an upload, the form around it included."""
    chunk_seconds: float = 10.0
    """How long the next piece of a body may take, and a listener to take what is sent to it."""
    body_seconds: float = 120.0
    """How long a whole body may take."""
    listeners: int = LISTENERS
    """Listeners at once, to events and to live pages together."""
