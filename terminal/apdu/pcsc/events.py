"""Which PC/SC readers are present, and the events of readers, cards and the PC/SC service."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from terminal.apdu.pcsc.names import ReaderNames
from terminal.errors import TransportError

_POLL = 0.5  # Seconds within which a watch notices that it should stop.
_RETRY = 1.0  # Seconds between attempts to reach a lost service.

_log = logging.getLogger(__name__)

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
        """First the readers and cards present, then each change. A lost service is an event, not an error, and so is
        any other fault of a look: the next one follows after a pause."""
        lost = False
        while not self._stop.is_set():
            service: ServiceView | None = None
            try:
                service = self._connect()
                while not self._stop.is_set():
                    changes = self._changes(service)
                    if lost:
                        yield ReaderEvent(EventKind.SERVICE_BACK)
                        lost = False
                    yield from changes
            except Exception as error:  # whatever a driver or library raises: nobody else looks for readers
                yield from self._all_removed()
                if not lost:
                    yield ReaderEvent(EventKind.SERVICE_LOST, detail=_sentence(error))
                lost = True
            finally:
                if service is not None:
                    try:
                        service.close()
                    except Exception as error:  # it may be what has just failed
                        _log.info("a connection to the PC/SC service was not closed: %s", type(error).__name__)
            if lost:
                self._stop.wait(_RETRY)

    def _changes(self, service: ServiceView) -> list[ReaderEvent]:
        """The events since the last look; waits for one for a moment. Nothing has changed here when it raises."""
        present = service.readers()
        known = {system: self._known.get(system, 0) for system in present}
        gone = [system for system in self._known if system not in known]
        query = {**known, self._hotplug: 0}
        states = service.states(query, 0 if gone or 0 in known.values() else _POLL)
        named = self._names.assign(present)
        events = [event for system in gone for event in self._removed(system)]
        for system in present:
            if system not in self._known:
                self._known[system], self._named[system] = 0, named[system]
                events.append(ReaderEvent(EventKind.READER_ADDED, named[system]))
        for system, (state, atr) in states.items():
            if system in self._known and not state & _UNKNOWN:
                events += self._card_events(system, state, atr)
        return events

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


def _sentence(error: Exception) -> str:
    """The sentence about a fault. The text of an unexpected one may hold anything and goes to the log only."""
    if isinstance(error, TransportError):
        return str(error)
    _log.error("watching readers failed", exc_info=error)
    return "watching readers failed; the log says why, and the next look follows by itself"
