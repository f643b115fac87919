"""Chip readers inside a printer: one of this process, or a slot of the vpcd driver that PC/SC programs see."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from simulators.card.memory import MemoryDamaged
from simulators.readers.faults import Faults
from simulators.readers.manual_slot import ManualSlot, RemovableCard
from simulators.readers.protocols import CardInSlot
from simulators.readers.reader import ManualSlotReader
from simulators.readers.vpcd import EMPTY_FOR, VpcdSlot
from simulators.virtual_card import VirtualCard
from terminal.errors import NoCard


def reader_inside(name: str) -> ManualSlotReader:
    """A reader of this process: a terminal.apdu.Reader for the terminal, and a CardSlot for the printer."""
    place = f"slot/{name}"
    return ManualSlotReader(place, ManualSlot(place), Faults(()), None)


class VpcdStation:
    """A slot of the vpcd driver as the contact station. Between two cards it is empty long enough for PC/SC to notice.

    ``wrap(chip)`` may wrap a chip (timing, trace). A chip that does not answer to reset is not inserted.
    """

    def __init__(self, slot: VpcdSlot, wrap: Callable[[VirtualCard], CardInSlot] = lambda chip: chip) -> None:
        self._slot, self._wrap = slot, wrap
        self._card: RemovableCard | None = None
        self._emptied_at = float("-inf")

    def insert(self, path: Path) -> None:
        """See :class:`terminal.apdu.CardSlot`."""
        try:
            chip = VirtualCard.open(path)
        except MemoryDamaged:
            return
        time.sleep(max(0.0, self._emptied_at + EMPTY_FOR - time.monotonic()))
        self._card = RemovableCard(self._wrap(chip), chip)
        self._slot.insert(self._card)

    def eject(self) -> None:
        """See :class:`terminal.apdu.CardSlot`."""
        self._take_out().eject()
        self._empty()

    def tear(self) -> None:
        """See :class:`terminal.apdu.CardSlot`."""
        self._take_out().tear()
        self._empty()

    def close(self) -> None:
        self._slot.close()

    def _take_out(self) -> RemovableCard:
        card, self._card = self._card, None
        if card is None:
            raise NoCard("no card is in the contact station")
        return card

    def _empty(self) -> None:
        self._slot.pull()
        self._emptied_at = time.monotonic()
