"""What comes before what: phases, windows after the issue of a card, thresholds, days and hours of sale, stock."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest

from programme.decision import decide
from programme.errors import NotInProgramme, ProgrammeError
from programme.facts import BenefitRequest, PastUses
from programme.outcome import Allowed, RefusalCode, Refused
from programme.programme import example
from tests.support.programmes import HEAD, MEMBER, NOON, ONE_PRODUCT, offer_of, use

ALL = PastUses(complete=True)
GYM = example("beijing").programme.offer("gym")
GOLD = example("beijing").programme.offer("gold-membership")
TODAY = NOON.date()


def visits(*products: str) -> PastUses:
    return PastUses([use(n, date(2026, 5, n), product) for n, product in enumerate(products, 1)], complete=True)


def at_gym(product: str, past: PastUses, quantity: int = 1) -> Allowed | Refused:
    return decide(GYM, MEMBER, BenefitRequest(product, quantity, 100000), past, NOON)


@pytest.mark.parametrize(
    ("past", "product", "price"),
    [
        (visits(), "first-visit", 0),
        (visits("first-visit"), "visit", 6000),
        (visits("first-visit", "visit", "visit"), "visit", 6000),
        (visits("first-visit", "visit", "visit", "visit"), "pass", 75000),
        (visits("first-visit", "visit", "visit", "visit", "pass"), "pass", 75000),
    ],
)
def test_phases_follow_each_other(past: PastUses, product: str, price: int) -> None:
    decision = at_gym(product, past)
    assert isinstance(decision, Allowed)
    assert decision.price == price


@pytest.mark.parametrize(
    ("past", "product", "code", "again", "words"),
    [
        (visits(), "visit", RefusalCode.PHASE_NOT_REACHED, TODAY, "first comes first visit, 1 left of it"),
        (visits(), "pass", RefusalCode.PHASE_NOT_REACHED, TODAY, "first comes first visit"),
        (visits("first-visit"), "first-visit", RefusalCode.PHASE_OVER, None, "now it is single visit"),
        (visits("first-visit", "visit"), "pass", RefusalCode.PHASE_NOT_REACHED, TODAY, "2 left of it"),
        (visits("first-visit", "visit", "visit", "visit"), "visit", RefusalCode.PHASE_OVER, None, "pass of the chain"),
    ],
)
def test_a_phase_before_its_time_and_one_that_is_over(
    past: PastUses, product: str, code: RefusalCode, again: date | None, words: str
) -> None:
    decision = at_gym(product, past)
    assert isinstance(decision, Refused)
    assert (decision.code, decision.again_on) == (code, again)
    assert words in decision.sentence.en


def test_more_units_than_a_phase_has_left_are_too_many() -> None:
    decision = at_gym("visit", visits("first-visit", "visit"), 3)
    assert isinstance(decision, Refused)
    assert decision.code is RefusalCode.TOO_MANY
    assert decision.sentence.en.endswith("today 2 at most")
    allowed = at_gym("visit", visits("first-visit", "visit"), 2)
    assert isinstance(allowed, Allowed)
    assert allowed.left == 0


def test_a_reversed_visit_brings_its_phase_back() -> None:
    past = visits("first-visit", "visit", "visit", "visit").without("4")
    assert isinstance(at_gym("visit", past), Allowed)
    assert isinstance(at_gym("pass", past), Refused)


def test_a_sequence_whose_last_phase_has_an_end_ends() -> None:
    offer = offer_of("counted: office\nphases: [{product: one, uses: 2}]\n" + ONE_PRODUCT)
    past = PastUses([use(1, TODAY, quantity=2)], complete=True)
    refused = decide(offer, MEMBER, BenefitRequest("one"), past, NOON)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.again_on) == (RefusalCode.PHASE_OVER, None)


@pytest.mark.parametrize(
    ("issued", "at", "code"),
    [
        (date(2026, 1, 15), datetime(2026, 7, 15, 23, 59), None),
        (date(2026, 1, 15), datetime(2026, 7, 16), RefusalCode.ISSUE_WINDOW_OVER),
        (date(2026, 8, 31), datetime(2027, 2, 28), None),
        (date(2026, 8, 31), datetime(2027, 3, 1), RefusalCode.ISSUE_WINDOW_OVER),
        (date(2026, 8, 31), datetime(2026, 8, 31), None),
        (date(2026, 8, 31), datetime(2026, 8, 30), RefusalCode.CARD_NOT_YET_ISSUED),
        (None, datetime(2026, 8, 30), RefusalCode.NOT_KNOWN),
    ],
)
def test_a_window_after_issue_ends_on_the_same_day_of_the_month(
    issued: date | None, at: datetime, code: RefusalCode | None
) -> None:
    decision = decide(GOLD, replace(MEMBER, issued=issued), BenefitRequest("binding"), ALL, at)
    assert (decision.code if isinstance(decision, Refused) else None) == code


def test_what_a_use_gives_lasts_until_the_day_before_its_day_a_year_later() -> None:
    member = replace(MEMBER, issued=date(2026, 6, 1))
    decision = decide(GOLD, member, BenefitRequest("binding"), ALL, datetime(2026, 6, 15))
    assert isinstance(decision, Allowed)
    assert decision.gives_through == date(2027, 6, 14)
    assert "gold membership through 2027-06-14" in decision.sentence.en


@pytest.mark.parametrize(
    ("measures", "allowed"),
    [
        ({"points": 15000}, True),
        ({"order-points": 5880}, True),
        ({"points": 14999, "order-points": 5879}, False),
        ({}, False),
    ],
)
def test_one_of_the_thresholds_is_enough(measures: dict[str, int], allowed: bool) -> None:
    past = PastUses([use(1, date(2025, 6, 1), "binding")], complete=True)
    decision = decide(GOLD, MEMBER, BenefitRequest("renewal", measures=measures), past, NOON)
    assert isinstance(decision, Allowed) is allowed
    if isinstance(decision, Refused):
        assert decision.code is RefusalCode.NEEDS_NOT_MET
        assert "needs 15000 points in all or 5880 points of one order" in decision.sentence.en


def test_a_renewal_comes_after_the_first_time() -> None:
    decision = decide(GOLD, MEMBER, BenefitRequest("renewal", measures={"points": 15000}), ALL, NOON)
    assert isinstance(decision, Refused)
    assert (decision.code, decision.again_on) == (RefusalCode.EARLIER_PRODUCT, TODAY)


HOURS = 'counted: none\nsold: [{from: 12-15, through: 01-15, hours: {from: "08:30", through: "16:30"}}]\n' + ONE_PRODUCT


@pytest.mark.parametrize(
    ("at", "code", "again"),
    [
        (datetime(2026, 12, 15, 8, 29), RefusalCode.CLOSED_NOW, date(2026, 12, 15)),
        (datetime(2026, 12, 15, 8, 30), None, None),
        (datetime(2026, 12, 15, 16, 29), None, None),
        (datetime(2026, 12, 15, 16, 30), RefusalCode.CLOSED_NOW, date(2026, 12, 16)),
        (datetime(2027, 1, 15, 16, 30), RefusalCode.CLOSED_NOW, date(2027, 12, 15)),
        (datetime(2026, 12, 14, 12), RefusalCode.NOT_ON_SALE, date(2026, 12, 15)),
    ],
)
def test_days_and_hours_of_sale(at: datetime, code: RefusalCode | None, again: date | None) -> None:
    decision = decide(offer_of(HOURS), MEMBER, BenefitRequest("one"), PastUses(), at)
    result = (decision.code, decision.again_on) if isinstance(decision, Refused) else (None, None)
    assert result == (code, again)


def test_a_window_that_is_closed_today_says_from_when_it_is_open() -> None:
    decision = decide(offer_of(HOURS), MEMBER, BenefitRequest("one"), PastUses(), datetime(2026, 12, 15, 7))
    assert isinstance(decision, Refused)
    assert decision.sentence.en == "Benefit: open from 08:30 to 16:30; possible today from 08:30"
    assert decision.sentence.zh == "权益：办理时间为 08:30—16:30；今天 08:30 起可以办理"


def test_the_day_on_which_it_is_possible_again_passes_all_rules() -> None:
    """A year begins anew on 1 January, and the next window of sale in March: the member comes back in March."""
    text = "counted: office\nsold: [{from: 03-01, through: 03-31}, {from: 06-01, through: 06-30}]\n"
    offer = offer_of(text + "limits: [{count: 1, per: year}]\n" + ONE_PRODUCT)
    refused = decide(offer, MEMBER, BenefitRequest("one"), PastUses([use(1, date(2026, 3, 5))], complete=True), NOON)
    assert isinstance(refused, Refused)
    assert (refused.rule, refused.again_on) == ("limits.0", date(2027, 3, 1))


def test_after_the_end_of_the_programme_nothing_is_possible_again() -> None:
    head = HEAD.replace("2039-12-31", "2026-12-31")
    offer = offer_of("counted: office\nlimits: [{count: 1, per: year}]\n" + ONE_PRODUCT, head)
    past = PastUses([use(1, date(2026, 3, 5))], complete=True)
    refused = decide(offer, MEMBER, BenefitRequest("one"), past, NOON)
    assert isinstance(refused, Refused)
    assert refused.again_on is None
    early = decide(offer, MEMBER, BenefitRequest("one"), ALL, datetime(2019, 12, 31, 12))
    late = decide(offer, MEMBER, BenefitRequest("one"), ALL, datetime(2027, 1, 1, 12))
    assert [(d.code, d.again_on) for d in (early, late) if isinstance(d, Refused)] == [
        (RefusalCode.PROGRAMME_NOT_YET, date(2020, 1, 1)),
        (RefusalCode.PROGRAMME_OVER, None),
    ]


STOCK = (
    """
    counted: office
    stock:
      a: {name: {zh: 甲, en: A}, units: 3, days: {from: 2026-06-01, through: 2026-06-30}}
      b: {name: {zh: 乙, en: B}, units: 5, hours: {from: "09:00", through: "17:00"}}
    """
    + "products: {one: {name: {zh: 一, en: One}, price: {fixed: 0}}}"
)


@pytest.mark.parametrize(
    ("place", "taken", "at", "code", "again"),
    [
        ("a", {"a": 2}, NOON, None, None),
        ("a", {"a": 3}, NOON, RefusalCode.SOLD_OUT, None),
        ("a", {}, datetime(2026, 5, 31, 12), RefusalCode.NOT_ON_SALE, date(2026, 6, 1)),
        ("a", {}, datetime(2026, 7, 1, 12), RefusalCode.NOT_ON_SALE, None),
        ("b", {"a": 3}, NOON, None, None),
        ("b", {}, datetime(2026, 6, 15, 8), RefusalCode.CLOSED_NOW, TODAY),
        ("b", None, NOON, RefusalCode.OFFLINE, TODAY),
        ("", {}, NOON, RefusalCode.PLACE_MISSING, TODAY),
    ],
)
def test_stock_at_a_place_and_time(
    place: str, taken: dict[str, int] | None, at: datetime, code: RefusalCode | None, again: date | None
) -> None:
    past = PastUses(complete=True, taken=taken)
    decision = decide(offer_of(STOCK), MEMBER, BenefitRequest("one", place=place), past, at)
    result = (decision.code, decision.again_on) if isinstance(decision, Refused) else (None, None)
    assert result == (code, again)


def test_fewer_units_than_wanted_are_named() -> None:
    past = PastUses(complete=True, taken={"a": 2})
    decision = decide(offer_of(STOCK), MEMBER, BenefitRequest("one", 2, place="a"), past, NOON)
    assert isinstance(decision, Refused)
    assert (decision.code, decision.sentence.en) == (RefusalCode.TOO_MANY, "Benefit: 1 of 3 left; today 1 at most")


def test_a_product_or_place_that_is_not_there_is_an_error() -> None:
    with pytest.raises(NotInProgramme, match="has no product x; it has one"):
        decide(offer_of(STOCK), MEMBER, BenefitRequest("x"), ALL, NOON)
    with pytest.raises(NotInProgramme, match="no stock at x"):
        decide(offer_of(STOCK), MEMBER, BenefitRequest("one", place="x"), ALL, NOON)
    with pytest.raises(NotInProgramme, match="no benefit x"):
        example("beijing").programme.offer("x")
    with pytest.raises(NotInProgramme, match="no example x"):
        example("x")


@pytest.mark.parametrize("wrong", [{"quantity": 0}, {"list_price": -1}])
def test_a_request_is_for_one_unit_at_least_and_no_price_is_below_zero(wrong: dict[str, int]) -> None:
    with pytest.raises(ProgrammeError):
        BenefitRequest("one", **wrong)
