"""A station of a simulated machine where a chip has power: contacts or antenna."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from simulators.card.memory import MemoryDamaged, Tear
from simulators.readers.manual_slot import RemovableCard
from simulators.readers.protocols import CardInSlot
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol
from terminal.errors import CardGone, NoCard


class ChipStation:
    """One station. ``activate``, ``reset`` and ``exchange`` come from one thread, ``cut`` from any.

    ``wrap(chip)`` may wrap a chip (timing, faults) before it has power. ``tear`` may cut the power at a page write of
    any chip here (see simulators.card.memory.Tear).
    """

    def __init__(self, wrap: Callable[[VirtualCard], CardInSlot] = lambda chip: chip) -> None:
        self._wrap = wrap
        self._powered: RemovableCard | None = None
        self._protocol = LinkProtocol.T1
        self.tear: Tear | None = None

    @property
    def active(self) -> bool:
        """Whether the chip has power."""
        return self._powered is not None

    @property
    def protocol(self) -> LinkProtocol:
        """Of the chip that has power, or had it last."""
        return self._protocol

    def activate(self, path: Path, protocol: LinkProtocol | None = None) -> bytes:
        """Power the chip of a card file: its ATR. ``protocol`` selects an interface of a chip that has two. Raises
        NoCard for a chip that does not answer to reset, CardInUse, ReaderFault."""
        self.deactivate()
        try:
            chip = VirtualCard.open(path, protocol=protocol)
            chip.tear = self.tear
            card = RemovableCard(self._wrap(chip), chip)
            atr = card.power_on()
        except MemoryDamaged as error:
            raise NoCard(f"the card does not answer to reset: {error}") from error
        self._powered, self._protocol = card, chip.config.protocol
        return atr

    def reset(self) -> bytes:
        """Warm reset: the ATR. Raises CardGone."""
        return self._card().reset()

    def exchange(self, apdu: bytes) -> bytes:
        """Raises CardGone, and what the wrapped card raises."""
        return self._card().exchange(apdu)

    def deactivate(self) -> None:
        """Safe to call twice."""
        card, self._powered = self._powered, None
        if card is not None:
            card.power_off()

    def cut(self) -> None:
        """The power fails now: a memory write in progress is torn, and no response comes out."""
        card = self._powered
        if card is not None:
            card.tear()

    def _card(self) -> RemovableCard:
        if self._powered is None:
            raise CardGone("the card has no power")
        return self._powered


def interface(path: Path) -> LinkProtocol | None:
    """The interface of the chip in a card file; None for one that does not answer. Raises ReaderFault."""
    try:
        return VirtualCard.open(path).config.protocol
    except MemoryDamaged:
        return None
