"""A counter's service fetches its lists in the background, and goes on by itself when a fault is over."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from reader_service.errors import Forbidden, Unavailable
from reader_service.parts import CounterPlace, ServiceParts
from reader_service.services.counter.fetched_lists import (
    SENTENCES,
    FetchedList,
    ListFaultCode,
    ListKind,
    ListNotFetched,
    ListState,
    read_note,
)
from reader_service.services.counter.fetching import FetchPace, ListFetchService
from terminal.errors import IntegrityError
from terminal.member.hotlist import Hotlist
from terminal.member.lists import CounterLists
from terminal.member.signed import Issue
from terminal.member.trust import TrustList
from tests.support.service.merchant import place
from tests.support.service.parts import Heard
from tests.support.service.reader_rig import AUDITOR, COUNTER
from tests.support.waiting import eventually

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
QUICK = FetchPace(between=0.02, first=0.01)
SLOW = FetchPace(between=3600, first=3600)
LISTS = CounterLists(
    TrustList.of([], Issue(5, NOW - 40 * DAY, NOW + 300 * DAY)),
    Hotlist.of([], Issue(41, NOW - 6 * DAY, NOW + 24 * DAY)),
)


@dataclass
class Source:
    """An office in memory; ``fault`` is raised while it is set."""

    version: int = 1
    at_hand: int = 0
    fault: Exception | None = None
    requests: int = 0

    def fetch(self, kind: ListKind) -> FetchedList | None:
        self.requests += 1
        if self.fault is not None:
            raise self.fault
        if kind is not ListKind.HOTLIST:
            return None
        new, self.at_hand = self.version > self.at_hand, self.version
        return FetchedList(kind, self.version, new)


@dataclass
class Rig:
    folder: Path
    source: Source | None = field(default_factory=Source)
    place: CounterPlace | None = None
    bus: Heard = field(default_factory=Heard)
    read_again: int = 0

    def service(self, pace: FetchPace = QUICK, lists: Callable[[], CounterLists] = lambda: LISTS) -> ListFetchService:
        parts = SimpleNamespace(list_source=self.source, data_dir=self.folder, clock=lambda: NOW, place=self.place)
        return ListFetchService(cast(ServiceParts, parts), self.bus, lists=lists, on_new=self._again, pace=pace)

    def _again(self) -> None:
        self.read_again += 1


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_new_lists_come_by_themselves_and_are_read_again(rig: Rig) -> None:
    assert rig.source is not None
    with closing(rig.service()) as service:
        service.start()
        assert eventually(lambda: rig.source.requests > 8)
        assert (rig.read_again, service.state(COUNTER).fetched_at) == (1, NOW)
        rig.source.version = 2
        assert eventually(lambda: rig.read_again == 2)
    heard = rig.bus.of("lists.fetched")
    assert [(event.topic, event.data) for event in heard] == [("lists", {"new": ["hotlist"], "fault": None})] * 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (ListNotFetched(ListFaultCode.AWAY), ListFaultCode.AWAY),
        (ListNotFetched(ListFaultCode.FORGED, ListKind.TRUST), ListFaultCode.FORGED),
        (RuntimeError("a bug"), ListFaultCode.ANSWER),
    ],
)
def test_it_goes_on_when_the_fault_is_over(rig: Rig, fault: Exception, code: ListFaultCode) -> None:
    assert rig.source is not None
    rig.source.fault = fault
    with closing(rig.service()) as service:
        service.start()
        assert eventually(lambda: service.state(COUNTER).next_attempt is not None)
        state = service.state(COUNTER)
        assert (state.enabled, state.fault, state.fault_since) == (True, code, NOW)
        assert state.fault_sentence == SENTENCES[code]
        assert rig.service().state(COUNTER).fault is code
        rig.source.fault = None
        assert eventually(lambda: service.state(COUNTER).fault is None)
    assert read_note(rig.folder).at == NOW
    shown = [event.data["fault"] for event in rig.bus.of("lists.fetched")]
    assert shown == [code, None]


def test_whoever_does_not_want_to_wait_fetches_at_once(rig: Rig) -> None:
    assert rig.source is not None
    rig.source.fault = ListNotFetched(ListFaultCode.AWAY)
    with closing(rig.service(SLOW)) as service:
        service.start()
        assert eventually(lambda: service.state(COUNTER).next_attempt is not None)
        rig.source.fault = None
        service.fetch(COUNTER)
        assert eventually(lambda: service.state(COUNTER).fault is None)


def test_an_issuer_fetches_nothing(rig: Rig) -> None:
    rig.source = None
    with closing(rig.service()) as service:
        service.start()
        assert not service.state(COUNTER).enabled
    with pytest.raises(Forbidden):
        service.dates(AUDITOR)


def test_the_dates_of_each_list_are_shown(rig: Rig) -> None:
    rig.place = place()
    dates = rig.service().dates(COUNTER)
    assert [(one.kind, one.version, one.state) for one in dates] == [
        (ListKind.TRUST, 5, ListState.CURRENT),
        (ListKind.HOTLIST, 41, ListState.ENDING),
        (ListKind.PROGRAMME, 7, ListState.CURRENT),
    ]
    assert [one.ends for one in dates][:2] == [NOW + 300 * DAY, NOW + DAY]


def test_lists_that_cannot_be_read_are_missing(rig: Rig) -> None:
    def none() -> CounterLists:
        raise Unavailable("there are no lists")

    def forged() -> object:
        raise IntegrityError("the programme edition is not signed by the list key")

    rig.place = replace(place(), edition=forged)  # type: ignore[arg-type]
    assert {one.state for one in rig.service(lists=none).dates(COUNTER)} == {ListState.MISSING}
    assert len(rig.service(lists=none).dates(COUNTER)) == 3
