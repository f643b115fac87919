"""Cards: the life of each after it was proven, always with a reason."""

from __future__ import annotations

from typing import Protocol

from reader_service.principal import Principal
from registry.paging import Page
from registry.values import Batch, Card, CardEvent, CardState


class CardDesk(Protocol):
    """Made as ``CardDesk(parts, bus)``. Every change raises NotFound, or Conflict where the card's state forbids it."""

    def page(
        self,
        p: Principal,
        cursor: str | None = None,
        limit: int = 50,
        *,
        unit: str | None = None,
        state: CardState | None = None,
        batch_id: str | None = None,
    ) -> Page[Card]: ...

    def card(self, p: Principal, number: str) -> Card:
        """The card of the highest sequence."""
        ...

    def history(self, p: Principal, number: str) -> list[CardEvent]: ...

    def pack(self, p: Principal, number: str, reason: str) -> Card: ...

    def deliver(self, p: Principal, number: str, reason: str) -> Card: ...

    def activate(self, p: Principal, number: str, reason: str) -> Card: ...

    def suspend(self, p: Principal, number: str, reason: str) -> Card: ...

    def unlock(self, p: Principal, number: str, reason: str) -> Card:
        """A suspended card is good again."""
        ...

    def loss(self, p: Principal, number: str, reason: str) -> Card: ...

    def withdraw(self, p: Principal, number: str, reason: str) -> Card: ...

    def replace(self, p: Principal, number: str, reason: str, *, because: str = "damaged") -> Batch:
        """Ends the card; a draft batch for its successor, which a second person approves. ``because``: damaged, lost,
        expired."""
        ...

    def allowed(self, p: Principal, number: str) -> tuple[str, ...]:
        """The names of the methods above that this card's state allows now, for buttons."""
        ...
