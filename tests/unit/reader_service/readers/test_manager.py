"""The readers of a service: one thread each, hot-plug, hung drivers, names, and events as cards come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from personalize.machines.reader import MachineReader
from reader_service.errors import Conflict, Forbidden, LeaseHeld, LeaseLost, NotFound, ReaderOut
from reader_service.readers.manager import ReaderManager
from reader_service.readers.values import Mode, ReaderState
from reader_service.readers.worker import ReaderSession, ReaderWorker
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from terminal.apdu import EventKind, Reader, ReaderEvent
from terminal.errors import CardGone, CardTooSlow, DeadlineExceeded, NoCard, ReaderBusy, ReaderFault, ReaderNotFound
from tests.support.machines.machine import CountingMachine
from tests.support.registry import databases
from tests.support.service.reader_rig import (
    AUDITOR,
    DEVELOPER,
    OPERATOR,
    OTHER,
    FakePcsc,
    FakeReader,
    FakeReaders,
    ReaderRig,
    reader_rig,
)
from tests.support.waiting import PATIENCE, eventually

ATR = bytes.fromhex("3B80800101")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody changes cards by hand here, so looks need not be far apart."""
    monkeypatch.setattr("reader_service.readers.manager._TICK", 0.005)
    monkeypatch.setattr("reader_service.readers.worker._LOOK", 0.02)


