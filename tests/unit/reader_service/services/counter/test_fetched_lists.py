"""How old a list is, when a counter warns of its end, and the note of the last fetch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reader_service.services.counter.fetched_lists import (
    NOTE,
    SENTENCES,
    FetchedList,
    FetchNote,
    FetchRound,
    ListFaultCode,
    ListKind,
    ListNotFetched,
    ListState,
    dates_of,
    read_note,
    write_note,
)
from terminal.member.signed import Issue

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("kind", "life", "oldest", "warned"),
    [
        (ListKind.TRUST, 365, None, 30),
        (ListKind.PROGRAMME, 90, None, 14),
        (ListKind.PROGRAMME, 6, None, 2),
        (ListKind.HOTLIST, 30, 7, 2),
        (ListKind.HOTLIST, 3, 7, 1),
    ],
)
def test_a_list_warns_before_its_end(kind: ListKind, life: int, oldest: int | None, warned: int) -> None:
    issue = Issue(3, NOW, NOW + life * DAY)
    age = None if oldest is None else oldest * DAY
    end = min(life, oldest or life) * DAY
    states = [
        dates_of(kind, issue, NOW + after, age).state
        for after in (0 * DAY, end - warned * DAY, end - warned * DAY + MINUTE, end, end + MINUTE)
    ]
    current, ending, over = ListState.CURRENT, ListState.ENDING, ListState.OVER
    assert states == [current, current, ending, ending, over]
    dates = dates_of(kind, issue, NOW + DAY, age)
    assert (dates.version, dates.issued, dates.ends, dates.seconds) == (3, NOW, NOW + end, 86_400)


def test_a_list_from_tomorrow_is_not_in_force_and_one_that_is_not_there_is_missing() -> None:
    ahead = dates_of(ListKind.TRUST, Issue(3, NOW + DAY, NOW + 9 * DAY), NOW)
    assert (ahead.state, ahead.seconds) == (ListState.OVER, 0)
    assert dates_of(ListKind.HOTLIST, None, NOW).state is ListState.MISSING


def test_every_fault_has_a_sentence() -> None:
    assert SENTENCES.keys() == set(ListFaultCode)


def test_the_note_keeps_the_last_success_and_the_first_time_of_a_fault(tmp_path: Path) -> None:
    assert read_note(tmp_path) == FetchNote()
    fetched = FetchRound((FetchedList(ListKind.TRUST, 3, new=True),), ())
    note = FetchNote().after(fetched, NOW)
    forged = FetchRound((), (ListNotFetched(ListFaultCode.FORGED, ListKind.HOTLIST),))
    for at in (NOW + DAY, NOW + 2 * DAY):
        note = note.after(forged, at)
        assert note == FetchNote(NOW, ListFaultCode.FORGED, ListKind.HOTLIST, NOW + DAY)
        write_note(tmp_path, note)
        assert read_note(tmp_path) == note
    away = FetchRound((), (ListNotFetched(ListFaultCode.AWAY),))
    assert note.after(away, NOW + 3 * DAY) == FetchNote(NOW, ListFaultCode.AWAY, None, NOW + 3 * DAY)
    assert note.after(fetched, NOW + 4 * DAY) == FetchNote(NOW + 4 * DAY)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"at": "x", "since": null, "fault": null, "kind": null}'])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NOTE).write_bytes(content)
    assert read_note(tmp_path) == FetchNote()
    write_note(tmp_path / "gone", FetchNote(NOW))
