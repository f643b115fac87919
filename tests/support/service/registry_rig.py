"""What services of the registry need in tests: a registry, a line with dossiers of no content, principals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from personalize.line.job import Job
from reader_service.parts import ServiceParts
from reader_service.principal import Principal, Role
from registry.store import Registry
from registry.values import CardState
from tests.support import issuer
from tests.support.registry import databases, registrar
from tests.support.registry.registrar import SetClock
from tests.support.service.parts import Heard, service_parts
from tests.support.waiting import PATIENCE

CLERK = Principal("李娜", frozenset({Role.REGISTRAR}))
REVIEWER = Principal("王芳", frozenset({Role.REVIEWER}))
OPERATOR = Principal("op", frozenset({Role.OPERATOR}))
COUNTER = Principal("counter 1", frozenset({Role.COUNTER}))
AUDITOR = Principal("auditor", frozenset({Role.AUDITOR}))
NOBODY = Principal("nobody", frozenset())


class NoLine:
    """Prepares through ``registrar.prepare``. ``hold`` keeps it waiting, ``fault`` makes it fail, ``calls`` counts."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.hold = threading.Event()
        self.hold.set()
        self.began = threading.Event()
        self.fault: Exception | None = None
        self.calls = 0

    def prepare(self, batch_id: str, tick: Callable[[int], None], *, by: str) -> int:
        self.calls += 1
        self.began.set()
        self.hold.wait(PATIENCE)
        tick(0)
        if self.fault is not None:
            raise self.fault
        count = registrar.prepare(self._registry, issuer.custody(), batch_id, by)
        tick(count)
        return count

    def job(self, batch_id: str) -> Job:
        raise LookupError(f"this line runs nothing, batch {batch_id} neither")

    def remake(self, batch_id: str) -> object:
        return self.prepare(batch_id, lambda count: None, by="line")

    def pools_filled(self, lanes: int) -> AbstractContextManager[object]:
        return nullcontext(lanes)


@dataclass
class RegistryRig:
    """A registry, the parts over it, and a bus with all events since the start."""

    registry: Registry
    clock: SetClock
    line: NoLine
    parts: ServiceParts
    bus: Heard = field(default_factory=Heard)


def registry_rig(directory: Path, url: str | None = None) -> RegistryRig:
    clock = SetClock()
    registry = databases.registry(url or databases.fresh(directory), issuer.custody(), clock)
    line = NoLine(registry)
    return RegistryRig(registry, clock, line, service_parts(registry, line, directory, clock))


def carded(registry: Registry, count: int, *, digest: str = "d1", start: int = 1) -> tuple[str, list[str]]:
    """A batch that is done, and the numbers of its proven cards."""
    batch_id = registrar.ready(registry, issuer.custody(), count, digest, start)
    registry.stock.receive(count, f"delivery {digest}", "op")
    numbers = []
    for number in range(start, start + count):
        claim = registrar.claimed(registry, batch_id, number)
        numbers.append(registry.line.verified(claim, {"verdict": "ACTIVE"}, 1.5).card_number)
    return batch_id, numbers


def at(registry: Registry, number: str, *states: CardState) -> None:
    """Move a card on to the last of these states."""
    for state in states:
        registry.cards.change(number, state, "test", "on its way")


def last_audit_entry(registry: Registry) -> tuple[str, str, str, str]:
    """Actor, action, subject and reason of the newest row of the audit."""
    entry = registry.audit.page(None, 1).items[0].entry
    return entry.actor, entry.action, entry.subject, entry.reason


def day(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}T00:00:00+00:00")
