"""The signed lists that counters judge by: the hotlist in editions, the trust list, and the key to check them with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from reader_service.principal import Principal
from registry.paging import Page


@dataclass(frozen=True, slots=True)
class SignedList:
    """A signed file as counters take it. ``etag`` names exactly these bytes."""

    version: int
    at: datetime
    content: bytes
    etag: str


class ListDesk(Protocol):
    """Made as ``ListDesk(parts, bus)``. ``Any`` is registry.editions.Edition, Delta. Publishes hotlist.published."""

    def publish(self, p: Principal) -> Any: ...

    def page(self, p: Principal, cursor: str | None = None, limit: int = 50) -> Page[Any]: ...

    def hotlist(self, p: Principal, version: int | None = None) -> SignedList:
        """The newest edition, or that one. Raises NotFound."""
        ...

    def delta(self, p: Principal, since: int) -> Any: ...

    def trust(self, p: Principal) -> SignedList: ...

    def key(self, p: Principal) -> dict[str, object]:
        """Public key of the lists: {"n": hex, "e": int}."""
        ...
