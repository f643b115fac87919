"""Lanes of a station: started, held, stopped; what they tell; a registry that goes away, a station that dies."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from personalize.line.lanes import LineSettings
from personalize.line.outcome import CardOutcome
from personalize.machines.protocols import SWIPE_TO_WRITE, OperatorScreen
from personalize.machines.reader import MachineReader
from reader_service.errors import Conflict, Forbidden, Invalid, LeaseHeld, NotFound, ReaderOut, Unavailable
from reader_service.principal import Principal, Role
from reader_service.readers.manager import ReaderManager
from reader_service.readers.values import Mode
from reader_service.services.issuing.lane_commands import LANE_COMMANDS
from reader_service.services.issuing.lane_status import LaneStatus
from reader_service.services.issuing.lanes import LaneService
from registry.errors import RegistryUnavailable
from registry.store import Registry
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, Reader, Transport, open_reader
from terminal.errors import ReaderFault
from tests.support import issuer
from tests.support.machines.machine import Blank, CountingMachine, body_preparer, plain_face
from tests.support.registry import databases
from tests.support.registry.wrapped import Call, wrapped
from tests.support.service.reader_rig import AUDITOR, OPERATOR, OTHER, FakeReaders, ReaderRig, reader_rig
from tests.support.waiting import PATIENCE, eventually

AWAY = RegistryUnavailable("the registry does not answer", retryable=True)


def stock(directory: Path, count: int) -> Path:
    list(make_stock(directory, count, CardConfig(blank())))
    return directory


class Lanes:
    """A lane service over the readers of a station."""

    def __init__(self, rig: ReaderRig, manager: ReaderManager, **more: Any) -> None:
        self.station, self.manager = rig, manager
        self.service = LaneService(rig.parts, rig.bus, manager, again=0.05, **more)

    def view(self, reader_id: str) -> LaneStatus:
        return next(view for view in self.service.lanes(OPERATOR) if view.reader == reader_id)

    def ended(self) -> bool:
        return all(view.state == "ended" for view in self.service.lanes(OPERATOR))

    def accounts(self, batch: str) -> tuple[int, int, int, bool]:
        accounts = self.station.registry.batches.accounts(batch)
        return accounts.members, accounts.verified, accounts.chips_in_reader, accounts.balanced


@contextmanager
def lanes(rig: ReaderRig, ticks: Callable[[], float] = time.monotonic, **more: Any) -> Iterator[Lanes]:
    """``ticks`` is the clock of the readers' deadlines."""
    with rig.manager(monotonic=ticks) as manager:
        running = Lanes(rig, manager, **more)
        try:
            yield running
        finally:
            running.service.close()


def test_a_batch_runs_over_two_feeders_and_everything_is_published(tmp_path: Path) -> None:
    feeder = stock(tmp_path / "blanks", 4)
    rig = reader_rig(tmp_path, f"sim:{feeder}", f"sim:{feeder}")
    batch = issuer.prepared(rig.registry, 3, tmp_path)
    with lanes(rig) as on:
        ids = [view.id for view in on.manager.views()]
        assert ids == ["blanks", "blanks-2"]
        begun = on.service.start(OPERATOR, batch, [*ids, ids[0]])
        assert [(view.reader, view.batch, view.started_by) for view in begun] == [(i, batch, "张师傅") for i in ids]
        assert eventually(on.ended)
        assert on.accounts(batch) == (3, 3, 0, True)
        assert sum(view.ok for view in on.service.lanes(OPERATOR)) == 3
        assert not any(view.fault for view in on.service.lanes(OPERATOR))
        assert [on.manager.leases.mode(i) for i in ids] == [Mode.FREE] * 2
        with pytest.raises(Conflict, match="is done"):
            on.service.start(OPERATOR, batch, ids)
    cards = [event.data for event in rig.bus.of("lane.card")]
    assert sorted(card["outcome"] for card in cards if card["outcome"] != "again") == ["verified"] * 3
    assert all(len(str(card["number"])) == 6 for card in cards)
    steps = {event.data["step"] for event in rig.bus.of("lane.state")}
    assert {"identify", "authenticate"} < steps
    assert {event.topic for event in rig.bus.of("batch.changed")} == {batch}
    assert rig.line.filled == [2]
    numbers = {card.card_number for card in rig.registry.cards.of_batch(batch)}
    events = "".join(event.json for event in rig.bus.events)
    assert not [number for number in numbers if number in events]
    assert [row.entry.action for row in rig.registry.audit.page(None, 50).items].count("lane.start") == 1


