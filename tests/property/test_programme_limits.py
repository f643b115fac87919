"""Never more than the limit, in whatever order redemptions, reversals and days come; and what a refusal promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from programme.dates import SaleWindow, period_span
from programme.decision import decide
from programme.facts import BenefitRequest, BenefitUse, PastUses
from programme.outcome import Allowed, RefusalCode, Refused
from programme.pricing import half_up
from programme.programme import Offer
from terminal.member.values import Entitlement, Period
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


@given(st.dates(date(2024, 1, 1), date(2025, 12, 31)), st.dates(date(2024, 1, 1), date(2025, 12, 31)), DAYS)
def test_a_yearly_window_is_where_its_spans_are(first: date, last: date, day: date) -> None:
    assume(first.strftime("%m-%d") != last.strftime("%m-%d"))
    window = SaleWindow.model_validate({"from": f"{first:%m-%d}", "through": f"{last:%m-%d}"})
    inside = [span for span in window.near(day) if span.first <= day <= span.last]
    assert window.span(day) == (inside[-1] if inside else None)
    assert window.following(day) == min(span.first for span in window.near(day) if span.first > day)


PHASES = offer_of(
    "counted: office\nphases: [{product: a, uses: 1}, {product: b, uses: 3}, {product: a, uses: 1}, {product: c}]\n"
    "products:\n" + "".join(f"  {p}: {{name: {{zh: 品, en: {p}}}, price: {{fixed: 1}}}}\n" for p in "abc")
)
MOST = {"a": 2, "b": 3}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4), st.booleans()), max_size=30))
def test_no_phase_is_had_more_often_than_it_has_uses(steps: list[tuple[str, int, bool]]) -> None:
    past = PastUses(complete=True)
    for number, (product, quantity, reverse) in enumerate(steps):
        if reverse and past.valid():
            past = past.without(past.valid()[quantity % len(past.valid())].reference)
            continue
        request = BenefitRequest(product, quantity)
        if isinstance(decide(PHASES, MEMBER, request, past, datetime(2028, 1, 1, 12)), Allowed):
            past = past.with_use(BenefitUse(str(number), product, quantity, date(2028, 1, 1)))
        for name, most in MOST.items():
            assert sum(use.quantity for use in past.valid() if use.product == name) <= most


EVENT = offer_of("counted: none\nlimits: [{count: 2, per: event}]\n" + ONE_PRODUCT)


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 3), st.booleans()), max_size=30))
def test_no_event_has_more_than_its_limit(steps: list[tuple[str, int, bool]]) -> None:
    past = PastUses()
    for number, (event, quantity, reverse) in enumerate(steps):
        if reverse and past.valid():
            past = past.without(past.valid()[quantity % len(past.valid())].reference)
            continue
        request = BenefitRequest("one", quantity, event=event)
        if isinstance(decide(EVENT, MEMBER, request, past, datetime(2028, 1, 1, 12)), Allowed):
            past = past.with_use(BenefitUse(str(number), "one", quantity, date(2028, 1, 1), event=event))
    assert all(sum(use.quantity for use in past.valid() if use.event == event) <= 2 for event in "ABC")


CHIP = offer_of('counted: card\nclass: "0101"\nlimits: [{count: 3, per: month}]\n' + ONE_PRODUCT)


@given(st.lists(st.tuples(DAYS, st.integers(1, 4)), max_size=20))
def test_a_chip_in_any_order_of_days_counts_no_more_than_its_limit(steps: list[tuple[date, int]]) -> None:
    """What is allowed is what the chip would count: dates before its period are refused."""
    counted = Entitlement("0101", 3, 0, Period.MONTH, date(2028, 1, 1))
    for day, quantity in steps:
        at = datetime.combine(day, time(12))
        decision = decide(CHIP, MEMBER, BenefitRequest("one", quantity), PastUses(card={"0101": counted}), at)
        on = counted.on(day)
        fits = day >= counted.start and on.used + quantity <= 3
        assert isinstance(decision, Allowed) is fits
        if fits:
            counted = on._replace(used=on.used + quantity)
        assert counted.used <= 3


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
