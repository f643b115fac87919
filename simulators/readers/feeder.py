"""Feeds a slot of the vpcd driver from a stock, so that a line runs with nobody there to change cards.

The feeder does not know what the terminal decided about a card; it sees power, commands and the card's life cycle:

1. A card that answered at least one command and then had no power for ``settle`` seconds is taken out.
2. With the life cycle SECURED it is finished: it goes to ``issued``, and the next card of the stock is inserted.
3. Any other card is inserted once more: an interrupted job resumes with the same card. A card that comes out
   unfinished a second time goes to ``rejects``, and the next card of the stock is inserted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from simulators.card.content import CardLifeCycle
from simulators.readers.protocols import CardInSlot
from simulators.readers.stock import BINS, StockClaim, StockDirectory
from simulators.readers.vpcd import EMPTY_FOR, VpcdSlot
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition
from terminal.errors import MembercardError

SETTLE: Final = 1.0
"""Seconds without power after which a job counts as over: longer than any pause between two connections of one job."""

_MAX_INSERTIONS: Final = 2


class CardFeeder:
    """One slot and its stock. Call ``tick`` several times a second, and ``close`` at the end.

    ``wrap(chip)`` may wrap a chip (timing, trace) before it is inserted; ``report`` gets one line for each change.
    """

    def __init__(
        self,
        slot: VpcdSlot,
        stock: StockDirectory,
        *,
        settle: float = SETTLE,
        wrap: Callable[[VirtualCard], CardInSlot] = lambda chip: chip,
        report: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slot, self._stock, self._settle, self._clock = slot, stock, settle, clock
        self._wrap, self._report_line = wrap, report
        self._card: _Card | None = None
        self._emptied_at = float("-inf")
        self._reported_empty = False

    def tick(self) -> bool:
        """Change the card when it is due; False while slot and stock are empty. Raises ReaderFault."""
        card = self._card or self._next()
        if card is None:
            return False
        if self._slot.card is None:
            if self._clock() - self._emptied_at >= EMPTY_FOR:
                card.insertions += 1
                self._report(f"{card.claim.path.name}{' once more' if card.insertions > 1 else ''}")
                self._slot.insert(self._wrap(card.chip))
        elif self._slot.commands and self._slot.idle >= self._settle:
            self._slot.pull()
            self._emptied_at = self._clock()
            if card.chip.state is CardLifeCycle.SECURED:
                self._release(card.claim, Disposition.DONE)
            elif card.insertions == _MAX_INSERTIONS:
                self._release(card.claim, Disposition.REJECT)
        return True

    def close(self) -> None:
        """Take the card out. A finished one goes to ``issued``; any other returns to the stock, where begun cards are
        claimed first."""
        self._slot.close()
        if self._card is not None:
            finished = self._card.chip.state is CardLifeCycle.SECURED
            self._release(self._card.claim, Disposition.DONE if finished else Disposition.KEEP)

    def _report(self, text: str) -> None:
        self._report_line(f"slot {self._slot.port}: {text}")

    def _next(self) -> _Card | None:
        while claim := self._stock.claim():
            try:
                self._card = _Card(claim, VirtualCard.open(claim.path))
            except MembercardError as fault:
                self._report(str(fault))
                self._release(claim, Disposition.REJECT)
                continue
            self._reported_empty = False
            return self._card
        if not self._reported_empty:
            self._report(f"no card is left in {self._stock.directory}")
        self._reported_empty = True
        return None

    def _release(self, claim: StockClaim, disposition: Disposition) -> None:
        self._report(f"{claim.path.name} goes to {BINS.get(disposition, 'the stock again')}")
        self._card = None
        claim.release(disposition)


@dataclass(slots=True)
class _Card:
    """The card that this feeder has claimed, and how often it was inserted."""

    claim: StockClaim
    chip: VirtualCard
    insertions: int = 0