def test_a_lane_is_held_and_goes_on_and_stops(tmp_path: Path) -> None:
    paths = list(make_stock(tmp_path / "stock", 3, CardConfig(blank())))
    rig = reader_rig(tmp_path, "sim:slot/Lane 1")
    batch = issuer.prepared(rig.registry, 3, tmp_path)
    with lanes(rig) as on:
        on.service.start(OPERATOR, batch, ["lane-1"])
        slot = on.manager.slot("lane-1")
        slot.insert(paths[0])
        assert eventually(lambda: on.view("lane-1").ok == 1)
        last = on.view("lane-1").last
        assert last is not None
        assert (last.outcome, last.bin) == (CardOutcome.VERIFIED, "")
        assert on.view("lane-1").rate > 0
        assert on.view("lane-1").seconds_left is not None
        on.service.steer(OPERATOR, "lane-1", LANE_COMMANDS["pause"])
        assert eventually(lambda: on.view("lane-1").state == "paused")
        slot.eject()
        slot.insert(paths[1])
        assert on.view("lane-1").ok == 1
        on.service.steer(OPERATOR, "lane-1", LANE_COMMANDS["resume"])
        assert eventually(lambda: on.view("lane-1").ok == 2)
        on.service.steer(OPERATOR, "lane-1", LANE_COMMANDS["pause"])
        assert eventually(lambda: on.view("lane-1").state == "paused")
        on.service.steer(OPERATOR, "lane-1", LANE_COMMANDS["stop"])
        assert eventually(on.ended)
        view = on.view("lane-1")
        assert (view.message, view.code, view.params, view.fault) == ("stopped", "stopped", {}, False)
        for command in LANE_COMMANDS.values():
            with pytest.raises(NotFound):
                on.service.steer(OPERATOR, "lane-1", command)
        on.manager.leases.take(OTHER, "lane-1")
    entries = [row.entry for row in rig.registry.audit.page(None, 50).items if row.entry.action.startswith("lane.")]
    assert [(entry.action, entry.actor, entry.facts["readers"]) for entry in entries] == [
        ("lane.stop", "张师傅", "lane-1"),
        ("lane.start", "张师傅", "lane-1"),
    ]


def test_a_reject_is_published_with_its_bin_and_the_dossier_is_prepared_again(tmp_path: Path) -> None:
    paths = list(make_stock(tmp_path / "stock", 1, CardConfig(blank())))
    damaged = tmp_path / "damaged.card"
    damaged.write_bytes(b"no chip at all")
    rig = reader_rig(tmp_path, "sim:slot/Lane 1")
    batch = issuer.prepared(rig.registry, 1, tmp_path)
    with lanes(rig) as on:
        on.service.start(OPERATOR, batch, ["lane-1"])
        slot = on.manager.slot("lane-1")
        slot.insert(damaged)
        assert eventually(lambda: on.view("lane-1").bad == 1)
        last = on.view("lane-1").last
        assert last is not None
        assert (last.bin, last.code, last.params) == ("1 contact", "mute", {})
        assert "does not answer to reset" in last.reason
        slot.eject()
        slot.insert(paths[0])
        assert eventually(on.ended)
        assert on.accounts(batch) == (1, 1, 0, True)


