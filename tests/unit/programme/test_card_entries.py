"""DF28 by the programme: an entry counts on the chip as the rule of the file counts."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest

from programme.card_entries import entitlements
from programme.decision import decide
from programme.errors import ProgrammeUnfit
from programme.facts import Beneficiary, BenefitRequest, PastUses
from programme.outcome import Allowed
from programme.programme import example, examples
from terminal.member.codecs import EntitlementList
from terminal.member.outcome import MemberFacts
from terminal.member.values import Category, Entitlement, MaskedIdentity, Period
from tests.support.programmes import MEMBER, ONE_PRODUCT, programme_file, use

CARD = 'counted: card\nclass: "0101"\n'
SEASON = "sold: [{from: 12-15, through: 01-15}]\nlimits: [{count: 1, per: season}]\n"
DAY = date(2027, 1, 10)


def entry(benefit: str, on: date = DAY) -> Entitlement:
    (only,) = entitlements(programme_file(CARD + benefit + ONE_PRODUCT).programme, on)
    return only


@pytest.mark.parametrize(
    ("rules", "period", "start"),
    [
        ("limits: [{count: 1, per: day}]\n", Period.DAY, DAY),
        ("limits: [{count: 1, per: month}]\n", Period.MONTH, date(2027, 1, 1)),
        ("limits: [{count: 1, per: month, starts: 01-15}]\n", Period.MONTH, date(2026, 12, 15)),
        ("limits: [{count: 1, per: quarter, starts: 02-10}]\n", Period.QUARTER, date(2026, 11, 10)),
        ("limits: [{count: 1, per: year, starts: 10-01}]\n", Period.YEAR, date(2026, 10, 1)),
        ("limits: [{count: 1, per: lifetime}]\n", Period.ONCE, DAY),
        (SEASON, Period.YEAR, date(2026, 12, 15)),
    ],
)
def test_an_entry_has_the_period_of_the_day(rules: str, period: Period, start: date) -> None:
    assert entry(rules) == Entitlement("0101", 1, 0, period, start)


@pytest.mark.parametrize(
    "rules",
    [
        "limits: [{count: 1, per: month, starts: 01-28}]\n",
        "limits: [{count: 1, per: quarter, starts: 03-15}]\n",
        "limits: [{count: 1, per: year, starts: 10-01}]\n",
        SEASON,
    ],
)
def test_the_chip_says_what_the_rule_says_on_each_day_of_two_years(rules: str) -> None:
    """Used on the first day: chip and registry allow the next use from the same day on."""
    file = programme_file(CARD + rules + ONE_PRODUCT)
    offer, request = file.programme.offer("benefit"), BenefitRequest("one")
    used = entry(rules)._replace(used=1)
    chip = PastUses(card={"0101": used})
    registry = PastUses([use(1, DAY)], complete=True)
    for number in range(800):
        at = datetime.combine(DAY + timedelta(days=number), time(12))
        by_chip, by_registry = (decide(offer, MEMBER, request, past, at) for past in (chip, registry))
        assert isinstance(by_chip, Allowed) is isinstance(by_registry, Allowed), at
        if not isinstance(by_chip, Allowed) and not isinstance(by_registry, Allowed):
            assert by_chip.again_on == by_registry.again_on, at


def test_a_benefit_with_a_pin_says_so_to_chip_and_cashier() -> None:
    file = programme_file(CARD + "pin: true\nlimits: [{count: 1, per: day}]\n" + ONE_PRODUCT)
    assert entitlements(file.programme, DAY)[0].pin
    past = PastUses(card={"0101": entitlements(file.programme, DAY)[0]})
    decision = decide(file.programme.offer("benefit"), MEMBER, BenefitRequest("one"), past, datetime(2027, 1, 10))
    assert isinstance(decision, Allowed)
    assert decision.pin
    assert "the member enters the PIN" in decision.sentence.en


@pytest.mark.parametrize("name", examples())
def test_the_entries_of_the_examples_fit_on_a_card(name: str) -> None:
    entries = entitlements(example(name).programme, DAY)
    assert len(entries) == len({one.benefit_class for one in entries})
    assert all(one.start <= DAY and one.start.day <= 28 for one in entries)
    assert EntitlementList.read(EntitlementList.write(entries, 0)) == entries


def test_a_limit_that_no_entry_holds_is_refused() -> None:
    for rules in ("", "sold: [{from: 2027-01-01, through: 2027-02-01}]\nlimits: [{count: 1, per: season}]\n"):
        with pytest.raises(ProgrammeUnfit):
            entry(rules)


def test_a_verified_card_gives_facts_and_counts() -> None:
    counted = Entitlement("0101", 2, 1, Period.YEAR, date(2027, 1, 1))
    facts = MemberFacts(
        card_number="9156130000000001234", sequence=1, name="司马相如", identity=MaskedIdentity("7774", "7777"),
        valid_through=date(2030, 1, 1), expires=date(2035, 1, 1), effective=date(2026, 10, 1), member_number=None,
        sex=None, unit_name=None, unit_code="811101010000000001", category=Category.RETIRED, scheme="110000",
        cover_ends=None, entitlements=(counted,),
    )  # fmt: skip
    assert Beneficiary.of_card(facts) == Beneficiary(
        "110000", Category.RETIRED, "811101010000000001", issued=date(2026, 10, 1)
    )
    assert PastUses.of_card(facts).card == {"0101": counted}