class SetTicks:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0
        self._looks = 0

    def __call__(self) -> float:
        self._looks += threading.current_thread().name == "readers"
        return self.now

    def forward(self, seconds: float) -> None:
        """In steps that are no pause of the machine; at each of them the deadlines are checked."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(self.now + 0.9, until)
            seen = self._looks
            assert eventually(lambda seen=seen: self._looks >= seen + 2, 0.001)


@pytest.fixture
def readers() -> FakeReaders:
    return FakeReaders()


@pytest.fixture
def two(tmp_path: Path, readers: FakeReaders) -> ReaderRig:
    return reader_rig(tmp_path, "fake:Lane 1", "fake:Lane 2", open_reader=readers)


def state(manager: ReaderManager, reader_id: str) -> ReaderState:
    return manager.view(reader_id).state


def hang(manager: ReaderManager, reader_id: str) -> tuple[Future[str], threading.Event, threading.Event]:
    """A job that does not end before its event is set."""
    begun, go = threading.Event(), threading.Event()

    def job(session: ReaderSession) -> str:
        begun.set()
        go.wait(PATIENCE)
        return "at last"

    future = manager.submit(reader_id, job, 0.3)
    assert begun.wait(PATIENCE)
    return future, begun, go


def test_a_machine_that_is_named_twice_is_refused_and_let_go(tmp_path: Path) -> None:
    machines = [CountingMachine(), CountingMachine()]
    closed: list[CountingMachine] = []
    machines[1].close = lambda: closed.append(machines[1])  # type: ignore[method-assign]
    waiting = iter(machines)
    rig = reader_rig(
        tmp_path, "evolis:tcp://p:9100", "evolis:tcp://p", open_reader=lambda url: MachineReader(next(waiting))
    )
    with pytest.raises(ReaderBusy, match="machine 1 is named twice"), rig.manager():
        pass
    assert closed == [machines[1]]
    rig.registry.close()


def test_one_thread_opens_uses_and_closes_a_reader(two: ReaderRig, readers: FakeReaders) -> None:
    with two.manager() as manager:
        assert [view.id for view in manager.views()] == ["lane-1", "lane-2"]
        for reader_id in ("lane-1", "lane-2"):
            for _ in range(3):
                assert manager.ask(reader_id, lambda session: session.wait_for_card(0)) is False
    used = [{id(thread) for thread in readers.opened[f"fake:Lane {n}"][0].threads} for n in (1, 2)]
    assert [len(threads) for threads in used] == [1, 1]
    assert not used[0] & used[1]
    assert all(reader.closed for opened in readers.opened.values() for reader in opened)


def test_no_thread_is_left_behind(two: ReaderRig) -> None:
    before = set(threading.enumerate())
    with two.manager() as manager:
        manager.ask("lane-1", lambda session: session.name)
        assert len(set(threading.enumerate()) - before) == 3
    assert set(threading.enumerate()) <= before
    late = manager.submit("lane-1", lambda session: session.name)
    assert isinstance(late.exception(PATIENCE), ReaderOut)


def test_a_url_that_names_no_reader_is_reported_at_the_start(tmp_path: Path) -> None:
    rig = reader_rig(tmp_path, "sim:nowhere")
    with pytest.raises(ReaderNotFound, match="nowhere"), rig.manager():
        pass


def test_cards_of_a_reader_that_tells_nothing_are_looked_for(two: ReaderRig, readers: FakeReaders) -> None:
    with two.manager() as manager:
        fake = readers.opened["fake:Lane 1"][0]
        assert state(manager, "lane-1") is ReaderState.EMPTY
        fake.lying = True
        assert eventually(lambda: state(manager, "lane-1") is ReaderState.CARD)
        fake.lying = False
        assert eventually(lambda: state(manager, "lane-1") is ReaderState.EMPTY)
        fake.fault = ReaderFault("the cable is loose")
        assert eventually(lambda: state(manager, "lane-1") is ReaderState.LOST)
        assert manager.view("lane-1").detail == "the cable is loose"
        fake.fault = None
        assert eventually(lambda: state(manager, "lane-1") is ReaderState.EMPTY)
    kinds = [event.kind for event in two.bus.events if event.topic == "lane-1" and event.kind.startswith("card")]
    assert kinds == ["card.inserted", "card.removed"]
    assert two.bus.of("card.inserted")[0].data == {"reader": "lane-1", "name": "Lane 1", "atr": ""}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (NoCard("none"), "no-card"),
        (CardGone("gone"), "card-gone"),
        (ReaderBusy("busy"), "busy"),
        (DeadlineExceeded("late"), "timeout"),
        (ReaderFault("broken"), "lost"),
    ],
)
def test_what_a_reader_does_is_published_with_a_code(two: ReaderRig, fault: Exception, code: str) -> None:
    def job(session: ReaderSession) -> None:
        raise fault

    with two.manager() as manager:
        with pytest.raises(ReaderOut) as refused:
            manager.ask("lane-1", job)
        assert refused.value.params == {"reader": "lane-1", "code": code}
        with pytest.raises(LookupError, match="a bug"):
            manager.ask("lane-1", lambda session: (_ for _ in ()).throw(LookupError("a bug")))
        assert manager.ask("lane-1", lambda session: session.url) == "fake:Lane 1"
        with pytest.raises(NotFound):
            manager.ask("lane-9", lambda session: session.url)


def test_a_hung_driver_costs_its_own_reader_only_and_comes_back(two: ReaderRig, readers: FakeReaders) -> None:
    with two.manager() as manager:
        manager.ask("lane-1", lambda session: session.name)
        future, _, go = hang(manager, "lane-1")
        waiting = manager.submit("lane-1", lambda session: session.name)
        for _ in range(20):
            assert manager.ask("lane-2", lambda session: session.name) == "Lane 2"
        for failed in (future, waiting):
            fault = failed.exception(PATIENCE)
            assert isinstance(fault, ReaderOut)
            assert fault.params["code"] == "hung"
        assert state(manager, "lane-1") is ReaderState.HUNG
        assert "does not answer" in manager.view("lane-1").detail
        with pytest.raises(ReaderOut, match="does not answer"):
            manager.ask("lane-1", lambda session: session.name)
        go.set()
        assert eventually(lambda: state(manager, "lane-1") is ReaderState.EMPTY)
        assert manager.ask("lane-1", lambda session: session.name) == "Lane 1"
        assert [reader.closed for reader in readers.opened["fake:Lane 1"]] == [True, False]
    states = [event.data["state"] for event in two.bus.of("reader.state", "lane-1")]
    assert states.index("hung") < len(states) - 1


def test_a_fault_of_work_that_was_given_up_is_logged_by_its_kind(
    two: ReaderRig, caplog: pytest.LogCaptureFixture
) -> None:
    with two.manager() as manager:
        begun, go = threading.Event(), threading.Event()

        def job(session: ReaderSession) -> str:
            begun.set()
            go.wait(PATIENCE)
            raise LookupError("what a card holds")

        future = manager.submit("lane-1", job, 0.3)
        assert begun.wait(PATIENCE)
        assert isinstance(future.exception(PATIENCE), ReaderOut)
        go.set()
        assert eventually(lambda: "work that was given up as hung ended with LookupError" in caplog.text)
    assert "what a card holds" not in caplog.text


def test_a_fault_of_work_that_nobody_waits_for_is_logged(
    two: ReaderRig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(session: ReaderSession) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(ReaderSession, "drop", broken)
    with two.manager() as manager:
        lease = manager.leases.take(OPERATOR, "lane-1")
        manager.leases.give_back(OPERATOR, "lane-1", lease.token)
        assert eventually(lambda: "switching a card off at a reader failed" in caplog.text)


def test_a_hung_reader_may_be_restarted_by_hand(two: ReaderRig) -> None:
    with two.manager() as manager:
        _, _, go = hang(manager, "lane-1")
        assert eventually(lambda: state(manager, "lane-1") is ReaderState.HUNG)
        with pytest.raises(Forbidden):
            manager.restart(AUDITOR, "lane-1")
        manager.restart(OPERATOR, "lane-1")
        assert manager.ask("lane-1", lambda session: session.name) == "Lane 1"
        go.set()
        time.sleep(0.05)
        assert manager.ask("lane-1", lambda session: session.name) == "Lane 1"
        manager.leases.take(OTHER, "lane-2")
        with pytest.raises(LeaseHeld):
            manager.restart(OPERATOR, "lane-2")
        manager.leases.occupy(OPERATOR, "lane-1", Mode.LANE)
        with pytest.raises(Conflict, match="lane"):
            manager.restart(OPERATOR, "lane-1")
    assert two.registry.audit.page(None, 1).items[0].entry.action == "reader.restart"


def slow_exchanges(session: ReaderSession) -> str:
    """A job with a card that answers each command in good time, and never ends."""
    card = session.connect()
    while True:
        time.sleep(0.02)
        card.exchange(b"\x00\xb2\x01\x0c\x00")


def nth_opened(readers: FakeReaders, url: str, count: int) -> FakeReader:
    assert eventually(lambda: len(readers.opened.get(url, [])) >= count)
    return readers.opened[url][count - 1]


def test_a_slow_card_is_named_and_not_its_driver(two: ReaderRig, readers: FakeReaders) -> None:
    with two.manager() as manager:
        readers.opened["fake:Lane 1"][0].lying = True
        threads = set(threading.enumerate())
        for _ in range(3):
            fault = manager.submit("lane-1", slow_exchanges, 0.3).exception(PATIENCE)
            assert isinstance(fault, CardTooSlow)
            assert str(fault) == "the card is too slow, or defective: take it out and use another one; the reader works"
        with pytest.raises(ReaderOut, match="the card is too slow") as refused:
            manager.ask("lane-1", slow_exchanges, 0.3)
        assert refused.value.params == {"reader": "lane-1", "code": "slow"}
        assert manager.ask("lane-1", lambda session: session.connect().exchange(b"")) == b"\x90\x00"
        assert set(threading.enumerate()) <= threads
    assert len(readers.opened["fake:Lane 1"]) == 1
    assert "hung" not in [event.data["state"] for event in two.bus.of("reader.state", "lane-1")]


def test_a_driver_that_hangs_after_answers_is_still_blamed(
    two: ReaderRig, readers: FakeReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reader_service.readers.worker.ONE_CALL", 0.2)
    go = threading.Event()

    def job(session: ReaderSession) -> None:
        card = session.connect()
        card.exchange(b"\x00")
        time.sleep(0.3)  # the last answer just before the deadline
        card.exchange(b"\x00")
        go.wait(PATIENCE)

    with two.manager() as manager:
        readers.opened["fake:Lane 1"][0].lying = True
        fault = manager.submit("lane-1", job, 0.35).exception(PATIENCE)
        assert isinstance(fault, ReaderOut)
        assert fault.params["code"] == "hung"
        assert "driver does not answer" in manager.view("lane-1").detail
        go.set()


def test_a_reader_restarted_by_hand_leaves_no_thread_with_a_slow_card(two: ReaderRig, readers: FakeReaders) -> None:
    with two.manager() as manager:
        threads = len(threading.enumerate())
        for count in range(1, 9):
            reader = nth_opened(readers, "fake:Lane 1", count)
            reader.lying = True
            job = manager.submit("lane-1", slow_exchanges)
            assert eventually(lambda used=reader: used.connects)
            manager.restart(OPERATOR, "lane-1")
            assert isinstance(job.exception(PATIENCE), ReaderOut)
            reader.threads[0].join(PATIENCE)  # it ends with the next exchange, however slow the machine is
            assert reader.closed
        assert eventually(lambda: len(threading.enumerate()) <= threads)


def test_a_driver_that_never_returns_is_not_given_threads_without_end(two: ReaderRig) -> None:
    ends = []
    with two.manager() as manager:
        for _ in range(3):
            _, _, go = hang(manager, "lane-1")
            ends.append(go)
            assert eventually(lambda: state(manager, "lane-1") is ReaderState.HUNG)
            manager.restart(OPERATOR, "lane-1")
        _, _, last = hang(manager, "lane-1")
        assert eventually(lambda: state(manager, "lane-1") is ReaderState.HUNG)
        with pytest.raises(Conflict, match="has not returned from 3 calls; unplug the reader"):
            manager.restart(OPERATOR, "lane-1")
        actions = [row.entry.action for row in two.registry.audit.page(limit=9).items]
        assert actions.count("reader.restart") == 3, "a restart that was refused is none"
        ends[0].set()
        assert eventually(lambda: _restarted(manager))
        for go in (*ends, last):
            go.set()


def _restarted(manager: ReaderManager) -> bool:
    try:
        manager.restart(OPERATOR, "lane-1")
    except Conflict:
        return False
    return True


def test_a_long_job_lives_by_its_signs_of_life(two: ReaderRig) -> None:
    ticks = SetTicks()

    def job(session: ReaderSession) -> str:
        session.beat(10)
        ticks.forward(9)
        session.beat(5)
        session.beat(None)
        ticks.forward(9)
        return "done"

    with two.manager(monotonic=ticks) as manager:
        assert manager.submit("lane-1", job, 5).result(PATIENCE) == "done"


def test_a_service_ends_though_a_driver_hangs(two: ReaderRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reader_service.readers.manager._CLOSING", 0.2)
    manager = ReaderManager(two.parts, two.bus)
    manager.start()
    future, _, go = hang(manager, "lane-1")
    manager.close()
    assert isinstance(future.exception(1), ReaderOut)
    go.set()


# --- PC/SC -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def pcsc() -> FakePcsc:
    return FakePcsc()


def test_readers_come_and_go_and_keep_their_id(tmp_path: Path, readers: FakeReaders, pcsc: FakePcsc) -> None:
    rig = reader_rig(tmp_path, open_reader=readers, pcsc=True)
    with rig.manager(watch=pcsc) as manager:
        pcsc.tell(
            ReaderEvent(EventKind.READER_ADDED, "ACS ACR122U"), ReaderEvent(EventKind.READER_ADDED, "ACS ACR122U #2")
        )
        assert eventually(lambda: len(manager.views()) == 2)
        assert [view.id for view in manager.views()] == ["acs-acr122u", "acs-acr122u-2"]
        pcsc.tell(ReaderEvent(EventKind.CARD_INSERTED, "ACS ACR122U", ATR))
        assert eventually(lambda: state(manager, "acs-acr122u") is ReaderState.CARD)
        assert manager.view("acs-acr122u").atr == ATR.hex().upper()
        pcsc.tell(
            ReaderEvent(EventKind.CARD_REMOVED, "ACS ACR122U"),
            ReaderEvent(EventKind.CARD_INSERTED, "ACS ACR122U", detail="it does not answer"),
        )
        assert eventually(lambda: state(manager, "acs-acr122u") is ReaderState.MUTE)
        assert "clean its contacts" in manager.view("acs-acr122u").detail
        pcsc.tell(
            ReaderEvent(EventKind.CARD_REMOVED, "ACS ACR122U"),
            ReaderEvent(EventKind.READER_REMOVED, "ACS ACR122U"),
            ReaderEvent(EventKind.READER_REMOVED, "ACS ACR122U #2"),
            ReaderEvent(EventKind.SERVICE_LOST, detail="start it"),
        )
        assert eventually(lambda: rig.bus.of("service.fault"))
        assert state(manager, "acs-acr122u") is ReaderState.LOST
        with pytest.raises(ReaderOut, match="unplugged"):
            manager.ask("acs-acr122u", lambda session: session.name)
        pcsc.tell(ReaderEvent(EventKind.SERVICE_BACK), ReaderEvent(EventKind.READER_ADDED, "ACS ACR122U"))
        assert eventually(lambda: state(manager, "acs-acr122u") is ReaderState.EMPTY)
        assert manager.ask("acs-acr122u", lambda session: session.name) == "ACS ACR122U"
        assert state(manager, "acs-acr122u-2") is ReaderState.LOST
    faults = [event.data["sentence"] for event in rig.bus.of("service.fault")]
    assert faults == ["start it", ""]
    assert len(rig.bus.of("reader.added")) == 3
    assert len(rig.bus.of("reader.removed")) == 2


def test_a_hung_reader_comes_back_when_it_is_plugged_in_anew(
    tmp_path: Path, readers: FakeReaders, pcsc: FakePcsc
) -> None:
    with reader_rig(tmp_path, open_reader=readers, pcsc=True).manager(watch=pcsc) as manager:
        pcsc.tell(ReaderEvent(EventKind.READER_ADDED, "R"))
        assert eventually(manager.views)
        _, _, go = hang(manager, "r")
        assert eventually(lambda: state(manager, "r") is ReaderState.HUNG)
        pcsc.tell(ReaderEvent(EventKind.READER_REMOVED, "R"), ReaderEvent(EventKind.READER_ADDED, "R"))
        assert eventually(lambda: state(manager, "r") is ReaderState.EMPTY)
        assert manager.ask("r", lambda session: session.name) == "R"
        go.set()


def test_a_reader_that_does_not_open_is_tried_again(
    tmp_path: Path, readers: FakeReaders, pcsc: FakePcsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reader_service.readers.worker._RETRY", 0.05)
    readers.fails["pcsc:R?deadline=10"] = 3
    with reader_rig(tmp_path, open_reader=readers, pcsc=True).manager(watch=pcsc) as manager:
        pcsc.tell(ReaderEvent(EventKind.READER_ADDED, "R"))
        assert eventually(lambda: manager.views() and state(manager, "r") is ReaderState.LOST)
        assert eventually(lambda: state(manager, "r") is ReaderState.EMPTY)
        assert manager.ask("r", lambda session: session.name) == "R"


def test_a_card_reported_before_its_reader_opens_is_attended_to_once_it_does(
    tmp_path: Path, readers: FakeReaders, pcsc: FakePcsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reader_service.readers.worker._RETRY", 0.05)
    readers.fails["pcsc:R?deadline=10"] = 2
    seen: list[str] = []
    rig = reader_rig(tmp_path, open_reader=readers, pcsc=True)
    with rig.manager(watch=pcsc) as manager:
        manager.on_added = lambda reader_id, url: manager.attend(reader_id, lambda session: seen.append(session.name))
        pcsc.tell(ReaderEvent(EventKind.READER_ADDED, "R"), ReaderEvent(EventKind.CARD_INSERTED, "R", ATR))
        assert eventually(lambda: manager.views() and state(manager, "r") is ReaderState.CARD)
        assert eventually(lambda: seen)
        manager.ask("r", lambda session: session.name)
    assert seen == ["R"]


def test_a_driver_that_raises_what_nobody_foresaw_keeps_its_thread(
    two: ReaderRig, readers: FakeReaders, caplog: pytest.LogCaptureFixture
) -> None:
    with two.manager() as manager:
        manager.ask("lane-1", lambda session: session.name)
        readers.opened["fake:Lane 1"][0].fault = ValueError("a secret of the driver")
        assert eventually(lambda: state(manager, "lane-1") is ReaderState.LOST)
        assert manager.view("lane-1").detail == "something went wrong at this reader; the log says what"
        readers.opened["fake:Lane 1"][0].fault = PermissionError(13, "not yours")
        assert eventually(lambda: "not yours" in manager.view("lane-1").detail)
        readers.opened["fake:Lane 1"][0].fault = None
        assert eventually(lambda: state(manager, "lane-1") is ReaderState.EMPTY)
        assert manager.ask("lane-1", lambda session: session.name) == "Lane 1"
    assert next(record.exc_info is not None for record in caplog.records if record.levelname == "ERROR")


def test_an_attendant_that_fails_is_logged_and_the_next_card_is_attended_to(
    two: ReaderRig, readers: FakeReaders, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    def attendant(session: ReaderSession) -> None:
        seen.append(session.name)
        raise LookupError("a bug")

    with two.manager() as manager:
        manager.attend("lane-1", attendant)
        for lying in (True, False, True):
            readers.opened["fake:Lane 1"][0].lying = lying
            assert eventually(lambda lying=lying: (state(manager, "lane-1") is ReaderState.EMPTY) is not lying)
        assert eventually(lambda: len(seen) == 2)
        manager.ask("lane-1", lambda session: session.name)
    assert sum("each card" in record.getMessage() for record in caplog.records) == 2


def test_a_worker_whose_place_was_taken_ends_and_its_successor_stays(two: ReaderRig) -> None:
    before = threading.active_count()
    with two.manager() as manager:
        first = manager._entries["lane-1"].worker
        for _ in range(3):
            manager._begin(manager._entries["lane-1"])
        assert first.join(PATIENCE)
        assert manager.ask("lane-1", lambda session: session.name) == "Lane 1"
        assert eventually(lambda: threading.active_count() == before + 3)


# --- forgetting ------------------------------------------------------------------------------------------------------


def test_a_reader_that_is_gone_for_good_is_forgotten_and_frees_its_name(
    tmp_path: Path, readers: FakeReaders, pcsc: FakePcsc
) -> None:
    rig = reader_rig(tmp_path, open_reader=readers, pcsc=True)
    with rig.manager(watch=pcsc) as manager:
        forgotten: list[str] = []
        manager.on_forgotten = forgotten.append
        pcsc.tell(ReaderEvent(EventKind.READER_ADDED, "Old"), ReaderEvent(EventKind.READER_ADDED, "New"))
        assert eventually(lambda: len(manager.views()) == 2)
        manager.rename(OPERATOR, "old", "Lane 1")
        with pytest.raises(Conflict, match="unplug it first"):
            manager.forget(OPERATOR, "old")
        manager.leases.take(OTHER, "old")
        pcsc.tell(ReaderEvent(EventKind.READER_REMOVED, "Old"))
        assert eventually(lambda: state(manager, "old") is ReaderState.LOST)
        with pytest.raises(LeaseHeld):
            manager.forget(OPERATOR, "old")
        with pytest.raises(Forbidden):
            manager.forget(DEVELOPER, "old")
        manager.forget(OTHER, "old")
        with pytest.raises(NotFound):
            manager.forget(OTHER, "old")
        assert [view.id for view in manager.views()] == ["new"]
        assert forgotten == ["old"]
        assert rig.bus.of("reader.forgotten")[0].data == {"reader": "old", "name": "Lane 1"}
        assert manager.rename(OPERATOR, "new", "Lane 1").name == "Lane 1"
        pcsc.tell(ReaderEvent(EventKind.READER_ADDED, "Old"))
        assert eventually(lambda: len(manager.views()) == 2)
        assert (manager.view("old").name, manager.view("old").lease) == ("Old", None)
        assert manager.ask("old", lambda session: session.name) == "Old"
    rows = rig.registry.audit.page(limit=9).items
    assert [(row.entry.actor, row.entry.subject) for row in rows if row.entry.action == "reader.forget"] == [
        ("李师傅", "reader:old")
    ]


def test_a_reader_that_a_lane_waits_for_is_not_forgotten(two: ReaderRig, readers: FakeReaders) -> None:
    with two.manager() as manager:
        manager.ask("lane-1", lambda session: session.name)
        readers.opened["fake:Lane 1"][0].fault = ReaderFault("the cable is loose")
        assert eventually(lambda: state(manager, "lane-1") is ReaderState.LOST)
        manager.leases.occupy(OPERATOR, "lane-1", Mode.LANE)
        with pytest.raises(Conflict, match="stop it first"):
            manager.forget(OPERATOR, "lane-1")
        manager.leases.vacate("lane-1", Mode.LANE)
        manager.forget(OPERATOR, "lane-1")
        assert [view.id for view in manager.views()] == ["lane-2"]


# --- names -----------------------------------------------------------------------------------------------------------


def test_people_name_readers_and_the_names_last(tmp_path: Path, readers: FakeReaders) -> None:
    url = databases.fresh(tmp_path)
    two = reader_rig(tmp_path, "fake:Lane 1", "fake:Lane 2", url=url, open_reader=readers)
    with two.manager() as manager:
        for refused in (AUDITOR, DEVELOPER):
            with pytest.raises(Forbidden):
                manager.rename(refused, "lane-1", "Left")
        assert manager.rename(OPERATOR, "lane-1", " 左边 ").name == "左边"
        for wrong in ("", "x" * 41):
            with pytest.raises(Conflict):
                manager.rename(OPERATOR, "lane-1", wrong)
        with pytest.raises(Conflict, match="another reader"):
            manager.rename(OPERATOR, "lane-2", "左边")
        with pytest.raises(NotFound):
            manager.rename(OPERATOR, "lane-9", "Right")
        with pytest.raises(Forbidden):
            manager.readers(AUDITOR)
        assert [view.name for view in manager.readers(OPERATOR)] == ["左边", "Lane 2"]
        assert manager.reader(OPERATOR, "lane-1").device == "Lane 1"
    two.registry.close()
    with reader_rig(tmp_path, "fake:Lane 1", url=url, open_reader=readers).manager() as manager:
        assert manager.view("lane-1").name == "左边"


# --- leases and virtual slots ----------------------------------------------------------------------------------------


@pytest.fixture
def cards(tmp_path: Path) -> list[Path]:
    return list(make_stock(tmp_path / "stock", 2, CardConfig(blank())))


def test_a_lease_is_needed_and_what_it_left_powered_is_let_go_of(tmp_path: Path, cards: list[Path]) -> None:
    ticks = SetTicks()
    with reader_rig(tmp_path, f"sim:slot/Desk?card={cards[0]}").manager(monotonic=ticks) as manager:
        lease = manager.leases.take(OPERATOR, "desk", 5)
        card = manager.use(OPERATOR, "desk", lease.token, ReaderSession.powered)
        assert card.exchange(bytes.fromhex("00A4040000"))
        assert manager.use(OPERATOR, "desk", lease.token, ReaderSession.powered) is card
        with pytest.raises(LeaseLost):
            manager.use(OTHER, "desk", lease.token, ReaderSession.powered)
        ticks.forward(4)
        assert manager.view("desk").lease is not None
        ticks.forward(1)
        assert manager.view("desk").lease is None
        with pytest.raises(LeaseLost):
            manager.use(OPERATOR, "desk", lease.token, ReaderSession.powered)
        manager.leases.take(OTHER, "desk")
        manager.ask("desk", lambda session: None)
        with pytest.raises(CardGone):
            card.exchange(bytes.fromhex("00A4040000"))


def test_a_lease_that_ended_in_the_queue_is_no_lease(two: ReaderRig) -> None:
    with two.manager() as manager:
        lease = manager.leases.take(OPERATOR, "lane-1")
        _, _, go = hang(manager, "lane-1")
        failed: list[Exception] = []

        def use() -> None:
            try:
                manager.use(OPERATOR, "lane-1", lease.token, lambda session: session.name)
            except LeaseLost as lost:
                failed.append(lost)

        waiting = threading.Thread(target=use)
        waiting.start()
        time.sleep(0.05)
        manager.leases.give_back(OPERATOR, "lane-1", lease.token)
        go.set()
        waiting.join(PATIENCE)
        assert len(failed) == 1


def test_thirty_two_slots_tell_of_their_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks: each slot tells by itself."""
    monkeypatch.setattr("reader_service.readers.manager._TICK", 10 * PATIENCE)
    count = 32
    paths = list(make_stock(tmp_path / "stock", count, CardConfig(blank())))
    rig = reader_rig(tmp_path, *(f"sim:slot/S{n}" for n in range(count)))
    with rig.manager() as manager:
        assert eventually(lambda: all(view.drawer for view in manager.views()))
        ids = [view.id for view in manager.views()]
        assert len(ids) == count
        for _ in range(4):
            for reader_id, path in zip(ids, paths, strict=True):
                before = len(rig.bus.of("card.inserted"))
                manager.slot(reader_id).insert(path)
                assert eventually(lambda before=before: len(rig.bus.of("card.inserted")) > before, 0.0005)
                assert state(manager, reader_id) is ReaderState.CARD
                manager.slot(reader_id).eject()
        assert eventually(lambda: len(rig.bus.of("card.removed")) == 4 * count)
        jobs = [manager.submit(reader_id, lambda session: threading.current_thread().name) for reader_id in ids]
        assert len({job.result(PATIENCE) for job in jobs}) == count


