"""How strict the door is: one value, given at the start, and never read from the environment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """``hosts`` are the names (without port) under which this service answers; ``tls`` says that whoever asks comes
    over TLS, ``lifetime`` and ``idle`` end a session, ``fresh`` is how long a found session or token is not looked up
    again, ``away`` how long it goes on while the database cannot be asked."""

    hosts: tuple[str, ...] = LOOPBACK
    tls: bool = False
    lifetime: timedelta = timedelta(hours=12)
    idle: timedelta = timedelta(hours=1)
    fresh: timedelta = timedelta(seconds=2)
    away: timedelta = timedelta(hours=12)
    body: int = 256 * 1024
    """Bytes of a body that is no upload."""
    upload: int = 16 * 1024 * 1024
    """Bytes of an upload, the form around it included."""
    chunk_seconds: float = 10.0
    """How long the next piece of a body may take, and a listener to take what is sent to it."""
    body_seconds: float = 120.0
    """How long a whole body may take."""
    listeners: int = 2000
    """Listeners at once, to events and to live pages together."""
