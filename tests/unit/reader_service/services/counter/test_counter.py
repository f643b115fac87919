"""The counter: verdicts by lease or by counter mode, with the database and without it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from personalize.line.lanes import PersonalizationLine
from reader_service.errors import Forbidden, LeaseHeld, LeaseLost, NotFound, ReaderOut, Unavailable
from reader_service.parts import CounterLists
from reader_service.readers.manager import ReaderManager
from reader_service.readers.values import Mode
from reader_service.services.counter.counter import CounterService
from registry.errors import RegistryConflict, RegistryUnavailable
from registry.members.verdicts import VerdictNote
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from terminal.apdu import open_reader
from tests.support import issuer
from tests.support.registry import databases
from tests.support.service.reader_rig import AUDITOR, COUNTER, NOON, OPERATOR, OTHER, ReaderRig, reader_rig
from tests.support.waiting import eventually

AWAY = RegistryUnavailable("the registry does not answer", retryable=True)


@pytest.fixture(scope="module")
def issued(database: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The URL of a registry with one card issued, and its card file."""
    home = tmp_path_factory.mktemp("issued")
    url = databases.fresh(home)
    readers = reader_rig(home, url=url)
    batch = issuer.prepared(readers.registry, 1, home)
    list(make_stock(home / "stock", 1, CardConfig(blank())))
    results = PersonalizationLine(issuer.job(readers.registry, batch), remake=lambda: None).run(
        [open_reader(f"sim:{home / 'stock'}")]
    )
    assert not results[0].fault
    readers.registry.close()
    return url, next((home / "stock" / "issued").iterdir())


@dataclass
class CounterRig:
    station: ReaderRig
    manager: ReaderManager
    service: CounterService
    card: Path
    lists: list[Exception]

    def verdicts(self) -> list[dict[str, object]]:
        return [dict(event.data) for event in self.station.bus.of("verdict")]

    def noted(self) -> list[str]:
        return [note.code for note in self.station.registry.verdicts.page().items]


