"""A service over an issuer's settings: what its counter works from, and what it leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from membercard import settings
from membercard.wiring.counter_lists import HOTLIST, LIST_KEY, TRUST
from membercard.wiring.profile import profile_in_use
from membercard.wiring.seen_lists import FOLDER
from membercard.wiring.service import SLOT_CARDS, STORED_LISTS, IssuerLists, station_parts
from reader_service.errors import Conflict
from reader_service.principal import Principal, Role
from reader_service.readers.values import Mode
from reader_service.service import ReaderService
from reader_service.services.counter.fetched_lists import ListKind
from registry.errors import RegistryConflict, RegistryUnavailable
from registry.store import Registry, utc_now
from registry.values import CardState
from simulators.card.config import CardConfig
from simulators.readers.stock import blank, make_stock
from terminal.errors import IntegrityError, ReaderNotFound
from tests.support import issuer, profiles
from tests.support.service.list_publisher import DAY, key_file, list_publisher, signed
from tests.support.service.reader_rig import NOON
from tests.support.service.registry_rig import carded
from tests.support.waiting import eventually

T = TypeVar("T")
STAFF = Principal("staff", frozenset(Role))


def in_force(directory: Path, work: Callable[[], T], **more: object) -> T:
    """Run ``work`` with the settings of an issuer in this directory, whose cards need no activation."""

    def inside() -> T:
        own: dict[str, object] = {"simulation": True, "station": "S1", "profile": profiles.FILE}
        settings.activate(None, data_dir=directory, **own | more)
        return work()

    return copy_context().run(inside)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with issuer.registry(f"sqlite:///{tmp_path / 'membercard.db'}") as opened:
        yield opened


class Away:
    """The hotlist of a registry that can be switched off."""

    def __init__(self, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        self.off, entries = False, registry.hotlist.entries

        def answer() -> object:
            if self.off:
                raise RegistryUnavailable("the registry does not answer", retryable=True)
            return entries()

        monkeypatch.setattr(registry.hotlist, "entries", answer)


def test_issuer_lists_are_live_and_stored_signed_for_when_the_registry_is_away(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, profile, folder = (
        Away(registry, monkeypatch),
        in_force(tmp_path, profile_in_use),
        tmp_path / STORED_LISTS,
    )
    _, (number, _) = carded(registry, 2)
    now = [NOON]

    def new_lists() -> IssuerLists:
        return IssuerLists(registry, issuer.custody(), profile, folder, clock=lambda: now[0])

    lists = new_lists()
    first = lists()
    assert (first.live, first.hotlist is not None and len(first.hotlist)) == (True, 0)
    assert sorted(path.name for path in folder.iterdir()) == sorted([TRUST, HOTLIST, "list-key.json"])
    written = (folder / HOTLIST).stat().st_mtime_ns
    now[0] += timedelta(minutes=1)
    lists()
    assert (folder / HOTLIST).stat().st_mtime_ns == written
    registry.cards.change(number, CardState.PACKED, "op", "packed")
    registry.cards.change(number, CardState.LOST, "op", "lost")
    assert lists().hotlist is not None
    assert (folder / HOTLIST).stat().st_mtime_ns > written

    away.off = True
    now[0] += timedelta(hours=3)
    for source in (lists, new_lists()):
        lists_then = source()
        assert lists_then.live is False
        assert lists_then.hotlist is not None
        assert lists_then.hotlist.find(number, 1) is not None
        assert lists_then.hotlist.age(now[0]) == timedelta(hours=3)
    away.off = False
    assert lists().live is True


def test_changed_or_missing_stored_lists_are_refused(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, profile, folder = (
        Away(registry, monkeypatch),
        in_force(tmp_path, profile_in_use),
        tmp_path / STORED_LISTS,
    )
    IssuerLists(registry, issuer.custody(), profile, folder, clock=utc_now)()
    fresh = IssuerLists(registry, issuer.custody(), profile, folder, clock=utc_now)
    away.off = True
    (folder / HOTLIST).write_bytes((folder / HOTLIST).read_bytes().replace(b'"version":', b'"version":1'))
    with pytest.raises(IntegrityError):
        fresh()
    nothing = IssuerLists(registry, issuer.custody(), profile, tmp_path / "none", clock=utc_now)
    with pytest.raises(RegistryUnavailable):
        nothing()


def test_a_disk_that_takes_no_lists_takes_no_verdicts(tmp_path: Path, registry: Registry) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("no folder")
    profile = in_force(tmp_path, profile_in_use)
    lists = IssuerLists(registry, issuer.custody(), profile, blocked / "lists", clock=utc_now)
    assert lists().live is True
    assert f"no copy of them is stored in {blocked / 'lists'}: " in lists().fault


def test_a_record_that_takes_no_lists_takes_no_verdicts_and_is_named(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / FOLDER).write_text("no folder")
    profile = in_force(tmp_path, profile_in_use)
    lists = IssuerLists(registry, issuer.custody(), profile, tmp_path / STORED_LISTS, clock=utc_now)
    for _ in range(2):  # the second time nothing is written anew
        used = lists()
        assert (used.live, f"not noted in {tmp_path / FOLDER}: " in used.fault) == (True, True)


def test_published_files_in_the_data_directory_come_first(tmp_path: Path, registry: Registry) -> None:
    parts = in_force(tmp_path, lambda: station_parts(registry, issuer.custody(), pcsc=False))
    assert parts.lists().live
    for path in (tmp_path / STORED_LISTS).iterdir():
        path.rename(tmp_path / path.name)
    version = parts.lists().trust.issue.version
    assert parts.lists().trust.issue.version == version
    (tmp_path / HOTLIST).unlink()
    assert parts.lists().hotlist is None


def test_a_counter_judges_by_the_lists_that_it_has_fetched(tmp_path: Path, registry: Registry) -> None:
    token = tmp_path / "office.token"
    token.write_bytes(b"mc-counter-secret")
    token.chmod(0o600)
    (tmp_path / LIST_KEY).write_bytes(key_file())
    with list_publisher() as publisher:
        for kind, version in ((ListKind.TRUST, 5), (ListKind.HOTLIST, 41)):
            publisher.lists[kind] = signed(kind, version, utc_now() - DAY)
        names = {"upload_url": publisher.url, "upload_token_file": token}
        parts = in_force(tmp_path, lambda: station_parts(registry, issuer.custody(), pcsc=False), **names)
        service = ReaderService(parts)
        service.start()
        try:
            assert eventually(lambda: service.counter.lists_age(STAFF).hotlist_version == 41)
            assert eventually(lambda: service.fetching.state(STAFF).fetched_at is not None)
            assert [one.version for one in service.fetching.dates(STAFF)] == [5, 41]
        finally:
            service.close()


def test_a_service_of_the_settings_prepares_runs_verifies_and_leaves_no_thread(
    tmp_path: Path, registry: Registry
) -> None:
    before = set(threading.enumerate())
    batch = issuer.batch(registry, 1)
    (path,) = make_stock(tmp_path / SLOT_CARDS, 1, CardConfig(blank()))
    parts = in_force(
        tmp_path,
        lambda: station_parts(
            registry,
            issuer.custody(),
            readers=("sim:slot/Lane 1", "sim:slot/Counter"),
            counters={"sim:slot/Counter": "柜台"},
            pcsc=False,
        ),
    )
    assert (parts.station, parts.card_folder, parts.data_dir) == ("S1", tmp_path / SLOT_CARDS, tmp_path)
    service = ReaderService(parts)
    service.start()
    try:
        counts: list[int] = []
        assert parts.line.prepare(batch, counts.append, by="op") == sum(counts) == 1
        service.lanes.start(STAFF, batch, ["lane-1"])
        service.developer.insert(STAFF, "lane-1", path.name)
        assert eventually(lambda: service.lanes.lanes(STAFF)[0].state == "ended")
        assert service.lanes.lanes(STAFF)[0].ok == 1
        service.developer.eject(STAFF, "lane-1")
        assert service.readers.view("counter").mode is Mode.COUNTER
        service.developer.trace(STAFF, "counter", True)
        service.developer.insert(STAFF, "counter", path.name)
        view = service.counter.verify(STAFF, "counter")
        assert view.verdict.code == "ACTIVE"
        (card,) = registry.cards.of_batch(batch)
        for state in ("packed", "lost"):
            registry.cards.change(card.card_number, state, "clerk", "lost")
        service.counter.refresh()
        assert eventually(lambda: service.counter.verify(STAFF, "counter").verdict.code == "LOST")
    finally:
        service.close()
        service.close()
    assert eventually(lambda: set(threading.enumerate()) <= before)
    assert len(registry.verdicts.page().items) >= 2


def test_a_service_that_cannot_start_leaves_no_thread_either(tmp_path: Path, registry: Registry) -> None:
    before = set(threading.enumerate())
    parts = in_force(tmp_path, lambda: station_parts(registry, issuer.custody(), pcsc=False))
    service = ReaderService(replace(parts, reader_urls=("sim:slot/A", "sim:nowhere")))
    with pytest.raises(ReaderNotFound, match="nowhere"):
        service.start()
    assert eventually(lambda: set(threading.enumerate()) <= before)


def test_a_restored_registry_judges_no_card_by_its_own_hotlist_and_runs_no_lane(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hotlist lacks the cards that were reported since the backup; the copy stored before has them."""
    profile, folder = in_force(tmp_path, profile_in_use), tmp_path / STORED_LISTS
    batch, (number, _) = carded(registry, 2)
    registry.cards.change(number, CardState.PACKED, "op", "packed")
    registry.cards.change(number, CardState.LOST, "op", "lost")
    lists = IssuerLists(registry, issuer.custody(), profile, folder, clock=utc_now)
    lists()
    monkeypatch.setattr(registry.hotlist, "entries", list)

    def restored() -> None:
        raise RegistryConflict("this registry was restored", reason="restored")

    monkeypatch.setattr(registry.restores, "refuse_pending", restored)
    used = lists()
    assert (used.live, used.hotlist is not None and used.hotlist.find(number, 1) is not None) == (False, True)
    with pytest.raises(RegistryConflict, match="was restored"):
        IssuerLists(registry, issuer.custody(), profile, tmp_path / "none", clock=utc_now)()
    parts = in_force(tmp_path, lambda: station_parts(registry, issuer.custody(), readers=("sim:slot/A",), pcsc=False))
    service = ReaderService(parts)
    service.start()
    try:
        with pytest.raises(Conflict) as caught:
            service.lanes.start(STAFF, batch, ["a"])
        assert caught.value.params["reason"] == "restored"
    finally:
        service.close()