def test_a_chip_personalized_before_is_published_without_its_card_number(tmp_path: Path) -> None:
    paths = list(make_stock(tmp_path / "stock", 2, CardConfig(blank())))
    rig = reader_rig(tmp_path, "sim:slot/Lane 1")
    batch = issuer.prepared(rig.registry, 2, tmp_path)
    with lanes(rig) as on:
        on.service.start(OPERATOR, batch, ["lane-1"])
        slot = on.manager.slot("lane-1")
        slot.insert(paths[0])
        assert eventually(lambda: on.view("lane-1").ok == 1)
        slot.eject()
        slot.insert(paths[0])
        assert eventually(lambda: on.view("lane-1").last and on.view("lane-1").last.outcome is CardOutcome.KNOWN)
        (card,) = rig.registry.cards.of_batch(batch)
        last = on.view("lane-1").last
        assert last is not None
        assert (last.code, last.params) == ("made-before", {"number": card.card_number[-6:]})
    assert not [event.json for event in rig.bus.events if card.card_number in event.json]


def test_what_a_lane_is_not_started_for(tmp_path: Path) -> None:
    readers = FakeReaders()
    rig = reader_rig(tmp_path, "fake:A", "fake:B", open_reader=readers)
    draft = rig.registry.rosters.import_roster("测试工会", issuer.rows(1), [], source="t", digest="d", by="clerk").id
    with lanes(rig) as on:
        start = on.service.start
        for who, batch, ids, refusal in [
            (AUDITOR, draft, ["a"], Forbidden),
            (OPERATOR, draft, [], Invalid),
            (OPERATOR, "B20200101-001", ["a"], NotFound),
            (OPERATOR, draft, ["a"], Conflict),
        ]:
            with pytest.raises(refusal):
                start(who, batch, ids)
        rig.registry.batches.approve(draft, "reviewer")
        with pytest.raises(Conflict, match="prepare it first"):
            start(OPERATOR, draft, ["a"])
        issuer.prepare(rig.registry, draft, tmp_path)
        with pytest.raises(NotFound):
            start(OPERATOR, draft, ["a", "c"])
        on.manager.leases.take(OTHER, "b")
        with pytest.raises(LeaseHeld, match="李师傅"):
            start(OPERATOR, draft, ["a", "b"])
        assert on.manager.leases.mode("a") is Mode.FREE
        assert on.service.lanes(OPERATOR) == []
        with pytest.raises(Forbidden):
            on.service.lanes(Principal("clerk", frozenset({Role.REGISTRAR})))


class Outage:
    """Makes the calls of ``registry`` fail while ``away`` is set; ``calls`` counts those that failed."""

    def __init__(self, registry: Registry) -> None:
        self.away = threading.Event()
        self.calls = 0
        self.registry = wrapped(registry, self._wrap)

    def _wrap(self, name: str, call: Call) -> Call:
        def unless_away(*arguments: Any, **named: Any) -> Any:
            if self.away.is_set():
                self.calls += 1
                raise AWAY
            return call(*arguments, **named)

        return unless_away


def test_a_lane_waits_for_a_registry_that_is_away_with_its_card(tmp_path: Path) -> None:
    paths = list(make_stock(tmp_path / "stock", 1, CardConfig(blank())))
    rig = reader_rig(tmp_path, "sim:slot/Lane 1")
    batch = issuer.prepared(rig.registry, 1, tmp_path)
    outage = Outage(rig.registry)
    rig.line.station_registry = outage.registry
    with lanes(rig) as on:
        on.service.start(OPERATOR, batch, ["lane-1"])
        outage.away.set()
        on.manager.slot("lane-1").insert(paths[0])
        assert eventually(lambda: on.view("lane-1").message == str(AWAY))
        assert on.view("lane-1").code == "record-away"
        assert on.view("lane-1").state == "waiting"
        assert eventually(lambda: outage.calls > 3)
        outage.away.clear()
        assert eventually(on.ended)
        assert (on.view("lane-1").ok, on.view("lane-1").fault) == (1, False)
        assert on.accounts(batch) == (1, 1, 0, True)


def test_no_lane_is_started_while_the_registry_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = reader_rig(tmp_path, "sim:slot/Lane 1")
    batch = issuer.prepared(rig.registry, 1, tmp_path)

    def away(*_: object) -> None:
        raise AWAY

    with lanes(rig) as on:
        monkeypatch.setattr(rig.registry.batches, "batch", away)
        with pytest.raises(Unavailable):
            on.service.start(OPERATOR, batch, ["lane-1"])
        assert on.manager.leases.mode("lane-1") is Mode.FREE


