"""Slots of the vpcd driver fed from a stock."""

from __future__ import annotations

from pathlib import Path

from simulators.card.config import CardConfig
from simulators.card.content import CardLifeCycle
from simulators.readers.feeder import CardFeeder
from simulators.readers.stock import StockDirectory, blank, make_stock
from simulators.readers.vpcd import ATR, EMPTY_FOR, POWER_OFF, POWER_ON, VpcdSlot
from simulators.virtual_card import VirtualCard
from tests.support.pcsc.fake_vpcd import FakeDriver
from tests.support.waiting import eventually

SELECT = bytes.fromhex("00A4040000")


class Clock:
    """Time that passes when the test says so."""

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
    feeder = CardFeeder(slot, StockDirectory(tmp_path), settle=0.05, report=lines.append, clock=clock)

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
    feeder = CardFeeder(slot, StockDirectory(tmp_path), settle=0.01, clock=clock)
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
    feeder = CardFeeder(slot, StockDirectory(tmp_path))
    feeder.tick()
    _secure(slot)
    feeder.close()
    assert (tmp_path / "issued" / path.name).exists()
    assert not path.exists()


def test_a_file_that_is_no_card_goes_to_rejects(driver: FakeDriver, tmp_path: Path) -> None:
    (tmp_path / "a.card").write_bytes(b"not a card")
    slot = VpcdSlot("127.0.0.1", driver.port)
    lines: list[str] = []
    feeder = CardFeeder(slot, StockDirectory(tmp_path), report=lines.append)
    assert not feeder.tick()
    assert not feeder.tick()
    feeder.close()
    assert (tmp_path / "rejects" / "a.card").exists()
    assert ["not a card file" in lines[0], "rejects" in lines[1], "no card is left" in lines[2]] == [True] * 3
    assert len(lines) == 3
