"""Values of packing and hand-over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from registry.values import CardState


class BoxStage(StrEnum):
    """How far a box has come."""

    OPEN = "open"  # its cards are being ticked off
    CLOSED = "closed"  # complete, its cards are packed
    SENT = "sent"  # handed over to a level below
    RECEIVED = "received"  # the contacts of its units have signed
    DISCARDED = "discarded"  # given up while it was open


class Level(StrEnum):
    """A level of the union, the highest first."""

    CITY = "city"
    DISTRICT = "district"
    UNIT = "unit"


class CardPlace(StrEnum):
    """Where a card of a batch is. Every card is in exactly one place."""

    STOCK = "stock"  # of those who issue, in no box
    TO_TICK = "to-tick"
    TICKED = "ticked"
    PACKED = "packed"
    ON_THE_WAY = "on-the-way"
    UNSIGNED = "unsigned"  # to be sent back
    DELIVERED = "delivered"
    IN_USE = "in-use"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Box:
    """A box of cards for units. Its units are in the order of their dividers; level and recipient are those of the last
    hand-over, empty before the first. Of the cards in it, some are ticked off, signed for, unsigned and to be sent
    back, or ``ended`` (lost, withdrawn …) and to be taken out."""

    id: str
    batch_id: str
    stage: BoxStage
    units: tuple[str, ...]
    cards: int
    ticked: int
    signed: int
    unsigned: int
    level: str
    recipient: str
    created_by: str
    created_at: datetime
    ended: int = 0


@dataclass(frozen=True, slots=True)
class BoxCard:
    """A card in a box, on its line of the delivery list. ``signed`` is None until its unit's contact has signed or sent
    it back."""

    card_number: str
    sequence: int
    place: int
    unit: str
    member_id: int
    member_number: str
    name_masked: str
    state: CardState
    ticked: bool
    signed: bool | None


@dataclass(frozen=True, slots=True)
class Tick:
    """A card that was ticked off. ``again``: it had been before. ``left``: cards of the box that are still missing."""

    card: BoxCard
    again: bool
    left: int


@dataclass(frozen=True, slots=True)
class Move:
    """A step that many cards took at once. ``level`` and ``recipient`` are those of a hand-over or receipt, ``day`` is
    that of a receipt, whose ``unsigned`` cards came back. ``undoable``: no card of it and not its box has gone on."""

    id: int
    step: str
    at: datetime
    by: str
    reason: str
    box_id: str
    level: str
    recipient: str
    day: date | None
    cards: int
    unsigned: int
    undone_at: datetime | None
    undone_by: str
    undoable: bool


@dataclass(frozen=True, slots=True)
class SheetLine:
    """A line of the delivery list. ``name`` is in clear, so that the right person signs. ``ended``: the card was lost
    or withdrawn since, and is handed to nobody."""

    place: int
    member_number: str
    name: str = field(repr=False)
    card_number: str
    sequence: int
    ended: bool = False


@dataclass(frozen=True, slots=True)
class SheetSection:
    """The lines of one unit."""

    unit: str
    lines: tuple[SheetLine, ...]

    @property
    def to_deliver(self) -> tuple[SheetLine, ...]:
        """The lines of cards that are handed out."""
        return tuple(line for line in self.lines if not line.ended)

    @property
    def ended(self) -> int:
        """How many lines are of cards that are handed to nobody."""
        return len(self.lines) - len(self.to_deliver)


@dataclass(frozen=True, slots=True)
class BoxSheet:
    """What the delivery list (发放表) and the envelope labels of a box are printed from. ``number`` of ``boxes`` of the
    batch; ``day`` is that of printing."""

    box: Box
    number: int
    boxes: int
    day: date
    sections: tuple[SheetSection, ...]


CardPlaces = Mapping[CardPlace, int]
"""Cards of a batch by place; every place is there."""
