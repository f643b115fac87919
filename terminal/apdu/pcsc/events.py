"""Which PC/SC readers are present, and the events of readers, cards and the PC/SC service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from terminal.apdu.pcsc.names import ReaderNames
from terminal.errors import TransportError

_POLL = 0.5  # Seconds within which a watch notices that it should stop.
_RETRY = 1.0  # Seconds between attempts to reach a lost service.

_UNKNOWN, _EMPTY, _PRESENT, _EXCLUSIVE, _INUSE, _MUTE = 0x0004, 0x0010, 0x0020, 0x0080, 0x0100, 0x0200


@dataclass(frozen=True, slots=True)
class ReaderInfo:
    """One reader as ``readers list`` shows it. ``atr`` is None where it has no card, empty where the card is mute."""

    index: int
    name: str
    system_name: str
    atr: bytes | None
    busy: bool

    @property
    def url(self) -> str:
        return f"pcsc:{self.name}"


class EventKind(StrEnum):
    """Kinds of reader events."""

    READER_ADDED = "reader added"
    READER_REMOVED = "reader removed"
    CARD_INSERTED = "card inserted"
    CARD_REMOVED = "card removed"
    SERVICE_LOST = "service lost"
    SERVICE_BACK = "service back"


@dataclass(frozen=True, slots=True)
class ReaderEvent:
    """One event.

    ``reader`` is empty for events of the service; ``detail`` says what a person should do, if anything.
    """

    kind: EventKind
    reader: str = ""
    atr: bytes = b""
    detail: str = ""


class ServiceView(Protocol):
    """The part of a PC/SC connection that watching needs. Raises TransportError."""

    def readers(self) -> list[str]: ...
    def states(self, known: Mapping[str, int], timeout: float) -> dict[str, tuple[int, bytes]]: ...
    def close(self) -> None: ...


def describe_readers(service: ServiceView) -> list[ReaderInfo]:
    """The readers that are plugged in, in PC/SC order."""
    systems = service.readers()
    named = ReaderNames().assign(systems)
    states = service.states(dict.fromkeys(systems, 0), 0) if systems else {}
    return [
        ReaderInfo(
            index,
            named[system],
            system,
            states[system][1] if states[system][0] & _PRESENT else None,
            bool(states[system][0] & (_EXCLUSIVE | _INUSE)),
        )
        for index, system in enumerate(systems)
    ]


class ReaderWatch:
    """Turns reader states into events.

    ``connect`` makes a connection to the service; ``hotplug`` is the pseudo reader whose state reports readers that are
    plugged in or unplugged; setting ``stop`` ends the events.
    """

    def __init__(self, connect: Callable[[], ServiceView], hotplug: str, stop: threading.Event) -> None:
        self._connect = connect
        self._hotplug = hotplug
        self._stop = stop
        self._names = ReaderNames()
        self._known: dict[str, int] = {}
        self._named: dict[str, str] = {}

    def events(self) -> Iterator[ReaderEvent]:
        """First the readers and cards present, then each change. A lost service is an event, not an error."""
        lost = False
        while not self._stop.is_set():
            try:
                service = self._connect()
            except TransportError as error:
                if not lost:
                    yield ReaderEvent(EventKind.SERVICE_LOST, detail=str(error))
                lost = True
                self._stop.wait(_RETRY)
                continue
            if lost:
                yield ReaderEvent(EventKind.SERVICE_BACK)
                lost = False
            try:
                while not self._stop.is_set():
                    yield from self._changes(service)
            except TransportError as error:
                yield from self._all_removed()
                yield ReaderEvent(EventKind.SERVICE_LOST, detail=str(error))
                lost = True
            finally:
                service.close()

    def _changes(self, service: ServiceView) -> Iterator[ReaderEvent]:
        present = service.readers()
        named = self._names.assign(present)
        for system in [system for system in self._known if system not in named]:
            yield from self._removed(system)
        for system in present:
            if system not in self._known:
                self._known[system], self._named[system] = 0, named[system]
                yield ReaderEvent(EventKind.READER_ADDED, named[system])
        unseen = 0 in self._known.values()
        query = {**self._known, self._hotplug: 0}
        for system, (state, atr) in service.states(query, 0 if unseen else _POLL).items():
            if system in self._known and not state & _UNKNOWN:
                yield from self._card_events(system, state, atr)

    def _card_events(self, system: str, state: int, atr: bytes) -> Iterator[ReaderEvent]:
        before, self._known[system] = self._known[system], state & ~0x0002
        was, now = bool(before & _PRESENT), bool(state & _PRESENT)
        swapped = was and now and before >> 16 != state >> 16
        if was and (not now or swapped):
            yield ReaderEvent(EventKind.CARD_REMOVED, self._named[system])
        if now and (not was or swapped):
            detail = "the card does not answer; turn it or clean its contacts" if state & _MUTE else ""
            yield ReaderEvent(EventKind.CARD_INSERTED, self._named[system], atr, detail)

    def _removed(self, system: str) -> Iterator[ReaderEvent]:
        if self._known.pop(system) & _PRESENT:
            yield ReaderEvent(EventKind.CARD_REMOVED, self._named[system])
        yield ReaderEvent(EventKind.READER_REMOVED, self._named.pop(system))

    def _all_removed(self) -> Iterator[ReaderEvent]:
        for system in list(self._known):
            yield from self._removed(system)
        self._names = ReaderNames()
