"""What the hub knows of one reader just now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from reader_service.readers.leases import Leases
from reader_service.readers.values import Mode, ReaderState, ReaderView
from reader_service.readers.worker import ReaderSession, ReaderWorker
from terminal.apdu import CardSlot, InsertedCard, Reader

Attendant = Callable[[ReaderSession], None]
"""What is done at once with each card put in; on the reader's own thread."""


@dataclass(eq=False, slots=True)
class ManagedReader:
    """One reader. Not for use without the hub's lock. ``unplugged``, ``shut`` (it does not open) and ``hung`` are
    sentences, empty while all is well."""

    id: str
    url: str
    device: str
    since: datetime
    open_reader: Callable[[], Reader]
    pcsc: bool
    label: str = ""
    worker: ReaderWorker = field(init=False)
    card: InsertedCard | None = None
    busy: bool = False
    unplugged: str = ""
    shut: str = ""
    hung: str = ""
    slot: CardSlot | None = None
    attendant: Attendant | None = None
    state: ReaderState = ReaderState.EMPTY

    @property
    def lost(self) -> str:
        return self.unplugged or self.shut

    @property
    def gone(self) -> bool:
        """Whether it may be for good. A PC/SC reader that is plugged in and does not open is still there."""
        return bool(self.unplugged or (self.shut and not self.pcsc))

    def state_in(self, mode: Mode) -> ReaderState:
        """The gravest of what is so."""
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

    def view(self, leases: Leases, given: str) -> ReaderView:
        """As it is shown. ``given`` is the name that people gave it, or empty."""
        mute = "the card does not answer; turn it or clean its contacts" if self.card and self.card.mute else ""
        return ReaderView(
            id=self.id,
            url=self.url,
            device=self.device,
            name=given or self.label or self.device,
            state=self.state,
            mode=leases.mode(self.id),
            atr=self.card.atr.hex().upper() if self.card else "",
            lease=leases.held(self.id),
            since=self.since,
            drawer=self.slot is not None,
            detail=self.hung or self.lost or mute,
        )
