from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping

import pytest

from terminal.apdu.pcsc.events import EventKind, ReaderEvent, ReaderWatch, ServiceView, describe_readers
from terminal.errors import ReaderFault

EMPTY, PRESENT, MUTE, BUSY = 0x10, 0x20, 0x200, 0x180
ATR = b"\x3b\x00"
HOTPLUG = "plug"

World = dict[str, tuple[int, bytes]]


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terminal.apdu.pcsc.events._RETRY", 0)


class FakeService:
    """A service whose state advances by one step with each query; None: the connection breaks; or it raises."""

    def __init__(self, worlds: Iterator[World | Exception | None], stop: threading.Event) -> None:
        self._worlds, self._stop = worlds, stop
        self._now: World = {}
        self.closed = False

    def readers(self) -> list[str]:
        now = next(self._worlds, {"end": (0, b"")})
        if isinstance(now, Exception):
            raise now
        if now is None:
            raise ReaderFault("the service was stopped")
        if "end" in now:
            self._stop.set()
        else:
            self._now = now
        return list(self._now)

    def states(self, known: Mapping[str, int], timeout: float) -> dict[str, tuple[int, bytes]]:
        return {name: self._now.get(name, (0, b"")) for name in known}

    def close(self) -> None:
        self.closed = True


def watch(*worlds: World | Exception | None) -> list[ReaderEvent]:
    stop = threading.Event()
    moving = iter(worlds)
    return list(ReaderWatch(lambda: FakeService(moving, stop), HOTPLUG, stop).events())


def test_readers_and_cards_come_and_go() -> None:
    assert watch(
        {"R 00 00": (EMPTY, b"")},
        {"R 00 00": (PRESENT | 0x10000, ATR)},
        {"R 00 00": (PRESENT | BUSY | 0x10000, ATR)},
        {"R 00 00": (EMPTY | 0x20000, b"")},
        {},
    ) == [
        ReaderEvent(EventKind.READER_ADDED, "R"),
        ReaderEvent(EventKind.CARD_INSERTED, "R", ATR),
        ReaderEvent(EventKind.CARD_REMOVED, "R"),
        ReaderEvent(EventKind.READER_REMOVED, "R"),
    ]


def test_a_card_swapped_between_two_looks_is_two_events() -> None:
    kinds = [
        event.kind for event in watch({"R 00 00": (PRESENT | 0x10000, ATR)}, {"R 00 00": (PRESENT | 0x30000, ATR)})
    ]
    assert kinds == [
        EventKind.READER_ADDED,
        EventKind.CARD_INSERTED,
        EventKind.CARD_REMOVED,
        EventKind.CARD_INSERTED,
    ]


def test_an_unplugged_reader_takes_its_card_along() -> None:
    kinds = [event.kind for event in watch({"R 00 00": (PRESENT, ATR)}, {})]
    assert kinds[-2:] == [EventKind.CARD_REMOVED, EventKind.READER_REMOVED]


def test_a_mute_card_says_what_to_do() -> None:
    assert "turn it" in watch({"R 00 00": (PRESENT | MUTE, b"")})[-1].detail


def test_a_lost_service_is_an_event_and_its_return_too() -> None:
    events = watch({"R 00 00": (EMPTY, b"")}, None, {"R 01 00": (EMPTY, b"")})
    assert [(event.kind, event.reader) for event in events] == [
        (EventKind.READER_ADDED, "R"),
        (EventKind.READER_REMOVED, "R"),
        (EventKind.SERVICE_LOST, ""),
        (EventKind.SERVICE_BACK, ""),
        (EventKind.READER_ADDED, "R"),
    ]
    assert events[2].detail == "the service was stopped"


@pytest.mark.parametrize(
    "fault", [UnicodeEncodeError("ascii", "读", 0, 1, "x"), SystemError(), ValueError(), MemoryError(), KeyError("R")]
)
def test_a_watch_survives_any_fault(fault: Exception) -> None:
    """An unexpected fault is an event without its text, the readers come back with the next look, and it says so."""
    events = watch({"R 00 00": (PRESENT, ATR)}, fault, fault, {"R 00 00": (PRESENT, ATR)})
    assert [(event.kind, event.reader) for event in events] == [
        (EventKind.READER_ADDED, "R"),
        (EventKind.CARD_INSERTED, "R"),
        (EventKind.CARD_REMOVED, "R"),
        (EventKind.READER_REMOVED, "R"),
        (EventKind.SERVICE_LOST, ""),
        (EventKind.SERVICE_BACK, ""),
        (EventKind.READER_ADDED, "R"),
        (EventKind.CARD_INSERTED, "R"),
    ]
    assert events[4].detail == "watching readers failed; the log says why, and the next look follows by itself"


def test_a_fault_after_the_list_announces_nothing_and_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    class Broken(FakeService):
        def states(self, known: Mapping[str, int], timeout: float) -> dict[str, tuple[int, bytes]]:
            raise ValueError

        def close(self) -> None:
            raise ValueError("what a card holds")

    stop = threading.Event()
    worlds: Iterator[World | Exception | None] = iter([{"R 00 00": (EMPTY, b"")}] * 2)
    services = iter([Broken(worlds, stop)])
    events = list(ReaderWatch(lambda: next(services, None) or FakeService(worlds, stop), HOTPLUG, stop).events())
    assert [(event.kind, event.reader) for event in events] == [
        (EventKind.SERVICE_LOST, ""),
        (EventKind.SERVICE_BACK, ""),
        (EventKind.READER_ADDED, "R"),
    ]
    assert "a connection to the PC/SC service was not closed: ValueError" in caplog.text
    assert "what a card holds" not in caplog.text


def test_a_missing_service_is_reported_once() -> None:
    stop = threading.Event()
    tries = 0

    def connect() -> ServiceView:
        nonlocal tries
        tries += 1
        if tries == 2:
            stop.set()
        raise ReaderFault("not running; start it")

    assert list(ReaderWatch(connect, HOTPLUG, stop).events()) == [
        ReaderEvent(EventKind.SERVICE_LOST, detail="not running; start it")
    ]
    assert tries == 2


def test_describing_readers() -> None:
    world: World = {"R 00 00": (PRESENT | BUSY, ATR), "R 01 00": (EMPTY, b""), "S 02 00": (PRESENT | MUTE, b"")}
    infos = describe_readers(FakeService(iter([world]), threading.Event()))
    assert [(info.index, info.name, info.atr, info.busy) for info in infos] == [
        (0, "R", ATR, True),
        (1, "R #2", None, False),
        (2, "S", b"", False),
    ]
    assert infos[1].url == "pcsc:R #2"
