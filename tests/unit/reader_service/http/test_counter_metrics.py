"""Metrics of a counter: what waits for the office, and how long its lists may be relied on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from reader_service.http.metrics import Measures
from reader_service.redemptions.receiver import UploadFaultCode
from reader_service.services.counter.fetched_lists import ListFaultCode, ListKind, dates_of
from reader_service.services.counter.fetching import FetchState
from reader_service.services.redeeming.redemptions import RedemptionQueue
from terminal.member.signed import Issue

NOW, HOUR = datetime(2026, 12, 1, 9, tzinfo=UTC), timedelta(hours=1)


def values(measures: Measures) -> set[str]:
    return {line for line in measures.text().decode().splitlines() if not line.startswith("#")}


def test_what_waits_and_why_it_is_not_uploaded() -> None:
    measures = Measures()
    waiting = RedemptionQueue(7, 1, 0, waiting_since=NOW - HOUR, fault=UploadFaultCode.TOKEN)
    measures.redemptions(waiting, NOW)
    assert values(measures) >= {
        'membercard_redemption_queue{what="waiting"} 7.0',
        'membercard_redemption_queue{what="open"} 1.0',
        "membercard_redemption_queue_seconds 3600.0",
        'membercard_redemption_upload_fault{fault="office-token"} 1.0',
    }
    measures.redemptions(RedemptionQueue(0, 0, 0), NOW)
    assert "membercard_redemption_queue_seconds 0.0" in values(measures)
    assert not any("upload_fault" in line for line in values(measures))


def test_how_long_the_lists_last_and_why_no_newer_one_came() -> None:
    measures = Measures()
    dates = [
        dates_of(ListKind.TRUST, Issue(5, NOW - HOUR, NOW + HOUR), NOW),
        dates_of(ListKind.HOTLIST, Issue(41, NOW - 3 * HOUR, NOW + HOUR), NOW, 2 * HOUR),
        dates_of(ListKind.PROGRAMME, None, NOW),
    ]
    measures.lists(dates, FetchState(True, fault=ListFaultCode.OLDER), NOW)
    assert values(measures) >= {
        'membercard_list_seconds_left{list="trust"} 3600.0',
        'membercard_list_seconds_left{list="hotlist"} -3600.0',
        'membercard_list_fetch_fault{fault="list-older"} 1.0',
    }
    assert not any('"programme"' in line for line in values(measures))
    measures.lists(dates, FetchState(True), NOW)
    assert not any("fetch_fault" in line for line in values(measures))
