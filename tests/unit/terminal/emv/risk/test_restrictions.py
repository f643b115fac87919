"""Versions, usage control and dates, one TVR bit each. EMV 4.4 Book 3, 10.4."""

from __future__ import annotations

from datetime import date

import pytest

from terminal.emv.data.bits import TVR
from terminal.emv.risk.restrictions import check_restrictions, day, is_atm
from terminal.emv.transaction.outcome import Result
from terminal.emv.transaction.state import TransactionState
from tests.support.cards.kernel_state import new_state, stops, texts

TODAY = date(2026, 11, 22)
CARD = {0x9F08: "0030", 0x5F24: "301231", 0x5F25: "260101", 0x9F07: "FFC0", 0x5F28: "0156"}
CASH, CASHBACK = {0x9C: "01"}, {0x9C: "09", 0x9F03: "000000000500"}
ATM = {0x9F35: "14", 0x9F40: "8000000000"}


def checked(card: dict[int, str], terminal: dict[int, str] | None = None) -> TransactionState:
    state = new_state(terminal, card)
    check_restrictions(state, TODAY)
    return state


def without(*tags: int) -> dict[int, str]:
    return {tag: value for tag, value in CARD.items() if tag not in tags}


def test_a_card_that_may_be_used() -> None:
    state = checked(CARD)
    assert state.tvr == TVR(0)
    assert [step.source for step in state.steps] == [f"EMV 4.4 Book 3, 10.4.{n}" for n in (1, 2, 3)]
    assert "in time, until 2030-12-31" in texts(state)


@pytest.mark.parametrize(
    ("card", "bits"),
    [
        (CARD | {0x9F08: "0020"}, TVR.VERSIONS_DIFFER),
        (without(0x9F08), TVR(0)),
        (CARD | {0x5F24: "261122"}, TVR(0)),
        (CARD | {0x5F24: "261121"}, TVR.EXPIRED),
        (CARD | {0x5F24: "991231"}, TVR.EXPIRED),
        (CARD | {0x5F24: "491231"}, TVR(0)),
        (CARD | {0x5F25: "261122"}, TVR(0)),
        (CARD | {0x5F25: "261123"}, TVR.NOT_YET_EFFECTIVE),
        (CARD | {0x5F25: "500101"}, TVR(0)),
        (without(0x5F25), TVR(0)),
        (
            CARD | {0x5F25: "271122", 0x5F24: "251231", 0x9F08: "0001"},
            TVR.EXPIRED | TVR.NOT_YET_EFFECTIVE | TVR.VERSIONS_DIFFER,
        ),
    ],
)
def test_versions_and_dates(card: dict[int, str], bits: TVR) -> None:
    assert checked(card).tvr == bits


@pytest.mark.parametrize("value", ["261301", "260230", "26AA01", "2611", "000000"])
@pytest.mark.parametrize("tag", [0x5F24, 0x5F25])
def test_what_is_no_date_ends_the_transaction(tag: int, value: str) -> None:
    state = new_state(card=CARD | {tag: value})
    with stops(state, Result.TERMINATED, "of the card is no date"):
        check_restrictions(state, TODAY)


@pytest.mark.parametrize(
    ("usage", "terminal", "abroad", "allowed"),
    [
        ("0100", {}, None, True),
        ("0200", {}, None, False),
        ("0200", ATM, None, True),
        ("0100", ATM, None, False),
        ("0100", ATM | {0x9F40: "6000000000"}, None, True),
        ("2100", {}, False, True),
        ("0900", {}, False, True),
        ("1500", {}, False, False),
        ("1100", {}, True, True),
        ("0500", {}, True, True),
        ("2900", {}, True, False),
        ("8100", CASH, False, True),
        ("7D00", CASH, False, False),
        ("4100", CASH, True, True),
        ("8100", CASH, True, False),
        ("8200", CASH | ATM, False, True),
        ("2180", CASHBACK, False, True),
        ("2140", CASHBACK, False, False),
        ("1140", CASHBACK, True, True),
        ("1180", CASHBACK, True, False),
        ("0180", CASHBACK, False, False),
        ("0100", {0x9C: "31"}, False, True),
    ],
)
def test_usage_control(usage: str, terminal: dict[int, str], abroad: bool | None, allowed: bool) -> None:
    card = CARD | {0x9F07: usage, 0x5F28: "0392" if abroad else "0156"}
    if abroad is None:
        del card[0x5F28]
    assert (checked(card, terminal).tvr == TVR(0)) is allowed
    assert checked(card, terminal).tvr in (TVR(0), TVR.SERVICE_NOT_ALLOWED)


def test_a_refusal_names_what_is_missing() -> None:
    state = checked(CARD | {0x9F07: "0200"})
    assert "Valid at terminals other than ATMs; Valid for domestic goods or Valid for domestic services" in texts(state)


def test_no_usage_control_allows_everything_and_a_bent_one_ends_it() -> None:
    assert checked(without(0x9F07), CASHBACK).tvr == TVR(0)
    state = new_state(card=CARD | {0x9F07: "FF"})
    with stops(state, Result.TERMINATED, "usage control of the card has 1 bytes"):
        check_restrictions(state, TODAY)


@pytest.mark.parametrize(
    ("kind", "additional", "atm"),
    [
        ("14", "80", True),
        ("15", "80", True),
        ("16", "80", True),
        ("14", "60", False),
        ("24", "80", False),
        ("11", "80", False),
    ],
)
def test_atms(kind: str, additional: str, atm: bool) -> None:
    assert is_atm(new_state({0x9F35: kind, 0x9F40: additional + "00000000"})) is atm


def test_years() -> None:
    assert day(bytes.fromhex("491231")) == date(2049, 12, 31)
    assert day(bytes.fromhex("500101")) == date(1950, 1, 1)
    assert day(b"") is None
