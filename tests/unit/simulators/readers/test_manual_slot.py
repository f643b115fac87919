"""The manual slot: cards inserted, ejected and torn out; and readers that report the card in their slot."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from simulators.card.config import CardConfig
from simulators.card.memory import Tear
from simulators.readers.manual_slot import RemovableCard
from simulators.readers.reader import ManualSlotReader, open_reader
from simulators.readers.stock import blank, make_stock
from simulators.virtual_card import VirtualCard
from terminal.apdu import CardSlot, Disposition, InsertedCard, Reader, WatchableReader
from terminal.errors import CardGone, NoCard, ReaderBusy, ReaderNotFound
from tests.support.cards import gp_host
from tests.support.foreign import host as foreign_host
from tests.support.waiting import PATIENCE

SELECT_ISD = bytes.fromhex("00A4040000")


@pytest.fixture
def cards(tmp_path: Path) -> list[Path]:
    return list(make_stock(tmp_path / "stock", 2, CardConfig(blank())))


@pytest.fixture
def slot() -> ManualSlotReader:
    reader = open_reader("slot/Counter")
    assert isinstance(reader, ManualSlotReader)
    return reader


def test_a_card_is_put_in_used_and_taken_out(slot: ManualSlotReader, cards: list[Path]) -> None:
    assert isinstance(slot, Reader)
    assert isinstance(slot, CardSlot)
    assert (slot.name, slot.url) == ("slot/Counter", "sim:slot/Counter")
    assert not slot.wait_for_card(0)
    with pytest.raises(NoCard, match="slot/Counter"):
        slot.connect()
    slot.insert(cards[0])
    assert slot.wait_for_card(0)
    card = slot.connect()
    assert card.exchange(SELECT_ISD)[-2] == 0x61 or card.exchange(SELECT_ISD).endswith(b"\x90\x00")
    slot.eject()
    with pytest.raises(CardGone):
        card.exchange(SELECT_ISD)
    with pytest.raises(CardGone):
        card.reset()
    assert not VirtualCard.open(cards[0]).powered
    assert not slot.wait_for_card(0)
    for out in (slot.eject, slot.tear):
        with pytest.raises(NoCard, match="no card"):
            out()


def test_only_one_card_fits_and_it_must_be_one(slot: ManualSlotReader, cards: list[Path], tmp_path: Path) -> None:
    slot.insert(cards[0])
    with pytest.raises(ReaderBusy, match="take it out first"):
        slot.insert(cards[1])
    with pytest.raises(ReaderNotFound, match=r"none\.card"):
        slot.insert(tmp_path / "none.card")


def test_waiting_ends_as_soon_as_a_card_comes(slot: ManualSlotReader, cards: list[Path]) -> None:
    came: list[bool] = []
    waiter = threading.Thread(target=lambda: came.append(slot.wait_for_card(10 * PATIENCE)), daemon=True)
    waiter.start()
    time.sleep(0.02)
    slot.insert(cards[0])
    waiter.join(PATIENCE)
    assert came == [True]


def test_a_card_let_out_is_not_given_again_before_it_was_taken(slot: ManualSlotReader, cards: list[Path]) -> None:
    slot.insert(cards[0])
    slot.connect()
    slot.release(Disposition.DONE)
    assert not slot.wait_for_card(0)
    slot.eject()
    slot.insert(cards[0])
    assert slot.wait_for_card(0)
    assert slot.connect().exchange(SELECT_ISD)


def test_a_card_let_out_late_is_not_the_one_that_lies_there_by_now(slot: ManualSlotReader, cards: list[Path]) -> None:
    slot.insert(cards[0])
    slot.connect()
    slot.eject()
    slot.insert(cards[1])
    slot.release(Disposition.DONE)
    assert slot.wait_for_card(0)
    slot.connect()
    slot.release(Disposition.DONE)
    assert not slot.wait_for_card(0)


def test_torn_out_while_it_writes_it_keeps_its_old_state(slot: ManualSlotReader, cards: list[Path]) -> None:
    slot.insert(cards[0])
    host = foreign_host.open_domain(slot.connect())
    chip = slot.chip
    assert chip is not None
    before = len(chip.registry.instances)
    torn: list[int] = []

    def pull(pages: int) -> int | None:
        torn.append(pages)
        slot.tear()
        assert chip.tear is not None
        return chip.tear(pages)

    chip.tear = pull
    with pytest.raises(CardGone):
        foreign_host.install(host, gp_host.MEMBER_FILE, gp_host.MEMBER_MODULE, gp_host.MEMBER_MODULE)
    assert torn
    assert not chip.powered
    slot.insert(cards[0])
    assert slot.connect().exchange(SELECT_ISD)
    assert slot.chip is not None
    assert len(slot.chip.registry.instances) == before


class Slow:
    """A card that answers when it is let."""

    atr = b"\x3b"
    tear: Tear | None = None

    def __init__(self) -> None:
        self.begun, self.go, self.on = threading.Event(), threading.Event(), True

    def power_on(self) -> bytes:
        return self.atr

    def power_off(self) -> None:
        self.on = False

    def reset(self) -> bytes:
        return self.atr

    def exchange(self, apdu: bytes) -> bytes:
        self.begun.set()
        assert self.go.wait(PATIENCE)
        assert self.on
        return b"\x90\x00"


def test_a_card_torn_out_in_a_command_gives_no_answer() -> None:
    slow = Slow()
    card = RemovableCard(slow, slow)
    faults: list[type[Exception]] = []

    def exchange() -> None:
        try:
            card.exchange(SELECT_ISD)
        except CardGone as gone:
            faults.append(type(gone))

    worker = threading.Thread(target=exchange)
    worker.start()
    assert slow.begun.wait(PATIENCE)
    card.tear()
    assert slow.on
    slow.go.set()
    worker.join()
    assert faults == [CardGone]
    assert not slow.on
    assert slow.tear is not None
    assert slow.tear(4) == 2
    with pytest.raises(NoCard):
        card.power_on()


def test_slots_tell_what_lies_in_them(slot: ManualSlotReader, cards: list[Path], tmp_path: Path) -> None:
    heard: list[InsertedCard | None] = []
    atr = VirtualCard.open(cards[0]).atr
    slot.watch(heard.append)
    slot.insert(cards[0])
    slot.eject()
    damaged = tmp_path / "damaged.card"
    damaged.write_bytes(b"no chip at all")
    slot.insert(damaged)
    assert heard == [None, InsertedCard(atr), None, InsertedCard(mute=True)]
    heard.clear()
    again = open_reader(f"slot/Desk?card={cards[1]}")
    assert isinstance(again, WatchableReader)
    again.watch(heard.append)
    assert heard == [InsertedCard(VirtualCard.open(cards[1]).atr)]


def test_single_cards_and_feeders_tell_too(cards: list[Path]) -> None:
    heard: list[InsertedCard | None] = []
    single = open_reader(str(cards[0]))
    single.watch(heard.append)
    single.release(Disposition.DONE)
    assert [seen is not None for seen in heard] == [False, True, False]
    heard.clear()
    feeder = open_reader(str(cards[0].parent))
    feeder.watch(heard.append)
    assert heard == [None]
    assert feeder.wait_for_card(0)
    feeder.release(Disposition.ASIDE)
    feeder.close()
    assert [seen is not None for seen in heard] == [False, True, False]
