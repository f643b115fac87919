"""Power cuts and kills at any moment: the card is where it was, the bins hold what they count, no chip is lost."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from simulators.machines.body import BodyManner, MachineBody
from simulators.machines.clock import VirtualClock
from simulators.machines.crt571.machine import SimulatedCrt571
from simulators.machines.record import BodyPlace
from simulators.virtual_card import VirtualCard
from terminal.errors import ReaderFault
from tests.support.waiting import eventually
from tests.unit.simulators.machines.crt571.conftest import Host, Start
from tests.unit.simulators.machines.crt571.test_commands import (
    COLD,
    CONTACTS,
    EXIT,
    HOLDING,
    INITIALIZE,
    REJECT,
    SELECT_T0,
    STATUS,
    code_of,
    data_of,
    state_of,
)

INITIALIZE_UPDATE = "F200001043513980500000080102030405060708031A"
"""The sequence counter of the key set is in the memory before the chip answers."""


class SlowChip:
    """A chip that begins with its command when the power is about to fail."""

    def __init__(self, chip: VirtualCard, began: threading.Event) -> None:
        self._chip, self._began = chip, began

    @property
    def atr(self) -> bytes:
        return self._chip.atr

    def power_on(self) -> bytes:
        return self._chip.power_on()

    def power_off(self) -> None:
        self._chip.power_off()

    def reset(self) -> bytes:
        return self._chip.reset()

    def exchange(self, apdu: bytes) -> bytes:
        self._began.set()
        eventually(lambda: self._chip.tear is not None)
        return self._chip.exchange(apdu)


def cards(stock: Path) -> dict[str, int]:
    """How many card files lie where, whatever the machine counts."""
    places = {path: path.parent.name for path in stock.rglob("*.card")}
    return {place: list(places.values()).count(place) for place in sorted(set(places.values()))}


def test_a_machine_without_power_is_silent_and_then_not_initialized(host: Host) -> None:
    host.exchange(CONTACTS)
    host.machine.power_off()
    assert host.send(STATUS, 60) == ""
    host.machine.power_on()
    assert code_of(host.exchange(STATUS)) == "B0"
    host.initialize()
    assert state_of(host.exchange(STATUS))[:2] == "32"
    assert code_of(host.exchange(SELECT_T0)) == "65", "the chip has no power"


@pytest.mark.parametrize(
    ("fault", "place"),
    [("power-before:1", BodyPlace.NONE), ("power-during:1", BodyPlace.BETWEEN), ("power-after:1", BodyPlace.CHIP)],
)
def test_a_cut_around_a_move(start: Start, fault: str, place: BodyPlace) -> None:
    host = start(fault, seconds=1.5)
    host.initialize()
    assert host.send(CONTACTS, 1.0) == "06"
    assert host.listen(0.9) == ""
    assert host.machine.body.place is place
    assert host.listen(3) == "", "the power comes back by itself"
    assert code_of(host.exchange(STATUS)) == "B0"
    host.initialize()
    assert state_of(host.exchange(STATUS))[:2] == ("30" if place is BodyPlace.NONE else "32")
    assert state_of(host.exchange(HOLDING))[:2] == "32"
    assert host.machine.body.record.fed == 1


def test_the_power_may_stay_away(start: Start) -> None:
    host = start("power-before:1:inf")
    host.initialize()
    assert host.send(CONTACTS, 60) == "06"
    assert not host.machine.powered
    host.machine.power_on()
    assert code_of(host.exchange(STATUS)) == "B0"


def test_the_power_fails_from_another_thread_while_the_chip_writes(stock: Path) -> None:
    """The chip writes half of what it wanted, and says nothing."""
    began = threading.Event()
    body = MachineBody.at_stock(stock, "slow", BodyManner(wrap=lambda chip: SlowChip(chip, began)))
    host = Host(SimulatedCrt571(body, clock=VirtualClock()))
    host.initialize()
    host.exchange(CONTACTS)
    host.exchange(COLD)
    answers: list[str] = []
    work = threading.Thread(target=lambda: answers.append(host.send(INITIALIZE_UPDATE, 5)))
    work.start()
    assert began.wait(30)
    host.machine.power_off()
    work.join(30)
    assert answers == ["06"]
    assert body.card is not None
    size = body.card.stat().st_size
    host.machine.power_on()
    host.initialize()
    assert data_of(host.exchange(COLD))
    assert body.card.stat().st_size < size, "the chip cuts off what it did not complete"


def test_a_process_killed_in_a_move_is_followed_by_one_that_has_its_card(stock: Path) -> None:
    """A killed process closes nothing: its objects are left as they are."""
    seen = []
    for number, command in enumerate((CONTACTS, HOLDING, EXIT, CONTACTS, REJECT)):
        host = Host(SimulatedCrt571(MachineBody.at_stock(stock, "m", BodyManner(seconds=2)), clock=VirtualClock()))
        place = host.machine.body.place
        assert data_of(host.exchange(INITIALIZE)) == b"CRT-571 V1.00"
        host.line.write(bytes.fromhex(command))
        assert host.line.read(1.0) == b"\x06"
        seen.append((number, place, sum(cards(stock).values())))
    assert seen == [
        (0, BodyPlace.NONE, 2),
        (1, BodyPlace.BETWEEN, 2),
        (2, BodyPlace.BETWEEN, 2),
        (3, BodyPlace.BETWEEN, 2),
        (4, BodyPlace.BETWEEN, 2),
    ]
    body = MachineBody.at_stock(stock, "m")
    assert cards(stock) == {"inside": 1, "stock": 1}
    assert (body.record.fed, body.record.output, body.record.reject) == (1, 0, 0)


@pytest.mark.parametrize("killed", ["before", "linked", "moved"])
def test_a_process_killed_while_a_card_drops_counts_it_once(
    start: Start, stock: Path, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    host = start()
    host.initialize()
    host.exchange(CONTACTS)
    body = host.machine.body
    card = body.card
    assert card is not None

    def dies(path: Path, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        if killed == "linked":
            (directory / path.name).hardlink_to(path)
        if killed == "moved":
            path.rename(directory / path.name)
        raise KeyboardInterrupt

    monkeypatch.setattr("simulators.machines.body.move_card", dies)
    with pytest.raises(KeyboardInterrupt):
        host.exchange(EXIT)
    monkeypatch.undo()
    again = MachineBody.at_stock(stock, "crt")
    dropped = killed != "before"
    assert (again.record.output, again.card is None) == (int(dropped), dropped)
    assert again.place is (BodyPlace.NONE if dropped else BodyPlace.BETWEEN)
    assert cards(stock) == {"issued" if dropped else "inside": 1, "stock": 1}
    assert MachineBody.at_stock(stock, "crt").record.output == int(dropped), "once"


def test_two_machines_at_one_stock_do_not_take_each_others_cards(stock: Path) -> None:
    first, second = (MachineBody.at_stock(stock, name) for name in ("one", "two"))
    for body in (first, second):
        host = Host(SimulatedCrt571(body, clock=VirtualClock()))
        host.initialize()
        host.exchange(CONTACTS)
    del first
    assert MachineBody.at_stock(stock, "one").card != second.card
    assert cards(stock) == {"inside": 2}
    assert second.supply_level == 0


def test_a_record_that_is_none_is_a_fault(stock: Path) -> None:
    body = MachineBody.at_stock(stock, "crt")
    (body.directory / "machine.json").write_text("[]")
    with pytest.raises(ReaderFault, match="is no record of a machine"):
        MachineBody.at_stock(stock, "crt")


@pytest.mark.parametrize("page", [0, 1])
def test_the_power_fails_in_the_middle_of_a_page(start: Start, page: int) -> None:
    """Counted over all that chips write in this machine."""
    host = start(f"power-page:{page}")
    host.initialize()
    host.exchange(CONTACTS)
    host.exchange(COLD)
    answers = [host.send(INITIALIZE_UPDATE, 1.0)[:2] + ("…" if number == page else "") for number in range(page + 1)]
    assert answers[-1] == "06…"
    assert not host.machine.powered
    assert host.listen(3) == ""
    host.initialize()
    assert data_of(host.exchange(COLD))
    assert data_of(host.exchange(INITIALIZE_UPDATE))[-2] == 0x61


def test_a_stock_that_went_away_is_a_failure_and_a_line_says_so(stock: Path) -> None:
    lines: list[str] = []
    host = Host(SimulatedCrt571(MachineBody.at_stock(stock, "m"), clock=VirtualClock(), report=lines.append))
    host.initialize()
    stock.rename(stock.with_name("elsewhere"))
    assert code_of(host.exchange(STATUS)) == "03"
    assert code_of(host.exchange(CONTACTS)) == "03"
    assert len(lines) == 2
    assert str(stock) in lines[0]
