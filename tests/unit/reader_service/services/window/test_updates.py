"""Changes on chips through the service: activation at a window or a counter, and what the office ordered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from personalize.line.execute import process
from personalize.profiles.profile import default_profile
from personalize.updates import UpdateRunner
from reader_service.errors import Conflict, Forbidden, Invalid, NotSignedIn, OwnWork, ReaderOut
from reader_service.principal import Principal, Role
from reader_service.readers.manager import ReaderManager
from reader_service.services.counter.counter import CounterService
from reader_service.services.counter.insertion import InsertionUpdates
from reader_service.services.window.updates import UpdateService
from registry.errors import RegistryUnavailable
from registry.members.wanted import UpdateKind, UpdateState
from registry.values import CardState
from simulators.card.config import CardConfig, ProductionData
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol
from terminal.errors import CodecError
from terminal.secret import Secret
from tests.support.cards.card_bench import Bench
from tests.support.registry import databases
from tests.support.service.reader_rig import COUNTER, OPERATOR, ReaderRig, reader_rig
from tests.support.waiting import eventually

CLERK = Principal("窗口", frozenset({Role.REGISTRAR}))
REVIEWER = Principal("复核", frozenset({Role.REVIEWER}))
PEOPLE = {"reviewer": REVIEWER, "clerk": CLERK, "both": Principal("窗口", frozenset({Role.REVIEWER}))}


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, str]:
    """The URL of a registry with one delivered card to be activated, its file, and its number."""
    home = tmp_path_factory.mktemp("issued")
    bench = Bench(home, 1, profile=default_profile())
    chip = VirtualCard.create(home / "issued.card", CardConfig(ProductionData(0x79), LinkProtocol.T1, 3))
    line = SimCard(chip, chip.config.protocol)
    assert not process(line, bench.job(), "window", lambda serial: True).reason
    line.close()
    (card,) = bench.registry.cards.of_batch(bench.batch)
    for state in ("packed", "delivered"):
        bench.registry.cards.change(card.card_number, state, "前台", "")
    bench.registry.close()
    return f"sqlite:///{home / 'registry.db'}", home / "issued.card", card.card_number


def proven(token: str) -> Principal:
    """Who a token belongs to."""
    if token not in PEOPLE:
        raise NotSignedIn("no such token")
    return PEOPLE[token]


@dataclass
class Station:
    """One station with a window's reader in counter mode; the card is in it."""

    readers: ReaderRig
    counter: CounterService
    updates: UpdateService
    reader: str
    number: str

    @property
    def state(self) -> CardState:
        return self.readers.registry.cards.card(self.number).state

    def verified(self) -> dict[str, object]:
        """The verdict at a counter, as programs get it."""
        return self.counter.verify(COUNTER, self.reader).to_json()


@contextmanager
def opened(home: Path, issued: tuple[str, Path, str], **changes: object) -> Iterator[Station]:
    card = home / "card.card"
    card.write_bytes(issued[1].read_bytes())
    rig = reader_rig(home, f"sim:{card}", url=databases.copy(issued[0], home), **changes)
    manager, insertions = ReaderManager(rig.parts, rig.bus), InsertionUpdates(rig.parts)
    counter = CounterService(rig.parts, rig.bus, manager, refresh=60, insertions=insertions)
    manager.start()
    (view,) = manager.views()
    counter.watch(COUNTER, view.id, True)
    assert eventually(lambda: rig.bus.of("verdict")), "the card in it is verified once by itself"
    try:
        updates = UpdateService(rig.parts, manager, counter, insertions, prove_token=proven)
        yield Station(rig, counter, updates, view.id, issued[2])
    finally:
        manager.close()


@pytest.fixture
def station(tmp_path: Path, issued: tuple[str, Path, str]) -> Iterator[Station]:
    with opened(tmp_path, issued) as one:
        yield one


def test_another_card_than_the_one_that_was_compared_is_not_activated(station: Station) -> None:
    before = station.verified()["member"]
    assert isinstance(before, dict)
    with pytest.raises(Conflict) as refused:
        station.updates.activate(CLERK, station.reader, "身份证", compared="915613*********9999")
    assert refused.value.params["reason"] == "another-card"
    assert station.state is CardState.DELIVERED
    view = station.updates.activate(CLERK, station.reader, "身份证", compared=before["card_number"])
    assert view.verdict.code == "ACTIVE"


