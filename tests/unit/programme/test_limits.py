"""Counts: in a period, in a season, once for ever, at an event; on the chip and in the registry."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest

from programme.decision import decide
from programme.facts import BenefitRequest, PastUses
from programme.outcome import Allowed, RefusalCode, Refused
from terminal.member.values import Entitlement, Period
from tests.support.programmes import MEMBER, ONE_PRODUCT, offer_of, use

REQUEST = BenefitRequest("one")
SEASON = "counted: office\nsold: [{from: 12-15, through: 01-15}]\nlimits: [{count: 1, per: season}]\n" + ONE_PRODUCT


def limited(limit: str) -> str:
    return f"counted: office\nlimits: [{limit}]\n" + ONE_PRODUCT


def at(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(12))


@pytest.mark.parametrize(
    ("limit", "used", "same", "again"),
    [
        ("{count: 1, per: day}", "2026-02-28", "2026-02-28", "2026-03-01"),
        ("{count: 1, per: day}", "2028-02-28", "2028-02-28", "2028-02-29"),
        ("{count: 1, per: month}", "2026-01-01", "2026-01-31", "2026-02-01"),
        ("{count: 1, per: month}", "2028-02-01", "2028-02-29", "2028-03-01"),
        ("{count: 1, per: month, starts: 01-15}", "2026-01-15", "2026-02-14", "2026-02-15"),
        ("{count: 1, per: month, starts: 01-31}", "2026-02-28", "2026-03-30", "2026-03-31"),
        ("{count: 1, per: quarter}", "2026-10-01", "2026-12-31", "2027-01-01"),
        ("{count: 1, per: quarter, starts: 02-10}", "2026-11-10", "2027-02-09", "2027-02-10"),
        ("{count: 1, per: year}", "2026-01-01", "2026-12-31", "2027-01-01"),
        ("{count: 1, per: year, starts: 10-01}", "2026-10-01", "2027-09-30", "2027-10-01"),
        ("{count: 1, per: year, starts: 02-29}", "2027-02-28", "2028-02-28", "2028-02-29"),
    ],
)
def test_a_period_ends_on_its_last_day_and_the_next_one_begins_unused(
    limit: str, used: str, same: str, again: str
) -> None:
    offer, past = offer_of(limited(limit)), PastUses([use(1, date.fromisoformat(used))], complete=True)
    last = decide(offer, MEMBER, REQUEST, past, at(same))
    assert isinstance(last, Refused)
    assert (last.code, last.rule, last.again_on) == (RefusalCode.LIMIT_REACHED, "limits.0", date.fromisoformat(again))
    following = decide(offer, MEMBER, REQUEST, past, at(again))
    assert isinstance(following, Allowed)
    assert following.left == 0


def test_the_day_before_a_period_belongs_to_the_one_before() -> None:
    offer, past = offer_of(limited("{count: 1, per: month}")), PastUses([use(1, date(2026, 1, 31))], complete=True)
    assert isinstance(decide(offer, MEMBER, REQUEST, past, at("2026-02-01")), Allowed)


@pytest.mark.parametrize("day", ["2026-12-15", "2026-12-31", "2027-01-01", "2027-01-15"])
def test_a_season_over_new_year_is_one_season(day: str) -> None:
    offer, past = offer_of(SEASON), PastUses([use(1, date(2026, 12, 20))], complete=True)
    refused = decide(offer, MEMBER, REQUEST, past, at(day))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.again_on) == (RefusalCode.LIMIT_REACHED, date(2027, 12, 15))
    assert isinstance(decide(offer, MEMBER, REQUEST, PastUses(complete=True), at(day)), Allowed)


def test_a_use_of_last_season_does_not_count_in_this_one() -> None:
    offer, past = offer_of(SEASON), PastUses([use(1, date(2026, 1, 15))], complete=True)
    assert isinstance(decide(offer, MEMBER, REQUEST, past, at("2026-12-15")), Allowed)


@pytest.mark.parametrize(("day", "again"), [("2026-12-14", "2026-12-15"), ("2027-01-16", "2027-12-15")])
def test_between_seasons_the_next_first_day_is_named(day: str, again: str) -> None:
    refused = decide(offer_of(SEASON), MEMBER, REQUEST, PastUses(complete=True), at(day))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.again_on) == (RefusalCode.NOT_ON_SALE, date.fromisoformat(again))


def test_a_season_that_does_not_come_again_never_comes_again() -> None:
    text = (
        "counted: office\nsold: [{from: 2026-02-01, through: 2026-03-15}]\nlimits: [{count: 1, per: season}]\n"
        + ONE_PRODUCT
    )
    refused = decide(
        offer_of(text), MEMBER, REQUEST, PastUses([use(1, date(2026, 2, 1))], complete=True), at("2026-03-15")
    )
    assert isinstance(refused, Refused)
    assert refused.again_on is None
    assert refused.sentence.en.endswith("never possible again")


def test_once_in_a_lifetime_is_never_again() -> None:
    past = PastUses([use(1, date(2021, 1, 1))], complete=True)
    refused = decide(offer_of(limited("{count: 1, per: lifetime}")), MEMBER, REQUEST, past, at("2026-06-15"))
    assert isinstance(refused, Refused)
    assert refused.again_on is None
    assert refused.sentence.zh == "权益：终身每人限 1 次，已用完；今后也不能办理"
    assert refused.sentence.en == "Benefit: at most 1 in a lifetime a person, all used; never possible again"


def test_two_tickets_a_show_and_two_of_the_next() -> None:
    offer = offer_of("counted: none\nlimits: [{count: 2, per: event}]\n" + ONE_PRODUCT)
    past = PastUses([use(1, date(2026, 6, 15), event="A")])
    one_more = decide(offer, MEMBER, BenefitRequest("one", 1, event="A"), past, at("2026-06-15"))
    two_more = decide(offer, MEMBER, BenefitRequest("one", 2, event="A"), past, at("2026-06-15"))
    other = decide(offer, MEMBER, BenefitRequest("one", 2, event="B"), past, at("2026-06-15"))
    unnamed = decide(offer, MEMBER, BenefitRequest("one", 2), past, at("2026-06-15"))
    assert isinstance(one_more, Allowed)
    assert one_more.left == 0
    assert isinstance(two_more, Refused)
    assert (two_more.code, two_more.sentence.en) == (
        RefusalCode.TOO_MANY,
        "Benefit: at most 2 at one event a person, 1 left; today 1 at most",
    )
    assert isinstance(other, Allowed)
    assert isinstance(unnamed, Refused)
    assert unnamed.code is RefusalCode.EVENT_MISSING


def test_more_than_the_limit_is_possible_on_no_day() -> None:
    offer = offer_of(limited("{count: 2, per: month}"))
    past = PastUses([use(1, date(2026, 6, 1), quantity=2)], complete=True)
    refused = decide(offer, MEMBER, BenefitRequest("one", 3), past, at("2026-06-15"))
    assert isinstance(refused, Refused)
    assert refused.again_on is None


def test_a_reversed_use_does_not_count_whatever_came_first() -> None:
    offer = offer_of(limited("{count: 1, per: year}"))
    past = PastUses(complete=True).without("1").with_use(use(1, date(2026, 6, 1)))
    assert isinstance(decide(offer, MEMBER, REQUEST, past, at("2026-06-15")), Allowed)


def test_a_limit_on_one_product_leaves_the_others() -> None:
    text = """
        counted: office
        limits: [{count: 1, per: lifetime, products: [one]}]
        products:
          one: {name: {zh: 一, en: One}, price: {fixed: 1}}
          two: {name: {zh: 二, en: Two}, price: {fixed: 2}}
        """
    offer, past = offer_of(text), PastUses([use(1, date(2026, 6, 1))], complete=True)
    assert isinstance(decide(offer, MEMBER, REQUEST, past, at("2026-06-15")), Refused)
    assert isinstance(decide(offer, MEMBER, BenefitRequest("two"), past, at("2026-06-15")), Allowed)


CARD = 'counted: card\nclass: "0101"\nlimits: [{count: 2, per: year}]\n' + ONE_PRODUCT


def chip(used: int, limit: int = 2, period: Period = Period.YEAR, start: date = date(2026, 1, 1)) -> PastUses:
    return PastUses(card={"0101": Entitlement("0101", limit, used, period, start)})


def test_the_chip_counts_without_a_line() -> None:
    offer = offer_of(CARD)
    allowed = decide(offer, MEMBER, REQUEST, chip(1), at("2026-12-31"))
    assert isinstance(allowed, Allowed)
    assert allowed.left == 0
    refused = decide(offer, MEMBER, REQUEST, chip(2), at("2026-12-31"))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.again_on) == (RefusalCode.LIMIT_REACHED, date(2027, 1, 1))
    assert isinstance(decide(offer, MEMBER, REQUEST, chip(2), at("2027-01-01")), Allowed)


def test_a_chip_period_that_has_not_begun_is_a_day_to_come() -> None:
    refused = decide(offer_of(CARD), MEMBER, REQUEST, chip(0, start=date(2026, 7, 1)), at("2026-06-15"))
    assert isinstance(refused, Refused)
    assert refused.again_on == date(2026, 7, 1)


def test_once_on_the_chip_is_never_again() -> None:
    refused = decide(offer_of(CARD), MEMBER, REQUEST, chip(1, 1, Period.ONCE), at("2026-06-15"))
    assert isinstance(refused, Refused)
    assert refused.again_on is None


def test_a_card_without_the_class_is_updated_first() -> None:
    refused = decide(offer_of(CARD), MEMBER, REQUEST, PastUses(), at("2026-06-15"))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.again_on) == (RefusalCode.NOT_ON_CARD, date(2026, 6, 15))


def test_a_registry_that_knows_more_uses_than_the_chip_counts_them() -> None:
    uses = [use(1, date(2026, 3, 1), quantity=2)]
    past = PastUses(uses, complete=True, card=chip(0).card)
    assert isinstance(decide(offer_of(CARD), MEMBER, REQUEST, past, at("2026-06-15")), Refused)


def test_what_the_registry_counts_needs_the_registry() -> None:
    refused = decide(offer_of(limited("{count: 1, per: year}")), MEMBER, REQUEST, PastUses(), at("2026-06-15"))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.again_on) == (RefusalCode.OFFLINE, date(2026, 6, 15))
    assert refused.sentence.zh.endswith("满足后今天即可办理")


@pytest.mark.parametrize(
    "written", ["swan lake", "SWAN  LAKE", " Swan\tLake ", "Ｓｗａｎ Lake", "Swan\u200bLake", "Swаn Lake"]
)
def test_an_event_is_the_same_however_it_is_written(written: str) -> None:
    offer = offer_of("counted: none\nlimits: [{count: 2, per: event}]\n" + ONE_PRODUCT)
    past = PastUses([use(1, date(2026, 6, 15), quantity=2, event="Swan Lake")])
    refused = decide(offer, MEMBER, BenefitRequest("one", 1, event=written), past, at("2026-06-15"))
    assert isinstance(refused, Refused)
    assert refused.code is RefusalCode.LIMIT_REACHED


def test_an_event_whose_name_cannot_be_seen_is_missing() -> None:
    offer = offer_of("counted: none\nlimits: [{count: 2, per: event}]\n" + ONE_PRODUCT)
    refused = decide(offer, MEMBER, BenefitRequest("one", 1, event="\u200b"), PastUses(), at("2026-06-15"))
    assert isinstance(refused, Refused)
    assert refused.code is RefusalCode.EVENT_MISSING


def test_a_long_name_of_an_event_is_the_one_that_a_journal_keeps() -> None:
    event = BenefitRequest("one", event="  " + "剧" * 300).event
    assert event == "剧" * 100
