"""A counter's lists from its office: the newest ones, and never a forged, older, early or cut one in their place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from membercard.wiring.counter_lists import LIST_KEY, stored_lists
from membercard.wiring.list_dates import FILES, stored_dates
from membercard.wiring.seen_lists import FOLDER, SeenLists
from reader_service.services.counter.fetched_lists import (
    FetchedList,
    ListFaultCode,
    ListKind,
    ListNotFetched,
    ListState,
    fetch_all,
)
from terminal import private_files
from terminal.member.hotlist import Hotlist
from terminal.member.lists import ListPolicy
from terminal.member.signed import Issue
from tests.support.cards.rsa_signer import key
from tests.support.service.list_publisher import DAY, NOW, ListPublisher, key_file, list_publisher, public, signed

OTHER = key("other list", 1152)
ALL = {"trust": 5, "hotlist": 41, "programme": 7}
TRUST, HOTLIST, PROGRAMME = ListKind


@pytest.fixture
def publisher() -> Iterator[ListPublisher]:
    with list_publisher() as publisher:
        yield publisher


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / LIST_KEY).write_bytes(key_file())
    return tmp_path


def at_hand(folder: Path) -> dict[str, bytes]:
    return {kind.value: (folder / name).read_bytes() for kind, name in FILES.items() if (folder / name).exists()}


def fault_of(
    publisher: ListPublisher, folder: Path, kind: ListKind, at: datetime = NOW
) -> tuple[ListFaultCode, object]:
    """The fault of fetching one list, which changes nothing."""
    before = at_hand(folder)
    with pytest.raises(ListNotFetched) as refused:
        publisher.counter(folder, lambda: at).fetch(kind)
    assert at_hand(folder) == before
    return refused.value.fault, refused.value.kind


def test_the_newest_lists_are_fetched_once(publisher: ListPublisher, folder: Path) -> None:
    publisher.publish(**ALL)
    done = fetch_all(publisher.counter(folder))
    assert done.faults == ()
    assert done.fetched == tuple(FetchedList(kind, ALL[kind], new=True) for kind in ListKind)
    assert at_hand(folder) == publisher.lists
    publisher.requests.clear()
    again = fetch_all(publisher.counter(folder))
    assert (again.new, again.faults) == ((), ())
    assert publisher.requests == [("trust", 304), ("hotlist", 304), ("programme", 304)]
    publisher.publish(hotlist=42)
    assert fetch_all(publisher.counter(folder)).new == (HOTLIST,)
    assert at_hand(folder) == publisher.lists


@pytest.mark.parametrize("kind", ListKind)
def test_a_forged_list_never_takes_the_place_of_one_at_hand(
    publisher: ListPublisher, folder: Path, kind: ListKind
) -> None:
    publisher.publish(**ALL)
    fetch_all(publisher.counter(folder))
    forged = json.loads(signed(kind, 99))
    forged["list"]["version"] = 100
    publisher.lists[kind] = json.dumps(forged).encode()
    assert fault_of(publisher, folder, kind) == (ListFaultCode.FORGED, kind)
    publisher.lists[kind] = signed(kind, 99, signer=OTHER)
    assert fault_of(publisher, folder, kind) == (ListFaultCode.FORGED, kind)
    other = next(one for one in ListKind if one is not kind)
    publisher.lists[kind] = signed(other, 99)
    assert fault_of(publisher, folder, kind) == (ListFaultCode.FORM, kind)


def test_a_refused_list_keeps_no_other_away(publisher: ListPublisher, folder: Path) -> None:
    publisher.publish(**ALL)
    publisher.lists["trust"] = signed(TRUST, 5, signer=OTHER)
    done = fetch_all(publisher.counter(folder))
    assert [(fault.fault, fault.kind) for fault in done.faults] == [(ListFaultCode.FORGED, TRUST)]
    assert done.new == (HOTLIST, PROGRAMME)


@pytest.mark.parametrize("kind", ListKind)
def test_an_older_list_is_refused_also_where_the_file_was_removed(
    publisher: ListPublisher, folder: Path, kind: ListKind
) -> None:
    publisher.publish(**ALL)
    fetch_all(publisher.counter(folder))
    publisher.lists[kind] = signed(kind, ALL[kind] - 1, ca=2)
    assert fault_of(publisher, folder, kind) == (ListFaultCode.OLDER, kind)
    seen = SeenLists(folder / FOLDER)
    stored_lists(folder, seen, ListPolicy(), NOW, pin=True)
    seen.accept_programme(Issue(7, NOW - DAY, NOW + 29 * DAY), public(), NOW, publisher.lists["programme"])
    (folder / FILES[kind]).unlink()
    assert fault_of(publisher, folder, kind) == (ListFaultCode.OLDER, kind)
    publisher.publish(**ALL)
    assert fetch_all(publisher.counter(folder)).new == (kind,)


def test_a_trust_list_of_another_station_with_the_same_keys_is_as_good(publisher: ListPublisher, folder: Path) -> None:
    publisher.publish(**ALL)
    fetch_all(publisher.counter(folder))
    before = at_hand(folder)
    publisher.publish(trust=4)
    assert publisher.counter(folder).fetch(TRUST) == FetchedList(TRUST, 5, new=False)
    assert at_hand(folder) == before


@pytest.mark.parametrize("kind", ListKind)
@pytest.mark.parametrize("issued", [NOW + DAY, NOW - 31 * DAY])
def test_a_list_from_tomorrow_and_one_that_is_over_are_refused(
    publisher: ListPublisher, folder: Path, kind: ListKind, issued: datetime
) -> None:
    publisher.publish(**ALL)
    fetch_all(publisher.counter(folder))
    publisher.lists[kind] = signed(kind, 99, issued)
    assert fault_of(publisher, folder, kind) == (ListFaultCode.NOT_IN_FORCE, kind)


@pytest.mark.parametrize("kind", ListKind)
def test_an_answer_that_is_cut_changes_nothing(publisher: ListPublisher, folder: Path, kind: ListKind) -> None:
    publisher.publish(**ALL)
    fetch_all(publisher.counter(folder))
    fresh = signed(kind, 99)
    for cut in (0, 1, len(fresh) // 2, len(fresh) - 1):
        publisher.says = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(fresh), fresh[:cut])
        assert fault_of(publisher, folder, kind)[0] is ListFaultCode.AWAY
    half = fresh[: len(fresh) // 2]
    publisher.says = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(half), half)
    assert fault_of(publisher, folder, kind) == (ListFaultCode.FORM, kind)


def test_while_the_issuer_is_away_the_counter_goes_on_with_its_lists(publisher: ListPublisher, folder: Path) -> None:
    publisher.publish(**ALL)
    fetch_all(publisher.counter(folder))
    publisher.says = b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"
    done = fetch_all(publisher.counter(folder))
    assert [(fault.fault, fault.kind) for fault in done.faults] == [(ListFaultCode.AWAY, None)]
    days_later = NOW + 5 * DAY
    lists = stored_lists(folder, SeenLists(folder / FOLDER), ListPolicy(), days_later, pin=True)
    assert lists.hotlist is not None
    assert (lists.trust.issue.version, lists.hotlist.version, lists.live) == (5, 41, True)
    states = {one.kind: one.state for one in stored_dates(folder, days_later, 7 * DAY, programme=True)}
    assert states == {TRUST: ListState.CURRENT, HOTLIST: ListState.ENDING, PROGRAMME: ListState.CURRENT}


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (401, ListFaultCode.TOKEN),
        (403, ListFaultCode.ROLE),
        (404, ListFaultCode.ADDRESS),
        (405, ListFaultCode.ADDRESS),
        (302, ListFaultCode.ANSWER),
        (304, ListFaultCode.ANSWER),
        (500, ListFaultCode.AWAY),
    ],
)
def test_what_the_issuer_refuses_has_its_reason(
    publisher: ListPublisher, folder: Path, status: int, fault: ListFaultCode
) -> None:
    publisher.says = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status
    done = fetch_all(publisher.counter(folder))
    assert [(one.fault, one.kind) for one in done.faults] == [(fault, None)]


def test_an_unreadable_token_is_refused_before_anything_is_sent(publisher: ListPublisher, folder: Path) -> None:
    lists = publisher.counter(folder)
    (folder / "office.token").write_bytes(b"two words")
    assert [one.fault for one in fetch_all(lists).faults] == [ListFaultCode.TOKEN_FILE]
    assert publisher.requests == []


def test_an_issuer_without_a_programme_is_a_fault_for_a_counter_that_redeems(
    publisher: ListPublisher, folder: Path
) -> None:
    publisher.publish(trust=5, hotlist=41)
    assert fault_of(publisher, folder, PROGRAMME) == (ListFaultCode.NONE, PROGRAMME)
    assert fetch_all(publisher.counter(folder, programme=False)).faults == ()


def test_a_clock_that_was_set_back_takes_no_list(publisher: ListPublisher, folder: Path) -> None:
    publisher.publish(**ALL)
    fetch_all(publisher.counter(folder))
    stored_lists(folder, SeenLists(folder / FOLDER), ListPolicy(), NOW, pin=True)
    publisher.publish(hotlist=42)
    assert fault_of(publisher, folder, HOTLIST, NOW - 2 * DAY) == (ListFaultCode.CLOCK, None)
    assert publisher.counter(folder, lambda: NOW - timedelta(hours=2)).fetch(HOTLIST) is not None


def test_the_key_and_the_record_of_a_counter_are_needed(publisher: ListPublisher, folder: Path) -> None:
    publisher.publish(**ALL)
    fetch_all(publisher.counter(folder))
    seen = SeenLists(folder / FOLDER)
    stored_lists(folder, seen, ListPolicy(), NOW, pin=True)
    publisher.publish(hotlist=42)
    (folder / LIST_KEY).write_bytes(key_file(OTHER))
    publisher.lists["hotlist"] = signed(HOTLIST, 42, signer=OTHER)
    assert fault_of(publisher, folder, HOTLIST) == (ListFaultCode.KEY_CHANGED, None)
    (folder / LIST_KEY).unlink()
    assert fault_of(publisher, folder, HOTLIST) == (ListFaultCode.KEY, None)
    (folder / LIST_KEY).write_bytes(key_file())
    publisher.publish(hotlist=42)
    record = folder / FOLDER / "record.json"
    record.write_bytes(record.read_bytes().replace(b"41", b"40"))
    assert fault_of(publisher, folder, HOTLIST) == (ListFaultCode.RECORD, None)


def test_a_full_disk_leaves_the_list_at_hand(
    publisher: ListPublisher, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.publish(**ALL)
    fetch_all(publisher.counter(folder))
    publisher.publish(hotlist=42)

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(private_files, "replace", full)
        assert fault_of(publisher, folder, HOTLIST) == (ListFaultCode.DISK, HOTLIST)
    assert publisher.counter(folder).fetch(HOTLIST) == FetchedList(HOTLIST, 42, new=True)


@pytest.mark.parametrize("bent", [False, True])
def test_of_a_long_hotlist_only_the_changes_are_fetched(publisher: ListPublisher, folder: Path, bent: bool) -> None:
    publisher.publish(trust=5)
    publisher.lists["hotlist"] = signed(HOTLIST, 41, cards=400)
    fetch_all(publisher.counter(folder, programme=False))
    fresh = signed(HOTLIST, 42, NOW - DAY / 2, cards=401)
    publisher.lists["hotlist"] = fresh
    publisher.lists["hotlist/delta?since=41"] = json.dumps(
        delta(signed(HOTLIST, 41, cards=400), fresh, bent=bent)
    ).encode()
    publisher.requests.clear()
    assert publisher.counter(folder).fetch(HOTLIST) == FetchedList(HOTLIST, 42, new=True)
    whole = [("hotlist", 200)] if bent else []
    assert publisher.requests == [("hotlist/delta?since=41", 200), *whole]
    assert at_hand(folder)["hotlist"] == fresh
    assert len(Hotlist.load(fresh, public())) == 401


def delta(before: bytes, after: bytes, *, bent: bool) -> dict[str, object]:
    """The changes between two hotlists, as the office has them."""
    old, new = json.loads(before)["list"], json.loads(after)
    known = {tuple(card) for card in old["cards"]}
    names = ("card_number", "sequence", "reason", "since")
    added = [dict(zip(names, card, strict=True)) for card in new["list"]["cards"] if tuple(card) not in known]
    gone = {(number, sequence) for number, sequence, *_ in old["cards"]}
    gone -= {(number, sequence) for number, sequence, *_ in new["list"]["cards"]}
    return {
        "since": old["version"],
        "version": new["list"]["version"] + bent,
        "issued": new["list"]["issued"],
        "expires": new["list"]["expires"],
        "signature": new["signature"],
        "added": added,
        "removed": sorted(gone),
    }


def test_the_key_of_the_issuer_is_for_a_person_to_compare(publisher: ListPublisher, folder: Path) -> None:
    publisher.lists["key"] = key_file(OTHER)
    offered, file = publisher.counter(folder).offered_key()
    assert offered == public(OTHER)
    assert json.loads(file) == json.loads(key_file(OTHER))
    for wrong in (b"[]", b"{}", b'{"n": "xyz", "e": 3}', b"<html>"):
        publisher.lists["key"] = wrong
        with pytest.raises(ListNotFetched) as refused:
            publisher.counter(folder).offered_key()
        assert refused.value.fault is ListFaultCode.ANSWER
