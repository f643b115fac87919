"""A station's readers for tests: a registry with a real line, virtual slots, readers that hang, and all events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

from personalize.line.job import Job
from reader_service.parts import ServiceParts
from reader_service.principal import Principal, Role
from reader_service.readers.manager import ReaderManager
from registry.store import Registry
from terminal.apdu import Disposition, LinkProtocol, Reader, ReaderEvent
from terminal.errors import NoCard, ReaderFault
from tests.support import issuer
from tests.support.registry import databases
from tests.support.service.parts import Heard, service_parts

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
OPERATOR = Principal("张师傅", frozenset({Role.OPERATOR}))
OTHER = Principal("李师傅", frozenset({Role.OPERATOR}))
COUNTER = Principal("柜台", frozenset({Role.COUNTER}))
DEVELOPER = Principal("dev", frozenset({Role.DEVELOPER}))
AUDITOR = Principal("auditor", frozenset({Role.AUDITOR}))


class IssuerLine:
    """A line over the issuer of the tests, whose chip keys are always ready. ``station_registry`` is what lanes use."""

    def __init__(self, registry: Registry, directory: Path) -> None:
        self._registry, self._directory = registry, directory
        self.job_changes: dict[str, object] = {}
        self.station_registry: object = registry
        self.filled: list[int] = []

    def prepare(self, batch_id: str, tick: Callable[[int], None], *, by: str = "tests") -> int:
        count = issuer.prepare(self._registry, batch_id, self._directory)
        tick(count)
        return count

    def remake(self, batch_id: str) -> int:
        return issuer.prepare(self._registry, batch_id, self._directory)

    def job(self, batch_id: str) -> Job:
        job = issuer.job(self._registry, batch_id)
        return replace(job, registry=self.station_registry, **self.job_changes)  # type: ignore[arg-type]

    def pools_filled(self, lanes: int) -> AbstractContextManager[object]:
        self.filled.append(lanes)
        return nullcontext()


@dataclass
class ReaderRig:
    """The parts of one service and everything that it tells."""

    registry: Registry
    line: IssuerLine
    parts: ServiceParts
    bus: Heard = field(default_factory=Heard)

    @contextmanager
    def manager(self, **more: object) -> Iterator[ReaderManager]:
        """Its readers, started, and closed at the end."""
        manager = ReaderManager(self.parts, self.bus, **more)  # type: ignore[arg-type]
        manager.start()
        try:
            yield manager
        finally:
            manager.close()


def reader_rig(directory: Path, *urls: str, url: str | None = None, name: str = "test", **changes: object) -> ReaderRig:
    """One over these readers; no PC/SC. ``url`` of a registry that others share."""
    registry = databases.registry(url or databases.fresh(directory), issuer.custody())
    line = IssuerLine(registry, directory)
    given: dict[str, object] = {"station": name, "reader_urls": urls}
    return ReaderRig(registry, line, service_parts(registry, line, directory, lambda: NOON, **(given | changes)))


class FakeReader:
    """A reader that notes which threads use it, and hangs where a test wants it."""

    def __init__(self, name: str = "Fake") -> None:
        self.name = name
        self.threads: list[threading.Thread] = []
        self.lying = False
        self.fault: Exception | None = None
        self.closed = False
        self.connects = 0

    @property
    def url(self) -> str:
        return f"fake:{self.name}"

    def _note(self) -> None:
        self.threads.append(threading.current_thread())
        if self.fault is not None:
            raise self.fault

    def wait_for_card(self, timeout: float | None) -> bool:
        self._note()
        return self.lying

    def connect(self) -> FakeCard:
        self._note()
        self.connects += 1
        if not self.lying:
            raise NoCard("no card in the reader")
        return FakeCard()

    def release(self, disposition: Disposition) -> None:
        self._note()

    def close(self) -> None:
        self.threads.append(threading.current_thread())
        self.closed = True


class FakeCard:
    """Answers 9000 to everything."""

    atr = b"\x3b\x00"
    protocol = LinkProtocol.T1
    extended_length = True

    def __init__(self) -> None:
        self.open = True

    def exchange(self, apdu: bytes) -> bytes:
        return b"\x90\x00"

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        self.open = False


class FakeReaders:
    """Opens fake readers by URL; ``opened`` has all of each URL. ``fails``: how often a URL does not open."""

    def __init__(self) -> None:
        self.opened: dict[str, list[FakeReader]] = {}
        self.fails: dict[str, int] = {}

    def __call__(self, url: str) -> Reader:
        if self.fails.get(url, 0) > 0:
            self.fails[url] -= 1
            raise ReaderFault("the service is not running")
        reader = FakeReader(url.partition(":")[2].partition("?")[0])
        self.opened.setdefault(url, []).append(reader)
        return reader


class FakePcsc:
    """Tells events of PC/SC readers as the test puts them."""

    def __init__(self) -> None:
        self._events: SimpleQueue[ReaderEvent] = SimpleQueue()

    def tell(self, *events: ReaderEvent) -> None:
        for event in events:
            self._events.put(event)

    def __call__(self, stop: threading.Event) -> Iterator[ReaderEvent]:
        while not stop.wait(0.002):
            while not self._events.empty():
                yield self._events.get()
