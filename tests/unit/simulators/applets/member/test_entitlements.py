"""Entitlements on the chip: their form, and when a new period begins."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.applets.member.entitlements import (
    CardEntitlement,
    card_date,
    decode_entitlements,
    encode_date,
    find_entitlement,
)
from simulators.card.applet import Refuse

DAY, MONTH, QUARTER, YEAR, ONCE = 1, 2, 3, 4, 5


def day_of(text: str) -> date:
    day = card_date(bytes.fromhex(text))
    assert day is not None, text
    return day


@pytest.mark.parametrize(
    ("period", "start", "day", "expected"),
    [
        (DAY, "261122", "261122", "261122"),
        (DAY, "261122", "261123", "261123"),
        (DAY, "261122", "280229", "280229"),
        (DAY, "991231", "000101", "000101"),
        (MONTH, "261101", "261130", "261101"),
        (MONTH, "261101", "261201", "261201"),
        (MONTH, "261101", "281115", "281101"),
        (MONTH, "261115", "261214", "261115"),
        (MONTH, "261115", "261215", "261215"),
        (MONTH, "260131", "260227", "260131"),
        (MONTH, "260131", "260228", "260228"),  # limited to the length of February,
        (MONTH, "260131", "260327", "260228"),
        (MONTH, "260131", "260328", "260328"),  # and the day stays 28
        (MONTH, "260131", "260331", "260328"),
        (MONTH, "240131", "240228", "240131"),
        (MONTH, "240131", "240229", "240229"),  # a leap year
        (MONTH, "000131", "000229", "000229"),  # 2000 was one too
        (MONTH, "260331", "260429", "260331"),
        (MONTH, "260331", "260430", "260430"),
        (MONTH, "991231", "000130", "991231"),
        (MONTH, "991231", "000131", "000131"),  # 1999 to 2000
        (MONTH, "501201", "491231", "491201"),  # 1950 to 2049
        (MONTH, "491201", "491231", "491201"),
        (QUARTER, "261001", "261231", "261001"),
        (QUARTER, "261001", "270101", "270101"),
        (QUARTER, "261130", "270227", "261130"),
        (QUARTER, "261130", "270228", "270228"),
        (QUARTER, "261130", "270528", "270528"),
        (QUARTER, "231130", "240228", "231130"),
        (QUARTER, "231130", "240229", "240229"),
        (YEAR, "260101", "261231", "260101"),
        (YEAR, "260101", "270101", "270101"),
        (YEAR, "260101", "491231", "490101"),
        (YEAR, "240229", "250227", "240229"),
        (YEAR, "240229", "250228", "250228"),
        (YEAR, "240229", "280229", "280228"),  # the day stays 28 in the next leap year
        (YEAR, "991231", "001230", "991231"),
        (YEAR, "991231", "001231", "001231"),
        (YEAR, "481231", "491231", "491231"),
        (ONCE, "260101", "491231", "260101"),
        (DAY, "261122", "261121", "261122"),  # before the start nothing moves
        (MONTH, "261101", "261031", "261101"),
        (YEAR, "000101", "991231", "000101"),
        (YEAR, "491231", "500101", "491231"),  # 50 is 1950
    ],
)
def test_the_start_moves_by_whole_periods(period: int, start: str, day: str, expected: str) -> None:
    entitlement = CardEntitlement(b"\x01\x01", 12, 7, period, day_of(start))
    moved = entitlement.on(day_of(day))
    assert encode_date(moved.start).hex() == expected
    assert moved.used == (7 if expected == start else 0), "used counts from 0 only in a new period"
    assert (moved.benefit_class, moved.limit, moved.period) == (b"\x01\x01", 12, period)
    assert moved.on(day_of(day)) == moved


days = st.dates(date(1950, 1, 1), date(2049, 12, 31))


@given(period=st.sampled_from([DAY, MONTH, QUARTER, YEAR, ONCE]), pin=st.sampled_from([0, 0x80]), start=days, day=days)
def test_a_day_is_in_one_period_only(period: int, pin: int, start: date, day: date) -> None:
    entitlement = CardEntitlement(b"\x01\x01", 1, 1, period | pin, start)
    moved = entitlement.on(day)
    if day < start or period == ONCE:
        assert moved == entitlement
        return
    assert start <= moved.start <= day
    longest = {DAY: 1, MONTH: 31, QUARTER: 92, YEAR: 366}[period]
    assert day - moved.start < timedelta(days=longest)
    assert (moved.used, moved.start == start) in ((1, True), (0, False))
    later = moved.on(min(day + timedelta(days=40), date(2049, 12, 31)))
    assert later == entitlement.on(min(day + timedelta(days=40), date(2049, 12, 31))), "days between do not matter"


@given(st.dates(date(1950, 1, 1), date(2049, 12, 31)))
def test_a_date_survives_its_three_bytes(day: date) -> None:
    assert card_date(encode_date(day)) == day


@pytest.mark.parametrize(
    "text", ["", "2611", "26112200", "000000", "260229", "000230", "260431", "261301", "260100", "26FF01", "2A0101"]
)
def test_what_is_no_date(text: str) -> None:
    assert card_date(bytes.fromhex(text)) is None


GOOD = "01010C0702261101"


@pytest.mark.parametrize(
    "text",
    [
        GOOD[:-2],
        GOOD + "01",
        "0A010C0702261101",  # the class is decimal
        "01010C0700261101",  # no kind of period
        "01010C0706261101",
        "01010C0712261101",  # a bit of the period that has no meaning
        "01010C0702260229",
        "01010C0702000000",
        GOOD + GOOD,  # a class twice
    ],
)
def test_entitlements_out_of_form(text: str) -> None:
    with pytest.raises(Refuse, match="6A80"):
        decode_entitlements(bytes.fromhex(text))


def test_entitlements_are_encoded_as_they_were() -> None:
    value = bytes.fromhex(GOOD + "0201000085500101")
    first, second = decode_entitlements(value)
    assert first.encode() + second.encode() == value
    assert (first.benefit_class, first.limit, first.used, first.start) == (b"\x01\x01", 12, 7, date(2026, 11, 1))
    assert (first.demands_pin, second.demands_pin, second.start) == (False, True, date(1950, 1, 1))
    assert first.count == bytes.fromhex("070C261101")
    assert decode_entitlements(b"") == []


def test_an_entitlement_is_looked_up_by_its_class() -> None:
    value = bytes.fromhex("0201000085500101" + GOOD)
    assert find_entitlement(value, bytes.fromhex("0101")) == (8, decode_entitlements(bytes.fromhex(GOOD))[0])
    assert find_entitlement(value, bytes.fromhex("0102")) is None
    assert find_entitlement(value, b"") is None
    assert find_entitlement(value[:-1], bytes.fromhex("0101")) is None, "one out of form is none"
