"""The service as pages and API see it: who it belongs to, its desks, its events."""

from __future__ import annotations

from typing import Any, Protocol

from reader_service.access.door import Door
from reader_service.desks.audit import AuditDesk
from reader_service.desks.batches import BatchDesk
from reader_service.desks.cards import CardDesk
from reader_service.desks.counter import CounterDesk
from reader_service.desks.developer import DeveloperDesk
from reader_service.desks.lanes import LaneDesk
from reader_service.desks.lists import ListDesk
from reader_service.desks.members import MemberDesk
from reader_service.desks.people import PeopleDesk
from reader_service.desks.rosters import RosterDesk
from reader_service.desks.statistics import StatisticsDesk
from reader_service.events import EventBus
from reader_service.parts import Parts
from reader_service.readers.hub import Leases, ReaderHub
from registry.store import Registry


class Service(Protocol):
    """Made as ``Service(parts, config)``. ``start`` opens the readers, ``close`` ends everything in order."""

    config: Any
    parts: Parts
    registry: Registry
    bus: EventBus
    readers: ReaderHub
    leases: Leases
    lanes: LaneDesk
    counter: CounterDesk
    developer: DeveloperDesk
    rosters: RosterDesk
    batches: BatchDesk
    members: MemberDesk
    cards: CardDesk
    lists: ListDesk
    audit: AuditDesk
    statistics: StatisticsDesk
    door: Door
    """``Door(registry, DoorSettings(...), leases=leases)``: sessions, tokens, passwords."""
    people: PeopleDesk
    """``PeopleDesk(registry, door)``."""

    def start(self) -> None: ...

    def close(self) -> None: ...
