"""Values of rushes: what was announced, how far it is, claims and the answers to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol


class RushState(StrEnum):
    """Where a rush stands, by the clock of the registry."""

    ANNOUNCED = "announced"
    OPEN = "open"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class ClaimState(StrEnum):
    """What became of a claim."""

    GRANTED = "granted"
    """A ticket."""
    WAITING = "waiting"
    RETURNED = "returned"
    """The ticket went back."""
    WITHDRAWN = "withdrawn"
    """The member left the waiting list."""
    VOID = "void"
    """The rush was cancelled."""


@dataclass(frozen=True, slots=True)
class LotTerms:
    """The stock of one lot, and the most tickets of one member there."""

    code: str
    units: int
    most: int


@dataclass(frozen=True, slots=True)
class RushTerms:
    """A rush of a programme's edition, to be announced. ``rules`` is what the programme says of it, as JSON values;
    ``price`` is in fen, times are aware."""

    programme: str
    code: str
    edition: int
    rules: Mapping[str, Any]
    opens: datetime
    closes: datetime
    returns: datetime
    price: int
    most: int
    longest: int
    lots: tuple[LotTerms, ...]


@dataclass(frozen=True, slots=True)
class RushLot:
    """How far a lot is: its stock, tickets given out, and claims on its waiting list."""

    code: str
    units: int
    most: int
    taken: int
    waiting: int

    @property
    def left(self) -> int:
        return self.units - self.taken


@dataclass(frozen=True, slots=True)
class RushView:
    """A rush on record. ``rules`` is as it was announced."""

    number: int
    programme: str
    code: str
    edition: int
    rules: Mapping[str, Any] = field(repr=False)
    digest: str
    opens_at: datetime
    closes_at: datetime
    returns_at: datetime
    price: int
    most: int
    longest: int
    state: RushState
    announced_at: datetime
    announced_by: str
    ended_at: datetime | None
    ended_by: str | None
    reason: str | None
    lots: tuple[RushLot, ...]

    def lot(self, code: str) -> RushLot | None:
        return next((one for one in self.lots if one.code == code), None)


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What a client asks: one ticket of a lot for the holder of a card. ``key`` is the client's own; asked again under
    the same key it is the same claim. ``rush`` is the number of the rush."""

    key: str
    rush: int
    lot: str
    card_number: str = field(repr=False)
    by: str


@dataclass(frozen=True, slots=True)
class Claimant:
    """What the registry knows of a member who claims. ``birth`` reads the sealed identity number."""

    member: int
    category: int
    unit: str | None
    issued: date
    birth: Callable[[], date | None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim on record. ``position`` is that on the waiting list, 1 is the next; ``known``: it was there before."""

    number: int
    key: str
    rush: int
    lot: str
    state: ClaimState
    at: datetime
    position: int | None = None
    known: bool = False


@dataclass(frozen=True, slots=True)
class ClaimRefused:
    """Why there is no ticket, in both languages."""

    code: str
    zh: str
    en: str


class RushRules(Protocol):
    """Who may claim (``programme.records.rush_rules``)."""

    def refusal(self, rush: RushView, member: Claimant, on: date) -> ClaimRefused | None:
        """The condition that the member does not fulfil on that day."""
        ...


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A claim as lists show it: the card by its last four digits."""

    number: int
    rush: int
    lot: str
    state: ClaimState
    card_tail: str
    position: int | None
    at: datetime
    by: str
    granted_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None
