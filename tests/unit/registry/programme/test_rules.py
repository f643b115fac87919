"""The programme's rules at booking: by all uses of a member that the ruled knows, whatever order they arrive in."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Event

import pytest
from sqlalchemy import select, text, update

from programme.booking_rules import BookingRules
from programme.editions import ProgrammeEdition
from registry.admin.programmes import PublishedProgramme
from registry.db.tables import card_updates, cards
from registry.members.wanted import UpdateKind
from registry.programme.booking import BookingResult
from registry.programme.judgement import Mark, RuledUse
from registry.programme.rules import Birth, Rules
from registry.store import Registry
from terminal.crypto.rsa import RsaPublic
from terminal.keys.memory import MemoryCustody
from terminal.member import elements
from terminal.member.journal_rows import RowKind
from terminal.member.redemption.evidence import RedemptionEvidence
from terminal.member.values import Category
from tests.support.programmes import programme_file
from tests.support.registry.redeemed import DAY, Till, counted
from tests.support.registry.registrar import SetClock
from tests.support.waiting import eventually
from tests.unit.registry.programme.test_booking import Filled, Ledger, custody, filled, keys, url

__all__ = ["custody", "filled", "keys", "url"]
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
KEY = RsaPublic(1 << 1023 | 1, 65537)
PRODUCTS = """
questions: {transit-card: {zh: 一卡通, en: transit card}}
products:
  visit: {name: {zh: 单次, en: visit}, price: {fixed: 5}}
  pass:
    name: {zh: 年票, en: pass}
    price: {percent: 50}
    fees: [{name: {zh: 费, en: fee}, amount: 3, unless: transit-card}]
"""
TWO_A_DAY = 'counted: card\nclass: "0101"\nlimits: [{count: 2, per: day}]' + PRODUCTS
PHASES = (
    'counted: card\nclass: "0101"\nlimits: [{count: 9, per: day}]\nphases: [{product: pass, uses: 1}, {product: visit}]'
)
PHASES += PRODUCTS
VISIT = {"benefit": "benefit", "product": "visit", "edition": 1}
PASS = {"benefit": "benefit", "product": "pass", "list": 20000, "saved": 10000, "answers": "-"}


class Ruled:
    """The ruled with editions of a programme, and the journal of a counter."""

    def __init__(self, ledger: Ledger, clock: SetClock) -> None:
        self.ledger, self.clock = ledger, clock
        self.rules = BookingRules(ledger.registry.programme_editions, UTC)

    def publish(self, benefit: str, since: date = DAY - timedelta(days=30), days: int = 90) -> int:
        """An edition of that day."""
        self.clock.now = datetime(since.year, since.month, since.day, 1, tzinfo=UTC)
        programme = programme_file(benefit).programme

        def signed(version: int, issued: datetime) -> bytes:
            return ProgrammeEdition.of(programme, version, issued, days).write(KEY, lambda _: bytes(128))

        published = PublishedProgramme("own", "110000", programme.digest, timedelta(days=days))
        editions = self.ledger.registry.programme_editions
        number = editions.propose(published, "", "own.yaml", by="wang").number
        version = editions.publish(number, signed, by="li").version
        self.clock.now = datetime(DAY.year, DAY.month, DAY.day, 9, tzinfo=UTC)
        return version

    def book(self, till: Till | None = None, *, first: int | None = None) -> BookingResult:
        upload, ledger = (till or self.ledger.till).upload(first), self.ledger
        return ledger.registry.booking.book(ledger.east, upload, ledger.prove, by="till", rules=self.rules.refreshed())

    def redeemed(self, *taken: RedemptionEvidence, till: Till | None = None, **details: str | int) -> dict[str, int]:
        """Booked with the counter's values; the findings by kind."""
        journal = till or self.ledger.till
        for evidence in taken:
            intent = journal.request_row(evidence, **(details or VISIT))
            journal.redeemed(evidence, intent=intent.number)
        return dict(self.book(journal).findings)

    def facts(self, kind: str) -> list[dict[str, str | int]]:
        return [dict(one.facts) for one in self.ledger.findings() if one.kind == kind]


def replace_first_card(ledger: Ledger) -> None:
    """The second card is one of the first card's member, in its place."""
    first, second = (cards.c.card_number == chip.card_number for chip in (ledger.first, ledger.second))
    with ledger.registry._context.write() as conn:
        holder = conn.execute(select(cards.c.member_id).where(first)).scalar_one()
        conn.execute(update(cards).where(first).values(state="replaced"))
        conn.execute(update(cards).where(second).values(member_id=holder))


@pytest.fixture
def ledger(registry: Registry, keys: MemoryCustody, filled: Filled) -> Ledger:
    return Ledger(registry, keys, filled)


