"""A person as the machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.manual import ManualMachine, open_machine, parse_rest
from personalize.machines.protocols import MachineBin, MachinePlace, StripeTracks
from personalize.machines.reader import MachineReader
from simulators.card.config import CardConfig, ProductionData
from simulators.machines.evolis.slots import reader_inside
from simulators.readers.reader import ManualSlotReader
from simulators.virtual_card import VirtualCard
from terminal.errors import ReaderFault, ReaderNotFound


@pytest.fixture
def cards(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"chip-{number}.card" for number in (1, 2)]
    for number, path in enumerate(paths):
        VirtualCard.create(path, CardConfig(ProductionData(number)))
    return paths


@pytest.fixture
def slot() -> ManualSlotReader:
    return reader_inside("lane-1")


def test_a_person_feeds_the_reader_and_reads_where_the_card_goes(slot: ManualSlotReader, cards: list[Path]) -> None:
    machine, lines = ManualMachine("manual:x", slot), []
    machine.screen.show = lines.append

    assert not machine.take(0)
    assert machine.status().place is MachinePlace.NONE
    slot.insert(cards[0])
    assert machine.status().place is MachinePlace.INSIDE
    assert machine.take(None)
    assert machine.take(0)
    machine.to_chip()
    assert machine.status().place is MachinePlace.CHIP
    assert machine.reader.connect().atr
    machine.give(MachineBin.REJECT)
    machine.give(MachineBin.OUTPUT)
    assert lines == ["put the card into the reject bin"]
    assert machine.status().place is MachinePlace.EXIT
    assert not machine.take(0)  # The card was not taken out yet.

    slot.eject()
    slot.insert(cards[1])
    assert machine.take(5)
    machine.give(MachineBin.OUTPUT)
    assert lines[1:] == ["put the card with the finished ones"]
    machine.close()


def test_a_card_that_a_person_took_out_is_not_in_the_reader(slot: ManualSlotReader, cards: list[Path]) -> None:
    machine = ManualMachine("manual:x", slot)
    reader = MachineReader(machine)
    slot.insert(cards[0])
    assert reader.wait_for_card(1)
    slot.eject()
    assert machine.status().place is MachinePlace.CHIP  # It may be swiped meanwhile.

    assert not reader.wait_for_card(0)
    assert machine.status().place is MachinePlace.NONE
    with pytest.raises(MachineFault, match="no card is inside"):
        machine.to_chip()
    slot.insert(cards[1])
    assert reader.wait_for_card(0)


class Encoder:
    """An encoder whose link holds for one stripe."""

    def __init__(self, prompt: Callable[[str], None]) -> None:
        self.open, self._prompt = True, prompt

    def write_stripe(self, tracks: StripeTracks) -> None:
        if not self.open:
            raise ReaderFault("/dev/ttyUSB1 is closed")
        self._prompt("swipe")
        self.open = False

    def close(self) -> None:
        self.open = False


def test_an_encoder_whose_link_was_lost_is_opened_again(slot: ManualSlotReader) -> None:
    machine, lines = ManualMachine("manual:x", slot, encoder=Encoder), []  # type: ignore[arg-type]
    machine.screen.show = lines.append

    for _ in range(2):
        machine.write_stripe(StripeTracks())
    assert lines == ["swipe", "swipe"]
    machine.close()
    with pytest.raises(ReaderFault, match="is closed"):
        machine.write_stripe(StripeTracks())


def test_a_person_cannot_do_everything(slot: ManualSlotReader) -> None:
    machine = ManualMachine("manual:x", slot)
    abilities = machine.abilities

    assert (abilities.feeds, abilities.prints, abilities.stripes, abilities.chip) == (False, False, False, True)
    assert machine.url == "manual:x"
    assert machine.name == slot.name
    machine.clear()
    for order in (machine.flip, machine.to_antenna, machine.read_stripe, lambda: machine.write_stripe(StripeTracks())):
        with pytest.raises(MachineFault) as fault:
            order()
        assert fault.value.code is MachineFaultCode.LACKS
    with pytest.raises(MachineFault, match="no card is inside"):
        machine.to_chip()


@pytest.mark.parametrize(
    ("rest", "parts"),
    [
        ("pcsc:0", ("pcsc:0", "")),
        ("pcsc:ACR?share=1&deadline=9", ("pcsc:ACR?share=1&deadline=9", "")),
        ("pcsc:ACR?share=1&stripe=msr605:/dev/ttyUSB1", ("pcsc:ACR?share=1", "msr605:/dev/ttyUSB1")),
        (
            "pcsc:0?stripe=msr605:/dev/ttyUSB1?coercivity=low%26tries=2",
            ("pcsc:0", "msr605:/dev/ttyUSB1?coercivity=low&tries=2"),
        ),
    ],
)
def test_options_of_the_reader_stay_with_it(rest: str, parts: tuple[str, str]) -> None:
    assert parse_rest(rest) == parts


@pytest.mark.parametrize(
    ("rest", "sentence"),
    [
        ("", "manual: names no reader; give one, as in manual:pcsc:0"),
        ("pcsc:0?stripe=a&stripe=b", "names no reader"),
        ("sim:x?stripe=pcsc:1", "stripe=pcsc:1 names no stripe encoder; give one, as in stripe=msr605:/dev/ttyUSB1"),
        ("sim:{cards}?stripe=msr605:/no/such/port", "there is no port /no/such/port"),
    ],
)
def test_a_wrong_url_is_refused(rest: str, sentence: str, cards: list[Path]) -> None:
    with pytest.raises(ReaderNotFound, match=sentence.replace("?", r"\?")):
        open_machine(rest.format(cards=cards[0]))


def test_the_url_opens_the_machine(cards: list[Path]) -> None:
    machine = open_machine(f"sim:{cards[0]}")

    assert machine.take(1)
    assert machine.reader.connect().atr
    machine.close()
