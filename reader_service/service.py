"""The service: its desks over one registry, its readers and its events, made, started and ended in order."""

from __future__ import annotations

from contextlib import ExitStack

from reader_service.access.accounts import Door
from reader_service.access.settings import DoorSettings
from reader_service.events import EventBus
from reader_service.parts import Parts
from reader_service.readers.manager import ReaderHub
from reader_service.services.audit import AuditDesk
from reader_service.services.batches import BatchDesk
from reader_service.services.cards import CardDesk
from reader_service.services.counter import CounterDesk
from reader_service.services.developer import DeveloperDesk
from reader_service.services.lanes import LaneDesk
from reader_service.services.lists import ListDesk
from reader_service.services.members import MemberDesk
from reader_service.services.reading import ReadingDesk
from reader_service.services.rosters import RosterDesk
from reader_service.services.statistics import StatisticsDesk
from reader_service.services.users import PeopleDesk


class Service:
    """Everything that pages and API are a face of. ``config`` says how strict the door is.

    The registry is the caller's: it stays open when the service is closed.
    """

    def __init__(self, parts: Parts, config: DoorSettings | None = None) -> None:
        self.parts = parts
        self.config = config or DoorSettings()
        self.registry = parts.registry
        self.bus = EventBus(clock=parts.clock)
        self.readers = ReaderHub(parts, self.bus)
        self.leases = self.readers.leases
        self.counter = CounterDesk(parts, self.bus, self.readers)
        self.developer = DeveloperDesk(parts, self.bus, self.readers)
        self.reading = ReadingDesk(parts, self.readers)
        self.lanes = LaneDesk(parts, self.bus, self.readers)
        anew = self.counter.refresh
        self.rosters = RosterDesk(parts, self.bus)
        self.batches = BatchDesk(parts, self.bus)
        self.members = MemberDesk(parts, self.bus, on_hotlist=anew)
        self.cards = CardDesk(parts, self.bus, on_hotlist=anew)
        self.lists = ListDesk(parts, self.bus, on_hotlist=anew)
        self.audit = AuditDesk(parts, self.bus)
        self.statistics = StatisticsDesk(parts, self.bus)
        self.door = Door(parts.registry, self.config, leases=self.leases)
        self.people = PeopleDesk(parts.registry, self.door)
        self.counter.trace_for = self.developer.trace_for
        self.readers.on_added = self.counter.reader_added
        self.readers.on_forgotten = self._forgotten
        self._started = ExitStack()

    def start(self) -> None:
        """Open the readers and begin to watch. Raises ReaderNotFound for a reader URL that names none."""
        with ExitStack() as undo:
            undo.callback(self.bus.close)
            undo.callback(self.readers.close)
            self.readers.start()
            undo.callback(self.counter.close)
            self.counter.start()
            undo.callback(self.batches.close)
            undo.callback(self.lanes.close)
            self._started = undo.pop_all()

    def _forgotten(self, reader_id: str) -> None:
        self.lanes.forget(reader_id)
        self.developer.forget(reader_id)

    def close(self) -> None:
        """Lanes end after the card in hand, verdicts are written down, readers are let go of, listeners are ended. Safe
        to call twice."""
        self._started.close()
