"""The machines of this station: what they say of themselves, and how a person clears a fault."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from datetime import datetime
from typing import Final

from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.manual import ManualMachine
from personalize.machines.protocols import CardMachine, MachinePlace, MachineStatus
from reader_service.errors import NotFound
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.readers.manager import ReaderManager
from reader_service.readers.values import Mode
from reader_service.readers.worker import ReaderSession
from reader_service.registry_errors import translate_registry_errors
from reader_service.services.issuing.lanes import LaneService
from reader_service.services.issuing.machine_status import MachineView, faults_of
from registry.db.audit_chain import AuditEntry
from terminal.awake import AwakeClock
from terminal.errors import MembercardError

EVERY: Final = 2.0
"""Seconds between two inquiries of an idle machine."""
EVERY_AT_WORK: Final = 5.0
"""The same while a lane runs on it: its line is the lane's."""
SILENT: Final = 10.0
"""Seconds after which an idle machine does not answer."""
SILENT_AT_WORK: Final = 40.0
"""The same while a lane runs on it: a driver answers after the move at work, which may take 20 seconds."""
_LOOK: Final = 0.5
"""Seconds between two looks for machines that came, went or stopped to answer."""
_STEP: Final = 2.0
_CLEARING: Final = 60.0
_PATIENCE: Final = 3.0
"""Seconds for which a person waits for the end of clearing."""
_CLOSING: Final = 1.0
_log = logging.getLogger(__name__)