@pytest.fixture
def ruled(ledger: Ledger, clock: SetClock) -> Ruled:
    return Ruled(ledger, clock)


def test_what_the_programme_allows_at_its_price_has_no_finding(ruled: Ruled) -> None:
    ruled.publish(TWO_A_DAY)
    assert ruled.redeemed(ruled.ledger.first.redeem(), ruled.ledger.first.redeem()) == {}
    assert ruled.redeemed(ruled.ledger.second.redeem(amount=10300), **PASS) == {}
    assert ruled.redeemed(ruled.ledger.second.redeem(amount=10000), **PASS | {"answers": "transit-card"}) == {}


def test_one_use_more_than_the_limit_is_held_with_the_sentence_of_the_rule(ruled: Ruled) -> None:
    ruled.publish(TWO_A_DAY)
    taken = [ruled.ledger.first.redeem() for _ in range(3)]
    assert ruled.redeemed(*taken) == {"not-allowed": 1}
    (facts,) = ruled.facts("not-allowed")
    assert (facts["rule"], facts["code"], facts["benefit"]) == ("limits.0", "limit-reached", "benefit")
    assert "每日每人限 2 次" in str(facts["zh"])
    assert "at most 2 a day" in str(facts["en"])
    assert ruled.ledger.held() == [3]
    assert ruled.ledger.counters(ruled.ledger.first) == [1, 2, 3], "the chip has counted it: it is booked"


def test_uses_of_two_cards_of_one_member_count_together(ruled: Ruled) -> None:
    ruled.publish(TWO_A_DAY.replace("per: day", "per: year"))
    ledger = ruled.ledger
    replace_first_card(ledger)
    earlier = [ledger.first.redeem(day=DAY - timedelta(days=2)) for _ in range(2)]
    assert ruled.redeemed(*earlier) == {}
    assert ruled.redeemed(ledger.second.redeem()) == {"not-allowed": 1}


def test_two_cards_of_one_member_at_the_same_time_count_together(ruled: Ruled) -> None:
    ruled.publish(TWO_A_DAY.replace("per: day", "per: year"))
    ledger, registry = ruled.ledger, ruled.ledger.registry
    replace_first_card(ledger)
    rules, judging, released = ruled.rules.refreshed(), Event(), Event()
    ledger.till.redeemed(*(ledger.first.redeem(day=DAY - timedelta(days=2)) for _ in range(2)))
    other = Till("f" * 32)
    other.redeemed(ledger.second.redeem())

    class HeldUp:
        def mark(self, use: RuledUse, before: Sequence[RuledUse], birth: Birth) -> Mark | None:
            judging.set()
            assert released.wait(60)
            return rules.mark(use, before, birth)

        def since(self, benefit_class: str, day: date) -> date | None:
            return rules.since(benefit_class, day)

    def book(till: Till, by: Rules) -> BookingResult:
        return registry.booking.book(ledger.east, till.upload(), ledger.prove, by="till", rules=by)

    def waits() -> bool:
        if registry._context.database.dialect == "sqlite":
            return True
        with registry._context.read() as conn:
            return bool(conn.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar())

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(book, ledger.till, HeldUp())
        assert judging.wait(60)
        second = pool.submit(book, other, rules)
        eventually(lambda: second.done() or waits())
        released.set()
    assert (dict(first.result().findings), dict(second.result().findings)) == ({}, {"not-allowed": 1})


def test_an_amount_that_is_not_the_price_of_the_day_is_a_finding_with_both(ruled: Ruled) -> None:
    version = ruled.publish(TWO_A_DAY)
    assert ruled.redeemed(ruled.ledger.first.redeem(amount=501), **VISIT | {"edition": version}) == {"price": 1}
    assert ruled.facts("price") == [
        {"amount": 501, "expected": 500, "benefit": "benefit", "product": "visit", "edition": version}
    ]
    assert ruled.ledger.held() == [1]


def test_the_price_is_that_of_the_edition_which_the_counter_had_or_of_the_newest(ruled: Ruled) -> None:
    old = ruled.publish(TWO_A_DAY, DAY - timedelta(days=60))
    new = ruled.publish(TWO_A_DAY.replace("fixed: 5", "fixed: 6"), DAY - timedelta(days=10))
    ledger = ruled.ledger
    assert ruled.redeemed(ledger.first.redeem(amount=500), **VISIT | {"edition": old}) == {}, "no line since"
    assert ruled.redeemed(ledger.first.redeem(amount=600), **VISIT | {"edition": new}) == {}
    assert ruled.redeemed(ledger.second.redeem(amount=500), **VISIT | {"edition": new}) == {"price": 1}
    assert ruled.facts("price")[0]["expected"] == 600


