"""The readers of this machine. The door behind which each has its own thread."""

from __future__ import annotations

from typing import Protocol

from reader_service.principal import Principal
from reader_service.readers.values import Lease, ReaderView


class Leases(Protocol):
    """Who has which reader. In memory: a crash frees them all. Every method asks for READERS_LEASE."""

    def take(self, p: Principal, reader_id: str, seconds: float = 60) -> Lease:
        """A free reader, or one's own again (then until later, with the same token).

        Raises NotFound, LeaseHeld (``holder``, ``until`` in params; a lane or counter mode has a reader too).
        """
        ...

    def renew(self, p: Principal, reader_id: str, token: str, seconds: float = 60) -> Lease:
        """Raises LeaseLost."""
        ...

    def give_back(self, p: Principal, reader_id: str, token: str) -> None:
        """Raises LeaseLost."""
        ...

    def free_all(self, name: str, token: str = "") -> int:
        """End all leases of a person, or of a token: at sign-out, when disabled or revoked. How many."""
        ...


class ReaderHub(Protocol):
    """All readers. Events: reader.added reader.removed reader.state (topic: reader id, data: ReaderView.to_json()),
    card.inserted card.removed (data: {"reader", "name", "atr"}), service.fault (data: {"part", "sentence"})."""

    def readers(self, p: Principal) -> list[ReaderView]:
        """READERS_VIEW. In a stable order."""
        ...

    def reader(self, p: Principal, reader_id: str) -> ReaderView:
        """READERS_VIEW. Raises NotFound."""
        ...

    def rename(self, p: Principal, reader_id: str, name: str) -> ReaderView:
        """READERS_NAME. Raises NotFound, Conflict (form, or taken), Unavailable."""
        ...

    def restart(self, p: Principal, reader_id: str) -> ReaderView:
        """READERS_LEASE. Give up a hung reader's thread and try with a new one. Raises NotFound, Conflict."""
        ...
