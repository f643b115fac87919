"""Moves of a CRT-571 and its status, over a model of the machine in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from personalize.machines.crt571.codes import ERRORS
from personalize.machines.crt571.machine import Crt571Machine
from personalize.machines.crt571.options import Crt571Settings
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.protocols import MachineBin, MachinePlace, Supply
from terminal.errors import ReaderFault, ReaderNotFound
from tests.support.machines.crt571_line import CardMover, ModelLink

Driver = Callable[..., Crt571Machine]
OUTPUT, REJECT = MachineBin.OUTPUT, MachineBin.REJECT


def test_a_card_goes_from_the_stacker_to_its_chip_and_into_a_bin(mover: CardMover, driver: Driver) -> None:
    machine = driver()
    assert machine.take(0)
    assert (machine.place, mover.fed) == (MachinePlace.CHIP, 1)
    machine.to_chip()
    machine.to_antenna()
    assert machine.place is MachinePlace.ANTENNA
    machine.give(REJECT)
    assert (mover.place, mover.rejected, mover.stacker) == ("none", 1, 2)
    assert [pm for cm, pm in mover.pms if cm == 0x32] == [0x31, 0x32, 0x33]


def test_status_says_what_the_machine_says(mover: CardMover, driver: Driver) -> None:
    mover.rejected = 7
    status = driver().status()
    assert (status.place, status.feeder, status.reject_full) == (MachinePlace.NONE, Supply.ENOUGH, False)
    assert (status.model, status.firmware, status.serial_number) == ("CRT-571 V1.0", "1.20", "SN 0815")
    assert (status.counters, status.faults) == ({"rejected": 7}, ())


def test_an_empty_stacker_and_a_full_bin_are_faults_of_the_status(mover: CardMover, driver: Driver) -> None:
    mover.stacker, mover.reject_full = 0, True
    machine = driver()
    assert machine.status().faults == (MachineFaultCode.FEEDER_EMPTY, MachineFaultCode.REJECT_FULL)
    assert not machine.take(0)
    mover.stacker = 1
    assert machine.take(0)
    with pytest.raises(MachineFault, match="the error bin is full; empty the reject bin") as full:
        machine.give(REJECT)
    assert full.value.code is MachineFaultCode.REJECT_FULL
    assert (mover.place, mover.rejected) == ("inside", 0)
    machine.give(OUTPUT)
    assert mover.out == 1


def test_a_card_given_out_waits_for_a_person(mover: CardMover, driver: Driver) -> None:
    machine = driver()
    assert machine.take(0)
    machine.give(OUTPUT)
    assert machine.status().place is MachinePlace.EXIT
    machine.give(OUTPUT)
    assert not machine.take(0)
    assert (mover.out, mover.fed) == (1, 1)
    mover.place = "none"
    assert machine.take(0)
    assert mover.fed == 2


def test_a_person_puts_each_card_into_the_slot(mover: CardMover, driver: Driver) -> None:
    machine = driver("feed=exit-slot&station=antenna")
    assert not machine.abilities.feeds
    assert not machine.take(0)
    assert (mover.entry, mover.fed) == (True, 0)
    mover.place = "exit"
    assert machine.take(0)
    assert (machine.place, mover.entry, mover.fed) == (MachinePlace.ANTENNA, False, 0)
    machine.give(OUTPUT)
    assert not machine.take(0), "the finished card is not taken in again"
    mover.place = "none"
    assert not machine.take(0)
    mover.place = "exit"
    assert machine.take(0)
    machine.close()


def test_without_a_card_nothing_moves(mover: CardMover, driver: Driver) -> None:
    machine = driver()
    machine.give(OUTPUT)
    with pytest.raises(MachineFault, match="no card is inside"):
        machine.to_antenna()
    assert machine.take(0)
    mover.place = "none"
    machine.give(REJECT)
    with pytest.raises(MachineFault, match="no card is inside") as away:
        machine.to_antenna()
    assert away.value.code is MachineFaultCode.MOVED_BY_HAND
    assert (mover.fed, mover.out, mover.rejected) == (1, 0, 0)


@pytest.mark.parametrize(
    ("start", "place", "rejected"), [("leave", "inside", 0), ("hold", "inside", 0), ("reject", "none", 1)]
)
@pytest.mark.parametrize("counted", ["0", "1"])
def test_a_card_inside_at_the_start(
    mover: CardMover, driver: Driver, start: str, place: str, rejected: int, counted: str
) -> None:
    mover.place = "inside"
    machine = driver(f"start={start}&retract-counter={counted}")
    status = machine.status()
    assert (mover.place, mover.rejected) == (place, rejected)
    assert status.place is (MachinePlace.INSIDE if place == "inside" else MachinePlace.NONE)
    expected = {"leave": 0x33, "hold": 0x30, "reject": 0x31}[start] + 4 * int(counted)
    assert mover.pms[0] == (0x30, expected)
    if place == "inside":
        assert machine.take(0)
        machine.to_chip()
        assert (machine.place, mover.fed) == (MachinePlace.CHIP, 0)


@pytest.mark.parametrize("marker", [0x4E, 0x45])
@pytest.mark.parametrize("error", ERRORS)
def test_each_error_is_a_fault_with_its_code(mover: CardMover, driver: Driver, error: str, marker: int) -> None:
    mover.marker = marker
    machine = driver()
    assert machine.take(0)
    mover.errors[0x32, 0x32] = error
    with pytest.raises(MachineFault) as fault:
        machine.to_antenna()
    code, cause = ERRORS[error]
    assert (fault.value.code, fault.value.detail) == (code, f"{cause} (error {error})")
    assert str(fault.value) == f"machine crt571:/dev/ttyX: {cause} (error {error}); {fault.value.remedy}"
    assert mover.pms.count((0x32, 0x32)) == 1


def test_an_error_without_a_name_is_one_too(mover: CardMover, driver: Driver) -> None:
    machine = driver()
    machine.status()
    mover.errors[0x32, 0x31] = "77"
    with pytest.raises(MachineFault, match=r"an error that has no name \(error 77\); look at the machine's model"):
        machine.take(0)


def test_a_jam_lasts_until_it_is_cleared(mover: CardMover, driver: Driver) -> None:
    machine = driver()
    assert machine.take(0)
    mover.errors[0x32, 0x33] = "10"
    with pytest.raises(MachineFault, match="a card is jammed"):
        machine.give(REJECT)
    assert machine.status().faults == (MachineFaultCode.JAM,)
    machine.clear()
    status = machine.status()
    assert (status.faults, status.place) == ((), MachinePlace.INSIDE)
    machine.give(REJECT)
    assert mover.rejected == 1


def test_a_full_counter_is_reset_by_clearing_it(mover: CardMover, driver: Driver) -> None:
    machine = driver()
    assert machine.take(0)
    mover.errors[0x32, 0x33] = "50"
    with pytest.raises(MachineFault, match="reset the machine's counter"):
        machine.give(REJECT)
    machine.clear()
    assert (0xA5, 0x31) in mover.pms


def test_a_stacker_that_turns_out_empty_is_no_fault(mover: CardMover, driver: Driver) -> None:
    machine = driver()
    machine.status()
    mover.errors[0x32, 0x31] = "A0"
    assert not machine.take(0)


def test_a_machine_that_was_restarted_moves_nothing_until_it_is_cleared(mover: CardMover, driver: Driver) -> None:
    machine = driver()
    assert machine.take(0)
    mover.initialized = False
    for _ in range(2):
        with pytest.raises(MachineFault) as restarted:
            machine.give(OUTPUT)
        assert restarted.value.code is MachineFaultCode.NOT_INITIALIZED
    assert machine.status().faults == (MachineFaultCode.NOT_INITIALIZED,)
    assert mover.out == 0
    machine.clear()
    assert machine.status().place is MachinePlace.INSIDE
    machine.give(OUTPUT)
    assert mover.out == 1


def test_a_first_initialization_that_fails_is_shown_and_not_repeated(mover: CardMover, driver: Driver) -> None:
    mover.errors[0x30, 0x33] = "10"
    machine = driver()
    assert machine.status().faults == machine.status().faults == (MachineFaultCode.JAM,)
    assert [cm for cm, _ in mover.pms].count(0x30) == 1
    machine.clear()
    assert machine.take(0)


def test_a_machine_that_is_off_is_named_and_comes_back(mover: CardMover, driver: Driver) -> None:
    mover.mute = True
    machine = driver()
    with pytest.raises(MachineFault, match="look whether the machine is on") as silent:
        machine.status()
    assert silent.value.code is MachineFaultCode.NO_ANSWER
    mover.mute = False
    assert machine.take(0)


def test_a_card_that_did_not_arrive_is_a_fault(
    mover: CardMover, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = driver()
    machine.status()
    monkeypatch.setattr(mover, "_move", lambda pm: (1.0, b""))
    with pytest.raises(MachineFault, match=r"the card did not arrive \(sensor 30\)") as fault:
        machine.take(0)
    assert fault.value.code is MachineFaultCode.FEED
    assert machine.status().faults == (MachineFaultCode.FEED,)


def test_a_line_that_was_lost_is_opened_again(mover: CardMover) -> None:
    lines = [ModelLink(mover), ModelLink(mover)]
    opened = iter(lines)

    def open_link() -> ModelLink:
        try:
            return next(opened)
        except StopIteration:
            raise ReaderNotFound("there is no port /dev/ttyX") from None

    machine = Crt571Machine("/dev/ttyX", Crt571Settings(), open_link, lambda: 0.0)
    assert machine.take(0)
    lines[0].close()
    assert machine.status().place is MachinePlace.INSIDE
    machine.to_chip()
    lines[1].close()
    with pytest.raises(ReaderFault, match="there is no port"):
        machine.status()
    machine.close()
    with pytest.raises(ReaderFault, match="the machine crt571:/dev/ttyX was closed"):
        machine.status()


def test_what_the_machine_lacks_it_says(driver: Driver) -> None:
    with pytest.raises(MachineFault, match="does not turn cards over") as lacks:
        driver().flip()
    assert not lacks.value.retryable
    assert not driver().abilities.prints
