"""The days of a demo, and the programme that its members use."""

from __future__ import annotations

from datetime import UTC, date, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest

from membercard.demo import merchant
from membercard.demo.clock import DemoDays, HistoryClock
from membercard.demo.setup import _LAST_CLASS
from programme.card_entries import entitlements
from programme.linter import placed
from programme.programme import parse_programme
from terminal.member.values import Period

SHIPPED = (files("membercard.demo") / "data" / "programme.yaml").read_text(encoding="utf-8")
CHINA = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("today", "month", "season"),
    [
        (date(2026, 11, 30), "2026-10", (date(2026, 10, 15), date(2026, 12, 15))),
        (date(2026, 12, 1), "2026-11", (date(2026, 11, 15), date(2027, 1, 15))),
        (date(2027, 1, 31), "2026-12", (date(2026, 12, 15), date(2027, 2, 15))),
        (date(2028, 2, 29), "2028-01", (date(2028, 1, 15), date(2028, 3, 15))),
        (date(2028, 3, 1), "2028-02", (date(2028, 2, 15), date(2028, 4, 15))),
    ],
)
def test_members_use_their_cards_in_the_month_that_is_over(today: date, month: str, season: tuple[date, date]) -> None:
    days = DemoDays(today)
    assert str(days.month) == month
    assert days.season == season
    assert days.season[0] <= days.of_month(20) <= days.month.last < today <= days.season[1]


def test_the_clock_stands_at_a_local_time_and_goes_on_from_there() -> None:
    real = datetime(2026, 12, 1, 4, tzinfo=UTC)
    clock = HistoryClock(CHINA, real=lambda: real)
    clock.set_to(date(2026, 11, 20), 10, 12)
    assert clock() == datetime(2026, 11, 20, 2, 12, tzinfo=UTC)
    real = datetime(2026, 12, 1, 4, 0, 5, tzinfo=UTC)
    assert clock.local() == datetime(2026, 11, 20, 10, 12, 5, tzinfo=CHINA)


def test_the_clock_is_never_ahead_of_the_real_one() -> None:
    real = datetime(2026, 12, 1, 4, tzinfo=UTC)
    clock = HistoryClock(CHINA, real=lambda: real)
    clock.set_to(date(2026, 12, 20), 10)
    assert clock() == real


def test_the_programme_is_sound_on_every_day_and_what_the_demo_replaces_is_in_it() -> None:
    assert placed(parse_programme(SHIPPED, "programme.yaml")) == []
    assert SHIPPED.count(merchant._SHIPPED_SEASON) == 1
    assert SHIPPED.count(merchant._SHIPPED_DIVISION) == 1


def test_the_cards_count_what_the_programme_counts() -> None:
    shipped = (files("personalize") / "profiles" / "union-member-bank.yaml").read_text(encoding="utf-8")
    assert shipped.count(_LAST_CLASS) == 1
    programme = parse_programme(SHIPPED, "programme.yaml").programme
    counted = {
        entry.benefit_class: (entry.limit, entry.period) for entry in entitlements(programme, date(2026, 12, 20))
    }
    assert counted == {
        merchant.PARK_PASS: (1, Period.YEAR),
        merchant.FILM: (12, Period.YEAR),
    }
    line = merchant.entitlement(DemoDays(date(2026, 12, 1)))
    assert '{benefit_class: "0102", limit: 1, period: year, start: 2025-11-15}' in line


def test_the_gym_is_that_of_the_example_counted_online() -> None:
    gym, example = (
        parse_programme(text, name).programme.offer(merchant.GYM).benefit
        for text, name in (
            (SHIPPED, "programme.yaml"),
            ((files("programme") / "examples" / "beijing.yaml").read_text(encoding="utf-8"), "beijing.yaml"),
        )
    )
    assert gym == example
    assert gym.counted == "office"
    assert [(phase.product, phase.uses) for phase in gym.phases] == [("first-visit", 1), ("visit", 3), ("pass", None)]
