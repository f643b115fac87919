"""The checklist of a batch on this station's readers: from their last answers, without waiting for a machine."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from personalize.machines.reader import MachineReader
from reader_service.errors import Conflict, Forbidden, NotFound
from reader_service.services.issuing.checklists import ChecklistService
from reader_service.services.issuing.lanes import LaneService
from reader_service.services.issuing.machines import MachineService
from tests.support import issuer
from tests.support.machines.machine import CountingMachine
from tests.support.service.reader_rig import AUDITOR, OPERATOR, reader_rig
from tests.support.waiting import eventually


def test_batch_and_machine_are_checked_and_a_wrong_clock_is_refused(tmp_path: Path) -> None:

    machine = CountingMachine(name="counting:one")
    rig = reader_rig(tmp_path, "counting:one", open_reader=lambda url: MachineReader(machine))
    batch = issuer.prepared(rig.registry, 1, tmp_path)
    with rig.manager() as manager:
        machines = MachineService(rig.parts, rig.bus, manager, LaneService(rig.parts, rig.bus, manager))
        checklists = ChecklistService(rig.parts, manager, machines)
        machines.start()
        try:
            assert eventually(lambda: [view.at is not None for view in machines.machines(OPERATOR)] == [True])
            lines = checklists.check(OPERATOR, batch, ["counting-one"])
            assert [(line.thing.value, line.state.value, line.code) for line in lines] == [
                ("profile", "good", "profile"),
                ("clock", "good", "clock"),
                ("design", "good", "design-none"),
                ("blanks", "look", "blanks-short"),
                ("machine", "look", "machine-feeder-empty"),
                ("reject-bin", "good", "reject-bin"),
            ]
            assert lines[4].params == {"machine": "counting:one"}
            checklists.refuse(OPERATOR, batch, ["counting-one"])
            with pytest.raises(Forbidden):
                checklists.check(AUDITOR, batch, [])
            with pytest.raises(NotFound):
                checklists.check(OPERATOR, "B20261122-999", [])
            later = rig.line.job(batch).now() + timedelta(days=4000)
            rig.line.job_changes["now"] = lambda: later
            with pytest.raises(Conflict, match="clock"):
                checklists.refuse(OPERATOR, batch, ["counting-one"])
        finally:
            machines.close()
