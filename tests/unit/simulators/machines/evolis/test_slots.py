"""The chip readers inside a printer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulators.card.config import CardConfig, ProductionData
from simulators.machines.evolis.slots import VpcdStation, reader_inside
from simulators.readers.vpcd import ATR, POWER_ON, VpcdSlot
from simulators.virtual_card import VirtualCard
from terminal.apdu import CardSlot, Disposition, Reader
from terminal.errors import NoCard
from tests.support.pcsc.fake_vpcd import FakeDriver

SELECT = bytes.fromhex("00A4040000")


@pytest.fixture
def driver() -> Iterator[FakeDriver]:
    with FakeDriver() as fake:
        yield fake


@pytest.fixture
def cards(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"chip-{number}.card" for number in (1, 2)]
    for number, path in enumerate(paths):
        VirtualCard.create(path, CardConfig(ProductionData(number)))
    return paths


def test_the_reader_inside_is_a_reader_and_a_slot(cards: list[Path]) -> None:
    reader = reader_inside("printer")
    assert isinstance(reader, Reader)
    assert isinstance(reader, CardSlot)
    assert (reader.name, reader.url) == ("slot/printer", "sim:slot/printer")
    reader.insert(cards[0])
    assert reader.connect().exchange(SELECT)[-2:] == b"\x90\x00"
    reader.release(Disposition.DONE)
    assert not reader.wait_for_card(0), "its job is over, and the card lies there until the printer moves it"
    reader.eject()
    reader.insert(cards[1])
    assert reader.wait_for_card(0)


def test_a_card_in_a_slot_of_the_driver(cards: list[Path], monkeypatch: pytest.MonkeyPatch, driver: FakeDriver) -> None:
    monkeypatch.setattr("simulators.machines.evolis.slots.EMPTY_FOR", 0.05)
    station = VpcdStation(VpcdSlot("127.0.0.1", driver.port))
    assert isinstance(station, CardSlot)
    for take_out in (station.eject, station.tear):
        station.insert(cards[0])
        driver.accept()
        assert driver.ask(ATR) == VirtualCard.open(cards[0]).atr
        driver.tell(POWER_ON)
        assert driver.ask(SELECT)[-2:] == b"\x90\x00"
        take_out()
        assert driver.gone
        with pytest.raises(NoCard):
            take_out()
    station.close()


def test_a_chip_that_does_not_answer_is_not_inserted(tmp_path: Path, driver: FakeDriver) -> None:
    broken = tmp_path / "chip-3.card"
    VirtualCard.create(broken, CardConfig(ProductionData(3)))
    broken.write_bytes(broken.read_bytes()[:40])
    station = VpcdStation(VpcdSlot("127.0.0.1", driver.port))
    station.insert(broken)
    with pytest.raises(NoCard):
        station.eject()
    station.close()