class _MachineWatch:
    """One machine and the thread that inquires of it. A machine that does not answer blocks this thread only."""

    def __init__(self, reader_id: str, machine: CardMachine, owner: MachineService) -> None:
        self.reader, self.machine = reader_id, machine
        self.shown: MachineView | None = None
        """As published last."""
        self.clearing = False
        self._owner = owner
        self._status: MachineStatus | None = None
        self._at: datetime | None = None
        self._fault: MachineFaultCode | None = None
        self._since: float | None = None
        self._ended = threading.Event()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"machine {reader_id}", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Inquire at once."""
        self._wake.set()

    def end(self) -> None:
        self._ended.set()
        self._wake.set()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.clear()
            self._inquire()
            self._owner.publish(self)
            self._wake.wait(EVERY_AT_WORK if self._owner.at_work(self.reader) else EVERY)

    def _inquire(self) -> None:
        status, fault = self._status, None
        self._since = self._owner.monotonic()
        try:
            status = self.machine.status()
        except MachineFault as raised:
            fault = raised.code
        except MembercardError:
            fault = MachineFaultCode.LINK
        except Exception:  # whatever a driver raises, this thread is the only one that the tile has
            _log.exception("the status of the machine %s failed", self.machine.name)
            fault = MachineFaultCode.NO_ANSWER
        with self._lock:
            if fault is None:
                self._at = self._owner.clock()
            self._status, self._fault, self._since = status, fault, None

    def view(self) -> MachineView:
        with self._lock:
            status, fault, since, at = self._status, self._fault, self._since, self._at
        abilities = self.machine.abilities
        limit = SILENT_AT_WORK if self._owner.at_work(self.reader) else SILENT
        late = since is not None and self._owner.monotonic() - since > limit
        answers = not late and fault not in (MachineFaultCode.NO_ANSWER, MachineFaultCode.POWER, MachineFaultCode.LINK)
        codes = [MachineFaultCode.NO_ANSWER] if late else [fault] if fault else []
        if status is not None and answers:
            codes += faults_of(status, abilities)
        known = status or MachineStatus(MachinePlace.UNKNOWN)
        return MachineView(
            reader=self.reader,
            name=self.machine.name,
            feeds=abilities.feeds,
            prints=abilities.prints,
            answers=answers,
            clearing=self.clearing,
            place=known.place,
            feeder=known.feeder,
            reject_full=known.reject_full,
            cover_open=known.cover_open,
            ribbon=known.ribbon,
            ribbon_kind=known.ribbon_kind,
            cleaning_due=known.cleaning_due,
            counters=dict(known.counters),
            faults=tuple(code.value for code in dict.fromkeys(codes)),
            model=known.model,
            firmware=known.firmware,
            serial_number=known.serial_number,
            at=at,
        )


class MachineService:
    """The machines behind the readers of this station. Event: machine.state (topic: reader id, data:
    MachineView.to_json()) when anything but the time changes. Nothing here waits for a machine, but ``clear`` for a few
    seconds."""

    def __init__(
        self,
        parts: ServiceParts,
        bus: EventBus,
        readers: ReaderManager,
        lanes: LaneService,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts, self._bus, self._readers, self._lanes = parts, bus, readers, lanes
        self.clock = parts.clock
        self.monotonic = AwakeClock(_STEP, monotonic)
        self._watches: dict[str, _MachineWatch] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="machines", daemon=True)

    def machines(self, p: Principal) -> list[MachineView]:
        """LANES_VIEW. From memory."""
        p.need(Permission.LANES_VIEW)
        with self._lock:
            watches = list(self._watches.values())
        return [watch.view() for watch in watches]

    def clear(self, p: Principal, reader_id: str) -> MachineView:
        """LANES_RUN. Clear the fault of a machine whose cause a person removed; a lane that runs on it does it by
        itself, at once. The view has what is left. Raises NotFound, LeaseHeld."""
        p.need(Permission.LANES_RUN)
        with self._lock:
            watch = self._watches.get(reader_id)
        if watch is None:
            raise NotFound(f"no machine feeds reader {reader_id}", what="machine", name=reader_id)
        self._readers.leases.refuse_others(p, reader_id)
        with translate_registry_errors():
            self._parts.registry.audit.note(AuditEntry(p.name, "machine.clear", f"reader:{reader_id}"))
        if not self._lanes.clear_machine(reader_id):
            watch.clearing = True
            self.publish(watch)
            cleared = self._readers.submit(reader_id, _clear, _CLEARING)
            cleared.add_done_callback(lambda done: self._cleared(watch, done))
            wait([cleared], _PATIENCE)
        return watch.view()

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the watches, but do not wait for a machine that does not answer."""
        self._closing.set()
        with self._lock:
            watches = list(self._watches.values())
        for watch in watches:
            watch.end()
        if self._thread.ident is not None:
            self._thread.join(_CLOSING)
        for watch in watches:
            watch.join(_CLOSING)

    def at_work(self, reader_id: str) -> bool:
        """Whether a lane runs on it."""
        return self._readers.leases.mode(reader_id) is Mode.LANE

    def publish(self, watch: _MachineWatch) -> None:
        """Publish what a machine says, where it changed."""
        view = watch.view()
        with self._lock:
            before, watch.shown = watch.shown, view
        if before is None or _timeless(before) != _timeless(view):
            self._bus.publish("machine.state", watch.reader, view.to_json())

    def _cleared(self, watch: _MachineWatch, done: Future[None]) -> None:
        fault = done.exception()
        if fault is not None and not isinstance(fault, MembercardError):
            _log.error("clearing the machine %s failed", watch.machine.name, exc_info=fault)
        watch.clearing = False
        watch.look()

    def _follow(self) -> None:
        while not self._closing.wait(_LOOK):
            machines = self._readers.machines()
            with self._lock:
                gone = [one for one in self._watches.values() if machines.get(one.reader) is not one.machine]
                for watch in gone:
                    del self._watches[watch.reader]
                    watch.end()
                for reader_id, machine in machines.items():
                    # A person who feeds a reader has no sensors.
                    if reader_id not in self._watches and not isinstance(machine, ManualMachine):
                        self._watches[reader_id] = _MachineWatch(reader_id, machine, self)
                watches = list(self._watches.values())
            for watch in watches:
                with contextlib.suppress(NotFound):
                    self.publish(watch)


def _clear(session: ReaderSession) -> None:
    """On the reader's own thread, which alone moves cards."""
    if session.machine is not None:
        session.drop()
        session.machine.clear()


def _timeless(view: MachineView) -> dict[str, object]:
    return view.to_json() | {"at": None}
