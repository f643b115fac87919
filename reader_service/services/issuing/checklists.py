"""The checklist of a batch on readers of this station, before lanes start."""

from __future__ import annotations

from collections.abc import Sequence

from personalize.line.checklist import CheckedLane, CheckLine, checklist, facts_of, refused
from personalize.machines.protocols import CardMachine, MachineStatus
from reader_service.errors import Conflict
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.readers.manager import ReaderManager
from reader_service.registry_errors import translate_registry_errors
from reader_service.services.issuing.machine_status import MachineView
from reader_service.services.issuing.machines import MachineService


class ChecklistService:
    """Checks batch, profile, design, clock, stock and machines. Machines are not inquired of: their last answers count,
    so that one that does not answer is slow for nobody."""

    def __init__(self, parts: ServiceParts, readers: ReaderManager, machines: MachineService) -> None:
        self._parts, self._readers, self._machines = parts, readers, machines

    def check(self, p: Principal, batch_id: str, reader_ids: Sequence[str]) -> tuple[CheckLine, ...]:
        """LANES_RUN. Raises NotFound, Unavailable, and what opening a dossier raises."""
        p.need(Permission.LANES_RUN)
        known, opened = {view.reader: view for view in self._machines.machines(p)}, self._readers.machines()
        names = {view.id: view.name for view in self._readers.views()}
        lanes = [
            _lane(names.get(reader_id, reader_id), opened.get(reader_id), known.get(reader_id))
            for reader_id in dict.fromkeys(reader_ids)
        ]
        with translate_registry_errors():
            self._parts.registry.batches.batch(batch_id)
            return checklist(facts_of(self._parts.line.job(batch_id)), lanes)

    def refuse(self, p: Principal, batch_id: str, reader_ids: Sequence[str]) -> None:
        """Raises Conflict where a lane would refuse, with the first reason."""
        line = refused(self.check(p, batch_id, reader_ids))
        if line is not None:
            raise Conflict(line.sentence, reason="checklist", batch=batch_id)


def _lane(name: str, machine: CardMachine | None, view: MachineView | None) -> CheckedLane:
    if machine is None or view is None or view.at is None:
        return CheckedLane(name, machine)
    if not view.answers:
        return CheckedLane(name, machine, fault=view.fault)
    status = MachineStatus(
        view.place,
        feeder=view.feeder,
        reject_full=view.reject_full,
        cover_open=view.cover_open,
        ribbon=view.ribbon,
        ribbon_kind=view.ribbon_kind,
        counters=view.counters,
    )
    return CheckedLane(name, machine, status, view.fault)
