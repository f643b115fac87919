"""Feeds a slot of the reader driver from a stock, so that a line can run on it with nobody there to change cards.

The slot cannot see what the terminal decided about a card, only what a person at it would see. The rule:

1. A card that answered at least one command and has then been without power for ``settle`` seconds is pulled.
2. If its life cycle is SECURED, its work is done: it goes to ``issued``, and the next card of the stock is put in.
3. Otherwise it is put in once more at once: the work may have been broken off and wants to go on with this card.
   When it comes out unfinished a second time it goes to ``rejects``, and the next card of the stock is put in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from simulators.card.content import CardLifeCycle
from simulators.readers.protocols import CardInSlot
from simulators.readers.stock import BINS, Stock, StockClaim
from simulators.readers.vpcd import EMPTY_FOR, VpcdSlot
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition
from terminal.errors import MembercardError

SETTLE: Final = 1.0
"""Seconds without power after which a job counts as over: longer than any pause between two connections of one job."""

_SHOWN: Final = 2


class CardFeeder:
    """One slot and its stock. Call ``tick`` several times a second, and ``close`` at the end.

    ``show(chip)`` may wrap a chip (timing, trace) before it goes into the slot; ``say`` hears of each change.
    """

    def __init__(
        self,
        slot: VpcdSlot,
        stock: Stock,
        *,
        settle: float = SETTLE,
        show: Callable[[VirtualCard], CardInSlot] = lambda chip: chip,
        say: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slot, self._stock, self._settle, self._clock = slot, stock, settle, clock
        self._show, self._tell = show, say
        self._card: _Card | None = None
        self._emptied = float("-inf")
        self._told_empty = False

    def tick(self) -> bool:
        """Change the card when it is time to; False while slot and stock are empty. Raises ReaderFault."""
        card = self._card or self._next()
        if card is None:
            return False
        if self._slot.card is None:
            if self._clock() - self._emptied >= EMPTY_FOR:
                card.shown += 1
                self._say(f"{card.claim.path.name}{' once more' if card.shown > 1 else ''}")
                self._slot.insert(self._show(card.chip))
        elif self._slot.commands and self._slot.idle >= self._settle:
            self._slot.pull()
            self._emptied = self._clock()
            if card.chip.state is CardLifeCycle.SECURED:
                self._drop(card.claim, Disposition.DONE)
            elif card.shown == _SHOWN:
                self._drop(card.claim, Disposition.REJECT)
        return True

    def close(self) -> None:
        """Pull the card. One whose work is done goes to ``issued``; any other is left to others, and one that was begun
        comes first the next time."""
        self._slot.close()
        if self._card is not None:
            done = self._card.chip.state is CardLifeCycle.SECURED
            self._drop(self._card.claim, Disposition.DONE if done else Disposition.KEEP)

    def _say(self, text: str) -> None:
        self._tell(f"slot {self._slot.port}: {text}")

    def _next(self) -> _Card | None:
        while claim := self._stock.claim():
            try:
                self._card = _Card(claim, VirtualCard.open(claim.path))
            except MembercardError as fault:
                self._say(str(fault))
                self._drop(claim, Disposition.REJECT)
                continue
            self._told_empty = False
            return self._card
        if not self._told_empty:
            self._say(f"no card is left in {self._stock.directory}")
        self._told_empty = True
        return None

    def _drop(self, claim: StockClaim, disposition: Disposition) -> None:
        self._say(f"{claim.path.name} goes to {BINS.get(disposition, 'the stock again')}")
        self._card = None
        claim.let_go(disposition)


@dataclass(slots=True)
class _Card:
    """The card that this hopper holds, and how often it was put in."""

    claim: StockClaim
    chip: VirtualCard
    shown: int = 0
