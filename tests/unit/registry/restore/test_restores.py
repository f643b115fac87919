"""A restored registry is noticed, gives nothing out, and goes on after a check past all that may have been used."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zlib import crc32

import pytest

from registry.db.counters import FOLDED, last_number
from registry.db.database import Database
from registry.db.marks import Marks
from registry.db.privacy import PersonalData
from registry.db.witness import Witness, read_sightings
from registry.errors import RegistryConflict, RegistryUnfit
from registry.restore.evidence import orphans, serial_of
from registry.restore.restores import Evidence, SeenChip
from registry.store import Registry
from registry.values import Claim, HotlistEntry
from terminal.keys.memory import MemoryCustody
from terminal.names import method
from tests.support.registry import registrar
from tests.support.registry.registrar import LEASE, SetClock, chip

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
Open = Callable[[], Registry]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record.json"


@pytest.fixture
def opened(url: str, custody: MemoryCustody, clock: SetClock, record: Path) -> Open:
    """Opens the registry with its record; the same database each time."""
    return lambda: Registry.open(url, custody, clock=clock, record=record)


def beyond(url: str, custody: MemoryCustody, record: Path, at: datetime, **changes: object) -> Marks:
    """Write a record as a station left it after more work than is in the database."""
    database = Database(url)
    name = database.name
    database.close()
    (sighting,) = read_sightings(record, PersonalData(custody))
    marks = replace(sighting.marks, **{"number": sighting.marks.number + 7, "hash": "ab" * 32} | changes)  # type: ignore[arg-type]
    Witness(record, PersonalData(custody), name).note(marks, at)
    return marks


def test_a_registry_follows_its_own_record(opened: Open, record: Path) -> None:
    for number in range(3):
        with opened() as registry:
            assert not registry.restores.pending()
            registrar.approved(registry, registrar.rows(2, 1 + 10 * number), f"d{number}")
    assert record.stat().st_mode & 0o777 == 0o600


def test_numbers_given_out_are_on_record_before_anybody_sees_them(
    opened: Open, record: Path, custody: MemoryCustody
) -> None:
    with opened() as registry:
        registrar.approved(registry, registrar.rows(2))
        (sighting,) = read_sightings(record, PersonalData(custody))
        assert sighting.marks.counters["member/13000"] == 2
        registry.cards.allocate_serials("915613", 40)
        (sighting,) = read_sightings(record, PersonalData(custody))
        assert sighting.marks.counters["card/915613"] == 40


def test_an_older_database_gives_nothing_out_until_it_was_checked(
    opened: Open, url: str, custody: MemoryCustody, clock: SetClock, record: Path
) -> None:
    with opened() as registry:
        batch = registrar.ready(registry, custody, 3)
    beyond(url, custody, record, clock(), claim=9, counters={"member/13000": 50, "card/915613": 60})
    with opened() as registry:
        assert registry.restores.pending()
        for refused in (
            lambda: registry.cards.allocate_serials("915613", 1),
            lambda: registrar.approved(registry, registrar.rows(1, 70), "d2"),
            lambda: registry.line.claim(batch, "lane 1", "S", chip(1), LEASE),
            lambda: registry.hotlist.publish(lambda *given: b"", by="r"),
            registry.restores.refuse_pending,
        ):
            with pytest.raises(RegistryConflict, match="membercard restore check") as caught:
                refused()
            assert caught.value.reason == "restored"
    with opened() as registry:
        assert registry.restores.pending(), "another start is no check"
        seen = registry.restores.seen_here()
        assert seen is not None
        report = registry.restores.resolve(Evidence(seen.counters, seen.claim), by="操作员")
        assert {(one.name, one.after) for one in report.moved} == {("member/13000", 50), ("card/915613", 60)}
        assert len(report.set_aside) == 3
        assert not registry.restores.pending()
        assert registry.cards.allocate_serials("915613", 1) == range(61, 62)
        assert registry.audit.verify().whole
    with opened() as registry:
        assert not registry.restores.pending()


def test_dossiers_that_may_be_on_chips_are_refused_and_prepared_again(
    opened: Open, custody: MemoryCustody, clock: SetClock
) -> None:
    with opened() as registry:
        batch = registrar.ready(registry, custody, 3)
        waiting = registry.dossiers.stored(batch)
        at_hand = SeenChip(waiting[0].card_number, waiting[0].sequence, chip(77))
        strange = SeenChip("9156130000000999999", 1, chip(78))
        report = registry.restores.resolve(Evidence(claim=40, chips=(at_hand, strange)), by="操作员")
        assert [place.card_number for place in report.bound] == [at_hand.card_number]
        assert {place.card_number for place in report.set_aside} == {stored.card_number for stored in waiting[1:]}
        assert report.unknown == (strange,)
        hot = {(entry.card_number, entry.sequence) for entry in registry.hotlist.entries()}
        assert hot == {(stored.card_number, 1) for stored in waiting[1:]} | {(strange.card_number, 1)}
        accounts = registry.batches.accounts(batch)
        assert accounts.balanced
        assert (accounts.claimed, accounts.waiting, accounts.to_prepare) == (1, 0, 2)
        claim = registry.line.claim(batch, "lane 1", "S", chip(77), LEASE)
        assert isinstance(claim, Claim)
        assert (claim.card_number, claim.returning) == (at_hand.card_number, True)
        assert claim.token > 40
        assert {member.sequence for member in registry.dossiers.to_prepare(batch)} == {2}


def test_where_no_lane_ran_since_the_backup_dossiers_stay(opened: Open, custody: MemoryCustody) -> None:
    with opened() as registry:
        batch = registrar.ready(registry, custody, 3)
        report = registry.restores.resolve(Evidence(lines_ran=False), by="操作员")
        assert (report.set_aside, registry.batches.accounts(batch).waiting) == ((), 3)


def test_cards_reported_since_are_refused_again_and_those_listed_keep_their_reason(
    opened: Open, custody: MemoryCustody
) -> None:
    lost = HotlistEntry("9156130000000000017", 1, "lost", AT)
    with opened() as registry:
        registrar.ready(registry, custody, 1)
        first = registry.restores.resolve(Evidence(hotlist=(lost, lost), lines_ran=False), by="o")
        again = registry.restores.resolve(Evidence(hotlist=(replace_reason(lost),), lines_ran=False), by="o")
        assert (first.hotlisted, again.hotlisted) == (1, 0)
        assert [(entry.card_number, entry.reason) for entry in registry.hotlist.entries()] == [
            (lost.card_number, "lost")
        ]


def replace_reason(entry: HotlistEntry) -> HotlistEntry:
    return HotlistEntry(entry.card_number, entry.sequence, "damaged", entry.at)


def test_sessions_and_tokens_of_the_backup_end(opened: Open, clock: SetClock) -> None:
    with opened() as registry:
        registry.users.first("anna", "Anna", "hash", {"administrator"})
        registry.tokens.make("till", b"t" * 32, {"counter"}, until=clock() + timedelta(days=1), by="anna")
        report = registry.restores.resolve(Evidence(lines_ran=False), by="o")
        assert report.tokens == 1
        assert [token.revoked_at for token in registry.tokens.page().items] == [clock()]


def test_marks_that_give_no_number_out_are_not_moved(opened: Open, url: str, custody: MemoryCustody) -> None:
    """The method of folding names is a checksum: the record of another edition of the program may have a higher one."""
    with opened() as registry:
        registry.users.first("anna", "Anna", "hash", {"administrator"})
        registry.cards.allocate_serials("915613", 3)
    with opened() as registry:
        registry.restores.resolve(Evidence(lines_ran=False), by="o")
        assert dict(registry.restores.marks().counters) == {"card/915613": 3}
    database = Database(url)
    with database.read() as conn:
        assert last_number(conn, FOLDED) == crc32(method().encode())
    database.close()


@pytest.mark.parametrize(("counters", "pending"), [({"member/13000": 3}, False), ({"member/13000": 9}, True)])
def test_a_check_at_one_station_holds_for_another_that_knows_no_more(
    opened: Open,
    url: str,
    custody: MemoryCustody,
    clock: SetClock,
    record: Path,
    counters: dict[str, int],
    pending: bool,
) -> None:
    with opened() as registry:
        registrar.approved(registry, registrar.rows(4))
    beyond(url, custody, record, clock(), counters=counters)
    clock.forward(timedelta(hours=1))
    with Registry.open(url, custody, clock=clock, record=record.with_name("another")) as elsewhere:
        elsewhere.restores.resolve(Evidence(), by="o")
    with opened() as registry:
        assert registry.restores.pending() is pending


def test_a_check_from_before_a_restore_does_not_hold(
    opened: Open, url: str, custody: MemoryCustody, clock: SetClock, record: Path
) -> None:
    with opened() as registry:
        registrar.approved(registry, registrar.rows(4))
        registry.restores.resolve(Evidence(), by="o")
    clock.forward(timedelta(hours=1))
    beyond(url, custody, record, clock())
    with opened() as registry:
        assert registry.restores.pending()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"record": [], "mac": "00"}', b"\xff", b"[" * 100_000])
def test_a_changed_record_stops_the_work(opened: Open, custody: MemoryCustody, record: Path, content: bytes) -> None:
    with opened() as registry:
        registrar.approved(registry, registrar.rows(1))
    record.write_bytes(content)
    with opened() as registry:
        assert registry.restores.pending()
        with pytest.raises(RegistryUnfit, match="was changed"):
            registry.restores.seen_here()
        registry.restores.resolve(Evidence(), by="o")
    with opened() as registry:
        assert not registry.restores.pending()


def test_a_number_lowered_in_the_record_is_noticed(opened: Open, record: Path) -> None:
    with opened() as registry:
        registrar.approved(registry, registrar.rows(1))
    file = json.loads(record.read_text())
    file["record"][0]["counters"]["member/13000"] = 0
    record.write_text(json.dumps(file))
    with opened() as registry:
        assert registry.restores.pending()


def test_a_disk_that_takes_no_record_stops_no_work(
    url: str, custody: MemoryCustody, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "a-file"
    place.write_text("no folder")
    with Registry.open(url, custody, record=place / "record.json") as registry:
        registrar.approved(registry, registrar.rows(2))
    assert [line.message.partition(":")[0] for line in caplog.records] == [
        f"the record {place / 'record.json'} cannot be written"
    ]


def test_numbers_on_cards_tell_their_serial() -> None:
    assert serial_of("9156130000000001234", "915613", 19, check_digit=True) == 123
    assert serial_of("130000000042", "130000", 12) == 42
    assert serial_of("130000GH0000000007", "130000GH", 18) == 7
    assert serial_of("130000ABCDEF", "130000", 12) is None
    assert serial_of("140000000042", "130000", 12) is None
    assert serial_of("", "130000", 12) is None


def test_cards_of_lost_numbers_are_refused_with_their_sequences() -> None:
    listed = [
        HotlistEntry("1", 1, "rejected", AT),
        HotlistEntry("2", 1, "lost", AT),
        HotlistEntry("9", 1, "rejected", AT),
    ]
    entries = orphans(["1", "2"], listed, AT)
    assert [(entry.card_number, entry.sequence) for entry in entries] == [("1", 1), ("2", 1), ("1", 2)]