def test_a_card_is_activated_at_a_window_and_active_at_every_counter(station: Station) -> None:
    before = station.verified()
    assert (before["verdict"], before["delivered"]) == ("NOT_ACTIVATED", True)
    view = station.updates.activate(CLERK, station.reader, "身份证").to_json()
    assert (view["verdict"], view["updates"], view["update_unfinished"]) == ("ACTIVE", ["activation"], False)
    assert station.state is CardState.ACTIVE
    again = station.verified()
    assert (again["verdict"], again["updates"]) == ("ACTIVE", [])
    with pytest.raises(Conflict, match="was activated on 2026-11-22"):
        station.updates.activate(CLERK, station.reader, "身份证")


def test_without_identification_or_permission_nothing_is_activated(station: Station) -> None:
    with pytest.raises(Invalid):
        station.updates.activate(CLERK, station.reader, " ")
    for nobody in (COUNTER, OPERATOR):
        with pytest.raises(Forbidden):
            station.updates.activate(nobody, station.reader, "身份证")
    assert station.verified()["verdict"] == "NOT_ACTIVATED"


def test_a_counter_activates_where_its_station_allows_it(tmp_path: Path, issued: tuple[str, Path, str]) -> None:
    with opened(tmp_path, issued, counters_activate=True) as station:
        assert station.updates.activate(COUNTER, station.reader, "身份证").verdict.accepted
        assert station.state is CardState.ACTIVE


def test_a_card_that_is_not_delivered_is_not_activated(station: Station) -> None:
    station.readers.registry.cards.change(station.number, "lost", "前台", "")
    with pytest.raises(Conflict, match=r"on the hotlist|only a delivered card"):
        station.updates.activate(CLERK, station.reader, "身份证")


def test_ordered_changes_run_at_the_next_insertion_at_a_counter(station: Station) -> None:
    station.updates.activate(CLERK, station.reader, "身份证")
    wanted = {UpdateKind.VALIDITY: date(2036, 12, 31), UpdateKind.COVER: date(2028, 6, 30)}
    ordered = station.updates.want(CLERK, station.number, wanted, "续期")
    assert [one.state.value for one in ordered] == ["pending", "pending"]
    verdict = station.verified()
    assert verdict["updates"] == ["validity", "cover"]
    assert verdict["member"]["valid_through"] == "2036-12-31"  # type: ignore[index]
    assert [one.place for one in station.updates.page(CLERK).items][:2] == ["test", "test"]
    assert station.verified()["updates"] == []