def test_an_edition_that_was_over_allows_nothing(ruled: Ruled) -> None:
    ruled.publish(TWO_A_DAY, DAY - timedelta(days=30), days=20)
    assert ruled.redeemed(ruled.ledger.first.redeem()) == {"not-allowed": 1}
    assert ruled.facts("not-allowed")[0]["rule"] == "valid"


def test_before_the_first_edition_nothing_is_judged(ruled: Ruled) -> None:
    ruled.publish(TWO_A_DAY, DAY + timedelta(days=1))
    assert ruled.redeemed(ruled.ledger.first.redeem(amount=1)) == {}


def test_a_class_that_the_programme_does_not_have_is_held(ruled: Ruled) -> None:
    ruled.publish(TWO_A_DAY)
    assert ruled.redeemed(ruled.ledger.first.redeem("0102")) == {"not-allowed": 1}
    assert ruled.facts("not-allowed")[0]["zh"] == "服务方案中没有类别为 0102 的权益"


def test_a_use_that_arrives_late_is_judged_in_its_place_and_so_are_those_behind_it(ruled: Ruled) -> None:
    ruled.publish(PHASES)
    ledger = ruled.ledger
    first = ledger.first.redeem(amount=10300, day=DAY - timedelta(days=1))
    second = ledger.first.redeem()
    assert ruled.redeemed(second) == {"not-allowed": 1, "atc-gap": 1}, "its phase was not reached"
    assert ruled.facts("not-allowed")[0]["code"] == "phase-not-reached"
    assert ruled.redeemed(first, till=Till("f" * 32), **PASS) == {}
    assert ledger.kinds() == []
    assert {(one.kind, one.decision) for one in ledger.findings(closed=True)} == {
        ("not-allowed", "resolved"),
        ("atc-gap", "resolved"),
    }


def test_a_use_that_arrives_late_makes_a_later_one_one_too_many(ruled: Ruled) -> None:
    ruled.publish(TWO_A_DAY.replace("per: day", "per: month"))
    ledger = ruled.ledger
    early = ledger.first.redeem(day=DAY - timedelta(days=1))
    late = [ledger.first.redeem(), ledger.first.redeem()]
    assert ruled.redeemed(*late) == {"atc-gap": 1}
    assert ruled.redeemed(early, till=Till("f" * 32)) == {"not-allowed": 1}
    assert [(one.kind, one.atc) for one in ledger.findings()] == [("not-allowed", 3)]


def test_a_reversed_use_does_not_count(ruled: Ruled) -> None:
    ruled.publish(TWO_A_DAY)
    ledger = ruled.ledger
    taken = [ledger.first.redeem() for _ in range(3)]
    row = ledger.till.redeemed(taken[0])
    ledger.till.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="买错")
    assert ruled.redeemed(*taken[1:]) == {}


def test_values_of_a_request_count_though_its_result_is_uploaded_later(ruled: Ruled) -> None:
    ruled.publish(TWO_A_DAY)
    ledger = ruled.ledger
    evidence = ledger.first.redeem(amount=10300)
    intent = ledger.till.request_row(evidence, **PASS)
    assert ruled.book().findings == {}
    ledger.till.redeemed(evidence, intent=intent.number)
    assert ruled.book().findings == {}
    with ledger.registry._context.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM counter_intents").scalar_one() == 0
        assert '"product": "pass"' in conn.exec_driver_sql("SELECT details FROM redemptions").scalar_one()


def test_without_the_counters_values_the_card_and_amount_decide(ruled: Ruled) -> None:
    ruled.publish(TWO_A_DAY)
    ledger = ruled.ledger
    ledger.till.redeemed(ledger.first.redeem(), ledger.first.redeem(), ledger.first.redeem())
    assert ruled.book().findings == {"not-allowed": 1}


def test_the_same_upload_again_finds_the_same_and_a_closed_finding_stays_closed(ruled: Ruled) -> None:
    ruled.publish(TWO_A_DAY)
    ledger = ruled.ledger
    ruled.redeemed(*(ledger.first.redeem() for _ in range(3)))
    ruled.book(first=1)
    assert ledger.kinds() == ["not-allowed"]


def test_a_category_that_was_written_to_the_card_counts_from_its_day(ruled: Ruled) -> None:
    ruled.publish("eligibility: {categories: [retired]}\n" + TWO_A_DAY)
    ledger = ruled.ledger
    updates, number = ledger.registry.updates, ledger.first.card_number
    wanted = {UpdateKind.CATEGORY: elements.CATEGORY.encode(Category.RETIRED)}
    updates.want(number, wanted, by="会籍科", reason="退休")
    with ledger.registry._context.write() as conn:
        written = datetime(DAY.year, DAY.month, DAY.day, 8, tzinfo=UTC)
        conn.execute(update(card_updates).values(state="done", ended_at=written))
    before = ledger.first.redeem(day=DAY - timedelta(days=1))
    assert ruled.redeemed(before) == {"not-allowed": 1}, "still in post on that day"
    assert ruled.facts("not-allowed")[0]["code"] == "other-category"
    assert ruled.redeemed(ledger.first.redeem()) == {}, "retired from this day on"
    assert ruled.redeemed(ledger.second.redeem()) == {"not-allowed": 1}, "another member is not"


