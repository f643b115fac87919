"""The readers of a service: one thread each, hot-plug, hung drivers, names, and events as cards come and go."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from reader_service.errors import Conflict, Forbidden, LeaseHeld, LeaseLost, NotFound, ReaderOut
from reader_service.readers.manager import ReaderManager
from reader_service.readers.values import Mode, ReaderState
from reader_service.readers.worker import ReaderSession
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from terminal.apdu import EventKind, ReaderEvent
from terminal.errors import CardGone, DeadlineExceeded, NoCard, ReaderBusy, ReaderFault, ReaderNotFound
from tests.support.registry import databases
from tests.support.service.reader_rig import (
    AUDITOR,
    DEVELOPER,
    OPERATOR,
    OTHER,
    FakePcsc,
    FakeReaders,
    ReaderRig,
    reader_rig,
)
from tests.support.waiting import PATIENCE, eventually

ATR = bytes.fromhex("3B80800101")


@pytest.fixture
def readers() -> FakeReaders:
    return FakeReaders()


@pytest.fixture
def two(tmp_path: Path, readers: FakeReaders) -> ReaderRig:
    return reader_rig(tmp_path, "fake:Lane 1", "fake:Lane 2", open_reader=readers)


def state(hub: ReaderManager, reader_id: str) -> ReaderState:
    return hub.view(reader_id).state


def hang(hub: ReaderManager, reader_id: str) -> tuple[Future[str], threading.Event, threading.Event]:
    """A job that does not end before its event is set."""
    begun, go = threading.Event(), threading.Event()

    def job(seat: ReaderSession) -> str:
        begun.set()
        go.wait(PATIENCE)
        return "at last"

    future = hub.submit(reader_id, job, 0.3)
    assert begun.wait(PATIENCE)
    return future, begun, go


def test_one_thread_opens_uses_and_closes_a_reader(two: ReaderRig, readers: FakeReaders) -> None:
    with two.hub() as hub:
        assert [view.id for view in hub.views()] == ["lane-1", "lane-2"]
        for reader_id in ("lane-1", "lane-2"):
            for _ in range(3):
                assert hub.ask(reader_id, lambda seat: seat.wait_for_card(0)) is False
    used = [{id(thread) for thread in readers.opened[f"fake:Lane {n}"][0].threads} for n in (1, 2)]
    assert [len(threads) for threads in used] == [1, 1]
    assert not used[0] & used[1]
    assert all(reader.closed for opened in readers.opened.values() for reader in opened)


def test_no_thread_is_left_behind(two: ReaderRig) -> None:
    before = set(threading.enumerate())
    with two.hub() as hub:
        hub.ask("lane-1", lambda seat: seat.name)
        assert len(set(threading.enumerate()) - before) == 3
    assert set(threading.enumerate()) <= before
    late = hub.submit("lane-1", lambda seat: seat.name)
    assert isinstance(late.exception(PATIENCE), ReaderOut)


def test_a_url_that_names_no_reader_is_told_at_the_start(tmp_path: Path) -> None:
    made = reader_rig(tmp_path, "sim:nowhere")
    with pytest.raises(ReaderNotFound, match="nowhere"), made.hub():
        pass


def test_cards_of_a_reader_that_tells_nothing_are_looked_for(two: ReaderRig, readers: FakeReaders) -> None:
    with two.hub() as hub:
        fake = readers.opened["fake:Lane 1"][0]
        assert state(hub, "lane-1") is ReaderState.EMPTY
        fake.lying = True
        assert eventually(lambda: state(hub, "lane-1") is ReaderState.CARD)
        fake.lying = False
        assert eventually(lambda: state(hub, "lane-1") is ReaderState.EMPTY)
        fake.fault = ReaderFault("the cable is loose")
        assert eventually(lambda: state(hub, "lane-1") is ReaderState.LOST)
        assert hub.view("lane-1").detail == "the cable is loose"
        fake.fault = None
        assert eventually(lambda: state(hub, "lane-1") is ReaderState.EMPTY)
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
def test_what_a_reader_does_is_told_with_a_code(two: ReaderRig, fault: Exception, code: str) -> None:
    def job(seat: ReaderSession) -> None:
        raise fault

    with two.hub() as hub:
        with pytest.raises(ReaderOut) as refused:
            hub.ask("lane-1", job)
        assert refused.value.params == {"reader": "lane-1", "code": code}
        with pytest.raises(LookupError, match="a bug"):
            hub.ask("lane-1", lambda seat: (_ for _ in ()).throw(LookupError("a bug")))
        assert hub.ask("lane-1", lambda seat: seat.url) == "fake:Lane 1"
        with pytest.raises(NotFound):
            hub.ask("lane-9", lambda seat: seat.url)


def test_a_hung_driver_costs_its_own_reader_only_and_comes_back(two: ReaderRig, readers: FakeReaders) -> None:
    with two.hub() as hub:
        hub.ask("lane-1", lambda seat: seat.name)
        future, _, go = hang(hub, "lane-1")
        waiting = hub.submit("lane-1", lambda seat: seat.name)
        for _ in range(20):
            assert hub.ask("lane-2", lambda seat: seat.name) == "Lane 2"
        for failed in (future, waiting):
            fault = failed.exception(PATIENCE)
            assert isinstance(fault, ReaderOut)
            assert fault.params["code"] == "hung"
        assert state(hub, "lane-1") is ReaderState.HUNG
        assert "does not answer" in hub.view("lane-1").detail
        with pytest.raises(ReaderOut, match="does not answer"):
            hub.ask("lane-1", lambda seat: seat.name)
        go.set()
        assert eventually(lambda: state(hub, "lane-1") is ReaderState.EMPTY)
        assert hub.ask("lane-1", lambda seat: seat.name) == "Lane 1"
        assert [reader.closed for reader in readers.opened["fake:Lane 1"]] == [True, False]
    states = [event.data["state"] for event in two.bus.of("reader.state", "lane-1")]
    assert states.index("hung") < len(states) - 1


def test_a_hung_reader_may_be_restarted_by_hand(two: ReaderRig) -> None:
    with two.hub() as hub:
        _, _, go = hang(hub, "lane-1")
        assert eventually(lambda: state(hub, "lane-1") is ReaderState.HUNG)
        with pytest.raises(Forbidden):
            hub.restart(AUDITOR, "lane-1")
        hub.restart(OPERATOR, "lane-1")
        assert hub.ask("lane-1", lambda seat: seat.name) == "Lane 1"
        go.set()
        time.sleep(0.05)
        assert hub.ask("lane-1", lambda seat: seat.name) == "Lane 1"
        hub.leases.take(OTHER, "lane-2")
        with pytest.raises(LeaseHeld):
            hub.restart(OPERATOR, "lane-2")
        hub.leases.occupy(OPERATOR, "lane-1", Mode.LANE)
        with pytest.raises(Conflict, match="lane"):
            hub.restart(OPERATOR, "lane-1")
    assert two.registry.audit.page(None, 1).items[0].entry.action == "reader.restart"


def test_a_long_job_lives_by_its_signs_of_life(two: ReaderRig) -> None:
    def job(seat: ReaderSession) -> str:
        seat.beat(PATIENCE)
        time.sleep(1.2)
        seat.beat(1)
        seat.beat(None)
        time.sleep(1.2)
        return "done"

    with two.hub() as hub:
        assert hub.submit("lane-1", job, 1).result(PATIENCE) == "done"


def test_a_service_ends_though_a_driver_hangs(two: ReaderRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reader_service.readers.manager._CLOSING", 0.2)
    hub = ReaderManager(two.parts, two.bus)
    hub.start()
    future, _, go = hang(hub, "lane-1")
    hub.close()
    assert isinstance(future.exception(1), ReaderOut)
    go.set()


# --- PC/SC -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def pcsc() -> FakePcsc:
    return FakePcsc()


def test_readers_come_and_go_and_keep_their_id(tmp_path: Path, readers: FakeReaders, pcsc: FakePcsc) -> None:
    made = reader_rig(tmp_path, open_reader=readers, pcsc=True)
    with made.hub(watch=pcsc) as hub:
        pcsc.tell(
            ReaderEvent(EventKind.READER_ADDED, "ACS ACR122U"), ReaderEvent(EventKind.READER_ADDED, "ACS ACR122U #2")
        )
        assert eventually(lambda: len(hub.views()) == 2)
        assert [view.id for view in hub.views()] == ["acs-acr122u", "acs-acr122u-2"]
        pcsc.tell(ReaderEvent(EventKind.CARD_INSERTED, "ACS ACR122U", ATR))
        assert eventually(lambda: state(hub, "acs-acr122u") is ReaderState.CARD)
        assert hub.view("acs-acr122u").atr == ATR.hex().upper()
        pcsc.tell(
            ReaderEvent(EventKind.CARD_REMOVED, "ACS ACR122U"),
            ReaderEvent(EventKind.CARD_INSERTED, "ACS ACR122U", detail="it does not answer"),
        )
        assert eventually(lambda: state(hub, "acs-acr122u") is ReaderState.MUTE)
        assert "clean its contacts" in hub.view("acs-acr122u").detail
        pcsc.tell(
            ReaderEvent(EventKind.CARD_REMOVED, "ACS ACR122U"),
            ReaderEvent(EventKind.READER_REMOVED, "ACS ACR122U"),
            ReaderEvent(EventKind.READER_REMOVED, "ACS ACR122U #2"),
            ReaderEvent(EventKind.SERVICE_LOST, detail="start it"),
        )
        assert eventually(lambda: made.bus.of("service.fault"))
        assert state(hub, "acs-acr122u") is ReaderState.LOST
        with pytest.raises(ReaderOut, match="unplugged"):
            hub.ask("acs-acr122u", lambda seat: seat.name)
        pcsc.tell(ReaderEvent(EventKind.SERVICE_BACK), ReaderEvent(EventKind.READER_ADDED, "ACS ACR122U"))
        assert eventually(lambda: state(hub, "acs-acr122u") is ReaderState.EMPTY)
        assert hub.ask("acs-acr122u", lambda seat: seat.name) == "ACS ACR122U"
        assert state(hub, "acs-acr122u-2") is ReaderState.LOST
    faults = [event.data["sentence"] for event in made.bus.of("service.fault")]
    assert faults == ["start it", ""]
    assert len(made.bus.of("reader.added")) == 3
    assert len(made.bus.of("reader.removed")) == 2


def test_a_hung_reader_comes_back_when_it_is_plugged_in_anew(
    tmp_path: Path, readers: FakeReaders, pcsc: FakePcsc
) -> None:
    with reader_rig(tmp_path, open_reader=readers, pcsc=True).hub(watch=pcsc) as hub:
        pcsc.tell(ReaderEvent(EventKind.READER_ADDED, "R"))
        assert eventually(hub.views)
        _, _, go = hang(hub, "r")
        assert eventually(lambda: state(hub, "r") is ReaderState.HUNG)
        pcsc.tell(ReaderEvent(EventKind.READER_REMOVED, "R"), ReaderEvent(EventKind.READER_ADDED, "R"))
        assert eventually(lambda: state(hub, "r") is ReaderState.EMPTY)
        assert hub.ask("r", lambda seat: seat.name) == "R"
        go.set()


def test_a_reader_that_does_not_open_is_tried_again(
    tmp_path: Path, readers: FakeReaders, pcsc: FakePcsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reader_service.readers.worker._RETRY", 0.05)
    readers.fails["pcsc:R?deadline=10"] = 3
    with reader_rig(tmp_path, open_reader=readers, pcsc=True).hub(watch=pcsc) as hub:
        pcsc.tell(ReaderEvent(EventKind.READER_ADDED, "R"))
        assert eventually(lambda: hub.views() and state(hub, "r") is ReaderState.LOST)
        assert eventually(lambda: state(hub, "r") is ReaderState.EMPTY)
        assert hub.ask("r", lambda seat: seat.name) == "R"


def test_a_card_told_of_before_its_reader_opens_is_attended_to_once_it_does(
    tmp_path: Path, readers: FakeReaders, pcsc: FakePcsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reader_service.readers.worker._RETRY", 0.05)
    readers.fails["pcsc:R?deadline=10"] = 2
    seen: list[str] = []
    made = reader_rig(tmp_path, open_reader=readers, pcsc=True)
    with made.hub(watch=pcsc) as hub:
        hub.on_added = lambda reader_id, url: hub.attend(reader_id, lambda seat: seen.append(seat.name))
        pcsc.tell(ReaderEvent(EventKind.READER_ADDED, "R"), ReaderEvent(EventKind.CARD_INSERTED, "R", ATR))
        assert eventually(lambda: hub.views() and state(hub, "r") is ReaderState.CARD)
        assert eventually(lambda: seen)
        hub.ask("r", lambda seat: seat.name)
    assert seen == ["R"]


def test_a_driver_that_raises_what_nobody_foresaw_keeps_its_thread(
    two: ReaderRig, readers: FakeReaders, caplog: pytest.LogCaptureFixture
) -> None:
    with two.hub() as hub:
        hub.ask("lane-1", lambda seat: seat.name)
        readers.opened["fake:Lane 1"][0].fault = ValueError("a secret of the driver")
        assert eventually(lambda: state(hub, "lane-1") is ReaderState.LOST)
        assert hub.view("lane-1").detail == "something went wrong at this reader; the log says what"
        readers.opened["fake:Lane 1"][0].fault = PermissionError(13, "not yours")
        assert eventually(lambda: "not yours" in hub.view("lane-1").detail)
        readers.opened["fake:Lane 1"][0].fault = None
        assert eventually(lambda: state(hub, "lane-1") is ReaderState.EMPTY)
        assert hub.ask("lane-1", lambda seat: seat.name) == "Lane 1"
    assert next(record.exc_info is not None for record in caplog.records if record.levelname == "ERROR")


def test_an_attendant_that_fails_is_logged_and_the_next_card_is_attended_to(
    two: ReaderRig, readers: FakeReaders, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    def attendant(seat: ReaderSession) -> None:
        seen.append(seat.name)
        raise LookupError("a bug")

    with two.hub() as hub:
        hub.attend("lane-1", attendant)
        for lying in (True, False, True):
            readers.opened["fake:Lane 1"][0].lying = lying
            assert eventually(lambda lying=lying: (state(hub, "lane-1") is ReaderState.EMPTY) is not lying)
        assert eventually(lambda: len(seen) == 2)
        hub.ask("lane-1", lambda seat: seat.name)
    assert sum("each card" in record.getMessage() for record in caplog.records) == 2


def test_a_worker_whose_place_was_taken_ends_and_its_successor_stays(two: ReaderRig) -> None:
    before = threading.active_count()
    with two.hub() as hub:
        first = hub._entries["lane-1"].worker
        for _ in range(3):
            hub._begin(hub._entries["lane-1"])
        assert first.join(PATIENCE)
        assert hub.ask("lane-1", lambda seat: seat.name) == "Lane 1"
        assert eventually(lambda: threading.active_count() == before + 3)


# --- forgetting ------------------------------------------------------------------------------------------------------


def test_a_reader_that_is_gone_for_good_is_forgotten_and_frees_its_name(
    tmp_path: Path, readers: FakeReaders, pcsc: FakePcsc
) -> None:
    made = reader_rig(tmp_path, open_reader=readers, pcsc=True)
    with made.hub(watch=pcsc) as hub:
        told: list[str] = []
        hub.on_forgotten = told.append
        pcsc.tell(ReaderEvent(EventKind.READER_ADDED, "Old"), ReaderEvent(EventKind.READER_ADDED, "New"))
        assert eventually(lambda: len(hub.views()) == 2)
        hub.rename(OPERATOR, "old", "Lane 1")
        with pytest.raises(Conflict, match="unplug it first"):
            hub.forget(OPERATOR, "old")
        hub.leases.take(OTHER, "old")
        pcsc.tell(ReaderEvent(EventKind.READER_REMOVED, "Old"))
        assert eventually(lambda: state(hub, "old") is ReaderState.LOST)
        with pytest.raises(LeaseHeld):
            hub.forget(OPERATOR, "old")
        with pytest.raises(Forbidden):
            hub.forget(DEVELOPER, "old")
        hub.forget(OTHER, "old")
        with pytest.raises(NotFound):
            hub.forget(OTHER, "old")
        assert [view.id for view in hub.views()] == ["new"]
        assert told == ["old"]
        assert made.bus.of("reader.forgotten")[0].data == {"reader": "old", "name": "Lane 1"}
        assert hub.rename(OPERATOR, "new", "Lane 1").name == "Lane 1"
        pcsc.tell(ReaderEvent(EventKind.READER_ADDED, "Old"))
        assert eventually(lambda: len(hub.views()) == 2)
        assert (hub.view("old").name, hub.view("old").lease) == ("Old", None)
        assert hub.ask("old", lambda seat: seat.name) == "Old"
    rows = made.registry.audit.page(limit=9).items
    assert [(row.entry.actor, row.entry.subject) for row in rows if row.entry.action == "reader.forget"] == [
        ("李师傅", "reader:old")
    ]


def test_a_reader_that_a_lane_waits_for_is_not_forgotten(two: ReaderRig, readers: FakeReaders) -> None:
    with two.hub() as hub:
        hub.ask("lane-1", lambda seat: seat.name)
        readers.opened["fake:Lane 1"][0].fault = ReaderFault("the cable is loose")
        assert eventually(lambda: state(hub, "lane-1") is ReaderState.LOST)
        hub.leases.occupy(OPERATOR, "lane-1", Mode.LANE)
        with pytest.raises(Conflict, match="stop it first"):
            hub.forget(OPERATOR, "lane-1")
        hub.leases.vacate("lane-1", Mode.LANE)
        hub.forget(OPERATOR, "lane-1")
        assert [view.id for view in hub.views()] == ["lane-2"]


# --- names -----------------------------------------------------------------------------------------------------------


def test_people_name_readers_and_the_names_last(tmp_path: Path, readers: FakeReaders) -> None:
    url = databases.fresh(tmp_path)
    two = reader_rig(tmp_path, "fake:Lane 1", "fake:Lane 2", url=url, open_reader=readers)
    with two.hub() as hub:
        for refused in (AUDITOR, DEVELOPER):
            with pytest.raises(Forbidden):
                hub.rename(refused, "lane-1", "Left")
        assert hub.rename(OPERATOR, "lane-1", " 左边 ").name == "左边"
        for wrong in ("", "x" * 41):
            with pytest.raises(Conflict):
                hub.rename(OPERATOR, "lane-1", wrong)
        with pytest.raises(Conflict, match="another reader"):
            hub.rename(OPERATOR, "lane-2", "左边")
        with pytest.raises(NotFound):
            hub.rename(OPERATOR, "lane-9", "Right")
        with pytest.raises(Forbidden):
            hub.readers(AUDITOR)
        assert [view.name for view in hub.readers(OPERATOR)] == ["左边", "Lane 2"]
        assert hub.reader(OPERATOR, "lane-1").device == "Lane 1"
    two.registry.close()
    with reader_rig(tmp_path, "fake:Lane 1", url=url, open_reader=readers).hub() as hub:
        assert hub.view("lane-1").name == "左边"


# --- leases and virtual slots ----------------------------------------------------------------------------------------


@pytest.fixture
def cards(tmp_path: Path) -> list[Path]:
    return list(make_stock(tmp_path / "stock", 2, CardConfig(blank())))


def test_a_lease_is_needed_and_what_it_left_powered_is_let_go_of(tmp_path: Path, cards: list[Path]) -> None:
    with reader_rig(tmp_path, f"sim:slot/Desk?card={cards[0]}").hub() as hub:
        lease = hub.leases.take(OPERATOR, "desk", 1)
        card = hub.use(OPERATOR, "desk", lease.token, ReaderSession.powered)
        assert card.exchange(bytes.fromhex("00A4040000"))
        assert hub.use(OPERATOR, "desk", lease.token, ReaderSession.powered) is card
        with pytest.raises(LeaseLost):
            hub.use(OTHER, "desk", lease.token, ReaderSession.powered)
        assert eventually(lambda: hub.view("desk").lease is None)
        with pytest.raises(LeaseLost):
            hub.use(OPERATOR, "desk", lease.token, ReaderSession.powered)
        hub.leases.take(OTHER, "desk")
        hub.ask("desk", lambda seat: None)
        with pytest.raises(CardGone):
            card.exchange(bytes.fromhex("00A4040000"))


def test_a_lease_that_ended_in_the_queue_is_no_lease(two: ReaderRig) -> None:
    with two.hub() as hub:
        lease = hub.leases.take(OPERATOR, "lane-1")
        _, _, go = hang(hub, "lane-1")
        failed: list[Exception] = []

        def use() -> None:
            try:
                hub.use(OPERATOR, "lane-1", lease.token, lambda seat: seat.name)
            except LeaseLost as lost:
                failed.append(lost)

        waiting = threading.Thread(target=use)
        waiting.start()
        time.sleep(0.05)
        hub.leases.give_back(OPERATOR, "lane-1", lease.token)
        go.set()
        waiting.join(PATIENCE)
        assert len(failed) == 1


def test_thirty_two_slots_tell_of_their_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks: each slot tells by itself."""
    monkeypatch.setattr("reader_service.readers.manager._TICK", 10 * PATIENCE)
    count = 32
    paths = list(make_stock(tmp_path / "stock", count, CardConfig(blank())))
    made = reader_rig(tmp_path, *(f"sim:slot/S{n}" for n in range(count)))
    with made.hub() as hub:
        assert eventually(lambda: all(view.drawer for view in hub.views()))
        ids = [view.id for view in hub.views()]
        assert len(ids) == count
        for _ in range(4):
            for reader_id, path in zip(ids, paths, strict=True):
                before = len(made.bus.of("card.inserted"))
                hub.drawer(reader_id).insert(path)
                assert eventually(lambda before=before: len(made.bus.of("card.inserted")) > before, 0.0005)
                assert state(hub, reader_id) is ReaderState.CARD
                hub.drawer(reader_id).eject()
        assert eventually(lambda: len(made.bus.of("card.removed")) == 4 * count)
        jobs = [hub.submit(reader_id, lambda seat: threading.current_thread().name) for reader_id in ids]
        assert len({job.result(PATIENCE) for job in jobs}) == count


def test_a_drawer_is_for_virtual_slots_only(two: ReaderRig) -> None:
    with two.hub() as hub, pytest.raises(Conflict, match="no virtual slot"):
        hub.drawer("lane-1")