def test_a_slot_that_is_just_being_opened_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, opened = threading.Event(), ReaderManager.opened

    def opened_late(manager: ReaderManager, worker: ReaderWorker, reader: Reader) -> None:
        assert wanted.wait(PATIENCE)
        opened(manager, worker, reader)

    monkeypatch.setattr(ReaderManager, "opened", opened_late)
    with reader_rig(tmp_path, "sim:slot/Late").manager() as manager, ThreadPoolExecutor(1) as pool:
        slot = pool.submit(manager.slot, "late")
        assert not manager.views()[0].drawer
        wanted.set()
        assert slot.result(PATIENCE).name == "slot/Late"
        assert manager.views()[0].drawer


def test_a_card_folder_is_for_virtual_slots_only(two: ReaderRig) -> None:
    with two.manager() as manager, pytest.raises(Conflict, match="no virtual slot"):
        manager.slot("lane-1")


def test_the_watch_of_pcsc_readers_survives_any_fault(
    tmp_path: Path, readers: FakeReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the watch itself, and one of what is done with an event: a sentence, and readers come all the same."""
    monkeypatch.setattr("reader_service.readers.manager._AGAIN", 0.01)
    starts: list[int] = []
    ready = threading.Event()

    def watch(stop: threading.Event) -> Iterator[ReaderEvent]:
        starts.append(1)
        if len(starts) == 1:
            raise UnicodeEncodeError("ascii", "读", 0, 1, "x")
        assert ready.wait(PATIENCE)
        yield ReaderEvent(EventKind.READER_ADDED, "Good")
        if len(starts) == 2:
            yield ReaderEvent(EventKind.READER_ADDED, "Bad")
        stop.wait(PATIENCE)

    rig = reader_rig(tmp_path, open_reader=readers, pcsc=True)
    with rig.manager(watch=watch) as manager:
        refused: list[str] = []

        def added(reader_id: str, url: str) -> None:
            if reader_id == "bad" and not refused:
                refused.append(reader_id)
                raise ValueError("a secret")

        manager.on_added = added
        ready.set()
        assert eventually(lambda: len(starts) == 3 and not manager.pcsc_away)
        assert {view.id for view in manager.views()} == {"good", "bad"}
    sentences = [event.data["sentence"] for event in rig.bus.of("service.fault")]
    failed = "watching the PC/SC readers failed and begins anew; the log says why"
    assert sentences[:4] == [failed, "", failed, ""]


class Ticks:
    """The monotonic clock, and a machine that was paused for ``paused`` seconds."""

    def __init__(self) -> None:
        self.paused = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.paused


def test_a_pause_of_the_machine_moves_every_deadline(two: ReaderRig, caplog: pytest.LogCaptureFixture) -> None:
    ticks = Ticks()
    with two.manager(monotonic=ticks) as manager:
        begun, go = threading.Event(), threading.Event()

        def job(session: ReaderSession) -> str:
            begun.set()
            go.wait(PATIENCE)
            return "done"

        lease = manager.leases.take(OPERATOR, "lane-2", 90)
        future = manager.submit("lane-1", job, 90)
        assert begun.wait(PATIENCE)
        ticks.paused = 3600.0
        assert eventually(lambda: "paused for 3" in caplog.text)
        manager.leases.check(OPERATOR, "lane-2", lease.token)
        assert state(manager, "lane-1") is ReaderState.BUSY
        go.set()
        assert future.result(PATIENCE) == "done"
    assert "hung" not in [event.data["state"] for event in two.bus.of("reader.state", "lane-1")]


def test_a_hung_reader_is_logged_and_its_return_too(two: ReaderRig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with two.manager() as manager:
        _, _, go = hang(manager, "lane-1")
        assert eventually(lambda: "reader lane-1 hangs: the reader's driver does not answer" in caplog.text)
        go.set()
        assert eventually(lambda: "the driver of reader lane-1 answers again" in caplog.text)
    assert caplog.text.count("hangs") == 1
