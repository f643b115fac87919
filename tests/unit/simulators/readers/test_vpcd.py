"""The card's side of the vpcd protocol against a driver in this process, and slots fed from a stock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from simulators.card.config import CardConfig, ProductionData
from simulators.card.content import CardLifeCycle
from simulators.readers.faults import FaultKind, Faults, InjectedFault
from simulators.readers.feeder import CardFeeder
from simulators.readers.stock import Stock, blank, make_stock
from simulators.readers.vpcd import ATR, EMPTY_FOR, POWER_OFF, POWER_ON, RESET, VpcdSlot
from simulators.virtual_card import VirtualCard
from terminal.errors import DeadlineExceeded
from tests.support.pcsc.fake_vpcd import FakeDriver

SELECT = bytes.fromhex("00A4040000")


def chip(serial: int = 1) -> VirtualCard:
    return VirtualCard.create(None, CardConfig(ProductionData(serial)))


@pytest.fixture
def driver() -> Iterator[FakeDriver]:
    with FakeDriver() as fake:
        yield fake


def eventually(true: Callable[[], bool], seconds: float = 5) -> bool:
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_a_card_in_a_slot(driver: FakeDriver) -> None:
    card = chip()
    with VpcdSlot("127.0.0.1", driver.port) as slot:
        slot.insert(card)
        driver.accept()
        assert driver.ask(ATR) == card.atr
        assert slot.idle == 0
        driver.tell(POWER_ON)
        answer = driver.ask(SELECT)
        assert answer[0] == 0x6F
        assert answer[-2:] == b"\x90\x00"
        assert slot.commands == 1
        driver.tell(RESET)
        assert driver.ask(SELECT) == answer
        driver.tell(POWER_OFF)
        driver.tell(b"\x03")
        assert driver.ask(ATR) == card.atr
        assert not card.powered
        assert slot.idle > 0


def test_round_trips_do_not_wait_for_acknowledgements(driver: FakeDriver) -> None:
    """Without TCP_QUICKACK each of these takes 40 ms and more."""
    with VpcdSlot("127.0.0.1", driver.port) as slot:
        slot.insert(chip())
        driver.accept().tell(POWER_ON)
        driver.ask(SELECT)
        start = time.perf_counter()
        for _ in range(50):
            driver.ask(SELECT)
        assert time.perf_counter() - start < 50 * 0.020


def test_messages_in_pieces_and_long_ones(driver: FakeDriver) -> None:
    with VpcdSlot("127.0.0.1", driver.port) as slot:
        slot.insert(chip())
        driver.accept().tell(POWER_ON)
        long = bytes.fromhex("00A40400 00 7D00") + bytes(32000)
        assert driver.ask(long)[-2:] == b"\x67\x00"
        assert driver._card is not None
        for byte in b"\x00\x05" + SELECT:
            driver._card.send(bytes((byte,)))
            time.sleep(0.001)
        assert driver._receive(2) != b""


def test_pull_and_insert(driver: FakeDriver) -> None:
    with VpcdSlot("127.0.0.1", driver.port) as slot:
        first, second = chip(1), chip(2)
        assert slot.pull() is None
        slot.insert(first)
        driver.accept().tell(POWER_ON)
        driver.ask(SELECT)
        with pytest.raises(ValueError, match="a card in this slot"):
            slot.insert(second)
        assert slot.pull() is first
        assert driver.gone
        assert not first.powered
        slot.insert(second)
        assert slot.commands == 0
        driver.accept().tell(POWER_ON)
        driver.ask(SELECT)
        assert second.powered


def test_a_driver_that_comes_back_finds_the_card_again() -> None:
    lines: list[str] = []
    with FakeDriver() as driver:
        port = driver.port
        slot = VpcdSlot("127.0.0.1", port, report=lines.append)
        slot.insert(chip())
        driver.accept().tell(POWER_ON)
        driver.ask(SELECT)
    assert eventually(lambda: any("is pcscd running" in line for line in lines))
    with FakeDriver(port) as driver, slot:
        driver.accept().tell(POWER_ON)
        assert driver.ask(SELECT)[-2:] == b"\x90\x00"
    assert "went away" in lines[0]


@pytest.mark.parametrize("kind", [FaultKind.TEAR_APDU, FaultKind.MUTE])
def test_a_card_that_loses_power_is_out_and_in_again(driver: FakeDriver, kind: FaultKind) -> None:
    lines: list[str] = []
    card = chip()
    with VpcdSlot("127.0.0.1", driver.port, report=lines.append) as slot:
        slot.insert(Faults([InjectedFault(kind, 1)]).on(card, card))
        driver.accept().tell(POWER_ON)
        driver.ask(SELECT)
        assert driver.ask(SELECT) == b""
        start = time.monotonic()
        driver.accept().tell(POWER_ON)
        assert time.monotonic() - start > EMPTY_FOR / 2
        assert driver.ask(SELECT)[-2:] == b"\x90\x00"
    assert "put in again" in lines[0]


class Dying:
    """A card that falls silent, and takes its time to let go of the power."""

    atr = bytes.fromhex("3B00")

    def __init__(self) -> None:
        self.going = threading.Event()
        self.let_go: list[str] = []

    def power_on(self) -> bytes:
        return self.atr

    reset = power_on

    def exchange(self, apdu: bytes) -> bytes:
        raise DeadlineExceeded("the card gives no answer")

    def power_off(self) -> None:
        own = threading.current_thread() is not threading.main_thread()
        if own:
            self.going.set()
            time.sleep(0.1)
        self.let_go.append("slot" if own else "puller")


def test_a_pulled_card_is_touched_no_more(driver: FakeDriver) -> None:
    """Whoever pulls a card just as it dies has it alone: the slot's own power off is over by then."""
    card = Dying()
    with VpcdSlot("127.0.0.1", driver.port) as slot:
        slot.insert(card)
        driver.accept().tell(POWER_ON)
        driver.tell(SELECT)
        assert card.going.wait(5)
        assert slot.pull() is card
        assert card.let_go == ["slot", "puller"]


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def job(driver: FakeDriver, *commands: bytes) -> None:
    """One visit of a terminal to the card in the slot."""
    driver.accept().tell(POWER_ON)
    for command in commands:
        driver.ask(command)
    driver.tell(POWER_OFF)
    driver.ask(ATR)


