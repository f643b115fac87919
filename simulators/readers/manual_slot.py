"""A slot worked by hand: virtual cards are put in, taken out in good order, or torn out in the middle of a command."""

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

_GONE = "the card was taken out"


class PulledCard:
    """A card as a hand-fed slot shows it: dead from the moment it is taken out.

    ``chip`` is where the memory is torn, ``card`` the chip or a wrapper around it. One thread speaks with the card;
    ``eject`` and ``tear`` come from others.
    """

    def __init__(self, card: CardInSlot, chip: TearableCard) -> None:
        self._card, self._chip = card, chip
        self._working = threading.Lock()
        self._gone = False

    @property
    def atr(self) -> bytes:
        return self._card.atr

    def power_on(self) -> bytes:
        with self._working:
            if self._gone:
                raise NoCard(_GONE)
            return self._card.power_on()

    def power_off(self) -> None:
        with self._working:
            self._card.power_off()

    def reset(self) -> bytes:
        with self._working:
            self._look()
            return self._card.reset()

    def exchange(self, apdu: bytes) -> bytes:
        with self._working:
            self._look()
            answer = self._card.exchange(apdu)
            self._look()
            return answer

    def eject(self) -> None:
        """After the command in hand."""
        with self._working:
            self._gone = True
            self._card.power_off()

    def tear(self) -> None:
        """Now: what the chip writes is torn in the middle, and no answer comes out."""
        self._chip.tear = _in_the_middle
        self._gone = True
        if self._working.acquire(blocking=False):
            try:
                self._card.power_off()
            finally:
                self._working.release()

    def _look(self) -> None:
        if self._gone:
            self._card.power_off()
            raise CardGone(_GONE)


def _in_the_middle(pages: int) -> int:
    return pages // 2


class ManualSlot:
    """One hand-fed slot. A card that was let out stays where it is until it is taken out, and is not given again."""

    def __init__(self, name: str, card: Path | None = None) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._path: Path | None = None
        self._finished = False
        self._powered: PulledCard | None = None
        self._tell: Callable[[InsertedCard | None], None] = lambda seen: None
        self.turn = 0
        """Grows with each card put in."""
        if card is not None:
            self.insert(card)

    def watch(self, tell: Callable[[InsertedCard | None], None]) -> None:
        with self._changed:
            self._tell = tell
            tell(look_at(self._path) if self._path else None)

    def wait(self, timeout: float | None) -> bool:
        """Wait for a card that was not let out yet."""
        until = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while self.fill() is None:
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._changed.wait(left)
            return True

    def fill(self) -> Path | None:
        return None if self._finished else self._path

    @property
    def here(self) -> Path | None:
        return self._path

    def empty(self, disposition: Disposition) -> None:
        self.let_out(self.turn, disposition)

    def let_out(self, turn: int, disposition: Disposition) -> None:
        """The card that was put in as number ``turn`` is finished; nothing where another lies there by now."""
        with self._changed:
            self._finished = self._finished or (turn == self.turn and disposition is not Disposition.KEEP)

    def close(self) -> None:
        """The card stays in the slot."""

    def show(self, card: CardInSlot, chip: TearableCard) -> PulledCard:
        """The card in the slot as it is from now on. Raises NoCard where it was taken out meanwhile."""
        with self._changed:
            if self._path is None:
                raise NoCard(f"no card is in {self._name}")
            self._powered = PulledCard(card, chip)
            return self._powered

    def insert(self, path: Path) -> None:
        if not path.is_file():
            raise ReaderNotFound(f"there is no card file {path.name}")
        seen = look_at(path)
        with self._changed:
            if self._path is not None:
                raise ReaderBusy(f"a card lies in {self._name}; take it out first")
            self._path, self._finished, self.turn = path, False, self.turn + 1
            self._tell(seen)
            self._changed.notify_all()

    def eject(self) -> None:
        card = self._take_out()
        if card is not None:
            card.eject()

    def tear(self) -> None:
        card = self._take_out()
        if card is not None:
            card.tear()

    def _take_out(self) -> PulledCard | None:
        with self._changed:
            if self._path is None:
                raise NoCard(f"no card is in {self._name}")
            card, self._powered, self._path = self._powered, None, None
            self._tell(None)
            return card


def look_at(path: Path) -> InsertedCard:
    """What the slot sees of a card. Raises ReaderFault for a file that cannot be read."""
    try:
        return InsertedCard(VirtualCard.open(path).atr)
    except MemoryDamaged:
        return InsertedCard(mute=True)
