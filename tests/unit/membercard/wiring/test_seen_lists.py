"""Nobody brings an older list back: the newest edition is on record, and the record does not go away unnoticed."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from membercard import settings
from membercard.wiring.counter_lists import HOTLIST, LIST_KEY, TRUST, load_lists, stored_lists
from membercard.wiring.seen_lists import FOLDER, ListKeyChanged, SeenLists, SeenRecord, fingerprint
from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication.authorities import CaKey
from terminal.errors import IntegrityError
from terminal.member.hotlist import HotCard, Hotlist, HotlistReason
from terminal.member.lists import HOTLIST_DAYS, CounterLists, HotlistState, ListPolicy
from terminal.member.signed import Issue, ListOutdated
from terminal.member.trust import TrustList
from tests.support.cards import rsa_signer as make
from tests.support.cards.rsa_signer import Key

SIGNER, OTHER = make.key("list", 1152), make.key("other list", 1152)
NOW = datetime.now(UTC)
CARD = HotCard("9156130000000001234", 1, HotlistReason.LOST, date(2026, 11, 20))
CA = CaKey(bytes.fromhex("F04D454D42"), 1, RsaPublic(make.key("ca", 1152).n, 3), date(2035, 12, 31))
DAY = timedelta(days=1)


def public(key: Key) -> RsaPublic:
    return RsaPublic(key.n, key.e)


def issue(version: int, days: float = 0.0) -> Issue:
    return Issue(version, NOW - timedelta(hours=2) + days * DAY, NOW + (days + 20) * DAY)


def lists(version: int, *cards: HotCard, trust: int = 1, days: float = 0.0) -> CounterLists:
    return CounterLists(TrustList.of([CA], issue(trust)), Hotlist.of(cards, issue(version, days)))


def put(folder: Path, given: CounterLists, signer: Key = SIGNER) -> None:
    """Files of a counter, as the issuer writes them."""
    key = public(signer)
    folder.mkdir(exist_ok=True)
    (folder / TRUST).write_bytes(given.trust.write(key, signer.sign))
    if given.hotlist is not None:
        (folder / HOTLIST).write_bytes(given.hotlist.write(key, signer.sign))
    (folder / LIST_KEY).write_text(json.dumps({"n": f"{key.n:x}", "e": key.e}))


def loaded(folder: Path, **named: Path | None) -> CounterLists:
    def load() -> CounterLists:
        settings.activate(None, data_dir=folder)
        return load_lists(**{"trust": None, "hotlist": None, "list_key": None} | named)

    return copy_context().run(load)


def at_service(folder: Path, at: datetime = NOW) -> CounterLists:
    return stored_lists(folder, SeenLists(folder / FOLDER), ListPolicy(), at, pin=True)


def test_the_settings_and_the_verdict_agree_on_the_age_of_a_hotlist(tmp_path: Path) -> None:
    assert settings.Settings(data_dir=tmp_path).hotlist_days == HOTLIST_DAYS


def test_an_older_hotlist_is_refused_and_a_newer_one_taken(tmp_path: Path) -> None:
    put(tmp_path, lists(5, CARD))
    assert loaded(tmp_path).hotlist is not None
    put(tmp_path, lists(4))
    with pytest.raises(ListOutdated, match=r"hotlist has version 4, .*version 5 of .* was used before, .* is refused"):
        loaded(tmp_path)
    put(tmp_path, lists(6))
    assert len(loaded(tmp_path).hotlist or ()) == 0
    put(tmp_path, lists(5, CARD))
    with pytest.raises(ListOutdated, match="version 6"):
        loaded(tmp_path)


def test_one_version_signed_twice_counts_by_its_time(tmp_path: Path) -> None:
    put(tmp_path, lists(5, CARD))
    loaded(tmp_path)
    put(tmp_path, lists(5, days=-1))
    with pytest.raises(ListOutdated):
        loaded(tmp_path)


@pytest.mark.parametrize("named", ["hotlist", "trust"])
def test_an_older_list_is_refused_wherever_it_lies(tmp_path: Path, named: str) -> None:
    home, old = tmp_path / "home", tmp_path / "old"
    put(home, lists(5, CARD, trust=5))
    loaded(home)
    other_ca = CaKey(CA.rid, 2, CA.key, CA.expires)
    put(old, replace(lists(4), trust=TrustList.of([CA, other_ca], issue(4))))
    with pytest.raises(ListOutdated, match="version 4"):
        loaded(home, **{named: old / f"{named}.json"})


def test_a_trust_list_that_another_station_signed_earlier_says_the_same_and_passes(tmp_path: Path) -> None:
    put(tmp_path, lists(5, trust=9))
    loaded(tmp_path)
    put(tmp_path, lists(5, trust=7))
    assert loaded(tmp_path).trust.issue.version == 9


def test_the_service_goes_on_with_the_newest_and_says_why(tmp_path: Path) -> None:
    put(tmp_path, lists(5, CARD))
    assert at_service(tmp_path).live
    put(tmp_path, lists(4))
    used = at_service(tmp_path)
    assert used.hotlist is not None
    assert (used.hotlist.version, used.hotlist.find(CARD.card_number, 1)) == (5, CARD)
    assert not used.live
    assert "version 4" in used.fault


def test_a_missing_hotlist_is_missing_even_where_one_was_used(tmp_path: Path) -> None:
    put(tmp_path, lists(5, CARD))
    loaded(tmp_path)
    (tmp_path / HOTLIST).unlink()
    used = loaded(tmp_path)
    assert used.policy.state(used.hotlist, NOW) is HotlistState.MISSING


@pytest.mark.parametrize("removed", [["record.json"], ["key"], ["record.json", "key"]])
def test_a_record_that_was_partly_removed_is_noticed(tmp_path: Path, removed: list[str]) -> None:
    put(tmp_path, lists(5, CARD))
    loaded(tmp_path)
    for name in removed:
        (tmp_path / FOLDER / name).unlink()
    put(tmp_path, lists(4))
    with pytest.raises(IntegrityError, match=r"partly removed.*membercard lists reset"):
        loaded(tmp_path)
    SeenLists(tmp_path / FOLDER).reset()
    assert loaded(tmp_path).hotlist is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"[5,", b"[1,"),
        lambda text: b"",
        lambda text: b"[]",
        lambda text: b"[" * 100_000,
        lambda text: text.replace(b'"mac": "', b'"mac": "00'),
        lambda text: b'{"mac": "", "record": null}',
        lambda text: b"\xff\xfe",
    ],
)
def test_a_changed_record_is_noticed(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    put(tmp_path, lists(5, CARD))
    loaded(tmp_path)
    record = tmp_path / FOLDER / "record.json"
    assert change(record.read_bytes()) != record.read_bytes()
    record.write_bytes(change(record.read_bytes()))
    with pytest.raises(IntegrityError, match="was changed"):
        loaded(tmp_path)


def test_a_record_under_the_key_of_another_counter_is_noticed(tmp_path: Path) -> None:
    for name, version in (("one", 5), ("two", 3)):
        put(tmp_path / name, lists(version))
        loaded(tmp_path / name)
    (tmp_path / "one" / FOLDER / "record.json").write_bytes((tmp_path / "two" / FOLDER / "record.json").read_bytes())
    with pytest.raises(IntegrityError):
        loaded(tmp_path / "one")


def test_only_the_owner_reads_the_record(tmp_path: Path) -> None:
    put(tmp_path, lists(5))
    loaded(tmp_path)
    folder = tmp_path / FOLDER
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_another_list_key_in_the_data_directory_is_refused(tmp_path: Path) -> None:
    put(tmp_path, lists(5))
    loaded(tmp_path)
    put(tmp_path, lists(9), OTHER)
    with pytest.raises(ListKeyChanged, match=r"another than before.*membercard lists reset"):
        loaded(tmp_path)
    with pytest.raises(ListKeyChanged):
        at_service(tmp_path)
    assert loaded(tmp_path, list_key=tmp_path / LIST_KEY).hotlist is not None, "a key that a person names is meant"


def test_lists_of_two_issuers_do_not_outdate_each_other(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    put(one, lists(5))
    put(two, lists(3), OTHER)
    for _ in range(2):
        for folder in (one, two):
            names = {"trust": folder / TRUST, "hotlist": folder / HOTLIST, "list_key": folder / LIST_KEY}
            assert loaded(tmp_path / "home", **names).hotlist is not None


def test_the_clock_of_a_counter_is_noted_and_shows_when_it_goes_back(tmp_path: Path) -> None:
    put(tmp_path, lists(5))
    assert at_service(tmp_path, NOW + 6 * DAY).policy.clock_seen is None
    later = at_service(tmp_path, NOW)
    assert later.policy.clock_seen == NOW + 6 * DAY
    assert later.policy.clock_behind(NOW)
    assert not later.policy.clock_behind(NOW + 6 * DAY - timedelta(hours=9))


def test_a_clock_beyond_every_list_notes_nothing(tmp_path: Path) -> None:
    put(tmp_path, lists(5))
    at_service(tmp_path, NOW + 4000 * DAY)
    assert at_service(tmp_path, NOW).policy.clock_seen is None


def test_a_counter_that_cannot_write_still_judges_and_says_so(tmp_path: Path) -> None:
    put(tmp_path, lists(5, CARD))
    (tmp_path / FOLDER).write_text("a file in its place")
    used = loaded(tmp_path)
    assert used.hotlist is not None
    assert "not noted" in used.fault


def test_many_at_once_note_the_highest(tmp_path: Path) -> None:
    key, seen = public(SIGNER), SeenLists(tmp_path / FOLDER)
    threads = [threading.Thread(target=seen.accept, args=(lists(n), key, NOW)) for n in (3, 3, 3, 3, 3, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    newest = seen.record().newest(fingerprint(key), "hotlist")
    assert newest is not None
    assert newest[0] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [FOLDER]


def test_many_at_once_with_resets_between_find_no_tampering(tmp_path: Path) -> None:
    key, seen = public(SIGNER), SeenLists(tmp_path / FOLDER)

    def use() -> list[str]:
        return [seen.accept(lists(3), key, NOW).fault for _ in range(20)]

    def forget() -> list[str]:
        for _ in range(20):
            seen.reset()
        return []

    with ThreadPoolExecutor(6) as pool:
        faults = [future.result() for future in [pool.submit(job) for job in (use, use, forget, use, use, forget)]]
    assert {fault for of_one in faults for fault in of_one} == {""}
    seen.reset()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opening", range(1, 5))
@pytest.mark.parametrize("steps", ["accept", "reset", "reset accept"])
def test_what_another_process_does_between_two_reads_is_no_tampering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: str, opening: int
) -> None:
    key, seen = public(SIGNER), SeenLists(tmp_path / FOLDER)
    if steps != "accept":  # else it is the first one, which makes the folder
        seen.accept(lists(4), key, NOW)
    calls = 0

    def other() -> None:
        for step in steps.split():
            if step == "reset":
                seen.reset()
            else:
                seen.accept(lists(4), key, NOW)

    def observed(opened: Callable[..., Any]) -> Callable[..., Any]:
        def observing(path: Any, *given: Any, **named: Any) -> Any:
            nonlocal calls
            calls += not isinstance(path, int)
            if calls == opening and not isinstance(path, int):
                other()
            return opened(path, *given, **named)

        return observing

    for module in (os, io):
        monkeypatch.setattr(module, "open", observed(module.open))
    record = seen.record()
    monkeypatch.undo()
    newest = record.newest(fingerprint(key), "hotlist")
    assert record == SeenRecord() or (newest is not None and newest[0] == 4)
    assert seen.accept(lists(4), key, NOW).fault == ""
    newest = seen.record().newest(fingerprint(key), "hotlist")
    assert newest is not None
    assert newest[0] == 4


@pytest.mark.parametrize("damage", [Path.mkdir, lambda lock: lock.symlink_to("away")])
def test_a_record_with_a_damaged_lock_is_reset_too(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    key, seen = public(SIGNER), SeenLists(tmp_path / FOLDER)
    seen.accept(lists(4), key, NOW)
    (seen.folder / "lock").unlink()
    damage(seen.folder / "lock")
    assert "not noted" in seen.accept(lists(5), key, NOW).fault
    seen.reset()
    assert list(tmp_path.iterdir()) == []
    assert seen.accept(lists(3), key, NOW).fault == ""
