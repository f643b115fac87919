"""The seeded station by itself: what its record holds, that it is sound, and that nothing of it is left behind."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from membercard import settings
from membercard.commands.counter.card import judge
from membercard.demo.clock import DemoDays
from membercard.demo.setup import create_demo_home
from membercard.demo.station import EVERYTHING, DemoStation, demo_station
from membercard.errors import SettingsError
from membercard.wiring.counter_lists import load_lists
from membercard.wiring.readers import card_in
from personalize.intake import check
from reader_service.access.passwords import Passwords
from reader_service.principal import Role
from reader_service.redemptions.journal import FOLDER, RedemptionJournal
from registry.batches.reviews import ReviewStep
from registry.programme.statement import Month
from registry.store import Registry
from registry.values import BatchState, CardState
from terminal.apdu import stack
from terminal.member.journal_rows import RowKind
from terminal.member.redemption.request import RedemptionRequest


@pytest.fixture(scope="module")
def record(station: DemoStation) -> Iterator[Registry]:
    settings.activate(station.home / "membercard.toml")
    with settings.open_registry() as registry:
        yield registry


def test_batches_stand_at_every_step_of_the_way(station: DemoStation, record: Registry) -> None:
    states = Counter(batch.state for batch in record.batches.all())
    assert states[BatchState.CLOSED] >= 1
    assert states[BatchState.DONE] >= 1
    assert states[BatchState.DRAFT] >= 2
    assert record.batches.accounts(record.batches.all()[0].id).balanced
    assert record.stock.accounts().balanced


def test_the_draft_waits_for_a_second_person_and_has_its_form(station: DemoStation, record: Registry) -> None:
    draft = record.batches.batch(station.draft)
    assert (draft.state, draft.imported_by) == (BatchState.DRAFT, "registrar")
    assert draft.accepted
    assert draft.rejected
    assert [event.step for event in record.reviews.of(station.draft)] == [ReviewStep.SUBMITTED]
    assert record.originals.of(station.draft).content.startswith(b"PK")


def test_cards_are_in_every_state_that_a_counter_meets(station: DemoStation, record: Registry) -> None:
    states = {card.state for card in record.cards.page(limit=100).items}
    assert states >= {
        CardState.DELIVERED,
        CardState.ACTIVE,
        CardState.SUSPENDED,
        CardState.WITHDRAWN,
        CardState.REPLACED,
    }
    lists = load_lists(None, None, None)
    codes = {}
    for path in sorted(station.slot_cards.glob("*.card")):
        with card_in(f"sim:{path}", 0) as transport:
            codes[path.stem] = judge(stack(transport), lists).code.value
    assert codes == {
        "1-good": "ACTIVE",
        "2-lost": "LOST",
        "3-suspended": "SUSPENDED",
        "4-withdrawn": "WITHDRAWN",
        "5-good": "ACTIVE",
        "6-blank": "NOT_A_MEMBER_CARD",
        "7-boxed": "NOT_ACTIVATED",
        "8-to-activate": "NOT_ACTIVATED",
    }


def test_a_box_was_signed_for_at_each_level_and_another_is_being_filled(record: Registry) -> None:
    filled, received = record.boxes.page().items
    assert (received.stage, received.cards, received.signed, received.level) == ("received", 7, 7, "unit")
    steps = [move.step for move in record.moves.page(box_id=received.id).items]
    assert steps == ["receipt", "hand-over", "hand-over", "hand-over", "close"]
    assert (filled.stage, filled.cards, filled.ticked) == ("open", 2, 1)


def test_redemptions_of_last_month_are_booked_settled_and_one_is_disputed(record: Registry) -> None:
    month = DemoDays(settings.load().today()).month
    booked = record.redemptions.page(limit=100).items
    assert Counter(one.benefit_class for one in booked if Month.of(one.day) == month) == {
        "0101": 2,
        "0102": 1,
        "gym": 5,
    }
    assert [finding.kind for finding in record.findings.page(limit=10).items] == ["atc-gap"]
    (statement,) = record.settlement.page().items
    sums = (statement.state, statement.entries, statement.amount, statement.due, statement.left_out.disputed)
    assert sums == ("closed", 7, 41500, 8300, 1)
    assert (statement.signed_by, statement.closed_by) == ("registrar", "reviewer")


def test_the_counter_has_redemptions_of_today(station: DemoStation, record: Registry, tmp_path: Path) -> None:
    zone, now = settings.load().zone, settings.load().now()
    shutil.copytree(station.home / FOLDER, tmp_path / FOLDER)  # a service may have the journal open
    with RedemptionJournal.open(tmp_path / FOLDER, now) as journal:
        seen = [row for row in journal.rows() if row.kind is RowKind.INTENT]
    today = [row for row in seen if now - row.at < timedelta(days=1)]
    requests = [RedemptionRequest.decode(row.octets("request")) for row in today]
    assert [(one.benefit_class, one.quantity, one.amount) for one in requests][:2] == [
        ("0101", 2, 9000),
        ("0000", 1, 0),
    ]
    assert [(row.data["benefit"], row.data["product"]) for row in today][:2] == [
        ("film", "ticket"),
        ("gym", "first-visit"),
    ]
    assert all(
        one.day == row.at.astimezone(zone).date() for one, row in zip(requests, seen[-len(requests) :], strict=True)
    )


def test_the_audit_since_last_month_is_whole_and_in_order(record: Registry) -> None:
    report = record.audit.verify()
    assert report.whole
    rows = record.audit.page(limit=500).items
    assert 26 <= (rows[0].at - rows[-1].at).days <= 60
    assert [row.at for row in rows] == sorted((row.at for row in rows), reverse=True)


def test_there_is_something_to_plot(record: Registry) -> None:
    figures = record.statistics
    units = figures.units(record.batches.all()[-1].imported_at.date())
    assert {unit.late for unit in units} == {True, False}
    assert len(figures.rejects()) == 2
    assert {count.code for count in figures.verdicts_per_hour()} >= {"ACTIVE", "LOST", "EXPIRED"}


def test_each_role_has_a_user_and_each_user_a_password_of_their_own(station: DemoStation, record: Registry) -> None:
    roles = {role.value for role in Role}
    assert set(station.passwords) == {*roles, EVERYTHING}
    hasher = Passwords()
    for name, password in station.passwords.items():
        password_text = password.reveal().decode()
        assert hasher.matches(record.users.password_hash(name), password_text)
        assert password_text not in repr(station)
        assert record.users.user(name).roles == (roles if name == EVERYTHING else {name})
    assert len({password.reveal() for password in station.passwords.values()}) == len(Role) + 1


def test_a_form_waits_to_be_dragged_in(station: DemoStation, record: Registry) -> None:
    report = check(station.fresh_form, known=record.rosters.known_members)
    assert len(report.accepted) == 4
    assert len(report.rejected) == 5


def test_a_directory_that_is_no_demo_stays_unchanged(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(SettingsError, match="--data"), demo_station(tmp_path):
        pass
    assert (tmp_path / "mine").read_text() == "kept"


def test_a_stored_station_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / '一 "demo"'
    with demo_station(home, real_time=False) as first, settings.open_registry() as registry:
        registry.cards.change(next(iter(registry.cards.page().items)).card_number, CardState.LOST, "clerk", "挂失")
        registry.users.disable("counter", by="clerk", reason="left")
        cards = [(card.card_number, card.state) for card in registry.cards.page(limit=100).items]
    monkeypatch.setenv("MEMBERCARD_DATABASE_URL", f"sqlite:///{tmp_path / 'other.db'}")
    with demo_station(home, real_time=False) as second, settings.open_registry() as registry:
        assert [(card.card_number, card.state) for card in registry.cards.page(limit=100).items] == cards
        assert (second.prepared, second.draft, second.fresh_form) == (first.prepared, first.draft, first.fresh_form)
        assert second.lanes == first.lanes
        assert set(first.passwords) - set(second.passwords) == {"counter"}
        hashed = registry.users.password_hash("operator")
        assert Passwords().matches(hashed, second.passwords["operator"].reveal().decode())
    with pytest.raises(SettingsError, match="is kept"):
        create_demo_home(home)
    assert not (tmp_path / "other.db").exists()
    moved = home.rename(tmp_path / "elsewhere")
    home.mkdir()
    with pytest.raises(SettingsError, match="was moved"), demo_station(moved):
        pass


def test_a_station_whose_set_up_ended_half_way_is_set_up_again(tmp_path: Path) -> None:
    create_demo_home(tmp_path / "demo", option="--data", operator="demo")
    (tmp_path / "demo" / "left-over").touch()
    with demo_station(tmp_path / "demo", real_time=False) as station:
        assert station.fresh_form.exists()
        assert not (station.home / "left-over").exists()