def test_no_lane_starts_once_the_service_ends(tmp_path: Path) -> None:
    rig = reader_rig(tmp_path, "sim:slot/Lane 1")
    batch = issuer.prepared(rig.registry, 1, tmp_path)
    with lanes(rig) as on:
        on.service.close()
        with pytest.raises(Unavailable, match="is ending"):
            on.service.start(OPERATOR, batch, ["lane-1"])
        assert on.manager.leases.mode("lane-1") is Mode.FREE
        assert on.service.lanes(OPERATOR) == []


def test_the_last_run_of_a_reader_that_is_gone_for_good_is_not_shown(tmp_path: Path) -> None:
    readers = FakeReaders()
    rig = reader_rig(tmp_path, "fake:A", open_reader=readers)
    batch = issuer.prepared(rig.registry, 1, tmp_path)
    with lanes(rig) as on:
        on.manager.on_forgotten = on.service.forget
        on.service.start(OPERATOR, batch, ["a"])
        assert eventually(on.ended)  # there are no blanks
        readers.opened["fake:A"][0].fault = ReaderFault("the cable is loose")
        assert eventually(lambda: on.manager.view("a").state == "lost")
        on.manager.forget(OPERATOR, "a")
        assert on.service.lanes(OPERATOR) == []


def test_what_nobody_foresaw_ends_its_lane_and_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    readers = FakeReaders()
    rig = reader_rig(tmp_path, "fake:A", open_reader=readers)
    batch = issuer.prepared(rig.registry, 1, tmp_path)
    with lanes(rig) as on:
        on.manager.ask("a", lambda session: session.name)
        on.service.start(OPERATOR, batch, ["a"])
        readers.opened["fake:A"][0].fault = LookupError("a secret")
        assert eventually(on.ended)
        assert (on.view("a").message, on.view("a").code, on.view("a").fault) == ("LookupError", "internal", True)
    assert any("lane" in record.getMessage() and record.exc_info for record in caplog.records)


class Stuck:
    """A virtual slot whose driver hangs at command ``at`` until it is let go."""

    def __init__(self, inner: Reader, at: int) -> None:
        self._inner, self._left = inner, at
        self.stuck, self.go = threading.Event(), threading.Event()

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def url(self) -> str:
        return self._inner.url

    def wait_for_card(self, timeout: float | None) -> bool:
        return self._inner.wait_for_card(timeout)

    def connect(self) -> Transport:
        return _StuckCard(self._inner.connect(), self)

    def release(self, disposition: Disposition) -> None:
        self._inner.release(disposition)

    def close(self) -> None:
        self._inner.close()

    def exchange(self, send: Callable[[], bytes]) -> bytes:
        self._left -= 1
        if self._left == 0:
            self.stuck.set()
            self.go.wait(PATIENCE)
        return send()


class _StuckCard:
    def __init__(self, inner: Transport, reader: Stuck) -> None:
        self._inner, self._reader = inner, reader
        self.atr, self.protocol, self.extended_length = inner.atr, inner.protocol, inner.extended_length

    def exchange(self, apdu: bytes) -> bytes:
        return self._reader.exchange(lambda: self._inner.exchange(apdu))

    def reset(self) -> bytes:
        return self._inner.reset()

    def close(self) -> None:
        self._inner.close()


class HurriedClock:
    """The machine's clock; once ``hurry`` is set, every reading is most of a second later than the one before."""

    def __init__(self) -> None:
        self.hurry = threading.Event()
        self.ahead = 0.0

    def __call__(self) -> float:
        if self.hurry.is_set():
            self.ahead += 0.7  # what is longer than a second counts as a pause of the machine
        return time.monotonic() + self.ahead


