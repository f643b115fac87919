"""Interfaces inside the virtual readers: the card as a slot sees it, and the slot that supplies a reader with cards."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from simulators.card.memory import Tear
from simulators.card.meter import WorkMeter
from terminal.apdu import Disposition


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


class Slot(Protocol):
    """Where a reader's cards come from: one card file, a stock, or a person."""

    def next_card(self) -> Path | None:
        """The card in the slot, or the next one if the slot is empty; None when there is none."""
        ...

    @property
    def current(self) -> Path | None:
        """The card in the slot at this moment; a feeder's next card is not in it yet."""
        ...

    def release(self, disposition: Disposition) -> None:
        """DONE, REJECT and ASIDE take the card out; KEEP leaves it in the slot."""
        ...

    def close(self) -> None:
        """The reader takes no more cards: a claimed card goes back to the stock."""
        ...
