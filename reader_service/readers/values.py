"""What the readers of a machine look like from outside: frozen values that pages, API and events are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ReaderState(StrEnum):
    """The state of a reader; of several, the most serious one."""

    EMPTY = "empty"
    CARD = "card"
    MUTE = "mute"
    """A card that gives no answer to reset lies in it."""
    BUSY = "busy"
    """Somebody's work runs on it just now."""
    LANE = "lane"
    """It belongs to a lane."""
    LOST = "lost"
    """Unplugged, or its PC/SC service is gone; it comes back by itself."""
    HUNG = "hung"
    """Its driver did not answer in time; it comes back when the driver answers, is plugged in anew or is restarted."""


class Mode(StrEnum):
    """Who works with a reader."""

    FREE = "free"
    """Whoever holds its lease."""
    COUNTER = "counter"
    """Each card put in is verified at once."""
    LANE = "lane"


@dataclass(frozen=True, slots=True)
class LeaseView:
    """The holder of a reader and the end of the lease, without its token."""

    holder: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """A reader leased to one user. ``token`` goes into the header Lease-Token of every use of the reader."""

    reader: str
    token: str
    holder: str
    until: datetime

    def __repr__(self) -> str:
        return f"<Lease of {self.reader} by {self.holder}>"


@dataclass(frozen=True, slots=True)
class ReaderView:
    """A reader. ``id`` is stable across restarts and re-plugs; ``device`` is the name of the device, ``name`` the one
    that people gave it, else the device's. ``atr`` is in hex, empty without a card. ``detail`` is a sentence where an
    operator has to act."""

    id: str
    url: str
    device: str
    name: str
    state: ReaderState
    mode: Mode
    atr: str
    lease: LeaseView | None
    since: datetime
    drawer: bool
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """For events and other programs."""
        lease = self.lease and {"holder": self.lease.holder, "until": self.lease.until.isoformat()}
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return fields | {"lease": lease, "since": self.since.isoformat()}
