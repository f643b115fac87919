"""A machine as a reader: what feeds a card and what does not, and which bin a card goes to."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints, entry_points

import pytest

from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.open import GROUP as MACHINES
from personalize.machines.protocols import MachineAbilities, MachinePlace, MachineStatus
from personalize.machines.reader import MachineReader, machine_of, refuse_shared
from reader_service.readers.worker import ReaderSession
from simulators.card.config import CardConfig, ProductionData
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, InsertedCard, WatchableReader, open_reader
from terminal.apdu.readers import GROUP
from terminal.errors import NoCard, ReaderBusy
from tests.support.cards.card_bench import Rack
from tests.support.machines.machine import Blank, CountingMachine


@pytest.fixture
def machine() -> CountingMachine:
    return CountingMachine(Blank(VirtualCard.create(None, CardConfig(ProductionData(n)))) for n in (1, 2))


def test_looking_feeds_nothing(machine: CountingMachine) -> None:
    reader, cards = MachineReader(machine), list[InsertedCard | None]()
    assert isinstance(reader, WatchableReader)
    reader.watch(cards.append)
    assert (reader.wait_for_card(0), cards, machine.done) == (False, [None], [])
    with pytest.raises(NoCard):
        reader.connect()


def test_waiting_feeds_a_card_to_the_contact_station_and_only_one(machine: CountingMachine) -> None:
    reader = MachineReader(machine)
    for _ in range(2):
        assert reader.wait_for_card(1.0)
    assert reader.wait_for_card(0)
    assert machine.done == ["take", "to chip"]
    assert reader.connect().exchange(bytes.fromhex("00A4040000"))[:1] == b"\x6f"


BINS = {Disposition.DONE: "output", Disposition.REJECT: "reject", Disposition.ASIDE: "reject", Disposition.KEEP: ""}


@pytest.mark.parametrize(("disposition", "bin"), BINS.items())
def test_a_released_card_moves_to_the_bin_of_its_disposition(
    machine: CountingMachine, disposition: Disposition, bin: str
) -> None:
    reader, card = MachineReader(machine), machine.feeder[0]
    reader.wait_for_card(1.0)
    reader.connect()
    reader.release(disposition)
    assert [name.value for name, cards in machine.bins.items() if card in cards] == ([bin] if bin else [])
    assert (machine.inside is card) is (disposition is Disposition.KEEP)


def test_an_empty_feeder_is_a_fault_and_an_empty_slot_is_none(
    machine: CountingMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "take", lambda timeout: False)
    with pytest.raises(MachineFault) as raised:
        MachineReader(machine).wait_for_card(1.0)
    assert raised.value.code is MachineFaultCode.FEEDER_EMPTY
    monkeypatch.setattr(machine, "status", lambda: MachineStatus(MachinePlace.EXIT))
    with pytest.raises(MachineFault) as raised:
        MachineReader(machine).wait_for_card(1.0)
    assert raised.value.code is MachineFaultCode.EXIT
    machine.abilities = MachineAbilities(feeds=False)
    assert not MachineReader(machine).wait_for_card(1.0)


def test_a_machine_serves_one_lane(machine: CountingMachine) -> None:
    reader, rack = MachineReader(machine), Rack([])
    refuse_shared(reader, ["machine 2", "rack"])
    refuse_shared(rack, ["rack"])  # A reader that two lanes share is the concern of its driver.
    with pytest.raises(ReaderBusy, match="machine 1 is named twice, and a machine serves one lane"):
        refuse_shared(reader, ["rack", "machine 1"])


def test_lanes_find_the_machine_behind_a_reader(machine: CountingMachine) -> None:
    reader = MachineReader(machine)
    assert machine_of(reader) is machine
    assert machine_of(ReaderSession(reader)) is machine
    assert machine_of(Rack([])) is None
    assert machine_of(ReaderSession(Rack([]))) is None
    assert (reader.name, reader.url) == ("machine 1", "counting:machine 1")


@pytest.mark.parametrize("scheme", ["crt571", "evolis", "cups", "manual"])
def test_the_url_of_a_machine_is_a_reader_url(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scheme in entry_points(group=GROUP).names
    plugged = EntryPoints([EntryPoint(scheme, "tests.support.machines.machine:CountingMachine", "")])
    present = {GROUP: entry_points(group=GROUP), MACHINES: plugged}
    monkeypatch.setattr("terminal.apdu.schemes.entry_points", lambda group: present[group])
    reader = open_reader(f"{scheme}:")
    assert isinstance(reader, MachineReader)
    assert isinstance(reader.machine, CountingMachine)
