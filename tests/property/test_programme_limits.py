"""Never more than the limit, in whatever order redemptions, reversals and days come; and what a refusal promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from programme.dates import period_span
from programme.decision import decide
from programme.facts import BenefitRequest, BenefitUse, PastUses
from programme.outcome import Allowed, RefusalCode, Refused
from programme.pricing import half_up
from programme.programme import Offer
from tests.support.programmes import HEAD, MEMBER, ONE_PRODUCT, offer_of

LIMITS = {
    (per, count, starts): offer_of(
        f"counted: office\nsold: [{{from: 12-15, through: 01-15}}, {{from: 02-01, through: 11-30}}]\n"
        f"limits: [{{count: {count}, per: {per}, starts: {starts}}}]\n" + ONE_PRODUCT
    )
    for per in ("day", "month", "quarter", "year", "season", "lifetime")
    for count in (1, 3)
    for starts in ("01-01", "10-15")
}
MONTHLY_CAP = offer_of(
    "counted: office\nproducts: {one: {name: {zh: 一, en: One}, price: {off: 20, from: 158, cap: {month: 50}}}}"
)
DAYS = st.dates(date(2027, 11, 1), date(2029, 3, 31))
STEP = st.tuples(DAYS, st.integers(1, 4), st.booleans())


def play(offer: Offer, steps: list[tuple[date, int, bool]], list_price: int | None = None) -> list[BenefitUse]:
    """The uses that stand after redemptions and reversals on these days, in this order."""
    past = PastUses(complete=True)
    for number, (day, quantity, reverse) in enumerate(steps):
        if reverse and past.valid():
            past = past.without(past.valid()[quantity % len(past.valid())].reference)
            continue
        request = BenefitRequest("one", quantity, list_price)
        decision = decide(offer, MEMBER, request, past, datetime.combine(day, time(12)))
        if isinstance(decision, Allowed):
            past = past.with_use(BenefitUse(str(number), "one", quantity, day, decision.saved))
    return past.valid()


def period_of(offer: Offer, day: date) -> object:
    limit = offer.benefit.limits[0]
    if limit.per == "season":
        return next(span for window in offer.benefit.sold if (span := window.span(day)))
    if limit.per == "lifetime" or limit.per == "event":
        return None
    return period_span(limit.per, limit.starts, day)


@given(st.sampled_from(sorted(LIMITS)), st.lists(STEP, max_size=25))
def test_never_more_than_the_limit_in_any_order(key: tuple[str, int, str], steps: list[tuple[date, int, bool]]) -> None:
    offer = LIMITS[key]
    counts: dict[object, int] = {}
    for use in play(offer, steps):
        period = period_of(offer, use.day)
        counts[period] = counts.get(period, 0) + use.quantity
    assert all(count <= key[1] for count in counts.values())


@given(st.lists(st.tuples(DAYS, st.integers(1, 3), st.booleans()), max_size=20), st.integers(0, 60000))
def test_nobody_saves_more_than_the_cap_of_a_month(steps: list[tuple[date, int, bool]], list_price: int) -> None:
    saved: dict[tuple[int, int], int] = {}
    for use in play(MONTHLY_CAP, steps, list_price):
        month = (use.day.year, use.day.month)
        saved[month] = saved.get(month, 0) + use.saved
    assert all(sum_ <= 5000 for sum_ in saved.values())


@given(st.sampled_from(sorted(LIMITS)), st.lists(STEP, max_size=10), DAYS, st.integers(1, 4))
def test_a_refusal_names_its_rule_and_keeps_its_promise(
    key: tuple[str, int, str], steps: list[tuple[date, int, bool]], day: date, quantity: int
) -> None:
    offer = LIMITS[key]
    past = PastUses(play(offer, steps), complete=True)
    request = BenefitRequest("one", quantity)
    refused = decide(offer, MEMBER, request, past, datetime.combine(day, time(12)))
    assume(isinstance(refused, Refused))
    assert isinstance(refused, Refused)
    assert refused.rule in ("limits.0", "sold")
    if refused.code is RefusalCode.TOO_MANY:
        assert refused.again_on == day
        assert "most" in refused.sentence.en
        return
    if refused.again_on is None:
        assert key[0] == "lifetime" or quantity > key[1]
        assert refused.sentence.en.endswith("never possible again")
        assert refused.sentence.zh.endswith("今后也不能办理")
        return
    assert refused.again_on > day
    assert refused.again_on.isoformat() in refused.sentence.en
    assert refused.again_on.isoformat() in refused.sentence.zh
    later = decide(offer, MEMBER, request, past, datetime.combine(refused.again_on, time(12)))
    assert isinstance(later, Allowed) or later.code is RefusalCode.TOO_MANY


@given(st.sampled_from(["month", "quarter", "year"]), st.dates(date(2024, 1, 1), date(2029, 12, 31)), DAYS)
def test_periods_follow_each_other_without_gap(per: str, starts: date, day: date) -> None:
    limit = offer_of(
        f"counted: office\nlimits: [{{count: 1, per: {per}, starts: {starts:%m-%d}}}]\n" + ONE_PRODUCT, HEAD
    ).benefit.limits[0]
    assert limit.per in ("month", "quarter", "year")
    span = period_span(limit.per, limit.starts, day)  # type: ignore[arg-type]
    assert span.first <= day <= span.last
    following = period_span(limit.per, limit.starts, span.last + timedelta(days=1))  # type: ignore[arg-type]
    assert following.first == span.last + timedelta(days=1)
    assert period_span(limit.per, limit.starts, span.first) == span  # type: ignore[arg-type]


@given(st.integers(0, 10**9), st.integers(0, 10000))
def test_a_percentage_is_at_most_half_a_fen_off(total: int, percent: int) -> None:
    price = half_up(total, percent)
    assert abs(price * 10000 - total * percent) <= 5000
    assert 0 <= price <= total


@given(st.dates(date(2000, 1, 1), date(2030, 1, 1)), DAYS)
def test_a_decision_without_facts_is_never_yes(birth: date, day: date) -> None:
    offer = offer_of("counted: none\neligibility: {age: {from: 18, through: 60}}\n" + ONE_PRODUCT)
    at = datetime.combine(day, time(12))
    assert isinstance(decide(offer, replace(MEMBER, birth=None), BenefitRequest("one"), PastUses(), at), Refused)
    allowed = decide(offer, replace(MEMBER, birth=birth), BenefitRequest("one"), PastUses(), at)
    assert isinstance(allowed, Allowed) is (
        (day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))) in range(18, 61)
    )