def test_a_station_that_dies_in_the_middle_of_a_card_leaves_it_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two services on one registry: the first hangs mid-card, its chip is carried over, and it wakes up too late."""
    monkeypatch.setattr("reader_service.services.issuing.lanes.SIGN_OF_LIFE", 3)
    monkeypatch.setattr("reader_service.readers.manager._TICK", 0.02)
    shared = databases.fresh(tmp_path)
    (path,) = make_stock(tmp_path / "stock", 1, CardConfig(blank()))
    stuck: list[Stuck] = []

    def hanging(url: str) -> Reader:
        stuck.append(Stuck(open_reader(url), 12 if not stuck else -1))
        return stuck[-1]

    first = reader_rig(tmp_path, f"sim:{path}", open_reader=hanging, name="first", url=shared)
    batch = issuer.prepared(first.registry, 1, tmp_path)
    (tmp_path / "second").mkdir()
    copy = tmp_path / "second" / path.name
    second = reader_rig(tmp_path / "second", "sim:slot/Lane 1", name="second", url=shared)
    clock = HurriedClock()
    with lanes(first, clock) as dying, lanes(second) as living:
        reader_id = dying.manager.views()[0].id
        dying.service.start(OPERATOR, batch, [reader_id])
        assert stuck[0].stuck.wait(PATIENCE)
        assert first.registry.batches.accounts(batch).claimed == 1
        shutil.copy(path, copy)  # the chip as it is, in the other station's hands
        living.service.start(OPERATOR, batch, ["lane-1"])
        living.manager.slot("lane-1").insert(copy)
        assert eventually(living.ended)
        assert living.accounts(batch) == (1, 1, 0, True)
        clock.hurry.set()
        assert eventually(dying.ended)
        gone = dying.view(reader_id)
        assert gone.fault
        assert "does not answer" in gone.message
        with pytest.raises(ReaderOut):
            dying.manager.ask(reader_id, lambda session: session.name)
        stuck[0].go.set()
        assert eventually(lambda: dying.manager.view(reader_id).state != "hung")
        assert living.accounts(batch) == (1, 1, 0, True)
        assert (gone.ok, living.view("lane-1").ok) == (0, 1)
    (card,) = second.registry.cards.of_batch(batch)
    assert card.state == "verified"
    assert len({entry.lane for entry in second.registry.line.journal_of(batch)}) == 2
    first.registry.close()
    second.registry.close()


def test_a_lane_whose_machine_prints_for_long_does_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reader_service.services.issuing.lanes.SIGN_OF_LIFE", 3)
    monkeypatch.setattr("reader_service.readers.manager._TICK", 0.02)
    machine, clock = CountingMachine([Blank(VirtualCard.create(None, CardConfig(blank())))]), HurriedClock()

    def slowly(what: str, action: Callable[[], object]) -> object:
        if what in ("give output", "print"):
            until = clock.ahead + 9
            clock.hurry.set()
            assert eventually(lambda: clock.ahead > until)
            clock.hurry.clear()
        return action()

    machine.around = slowly
    rig = reader_rig(tmp_path, "counting:", open_reader=lambda url: MachineReader(machine))
    batch = issuer.prepared(rig.registry, 1, tmp_path, make=body_preparer)
    rig.line.job_changes["render"] = plain_face
    with lanes(rig, clock) as on:
        reader_id = on.manager.views()[0].id
        on.service.start(OPERATOR, batch, [reader_id])
        assert eventually(on.ended)
        ended = on.view(reader_id)
        assert (ended.fault, ended.ok) == (False, 1)
        assert on.manager.view(reader_id).state != "hung"
    rig.registry.close()


def test_what_a_person_is_to_do_is_shown_until_it_is_done(tmp_path: Path) -> None:
    machine = CountingMachine([Blank(VirtualCard.create(None, CardConfig(blank())))])
    machine.screen = OperatorScreen()  # type: ignore[attr-defined]
    shown: list[tuple[str, str]] = []
    rig = reader_rig(tmp_path, "counting:", open_reader=lambda url: MachineReader(machine))

    def prompts(what: str, action: Callable[[], object]) -> object:
        if what == "write stripe":
            machine.screen.show(SWIPE_TO_WRITE)  # type: ignore[attr-defined]
            shown.append((on.view(reader_id).code, on.view(reader_id).step))
        if what == "print":
            shown.append((on.view(reader_id).code, on.view(reader_id).step))
        return action()

    machine.around = prompts
    batch = issuer.prepared(rig.registry, 1, tmp_path, make=body_preparer)
    rig.line.job_changes["render"] = plain_face
    with lanes(rig) as on:
        reader_id = on.manager.views()[0].id
        on.service.start(OPERATOR, batch, [reader_id])
        assert eventually(on.ended)
        machine.screen.show("put the card with the finished ones")  # type: ignore[attr-defined]
        assert on.view(reader_id).code == "batch-done"
    assert shown == [("swipe-to-write", "stripe"), ("", "print")]
    rig.registry.close()


def test_the_rest_of_a_batch_takes_as_long_as_its_lanes_need(tmp_path: Path) -> None:
    feeder = stock(tmp_path / "blanks", 6)
    now = [0.0]
    rig = reader_rig(tmp_path, f"sim:{feeder}")
    batch = issuer.prepared(rig.registry, 6, tmp_path)
    seen: list[LaneStatus] = []
    over = threading.Event()
    rig.line.job_changes["monotonic"] = lambda: now[0]
    with lanes(rig, monotonic=lambda: now[0], settings=LineSettings(idle=5)) as on:
        publish = rig.bus.publish

        def listen(kind: str, topic: str, data: Any) -> Any:
            if kind == "lane.card":
                now[0] += 10
                seen.append(on.service._view(on.service._runs["blanks"]))
            if kind == "batch.changed":
                over.set()
            return publish(kind, topic, data)

        rig.bus.publish = listen  # type: ignore[method-assign]
        on.service.start(OPERATOR, batch, ["blanks"])
        assert over.wait(PATIENCE)  # asking for the lanes would count the batch anew
    assert [view.ok for view in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[2].rate == pytest.approx(360, rel=0.01)
    assert seen[2].seconds_left == pytest.approx(30, rel=0.01)


def test_a_service_ends_soon_though_a_lane_is_stuck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("reader_service.readers.worker.ONE_CALL", 0.5)
    (path,) = make_stock(tmp_path / "stock", 1, CardConfig(blank()))
    (other,) = make_stock(tmp_path / "other", 1, CardConfig(blank()))
    stuck: list[Stuck] = []

    def hanging(url: str) -> Reader:
        if str(other) in url:
            return open_reader(url)
        stuck.append(Stuck(open_reader(url), 12))
        return stuck[-1]

    rig = reader_rig(tmp_path, f"sim:{path}", f"sim:{other}", open_reader=hanging)
    batch = issuer.prepared(rig.registry, 2, tmp_path)
    with rig.manager() as manager:
        running = Lanes(rig, manager, monotonic=lambda: 0.0)  # the longest wait for a lane never ends
        ids = [view.id for view in manager.views()]
        running.service.start(OPERATOR, batch, ids)
        assert stuck[0].stuck.wait(PATIENCE)
        assert eventually(lambda: running.view(ids[1]).ok == 1)  # a slow step of it would count as stuck, too
        running.service.close()
        manager.close()
        assert running.view(ids[0]).fault
        assert not running.view(ids[1]).fault
        stuck[0].go.set()
    assert f"the lane on reader {ids[0]} shows no sign of life" in caplog.text
    assert caplog.text.count("no sign of life") == 1


def test_a_held_lane_is_waited_for_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reader_service.readers.worker.ONE_CALL", 0.0)
    rig = reader_rig(tmp_path, "sim:slot/Lane 1")
    batch = issuer.prepared(rig.registry, 1, tmp_path)
    with lanes(rig) as on:
        on.service.start(OPERATOR, batch, ["lane-1"])
        on.service.steer(OPERATOR, "lane-1", LANE_COMMANDS["pause"])
        assert eventually(lambda: on.view("lane-1").state == "paused")
        on.service.close()
        view = on.view("lane-1")
        assert (view.state, view.message, view.fault) == ("ended", "stopped", False)
