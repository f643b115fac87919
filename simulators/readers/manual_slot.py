"""A manual slot: a person inserts virtual cards, ejects them, or tears them out in the middle of a command."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from simulators.card.memory import MemoryDamaged
from simulators.readers.protocols import CardInSlot, TearableCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, InsertedCard
from terminal.errors import CardGone, NoCard, ReaderBusy, ReaderNotFound

_REMOVED = "the card was taken out"


class RemovableCard:
    """A card that can be taken out while a job works with it; from then on every call raises CardGone or NoCard.

    ``chip`` is the card whose memory is torn, ``card`` the chip or a wrapper around it. One thread exchanges APDUs;
    ``eject`` and ``tear`` may come from any other.
    """

    def __init__(self, card: CardInSlot, chip: TearableCard) -> None:
        self._card, self._chip = card, chip
        self._busy = threading.Lock()
        self._removed = False

    @property
    def atr(self) -> bytes:
        return self._card.atr

    def power_on(self) -> bytes:
        with self._busy:
            if self._removed:
                raise NoCard(_REMOVED)
            return self._card.power_on()

    def power_off(self) -> None:
        with self._busy:
            self._card.power_off()

    def reset(self) -> bytes:
        with self._busy:
            self._check_present()
            return self._card.reset()

    def exchange(self, apdu: bytes) -> bytes:
        with self._busy:
            self._check_present()
            answer = self._card.exchange(apdu)
            self._check_present()
            return answer

    def eject(self) -> None:
        """Take the card out after the command in progress."""
        with self._busy:
            self._removed = True
            self._card.power_off()

    def tear(self) -> None:
        """Take the card out now: a memory write in progress is torn, and no response comes out."""
        self._chip.tear = _half_way
        self._removed = True
        if self._busy.acquire(blocking=False):
            try:
                self._card.power_off()
            finally:
                self._busy.release()

    def _check_present(self) -> None:
        if self._removed:
            self._card.power_off()
            raise CardGone(_REMOVED)


def _half_way(pages: int) -> int:
    return pages // 2


class ManualSlot:
    """One manual slot. A finished card stays in the slot until it is taken out, and no job gets it again."""

    def __init__(self, name: str, card: Path | None = None) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._path: Path | None = None
        self._finished = False
        self._powered: RemovableCard | None = None
        self._on_change: Callable[[InsertedCard | None], None] = lambda card: None
        self.insertion = 0
        """Number of the latest insertion."""
        if card is not None:
            self.insert(card)

    def watch(self, notify: Callable[[InsertedCard | None], None]) -> None:
        """See :class:`terminal.apdu.WatchableReader`."""
        with self._changed:
            self._on_change = notify
            notify(inserted_card(self._path) if self._path else None)

    def wait(self, timeout: float | None) -> bool:
        """Wait for a card that is not finished, at most ``timeout`` seconds; False: none came."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while self.next_card() is None:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._changed.wait(left)
            return True

    def next_card(self) -> Path | None:
        return None if self._finished else self._path

    @property
    def current(self) -> Path | None:
        return self._path

    def release(self, disposition: Disposition) -> None:
        self.finish(self.insertion, disposition)

    def finish(self, insertion: int, disposition: Disposition) -> None:
        """The job with the card of this insertion is over; without effect when another card is in the slot by now."""
        with self._changed:
            self._finished = self._finished or (insertion == self.insertion and disposition is not Disposition.KEEP)

    def close(self) -> None:
        """The card stays in the slot."""

    def wrap(self, card: CardInSlot, chip: TearableCard) -> RemovableCard:
        """The card in the slot, for a job. Raises NoCard when it was taken out meanwhile."""
        with self._changed:
            if self._path is None:
                raise NoCard(f"no card is in {self._name}")
            self._powered = RemovableCard(card, chip)
            return self._powered

    def insert(self, path: Path) -> None:
        """See :class:`terminal.apdu.CardSlot`."""
        if not path.is_file():
            raise ReaderNotFound(f"there is no card file {path.name}")
        card = inserted_card(path)
        with self._changed:
            if self._path is not None:
                raise ReaderBusy(f"a card lies in {self._name}; take it out first")
            self._path, self._finished, self.insertion = path, False, self.insertion + 1
            self._on_change(card)
            self._changed.notify_all()

    def eject(self) -> None:
        """See :class:`terminal.apdu.CardSlot`."""
        card = self._take_out()
        if card is not None:
            card.eject()

    def tear(self) -> None:
        """See :class:`terminal.apdu.CardSlot`."""
        card = self._take_out()
        if card is not None:
            card.tear()

    def _take_out(self) -> RemovableCard | None:
        with self._changed:
            if self._path is None:
                raise NoCard(f"no card is in {self._name}")
            card, self._powered, self._path = self._powered, None, None
            self._on_change(None)
            return card


def inserted_card(path: Path) -> InsertedCard:
    """What a slot sees of the card: its ATR, or that it is mute. Raises ReaderFault for a file that cannot be read."""
    try:
        return InsertedCard(VirtualCard.open(path).atr)
    except MemoryDamaged:
        return InsertedCard(mute=True)