@pytest.mark.parametrize(("age", "kinds"), [("{from: 18}", {}), ("{through: 1}", {"not-allowed": 1})])
def test_an_age_is_judged_by_the_sealed_identity_number(ruled: Ruled, age: str, kinds: dict[str, int]) -> None:
    ruled.publish(f"eligibility: {{age: {age}, districts: ['110105']}}\n" + TWO_A_DAY)
    assert ruled.redeemed(ruled.ledger.first.redeem()) == kinds


def test_a_row_of_another_day_than_its_request_is_held(ledger: Ledger) -> None:
    used = ledger.first.redeem(day=DAY - timedelta(days=1))
    ledger.till.add(RowKind.REDEEMED, None, **counted(used))
    assert ledger.book().findings == {"clock": 1}
    assert ledger.findings()[0].facts == {"day": "2026-11-21", "row": "2026-11-22"}
    assert ledger.held() == [1]


def test_a_row_over_midnight_and_a_recovery_on_a_later_day_are_right(ledger: Ledger) -> None:
    first, second = ledger.first.redeem(day=DAY - timedelta(days=1)), ledger.second.redeem(day=DAY - timedelta(days=5))
    ledger.till.at = datetime(DAY.year, DAY.month, DAY.day, 0, 0, 5, tzinfo=UTC)
    ledger.till.add(RowKind.REDEEMED, None, **counted(first))
    ledger.till.add(RowKind.RECOVERED, None, **counted(second))
    assert ledger.book().findings == {}


def test_two_redemptions_under_one_row_number_are_both_booked_with_a_finding(ledger: Ledger) -> None:
    copy = Till(ledger.till.journal)
    ledger.till.redeemed(ledger.first.redeem())
    ledger.till.add(RowKind.TORN, intent=9)
    ledger.book()
    copy.redeemed(ledger.second.redeem())  # a copy of the journal went on, and is not as far yet
    result = ledger.book(copy)
    assert (result.booked, result.findings) == (1, {"row-doubled": 1})
    assert (ledger.counters(ledger.first), ledger.counters(ledger.second)) == ([1], [1])
    assert ledger.held() == []


def test_a_reversal_that_names_two_redemptions_takes_back_neither(ledger: Ledger) -> None:
    copy = Till(ledger.till.journal)
    row = ledger.till.redeemed(ledger.first.redeem())
    ledger.till.add(RowKind.TORN, intent=9)
    ledger.book()
    copy.redeemed(ledger.second.redeem())
    copy.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="买错")
    assert ledger.book(copy).findings["reversal-unknown"] == 1
    assert all(one.reversed_at is None for one in ledger.registry.redemptions.page().items)


@pytest.mark.parametrize(
    ("rules", "first"),
    [
        ("limits: [{count: 2, per: day}]", DAY),
        ("limits: [{count: 2, per: month}]", DAY.replace(day=1)),
        ("limits: [{count: 2, per: quarter}, {count: 9, per: day}]", date(2026, 10, 1)),
        ("limits: [{count: 2, per: year}]", date(2026, 1, 1)),
        ("limits: [{count: 2, per: day}, {count: 9, per: lifetime}]", None),
        ("limits: [{count: 2, per: event}]", None),
        ("limits: [{count: 2, per: day}]\nphases: [{product: visit}]", None),
    ],
)
def test_only_uses_since_the_first_day_that_a_rule_looks_at_are_read(
    ruled: Ruled, rules: str, first: date | None
) -> None:
    ruled.publish('counted: card\nclass: "0101"\n' + rules + PRODUCTS)
    assert ruled.rules.refreshed().since("0101", DAY) == first


def test_a_use_of_an_earlier_period_is_not_read_at_booking(ruled: Ruled, monkeypatch: pytest.MonkeyPatch) -> None:
    ruled.publish(TWO_A_DAY)
    seen: list[int] = []
    mark = BookingRules.mark

    def counting(self: BookingRules, use: RuledUse, before: Sequence[RuledUse], birth: Birth) -> Mark | None:
        seen.append(len(before))
        return mark(self, use, before, birth)

    monkeypatch.setattr(BookingRules, "mark", counting)
    ledger = ruled.ledger
    ruled.redeemed(*(ledger.first.redeem(day=DAY - timedelta(days=days)) for days in (9, 8, 7)))
    seen.clear()
    assert ruled.redeemed(ledger.first.redeem(), ledger.first.redeem()) == {}
    assert seen == [0, 1]