def test_a_feeder_feeds_a_slot(driver: FakeDriver, tmp_path: Path) -> None:
    """The first card is finished, the second comes out unfinished twice, the third stays when the work ends."""
    paths = list(make_stock(tmp_path, 3, CardConfig(blank())))
    clock, lines = Clock(), list[str]()
    slot = VpcdSlot("127.0.0.1", driver.port)
    feeder = CardFeeder(slot, Stock(tmp_path), settle=0.05, report=lines.append, clock=clock)

    def settled() -> bool:
        clock.now += EMPTY_FOR
        feeder.tick()
        return slot.card is None

    assert feeder.tick()
    _secure(slot)
    assert not settled(), "a card that nobody has spoken to stays"
    job(driver, SELECT)
    assert eventually(settled)
    assert [p.name for p in (tmp_path / "issued").iterdir()] == [paths[0].name]
    for _ in range(2):
        clock.now += EMPTY_FOR
        assert feeder.tick()
        job(driver, SELECT)
        assert eventually(settled)
    assert [p.name for p in (tmp_path / "rejects").iterdir()] == [paths[1].name]
    clock.now += EMPTY_FOR
    assert feeder.tick()
    driver.accept()
    feeder.close()
    assert paths[2].exists()
    assert list((tmp_path / ".begun").iterdir()) == []
    assert lines[0] == f"slot {driver.port}: {paths[0].name}"
    assert "once more" in lines[3]


def _secure(slot: VpcdSlot) -> None:
    """As SET STATUS does, without a secure channel."""
    assert isinstance(slot.card, VirtualCard)
    slot.card.power_on()
    system = slot.card._system
    assert system is not None
    system.set_state(CardLifeCycle.SECURED)
    slot.card.power_off()


def test_a_feeder_leaves_the_slot_empty_for_a_while(driver: FakeDriver, tmp_path: Path) -> None:
    list(make_stock(tmp_path, 2, CardConfig(blank())))
    clock = Clock()
    slot = VpcdSlot("127.0.0.1", driver.port)
    feeder = CardFeeder(slot, Stock(tmp_path), settle=0.01, clock=clock)
    feeder.tick()
    job(driver, SELECT)
    assert eventually(lambda: feeder.tick() and slot.card is None)
    assert feeder.tick()
    assert slot.card is None
    clock.now += EMPTY_FOR
    feeder.tick()
    assert slot.card is not None
    feeder.close()


def test_a_finished_card_is_put_away_at_the_end(driver: FakeDriver, tmp_path: Path) -> None:
    (path,) = make_stock(tmp_path, 1, CardConfig(blank()))
    slot = VpcdSlot("127.0.0.1", driver.port)
    feeder = CardFeeder(slot, Stock(tmp_path))
    feeder.tick()
    _secure(slot)
    feeder.close()
    assert (tmp_path / "issued" / path.name).exists()
    assert not path.exists()


def test_a_file_that_is_no_card_goes_to_rejects(driver: FakeDriver, tmp_path: Path) -> None:
    (tmp_path / "a.card").write_bytes(b"not a card")
    slot = VpcdSlot("127.0.0.1", driver.port)
    lines: list[str] = []
    feeder = CardFeeder(slot, Stock(tmp_path), report=lines.append)
    assert not feeder.tick()
    assert not feeder.tick()
    feeder.close()
    assert (tmp_path / "rejects" / "a.card").exists()
    assert ["not a card file" in lines[0], "rejects" in lines[1], "no card is left" in lines[2]] == [True] * 3
    assert len(lines) == 3
