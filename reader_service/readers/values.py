"""The readers of a machine as frozen values for pages, API and events, and the manager's own record of a reader."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from personalize.machines.protocols import CardMachine
from reader_service.readers.worker import ReaderSession, ReaderWorker
from terminal.apdu import CardSlot, InsertedCard, Reader


class ReaderState(StrEnum):
    """The state of a reader; of several, the most serious one."""

    EMPTY = "empty"
    CARD = "card"
    MUTE = "mute"
    """It holds a card without an answer to reset."""
    BUSY = "busy"
    """A job runs on it."""
    LANE = "lane"
    """It belongs to a lane."""
    LOST = "lost"
    """Unplugged, or its PC/SC service is gone; it comes back by itself."""
    HUNG = "hung"
    """Its driver did not answer in time; it comes back when the driver answers, or after a re-plug or restart."""


class Mode(StrEnum):
    """Who works with a reader."""

    FREE = "free"
    """The holder of its lease."""
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
    """A card reader. ``id`` is stable across restarts and re-plugs; ``device`` is the device's name, ``name`` the one
    that people gave it, else the same. ``atr`` is in hex, empty without a card. ``detail`` is a sentence where an
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


Attendant = Callable[[ReaderSession], None]
"""Called for each card inserted, on the reader's own thread."""


@dataclass(eq=False, slots=True)
class ManagedReader:
    """The manager's record of a reader, used under its lock. ``unplugged``, ``shut`` (it does not open) and ``hung``
    are sentences, empty while all is well."""

    id: str
    url: str
    device: str
    since: datetime
    open_reader: Callable[[], Reader]
    pcsc: bool
    label: str = ""
    worker: ReaderWorker = field(init=False)
    stuck: list[ReaderWorker] = field(default_factory=list)
    """Earlier workers whose calls may never return."""
    card: InsertedCard | None = None
    busy: bool = False
    unplugged: str = ""
    shut: str = ""
    hung: str = ""
    tried: threading.Event = field(default_factory=threading.Event)
    """Set once it was opened or did not open."""
    slot: CardSlot | None = None
    machine: CardMachine | None = None
    """The machine that feeds it, once it is open."""
    attendant: Attendant | None = None
    state: ReaderState = ReaderState.EMPTY

    @property
    def lost(self) -> str:
        return self.unplugged or self.shut

    @property
    def gone(self) -> bool:
        """Whether it may be gone for good. A PC/SC reader that is plugged in and does not open is still there."""
        return bool(self.unplugged or (self.shut and not self.pcsc))

    def state_in(self, mode: Mode) -> ReaderState:
        """The most serious state that applies."""
        if self.hung:
            return ReaderState.HUNG
        if self.lost:
            return ReaderState.LOST
        if mode is Mode.LANE:
            return ReaderState.LANE
        if self.busy:
            return ReaderState.BUSY
        if self.card is None:
            return ReaderState.EMPTY
        return ReaderState.MUTE if self.card.mute else ReaderState.CARD

    def view(self, mode: Mode, lease: LeaseView | None, given: str) -> ReaderView:
        """The reader as others see it. ``given`` is the name that people gave it, or empty."""
        mute = "the card does not answer; turn it or clean its contacts" if self.card and self.card.mute else ""
        return ReaderView(
            id=self.id,
            url=self.url,
            device=self.device,
            name=given or self.label or self.device,
            state=self.state,
            mode=mode,
            atr=self.card.atr.hex().upper() if self.card else "",
            lease=lease,
            since=self.since,
            drawer=self.slot is not None,
            detail=self.hung or self.lost or mute,
        )
