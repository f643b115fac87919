"""What readers, wrappers and slots of this package expect of a virtual card."""

from __future__ import annotations

from typing import Protocol

from simulators.card.memory import Tear
from simulators.card.meter import WorkMeter


class CardInSlot(Protocol):
    """A virtual card as the slot it lies in sees it. ``exchange`` raises TransportError for a card that gives no answer
    or loses its power."""

    @property
    def atr(self) -> bytes: ...
    def power_on(self) -> bytes: ...
    def power_off(self) -> None: ...
    def reset(self) -> bytes: ...
    def exchange(self, apdu: bytes) -> bytes: ...


class TearableCard(CardInSlot, Protocol):
    """A card whose memory writes can be torn."""

    tear: Tear | None


class MeteredCard(CardInSlot, Protocol):
    """A card that meters the work of its last exchange."""

    @property
    def meter(self) -> WorkMeter: ...
