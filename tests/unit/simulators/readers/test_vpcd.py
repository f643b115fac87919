"""The card side of the vpcd protocol against a driver in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from simulators.card.config import CardConfig, ProductionData
from simulators.readers.faults import FaultKind, Faults, InjectedFault
from simulators.readers.vpcd import ATR, EMPTY_FOR, POWER_OFF, POWER_ON, RESET, VpcdSlot
from simulators.virtual_card import VirtualCard
from terminal.errors import DeadlineExceeded
from tests.support.pcsc.fake_vpcd import FakeDriver
from tests.support.waiting import PATIENCE, eventually

SELECT = bytes.fromhex("00A4040000")


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def chip(serial: int = 1) -> VirtualCard:
    return VirtualCard.create(None, CardConfig(ProductionData(serial)))


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
        fastest = min(seconds(lambda: driver.ask(SELECT)) for _ in range(50))
        assert fastest < 0.020, "the fastest, so that a busy machine does not matter"


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
        assert card.going.wait(PATIENCE)
        assert slot.pull() is card
        assert card.let_go == ["slot", "puller"]
