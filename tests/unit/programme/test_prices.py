"""Prices: percentages, fixed prices, fees, thresholds and caps; in fen, rounded once."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from programme.decision import decide
from programme.facts import BenefitRequest, PastUses
from programme.outcome import Allowed, RefusalCode, Refused
from tests.support.programmes import MEMBER, NOON, offer_of, use

ALL = PastUses(complete=True)


def priced(price: str, more: str = "", counted: str = "office") -> str:
    return f"counted: {counted}\n{more}products: {{one: {{name: {{zh: 一, en: One}}, price: {price}}}}}\n"


def allowed(text: str, request: BenefitRequest, past: PastUses = ALL, at: datetime = NOON) -> Allowed:
    decision = decide(offer_of(text), MEMBER, request, past, at)
    assert isinstance(decision, Allowed), decision
    return decision


@pytest.mark.parametrize(
    ("percent", "unit", "quantity", "price"),
    [
        ("50", 20000, 1, 10000),
        ("75", 1, 1, 1),
        ("50", 1, 1, 1),
        ("49", 1, 1, 0),
        ("78", 9999, 1, 7799),
        ("97.5", 100, 1, 98),
        ("97.25", 1000, 1, 973),
        ("50", 1, 3, 2),
        ("0", 12345, 1, 0),
        ("100", 12345, 2, 24690),
        ("101", 12345, 1, 12345),
    ],
)
def test_a_percentage_is_of_the_whole_and_rounded_half_up_once(
    percent: str, unit: int, quantity: int, price: int
) -> None:
    result = allowed(priced(f"{{percent: {percent}}}"), BenefitRequest("one", quantity, unit))
    assert (result.price, result.saved, result.list_price) == (price, unit * quantity - price, unit * quantity)


def test_a_percentage_needs_the_list_price() -> None:
    text = priced("{percent: 80, basis: {zh: 挂牌价, en: the price on the tag}}")
    refused = decide(offer_of(text), MEMBER, BenefitRequest("one"), ALL, NOON)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.rule, refused.again_on) == (
        RefusalCode.PRICE_MISSING,
        "products.one.price",
        NOON.date(),
    )
    assert refused.sentence.zh == "权益：请录入挂牌价；满足后今天即可办理"
    assert refused.sentence.en == "Benefit: enter the price on the tag; possible today once that is met"


def test_the_list_price_of_the_file_counts_before_what_was_entered() -> None:
    assert allowed(priced("{list: 200, percent: 50}"), BenefitRequest("one", list_price=1)).price == 10000


def test_a_fixed_price_for_a_value() -> None:
    result = allowed(priced("{list: 30, fixed: 10}"), BenefitRequest("one"))
    assert (result.price, result.saved) == (1000, 2000)
    assert result.sentence.en == "Benefit x 1: allowed; pays 10.00 yuan; 20.00 less than the list price of 30.00"


def test_a_ticket_for_one_cent_and_one_for_nothing() -> None:
    assert allowed(priced("{fixed: 0.01}"), BenefitRequest("one", 2)).price == 2
    free = allowed(priced("{fixed: 0}"), BenefitRequest("one"))
    assert (free.price, free.sentence.zh) == (0, "权益×1：可以办理，免费")


def test_a_fixed_price_is_never_more_than_the_list_price_of_that_show() -> None:
    assert allowed(priced("{fixed: 40}"), BenefitRequest("one", list_price=3500)).price == 3500


def test_a_fee_depends_on_an_answer_and_comes_for_each_unit() -> None:
    text = """
        counted: office
        questions: {card: {zh: 自带卡, en: own card}}
        products:
          one:
            name: {zh: 一, en: One}
            price: {list: 200, percent: 50}
            fees:
              - {name: {zh: 材料费, en: material}, amount: 3, unless: card}
              - {name: {zh: 手续费, en: handling}, amount: 1, when: card}
              - {name: {zh: 邮费, en: post}, amount: 0.50}
        """
    without = allowed(text, BenefitRequest("one", 2))
    with_card = allowed(text, BenefitRequest("one", 2, answers=frozenset({"card"})))
    assert (without.price, without.fees) == (20700, 700)
    assert (with_card.price, with_card.fees) == (20300, 300)
    assert "material 6.00 included" in without.sentence.en


OFF = "{off: 20, from: 158, cap: {month: 50}}"


@pytest.mark.parametrize(("total", "price"), [(15800, 13800), (15801, 13801), (100000, 98000)])
def test_an_amount_is_off_from_the_threshold_on(total: int, price: int) -> None:
    assert allowed(priced(OFF), BenefitRequest("one", list_price=total)).price == price


def test_below_the_threshold_nothing_is_off() -> None:
    refused = decide(offer_of(priced(OFF)), MEMBER, BenefitRequest("one", list_price=15799), ALL, NOON)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.rule) == (RefusalCode.BELOW_THRESHOLD, "products.one.price.from")
    assert "158.00" in refused.sentence.en


def test_the_threshold_is_of_the_whole_purchase() -> None:
    assert allowed(priced(OFF), BenefitRequest("one", 2, list_price=7900)).price == 13800


def test_the_cap_of_a_month_leaves_what_is_left_of_it() -> None:
    past = PastUses([use(1, date(2026, 6, 1), saved=2000), use(2, date(2026, 6, 15), saved=2000)], complete=True)
    result = allowed(priced(OFF), BenefitRequest("one", list_price=20000), past)
    assert (result.price, result.saved) == (19000, 1000)


def test_a_month_whose_cap_is_used_up_ends_with_the_month() -> None:
    past = PastUses([use(1, date(2026, 6, 1), saved=5000)], complete=True)
    offer, request = offer_of(priced(OFF)), BenefitRequest("one", list_price=20000)
    refused = decide(offer, MEMBER, request, past, datetime(2026, 6, 30, 23, 59))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.again_on) == (RefusalCode.CAP_REACHED, date(2026, 7, 1))
    assert allowed(priced(OFF), request, past, datetime(2026, 7, 1)).saved == 2000
    assert allowed(priced(OFF), request, past.without("1")).saved == 2000


def test_the_cap_of_a_use_limits_what_a_percentage_saves() -> None:
    text = priced("{percent: 50, cap: {use: 100}}")
    assert allowed(text, BenefitRequest("one", list_price=20000)).price == 10000
    assert allowed(text, BenefitRequest("one", list_price=50000)).price == 40000
