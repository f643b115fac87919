"""The machines of a station: what they say of themselves, silence, faults, and how a person clears one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from personalize.line import lanes as line_lanes
from personalize.line.lanes import LineSettings
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.protocols import MachineAbilities, MachinePlace, MachineStatus, Supply
from personalize.machines.reader import MachineReader
from reader_service.errors import Forbidden, LeaseHeld, NotFound
from reader_service.services.issuing import machines as machines_module
from reader_service.services.issuing.lanes import LaneService
from reader_service.services.issuing.machine_status import MachineView, faults_of
from reader_service.services.issuing.machines import MachineService
from terminal.apdu import Reader
from tests.support import issuer
from tests.support.machines.machine import CountingMachine
from tests.support.service.reader_rig import AUDITOR, COUNTER, OPERATOR, OTHER, ReaderRig, reader_rig
from tests.support.waiting import eventually

ID = "counting-one"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines_module, "_LOOK", 0.01)
    monkeypatch.setattr(machines_module, "EVERY", 0.02)
    monkeypatch.setattr(machines_module, "EVERY_AT_WORK", 0.02)


class Watched(CountingMachine):
    """One whose status says what a test wants, or waits until ``answer`` is set."""

    def __init__(self, name: str = "counting:one") -> None:
        super().__init__(name=name)
        self.answer = threading.Event()
        self.answer.set()
        self.fault: MachineFault | None = None
        self.jam = False

    def status(self) -> MachineStatus:
        self.answer.wait(30)
        if self.fault is not None:
            raise self.fault
        return replace(super().status(), faults=(MachineFaultCode.JAM,) if self.jam else ())

    def clear(self) -> None:
        super().clear()
        self.jam = False


@dataclass
class Station:
    rig: ReaderRig
    machine: Watched
    lanes: LaneService
    service: MachineService
    clock: list[float]

    def view(self) -> MachineView:
        return self.service.machines(OPERATOR)[0]


@contextmanager
def station(tmp_path: Path, settings: LineSettings | None = None) -> Iterator[Station]:
    machine, clock = Watched(), [0.0]
    beside = Watched("counting:two")
    readers: dict[str, Reader] = {"counting:one": MachineReader(machine), "counting:two": MachineReader(beside)}
    rig = reader_rig(tmp_path, *readers, open_reader=readers.__getitem__)
    with rig.manager() as manager:
        lanes = LaneService(rig.parts, rig.bus, manager, settings=settings)
        service = MachineService(rig.parts, rig.bus, manager, lanes, monotonic=lambda: clock[0])
        service.start()
        try:
            assert eventually(lambda: len([v for v in service.machines(OPERATOR) if v.at]) == 2)
            yield Station(rig, machine, lanes, service, clock)
        finally:
            machine.answer.set()
            lanes.close()
            service.close()


def test_a_machine_says_what_it_has_and_an_event_says_that_it_changed(tmp_path: Path) -> None:
    with station(tmp_path) as on:
        view = on.view()
        assert (view.reader, view.name, view.answers, view.feeds, view.prints) == (ID, "counting:one", True, True, True)
        assert (view.feeder, view.ribbon, view.ribbon_kind) == (Supply.EMPTY, Supply.ENOUGH, "ymcko")
        assert (view.fault, view.faults) == ("machine-feeder-empty", ("machine-feeder-empty",))
        on.machine.state = replace(on.machine.state, cover_open=True, counters={"cards": 7})
        assert eventually(lambda: on.view().fault == "machine-cover")
        assert eventually(lambda: any(e.data["cover_open"] for e in on.rig.bus.of("machine.state")))
        last = on.rig.bus.of("machine.state")[-1]
        assert (last.topic, last.data["counters"]) == (ID, {"cards": 7})
        assert len(on.service.machines(AUDITOR)) == 2
        with pytest.raises(Forbidden):
            on.service.machines(COUNTER)


def test_a_machine_that_does_not_answer_says_so_and_nothing_waits_for_it(tmp_path: Path) -> None:
    with station(tmp_path) as on:
        on.machine.answer.clear()

        def silent() -> bool:
            on.clock[0] += 2  # a tick counts two seconds at most
            return not on.view().answers

        assert eventually(silent)
        assert on.view().faults == ("machine-no-answer",)
        assert eventually(lambda: on.rig.bus.of("machine.state")[-1].data["answers"] is False)
        assert all(v.answers for v in on.service.machines(OPERATOR) if v.reader != ID)
        on.machine.answer.set()
        assert eventually(lambda: on.view().answers)


@pytest.mark.parametrize("code", [MachineFaultCode.NO_ANSWER, MachineFaultCode.POWER, MachineFaultCode.LINK])
def test_a_fault_of_the_link_is_no_answer(tmp_path: Path, code: MachineFaultCode) -> None:
    with station(tmp_path) as on:
        on.machine.fault = MachineFault("counting:one", code)
        assert eventually(lambda: on.view().faults == (code.value,))
        assert not on.view().answers
        on.machine.fault = None
        assert eventually(lambda: on.view().answers)


def test_a_person_clears_a_fault_and_the_audit_knows_who(tmp_path: Path) -> None:
    with station(tmp_path) as on:
        on.machine.jam = True
        assert eventually(lambda: on.view().fault == "machine-jam")
        with pytest.raises(Forbidden):
            on.service.clear(AUDITOR, ID)
        with pytest.raises(NotFound):
            on.service.clear(OPERATOR, "nothing")
        on.service.clear(OPERATOR, ID)
        assert eventually(lambda: on.view().fault == "machine-feeder-empty" and not on.view().clearing)
        assert on.machine.done == ["clear"]
        entries = [row.entry for row in on.rig.registry.audit.page(None, 50).items]
        assert [(e.actor, e.subject) for e in entries if e.action == "machine.clear"] == [
            (OPERATOR.name, f"reader:{ID}")
        ]


def test_a_machine_that_somebody_leased_is_cleared_by_nobody_else(tmp_path: Path) -> None:
    with station(tmp_path) as on:
        on.service._readers.leases.take(OTHER, ID)
        with pytest.raises(LeaseHeld):
            on.service.clear(OPERATOR, ID)
        assert on.machine.done == []


def test_a_lane_clears_its_machine_when_a_person_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_lanes, "POLL", 0.02)
    monkeypatch.setattr(line_lanes, "CLEAR_AFTER", 3600.0)
    with station(tmp_path, LineSettings(idle=3600)) as on:
        batch = issuer.prepared(on.rig.registry, 1, tmp_path)
        jammed = [MachineFault("counting:one", MachineFaultCode.JAM)]

        def around(what: str, action: object) -> object:
            if what == "take" and jammed:
                raise jammed.pop()
            return action()  # type: ignore[operator]

        on.machine.around = around
        on.lanes.start(OPERATOR, batch, [ID])
        assert eventually(lambda: on.lanes.lanes(OPERATOR)[0].code == "machine-jam")
        assert on.machine.done == []
        on.service.clear(OPERATOR, ID)
        assert eventually(lambda: on.lanes.lanes(OPERATOR)[0].code == "machine-feeder-empty")
        assert on.machine.done[0] == "clear"


def test_what_sensors_show_is_a_fault_once_and_only_where_the_machine_needs_it() -> None:
    printer = MachineAbilities(prints=True)
    shown = MachineStatus(
        MachinePlace.NONE,
        feeder=Supply.EMPTY,
        ribbon=Supply.EMPTY,
        reject_full=True,
        cover_open=True,
        cleaning_due=True,
        faults=("machine-jam", "unheard-of"),
    )
    assert [str(code) for code in faults_of(shown, printer)] == [
        "machine-jam",
        "machine-cover",
        "machine-reject-full",
        "machine-ribbon",
        "machine-cleaning",
        "machine-feeder-empty",
    ]
    by_hand = MachineStatus(MachinePlace.NONE, feeder=Supply.EMPTY, ribbon=Supply.EMPTY)
    assert list(faults_of(by_hand, MachineAbilities(feeds=False))) == []
