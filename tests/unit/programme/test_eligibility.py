"""Who may have a benefit; what is not known is never taken for yes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest

from programme.dates import birthday
from programme.decision import decide
from programme.facts import Beneficiary, BenefitRequest, PastUses
from programme.outcome import Allowed, RefusalCode, Refused
from terminal.member.values import Category
from tests.support.programmes import HEAD, MEMBER, NOON, ONE_PRODUCT, offer_of

REQUEST = BenefitRequest("one")


def outcome(rule: str, member: Beneficiary, at: datetime = NOON) -> tuple[RefusalCode, date | None] | None:
    """Code and day of the refusal; None where it is allowed."""
    offer = offer_of(f"counted: none\neligibility: {rule}\n" + ONE_PRODUCT)
    decision = decide(offer, member, REQUEST, PastUses(), at)
    if isinstance(decision, Allowed):
        return None
    assert isinstance(decision, Refused)
    assert decision.rule.startswith("eligibility.")
    return decision.code, decision.again_on


@pytest.mark.parametrize(
    ("rule", "fits", "other", "code"),
    [
        ("{categories: [in-post]}", {}, {"category": Category.RETIRED}, RefusalCode.OTHER_CATEGORY),
        ('{units: ["811101010000000001"]}', {}, {"unit": "811101010000000002"}, RefusalCode.OTHER_UNIT),
        ('{districts: ["110105"]}', {}, {"district": "110101"}, RefusalCode.OTHER_DISTRICT),
        ('{districts: ["110100"]}', {}, {"district": "110201"}, RefusalCode.OTHER_DISTRICT),
        ("{hardship: true}", {"hardship": True}, {"hardship": False}, RefusalCode.NOT_IN_HARDSHIP),
        ("{hardship: true}", {"category": Category.IN_HARDSHIP}, {}, RefusalCode.NOT_IN_HARDSHIP),
        ("{cover: true}", {"cover_ends": NOON.date()}, {"cover_ends": date(2026, 6, 14)}, RefusalCode.NO_COVER),
        ("{children: {from: 14, through: 18}}", {"children": (date(2010, 1, 1),)}, {}, RefusalCode.NO_CHILD),
    ],
)
def test_a_member_who_fulfils_the_condition_and_one_who_does_not(
    rule: str, fits: dict[str, object], other: dict[str, object], code: RefusalCode
) -> None:
    assert outcome(rule, replace(MEMBER, **fits)) is None  # type: ignore[arg-type]
    assert outcome(rule, replace(MEMBER, **other)) == (code, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "rule",
    [
        "{categories: [in-post]}",
        '{units: ["811101010000000001"]}',
        '{districts: ["110105"]}',
        "{hardship: true}",
        "{cover: true}",
        "{age: {from: 18}}",
        "{children: {from: 3}}",
    ],
)
def test_what_is_not_known_is_for_the_union_to_say(rule: str) -> None:
    assert outcome(rule, Beneficiary(federation="110000")) == (RefusalCode.NOT_KNOWN, NOON.date())


def test_members_of_another_federation_are_not_meant_where_the_file_names_none() -> None:
    offer = offer_of("counted: none\n" + ONE_PRODUCT)
    codes = []
    for federation in ("110000", "110105", "130000", None):
        decision = decide(offer, replace(MEMBER, federation=federation), REQUEST, PastUses(), NOON)
        codes.append(decision.code if isinstance(decision, Refused) else None)
    assert codes == [None, None, RefusalCode.OTHER_FEDERATION, RefusalCode.NOT_KNOWN]


def test_other_federations_that_the_file_names_are_meant() -> None:
    head = HEAD.replace("benefits:", 'eligibility: {federations: ["110000", "130100"]}\nbenefits:')
    offer = offer_of("counted: none\n" + ONE_PRODUCT, head)
    decision = decide(offer, replace(MEMBER, federation="130102"), REQUEST, PastUses(), NOON)
    assert isinstance(decision, Allowed)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2040, 2, 28), (RefusalCode.TOO_YOUNG, date(2040, 2, 29))),
        (datetime(2040, 2, 29), None),
        (datetime(2045, 2, 28), None),
        (datetime(2045, 3, 1), (RefusalCode.TOO_OLD, None)),
    ],
)
def test_ages_change_on_birthdays_and_a_leap_day_is_the_first_of_march(
    at: datetime, expected: tuple[RefusalCode, date | None] | None
) -> None:
    head = HEAD.replace("2039-12-31", "2099-12-31")
    offer = offer_of("counted: none\neligibility: {age: {from: 60, through: 64}}\n" + ONE_PRODUCT, head)
    decision = decide(offer, MEMBER, REQUEST, PastUses(), at)
    assert (None if isinstance(decision, Allowed) else (decision.code, decision.again_on)) == expected


def test_of_several_children_one_is_enough_and_the_next_to_grow_up_is_waited_for() -> None:
    rule, at = "{children: {from: 14, through: 18}}", datetime(2026, 9, 1)
    grown, fits, small, smaller = date(2000, 1, 1), date(2012, 9, 1), date(2012, 9, 2), date(2020, 1, 1)
    assert outcome(rule, replace(MEMBER, children=(grown, fits)), at) is None
    assert outcome(rule, replace(MEMBER, children=(grown, smaller, small)), at) == (
        RefusalCode.NO_CHILD,
        date(2026, 9, 2),
    )
    assert outcome(rule, replace(MEMBER, children=(grown,)), at) == (RefusalCode.NO_CHILD, None)


def test_the_conditions_of_the_programme_hold_for_each_benefit() -> None:
    head = HEAD.replace("benefits:", "eligibility: {categories: [in-post, retired]}\nbenefits:")
    offer = offer_of("counted: none\n" + ONE_PRODUCT, head)
    refused = decide(offer, replace(MEMBER, category=Category.DISPATCHED), REQUEST, PastUses(), NOON)
    assert isinstance(refused, Refused)
    assert refused.sentence.en == (
        "Benefit: for members in post, retired members only; not possible unless the member's data change"
    )
    assert refused.sentence.zh == "权益：仅限在职会员、退休会员；会员情况变化后才可办理"


@pytest.mark.parametrize(("birth", "day"), [(date(9990, 1, 1), date.max), (date(2024, 2, 29), date(2084, 2, 29))])
def test_every_birthday_is_a_day(birth: date, day: date) -> None:
    assert birthday(birth, 60) == day


def test_dates_of_birth_do_not_print_themselves() -> None:
    assert "1980" not in repr(MEMBER)
