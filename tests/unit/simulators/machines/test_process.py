"""What a person at a machine does, and the process that runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.card.config import CardConfig
from simulators.machines.body import BodyFault, MachineBody
from simulators.machines.crt571.machine import SimulatedCrt571
from simulators.machines.process import MachineProcess, act
from simulators.machines.record import BodyPlace
from simulators.readers.stock import blank, make_stock
from terminal.errors import ReaderBusy


@pytest.fixture
def cards(tmp_path: Path) -> list[Path]:
    return list(make_stock(tmp_path / "cards", 2, CardConfig(blank())))


def test_lines_of_a_person_at_the_machine(tmp_path: Path, cards: list[Path]) -> None:
    body = MachineBody.of_cards(tmp_path / "machine", [])
    machine = SimulatedCrt571(body)
    assert act("damage jam", body, machine)
    assert act("damage cover\n", body, machine)
    assert body.record.faults == ("cover", "jam")
    assert act("repair jam", body, machine)
    assert body.record.faults == (BodyFault.COVER,)
    assert act("repair", body, machine)
    assert body.record.faults == ()
    assert act(f"insert {cards[0]}", body, machine, body.insert)
    assert not act(f"insert {cards[1]}", body, machine, body.insert)
    assert body.place is BodyPlace.HOLDING
    assert act("remove", body, machine)
    assert not act("remove", body, machine)
    assert (tmp_path / "machine" / "taken" / cards[0].name).is_file()
    body.record.in_reject = 5
    assert act("empty", body, machine)
    assert body.record.in_reject == 0
    assert act("off", body, machine)
    assert not machine.powered
    assert act("on", body, machine)
    assert machine.powered


@pytest.mark.parametrize(
    "line", ["", "damage", "damage empty", "damage soul", "repair soul", "insert", "insert nothing", "take", "whistle"]
)
def test_lines_that_say_nothing(tmp_path: Path, line: str) -> None:
    body = MachineBody.of_cards(tmp_path / "machine", [])
    assert not act(line, body, SimulatedCrt571(body), body.insert)
    assert body.record.faults == ()


def test_one_process_runs_a_machine_and_the_next_knows_its_port(tmp_path: Path) -> None:
    with MachineProcess(tmp_path / "crt") as process:
        assert process.earlier == ""
        process.at_port("/dev/pts/7")
        process.listen()
        assert process.lines() == []
        (tmp_path / "crt" / "control").write_text("off\non\n")
        assert process.lines() == ["off", "on"]
        with pytest.raises(ReaderBusy, match="another process runs the machine crt"):
            MachineProcess(tmp_path / "crt")
    with MachineProcess(tmp_path / "crt") as process:
        assert process.earlier == "/dev/pts/7"
    assert not (tmp_path / "crt" / "control").exists()
