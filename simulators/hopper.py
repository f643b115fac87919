"""Feeds a slot of the reader driver from a stock, so that a line can run on it with nobody there to change cards.

The slot cannot see what the terminal decided about a card, only what a person at it would see. The rule:

1. A card that answered at least one command and has then been without power for ``settle`` seconds is pulled.
2. If its life cycle is SECURED, its work is done: it goes to ``issued``, and the next card of the stock is put in.
3. Otherwise it is put in once more at once: the work may have been broken off and wants to go on with this card.
   When it comes out unfinished a second time it goes to ``rejects``, and the next card of the stock is put in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simulators.card import VirtualCard
from simulators.content import CardState
from simulators.stock import BINS, Claim, Stock
from simulators.vpcd import SlotCard, VpcdSlot
from terminal.apdu import Disposition
from terminal.errors import MembercardError

SETTLE: Final = 1.0
"""Seconds without power after which a job counts as over: longer than any pause between two connections of one job."""

_SHOWN: Final = 2


class Hopper:
    """One slot and its stock. Call ``tick`` several times a second, and ``close`` at the end.

    ``show(chip)`` may wrap a chip (timing, trace) before it goes into the slot.
    """

    def __init__(
        self,
        slot: VpcdSlot,
        stock: Stock,
        *,
        settle: float = SETTLE,
        show: Callable[[VirtualCard], SlotCard] = lambda chip: chip,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._slot, self._stock, self._settle, self._show, self._say = slot, stock, settle, show, say
        self._claim: Claim | None = None
        self._chip: VirtualCard | None = None
        self._shown = 0
        self._told_empty = False

    def tick(self) -> bool:
        """Change the card when it is time to; False when slot and stock are empty. Raises ReaderFault."""
        if self._claim is None:
            return self._feed()
        if not self._slot.commands or self._slot.idle < self._settle:
            return True
        self._slot.pull()
        if self._chip is not None and self._chip.state is CardState.SECURED:
            return self._drop(Disposition.DONE)
        if self._shown == _SHOWN:
            return self._drop(Disposition.REJECT)
        self._insert()
        return True

    def close(self) -> None:
        """Pull the card and leave it to others; a card that was begun comes first the next time."""
        self._slot.close()
        if self._claim is not None:
            self._claim.let_go(Disposition.KEEP)
            self._claim = None

    def _feed(self) -> bool:
        self._claim = self._stock.claim()
        if self._claim is None:
            if not self._told_empty:
                self._say(f"slot {self._slot.port}: no card is left in {self._stock.directory}")
            self._told_empty = True
            return False
        try:
            self._chip = VirtualCard.open(self._claim.path)
        except MembercardError as fault:
            self._say(str(fault))
            return self._drop(Disposition.REJECT)
        self._told_empty, self._shown = False, 0
        self._insert()
        return True

    def _insert(self) -> None:
        if self._chip is None or self._claim is None:
            return
        self._shown += 1
        again = " once more" if self._shown > 1 else ""
        self._say(f"slot {self._slot.port}: {self._claim.path.name}{again}")
        self._slot.insert(self._show(self._chip))

    def _drop(self, disposition: Disposition) -> bool:
        if self._claim is not None:
            self._say(f"slot {self._slot.port}: {self._claim.path.name} goes to {BINS[disposition]}")
            claim, self._claim, self._chip = self._claim, None, None
            claim.let_go(disposition)
        return self._feed()
