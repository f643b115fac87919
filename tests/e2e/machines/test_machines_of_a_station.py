"""A simulated CRT-571 as the reader of a service: its tile, a jam in a batch, and the press that ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from personalize.line import lanes as line_lanes
from personalize.line.lanes import LineSettings
from personalize.machines.crt571.machine import Crt571Machine
from personalize.machines.crt571.options import parse_rest
from personalize.machines.protocols import Supply
from personalize.machines.reader import MachineReader
from reader_service.services.issuing import machines as machines_module
from reader_service.services.issuing.checklists import ChecklistService
from reader_service.services.issuing.lanes import LaneService
from reader_service.services.issuing.machines import MachineService
from simulators.card.config import CardConfig
from simulators.machines.body import BodyFault, BodyManner, MachineBody
from simulators.machines.clock import VirtualClock
from simulators.machines.crt571.machine import SimulatedCrt571
from simulators.machines.crt571.options import Crt571Options
from simulators.machines.faults import WireFault, WireFaults
from simulators.machines.link import MemoryLine
from simulators.readers.stock import blank, make_stock
from tests.support import issuer
from tests.support.service.reader_rig import OPERATOR, reader_rig
from tests.support.waiting import eventually


def test_a_jam_is_shown_at_the_station_and_the_batch_goes_on_after_the_press(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_lanes, "POLL", 0.02)
    monkeypatch.setattr(line_lanes, "CLEAR_AFTER", 3600.0)
    monkeypatch.setattr(machines_module, "EVERY_AT_WORK", 0.1)
    stock = tmp_path / "stock"
    list(make_stock(stock, 12, CardConfig(blank())))
    body = MachineBody.at_stock(stock, "crt", BodyManner(1.5))
    machine = SimulatedCrt571(
        body, Crt571Options(), faults=WireFaults([WireFault.parse("jam:6")]), clock=(clock := VirtualClock())
    )
    driver = Crt571Machine(*parse_rest("crt?"), lambda: MemoryLine(machine), clock.now)
    rig = reader_rig(tmp_path, "crt571:crt", open_reader=lambda url: MachineReader(driver))
    batch = issuer.prepared(rig.registry, 2, tmp_path)
    with rig.manager() as manager:
        lanes = LaneService(rig.parts, rig.bus, manager, settings=LineSettings(idle=3600))
        machines = MachineService(rig.parts, rig.bus, manager, lanes)
        machines.start()
        try:
            assert eventually(lambda: [view.at is not None for view in machines.machines(OPERATOR)] == [True])
            (view,) = machines.machines(OPERATOR)
            assert (view.feeder, view.reject_full, view.prints) == (Supply.ENOUGH, False, False)
            checklists = ChecklistService(rig.parts, manager, machines)
            states = {line.thing.value: line.state.value for line in checklists.check(OPERATOR, batch, [view.reader])}
            assert (states["machine"], states["reject-bin"], states["clock"]) == ("good", "good", "good")
            lanes.start(OPERATOR, batch, [view.reader])
            assert eventually(lambda: lanes.lanes(OPERATOR)[0].code == "machine-jam")
            assert eventually(lambda: "machine-jam" in machines.machines(OPERATOR)[0].faults)
            body.repair(BodyFault.JAM)
            machines.clear(OPERATOR, view.reader)
            assert eventually(lambda: lanes.lanes(OPERATOR)[0].state == "ended")
            assert (lanes.lanes(OPERATOR)[0].code, lanes.lanes(OPERATOR)[0].ok) == ("batch-done", 2)
            assert eventually(lambda: machines.machines(OPERATOR)[0].faults == ())
        finally:
            lanes.close()
            machines.close()