def test_a_verdict_goes_on_without_the_database(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    station.updates.want(CLERK, station.number, {UpdateKind.VALIDITY: date(2036, 12, 31)}, "续期")

    def away(*_: object) -> None:
        raise RegistryUnavailable("the registry does not answer", retryable=True)

    monkeypatch.setattr(station.readers.registry.updates, "open_script", away)
    verdict = station.verified()
    assert (verdict["verdict"], verdict["updates"]) == ("NOT_ACTIVATED", [])
    monkeypatch.undo()
    assert station.verified()["updates"] == ["validity"]


def test_a_change_is_taken_back_before_it_runs(station: Station) -> None:
    (ordered,) = station.updates.want(CLERK, station.number, {UpdateKind.BLOCK: True}, "误报")
    station.updates.withdraw(CLERK, ordered.id, "更正")
    assert station.verified()["updates"] == []
    with pytest.raises(Conflict):
        station.updates.withdraw(CLERK, ordered.id, "更正")
    with pytest.raises(Invalid):
        station.updates.want(CLERK, station.number, {}, "空")


def test_a_blocked_card_is_unblocked_at_a_window(station: Station) -> None:
    station.updates.want(CLERK, station.number, {UpdateKind.BLOCK: True}, "冻结")
    assert station.verified()["verdict"] == "SUSPENDED"
    (lifted,) = station.updates.want(CLERK, station.number, {UpdateKind.BLOCK: False}, "解冻")
    station.updates.consent(REVIEWER, lifted.id)
    view = station.updates.run(CLERK, station.reader).to_json()
    assert (view["verdict"], view["updates"]) == ("NOT_ACTIVATED", ["block"])


def test_a_card_that_left_is_a_conflict(tmp_path: Path, issued: tuple[str, Path, str]) -> None:
    (tmp_path / "none").mkdir()
    with opened(tmp_path, issued) as station:
        Path(tmp_path / "card.card").unlink()
        with pytest.raises(ReaderOut):
            station.updates.activate(CLERK, station.reader, "身份证")


NEW_PIN = Secret(b"246813")


def test_a_member_who_is_present_gets_a_new_pin(station: Station) -> None:
    for pin, again, field in ((b"123", b"123", "pin"), (b"12a456", b"12a456", "pin"), (b"246813", b"246814", "again")):
        with pytest.raises(Invalid) as refused:
            station.updates.change_pin(CLERK, station.reader, "身份证", Secret(pin), Secret(again))
        assert list(refused.value.fields) == [field]
        assert pin.decode() not in str(refused.value)
    with pytest.raises(Forbidden):
        station.updates.change_pin(COUNTER, station.reader, "身份证", NEW_PIN, NEW_PIN)
    view = station.updates.change_pin(CLERK, station.reader, "身份证", NEW_PIN, NEW_PIN)
    assert view.to_json()["updates"] == ["pin-change"]
    (wanted,) = station.readers.registry.updates.of_card(station.number, 1)
    assert (wanted.value, wanted.wanted_by, wanted.reason) == (b"", "窗口", "身份证")


def test_a_token_of_a_second_person_is_checked_before_the_card_is_read(station: Station) -> None:
    for token, fault in (("nobody", Invalid), ("clerk", Forbidden)):
        with pytest.raises(fault):
            station.updates.change_pin(CLERK, station.reader, "身份证", NEW_PIN, NEW_PIN, token=token)
    with pytest.raises(OwnWork):
        station.updates.change_pin(CLERK, station.reader, "身份证", NEW_PIN, NEW_PIN, token="both")
    assert station.readers.registry.updates.of_card(station.number, 1) == ()
    view = station.updates.change_pin(CLERK, station.reader, "身份证", NEW_PIN, NEW_PIN, token="reviewer")
    assert view.to_json()["updates"] == ["pin-change"]


def test_what_lifts_a_block_runs_after_a_second_person_consented(station: Station) -> None:
    (blocked,) = station.updates.want(CLERK, station.number, {UpdateKind.BLOCK: True}, "可疑")
    assert (blocked.state, station.verified()["verdict"]) == (UpdateState.PENDING, "SUSPENDED")
    wanted = {UpdateKind.BLOCK: False, UpdateKind.PIN_UNBLOCK: True, UpdateKind.LAST_DATE: date(2026, 11, 22)}
    first, second, third = station.updates.want(CLERK, station.number, wanted, "已查清")
    assert station.verified()["updates"] == []
    assert station.updates.proposed(REVIEWER) == (first, second, third)
    with pytest.raises(Forbidden):
        station.updates.consent(CLERK, first.id)
    with pytest.raises(OwnWork):
        station.updates.consent(CLERK, first.id, token="both")
    with pytest.raises(Invalid):
        station.updates.consent(CLERK, first.id, token="nobody")
    with pytest.raises(Forbidden):
        station.updates.consent(REVIEWER, first.id, token="reviewer")
    station.updates.consent(CLERK, first.id, token="reviewer")
    station.updates.consent(REVIEWER, second.id)
    with pytest.raises(Forbidden):
        station.updates.withdraw(REVIEWER, third.id, "不同意")
    assert station.updates.refuse(REVIEWER, third.id, "不同意").state is UpdateState.WITHDRAWN
    with pytest.raises(Conflict, match="waits for nobody's consent"):
        station.updates.refuse(REVIEWER, second.id, "只有待同意的可以拒绝")
    assert station.verified()["updates"] == ["block", "pin-unblock"]
    assert station.verified()["verdict"] == "NOT_ACTIVATED"


def test_a_last_date_to_come_is_not_ordered(station: Station) -> None:
    with pytest.raises(Invalid):
        station.updates.want(CLERK, station.number, {UpdateKind.LAST_DATE: date(2026, 11, 24)}, "柜台时钟错误")


def test_odd_data_of_a_chip_leave_its_verdict(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    station.updates.want(CLERK, station.number, {UpdateKind.VALIDITY: date(2036, 12, 31)}, "续期")

    def odd(*_: object, **__: object) -> None:
        raise CodecError("DF28 (entitlements): seven bytes")

    monkeypatch.setattr(UpdateRunner, "run", odd)
    verdict = station.verified()
    assert (verdict["verdict"], verdict["updates"]) == ("NOT_ACTIVATED", [])
