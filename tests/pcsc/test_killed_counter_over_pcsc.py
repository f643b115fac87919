"""`kill -9` of a counter's service whose cards are in a real PC/SC slot: nothing is lost, and nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.readers.vpcd import VpcdSlot
from simulators.virtual_card import VirtualCard
from tests.support.cards.card_bench import fast_directory
from tests.support.pcsc.pcscd import Pcscd, Slot
from tests.support.service.busy_counter import busy_counter
from tests.support.service.process import ApiClient
from tests.support.thorough import repeats

pytestmark = [
    pytest.mark.pcsc,
    pytest.mark.xdist_group("pcsc"),
    pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning"),
]
KILLS = repeats(2, 20)


class PcscSlot:
    """A slot of the PC/SC service: the card stays powered in it when the service of the counter dies."""

    def __init__(self, slot: Slot, virtual: VpcdSlot) -> None:
        self._slot, self._virtual = slot, virtual
        self.options: tuple[str, ...] = ("--counter", f"pcsc:{slot.reader_name}")

    def insert(self, client: ApiClient, reader: str, card: Path) -> None:
        self._slot.wait(present=False)
        self._virtual.insert(VirtualCard.open(card))

    def eject(self, client: ApiClient, reader: str) -> None:
        self._virtual.pull()

    def restarted(self) -> None:
        self._virtual.pull()


def test_redemptions_over_pcsc_are_those_of_the_journal_and_of_the_receiver(pcscd: Pcscd) -> None:
    slot = pcscd.next_slot()
    slot.wait(present=False)
    with fast_directory() as directory, VpcdSlot(slot.host, slot.port) as virtual:
        counter = busy_counter(directory / "counter", 2, PcscSlot(slot, virtual), seed=12)
        for _ in range(KILLS):
            counter.killed_at_work(4.0)
        counter.settled()
        on_chips, in_journal, booked = counter.accounts()
    assert on_chips == in_journal == booked