@pytest.fixture
def rig(tmp_path: Path, issued: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[CounterRig]:
    monkeypatch.setattr("reader_service.services.counter.counter._PACE", 0.02)
    with opened(tmp_path, issued) as counter_rig:
        yield counter_rig


@contextmanager
def opened(home: Path, issued: tuple[str, Path], **changes: object) -> Iterator[CounterRig]:
    url = databases.copy(issued[0], home)
    card = home / "card.card"
    card.write_bytes(issued[1].read_bytes())
    faults: list[Exception] = []
    readers = reader_rig(home, "sim:slot/Counter", "sim:slot/Desk", url=url, **changes)
    lists = readers.parts.lists

    def read() -> CounterLists:
        if faults:
            raise faults[0]
        return lists()

    object.__setattr__(readers.parts, "lists", read)
    manager = ReaderManager(readers.parts, readers.bus)
    counter = CounterService(readers.parts, readers.bus, manager, refresh=0.1)
    manager.on_added = counter.reader_added
    manager.start()
    counter.start()
    assert eventually(lambda: all(view.drawer for view in manager.views()))
    try:
        yield CounterRig(readers, manager, counter, card, faults)
    finally:
        counter.close()
        manager.close()
        readers.registry.close()


def test_a_genuine_card_is_active_and_shown_with_a_masked_identity(rig: CounterRig) -> None:
    rig.manager.slot("counter").insert(rig.card)
    lease = rig.manager.leases.take(COUNTER, "counter")
    view = rig.service.verify(COUNTER, "counter", lease=lease.token)
    assert view.verdict.code == "ACTIVE"
    assert view.seconds > 0
    verdict = rig.verdicts()[0]
    member = view.verdict.member
    assert member is not None
    assert verdict["reader_name"] == "slot/Counter"
    assert verdict["lists"]["live"] is True  # type: ignore[index]
    assert len(verdict["entitlements"]) > 0  # type: ignore[arg-type]
    text = json.dumps(verdict, ensure_ascii=False)
    number = issuer.id_number(1)
    for secret in (number, "13800000001", member.card_number):
        assert secret not in text
    assert member.name in text
    assert eventually(lambda: rig.noted() == ["ACTIVE"])
    again = rig.service.verify(COUNTER, "counter", lease=lease.token)
    assert again.verdict.code == "ACTIVE"


def test_a_counter_verifies_each_card_put_in(rig: CounterRig) -> None:
    rig.service.watch(COUNTER, "counter", True)
    rig.service.watch(COUNTER, "counter", True)
    assert rig.manager.view("counter").mode is Mode.COUNTER
    for _ in range(3):
        before = len(rig.verdicts())
        rig.manager.slot("counter").insert(rig.card)
        assert eventually(lambda before=before: len(rig.verdicts()) == before + 1)
        rig.manager.slot("counter").eject()
    assert {verdict["verdict"] for verdict in rig.verdicts()} == {"ACTIVE"}
    rig.manager.slot("counter").insert(rig.card)
    assert eventually(lambda: len(rig.verdicts()) == 4)
    assert rig.service.verify(OPERATOR, "counter").verdict.code == "ACTIVE"
    with pytest.raises(LeaseHeld):
        rig.manager.leases.take(OTHER, "counter")
    rig.service.watch(COUNTER, "counter", False)
    with pytest.raises(LeaseLost, match="take a lease"):
        rig.service.verify(COUNTER, "counter")
    rig.manager.slot("counter").eject()
    count = len(rig.verdicts())
    rig.manager.slot("counter").insert(rig.card)
    rig.manager.ask("counter", lambda session: None)
    assert len(rig.verdicts()) == count
    rig.service.watch(COUNTER, "counter", True)
    assert eventually(lambda: len(rig.verdicts()) == count + 1)


def test_settings_name_the_counter(tmp_path: Path, issued: tuple[str, Path]) -> None:
    with opened(tmp_path, issued, counters={"sim:slot/Counter": "柜台 1"}) as rig:
        view = rig.manager.view("counter")
        assert (view.mode, view.name) == (Mode.COUNTER, "柜台 1")
        assert rig.manager.view("desk").mode is Mode.FREE
        rig.manager.slot("counter").insert(rig.card)
        assert eventually(rig.verdicts)


def test_who_may_and_what_a_reader_lacks(rig: CounterRig) -> None:
    lease = rig.manager.leases.take(COUNTER, "counter")
    with pytest.raises(ReaderOut) as empty:
        rig.service.verify(COUNTER, "counter", lease=lease.token)
    assert empty.value.params["code"] == "no-card"
    for call in (
        lambda: rig.service.verify(AUDITOR, "counter", lease=lease.token),
        lambda: rig.service.watch(AUDITOR, "counter", True),
        lambda: rig.service.lists_age(AUDITOR),
    ):
        with pytest.raises(Forbidden):
            call()
    with pytest.raises(LeaseLost):
        rig.service.verify(OPERATOR, "counter", lease=lease.token)
    with pytest.raises(LeaseHeld):
        rig.service.watch(OPERATOR, "counter", True)
    with pytest.raises(NotFound):
        rig.service.verify(COUNTER, "nowhere")
    assert rig.verdicts() == []


def test_a_card_that_does_not_answer_is_a_verdict_too(rig: CounterRig, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.card"
    damaged.write_bytes(b"no chip at all")
    rig.service.watch(COUNTER, "counter", True)
    rig.manager.slot("counter").insert(damaged)
    assert eventually(rig.verdicts)
    verdict = rig.verdicts()[0]
    assert (verdict["verdict"], verdict["failed_check"], verdict["member"]) == ("CARD_FAULT", "answer to reset", None)


def test_verdicts_go_on_while_the_database_is_away_and_are_noted_afterwards(
    rig: CounterRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert eventually(lambda: rig.service.lists_age(COUNTER).live)
    verdicts, back = rig.station.registry.verdicts, threading.Event()
    note = verdicts.note

    def away(*notes: VerdictNote) -> None:
        if not back.is_set():
            raise AWAY
        note(*notes)

    monkeypatch.setattr(verdicts, "note", away)
    rig.lists.append(AWAY)
    rig.service.watch(COUNTER, "counter", True)
    rig.manager.slot("counter").insert(rig.card)
    assert eventually(lambda: not rig.service.lists_age(COUNTER).live)
    for _ in range(3):
        view = rig.service.verify(COUNTER, "counter")
        assert view.verdict.code == "ACTIVE"
        assert (view.lists.live, view.lists.hotlist_seconds) == (False, 0)
    assert eventually(lambda: rig.service.unwritten == 4)
    assert rig.noted() == []
    rig.lists.clear()
    back.set()
    assert eventually(lambda: rig.noted() == ["ACTIVE"] * 4)
    assert rig.service.unwritten == 0
    assert eventually(lambda: rig.service.lists_age(COUNTER).live)
    faults = [event.data["sentence"] for event in rig.station.bus.of("service.fault", "lists")]
    assert faults == [str(AWAY), ""]


def test_notes_that_can_never_be_written_do_not_stop_the_others(
    rig: CounterRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts = rig.station.registry.verdicts
    tried: list[int] = []

    def refused(*notes: VerdictNote) -> None:
        tried.append(len(notes))
        raise RegistryConflict("contradicts another", reason="contradiction")

    monkeypatch.setattr(verdicts, "note", refused)
    rig.service.watch(COUNTER, "counter", True)
    rig.manager.slot("counter").insert(rig.card)
    assert eventually(lambda: tried == [1])
    assert rig.service.unwritten == 0


def test_a_note_that_can_never_be_written_takes_no_other_with_it(
    rig: CounterRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts, back = rig.station.registry.verdicts, threading.Event()
    note = verdicts.note

    def picky(*notes: VerdictNote) -> None:
        if not back.is_set():
            raise AWAY
        if any(one.code == "CARD_FAULT" for one in notes):
            raise RegistryConflict("contradicts another", reason="contradiction")
        note(*notes)

    monkeypatch.setattr(verdicts, "note", picky)
    rig.service.watch(COUNTER, "counter", True)
    rig.manager.slot("counter").insert(rig.card)
    assert eventually(lambda: rig.service.unwritten == 1)
    for code in ("CARD_FAULT", "EXPIRED"):
        rig.service._notes.append(VerdictNote(NOON, "test", "counter", code, 0.1))
    back.set()
    assert eventually(lambda: sorted(rig.noted()) == ["ACTIVE", "EXPIRED"])
    assert rig.service.unwritten == 0


def test_what_nobody_foresaw_behind_the_counter_is_logged_once_and_it_goes_on(
    rig: CounterRig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*notes: VerdictNote) -> None:
        raise LookupError("a secret")

    note = rig.station.registry.verdicts.note
    monkeypatch.setattr(rig.station.registry.verdicts, "note", broken)
    rig.service.watch(COUNTER, "counter", True)
    rig.manager.slot("counter").insert(rig.card)
    assert eventually(lambda: any("not written down" in record.getMessage() for record in caplog.records))
    rig.lists.append(LookupError("a secret"))
    assert eventually(lambda: not rig.service.lists_age(COUNTER).live)
    monkeypatch.setattr(rig.station.registry.verdicts, "note", note)
    rig.lists.clear()
    assert eventually(lambda: rig.noted() == ["ACTIVE"])
    assert eventually(lambda: rig.service.lists_age(COUNTER).live)
    assert sum("not written down" in record.getMessage() for record in caplog.records) == 1
    faults = [str(event.data["sentence"]) for event in rig.station.bus.of("service.fault", "lists")]
    assert faults == ["something went wrong with the lists; the log says what", ""]


def test_of_too_many_notes_the_oldest_go_first(rig: CounterRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.service.close()
    monkeypatch.setattr("reader_service.services.counter.counter.MOST_NOTES", 3)
    notes = [VerdictNote(NOON, "test", "counter", str(number), 0.1) for number in range(5)]

    def away(*some: VerdictNote) -> None:
        rig.service._notes.extend(notes[3:])  # while the database does not answer
        raise AWAY

    monkeypatch.setattr(rig.station.registry.verdicts, "note", away)
    rig.service._notes.extend(notes[:3])
    rig.service._write_down()
    assert [note.code for note in rig.service._notes] == ["2", "3", "4"]


def test_without_any_list_there_is_no_verdict(tmp_path: Path, issued: tuple[str, Path]) -> None:
    with opened(tmp_path, issued) as rig:
        rig.service.close()
        rig.lists.append(AWAY)
        fresh = CounterService(rig.station.parts, rig.station.bus, rig.manager)
        rig.manager.slot("counter").insert(rig.card)
        fresh.watch(COUNTER, "counter", True)
        assert eventually(lambda: rig.station.bus.of("service.fault", "counter"))
        for call in (lambda: fresh.verify(COUNTER, "counter"), lambda: fresh.lists_age(COUNTER)):
            with pytest.raises(Unavailable, match="no lists"):
                call()


def test_a_card_reported_lost_is_refused_as_soon_as_the_lists_are_read_anew(rig: CounterRig) -> None:
    registry = rig.station.registry
    rig.service.watch(COUNTER, "counter", True)
    rig.manager.slot("counter").insert(rig.card)
    assert rig.service.verify(COUNTER, "counter").verdict.code == "ACTIVE"
    batch = registry.batches.all()[0].id
    (card,) = registry.cards.of_batch(batch)
    registry.cards.change(card.card_number, "lost", "clerk", "lost on the bus")
    rig.service.refresh()
    assert eventually(lambda: rig.service.verify(COUNTER, "counter").verdict.code == "LOST")
