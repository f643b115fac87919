"""Grants of benefits that the office counts: once for each request, and at most what the programme allows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from personalize.sheets.statement import statement_pdf
from personalize.sheets.statement_workbook import statement_workbook
from programme.booking_rules import BookingRules
from programme.records.grant_rules import ProgrammeGrantRules
from reader_service.redemptions.receiver import UploadFaultCode, UploadRefused
from reader_service.services.redeeming.registry_receiver import RegistryReceiver
from registry.db.tables import cards, grants
from registry.errors import RegistryConflict, RegistryError
from registry.programme.grants import (
    REPEATED_FOR,
    RETURNED_AFTER,
    GrantRefused,
    GrantRequest,
    OnlineGrant,
)
from registry.programme.rates import Rate
from registry.programme.statement import Month, StatementSheet
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from terminal.member.journal_rows import RowKind
from tests.support.registry.redeemed import DAY, JOURNAL, PARK, approve_all, end_park, give_rate
from tests.support.registry.registrar import SetClock, audit_entries
from tests.unit.registry.programme.test_booking import Filled, Ledger, custody, filled, keys, url
from tests.unit.registry.programme.test_rules import Ruled

__all__ = ["custody", "filled", "keys", "url"]
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
PRODUCTS = "\nproducts: {ticket: {name: {zh: 票, en: ticket}, price: {fixed: 10}}}"
TWO_A_MONTH = "counted: office\nlimits: [{count: 2, per: month}]" + PRODUCTS
FIFTY = "counted: office\nstock: {hall: {name: {zh: 大厅, en: hall}, units: 5}}" + PRODUCTS
CLIENTS = 50


class Issuer:
    """The office with one edition of a programme, and counters of the park that ask."""

    def __init__(self, ledger: Ledger, clock: SetClock) -> None:
        self.ledger, self.clock = ledger, clock
        contract = replace(PARK, benefits=(*PARK.benefits, "benefit", "unpublished"))
        ledger.registry.merchants.put(contract, by="test", reason="contract")
        approve_all(ledger.registry)
        self.ruled = Ruled(ledger, clock)

    @property
    def grants(self) -> Any:
        return self.ledger.registry.grants

    def request(self, intent: int = 1, **values: Any) -> GrantRequest:
        chip = self.ledger.first
        named = {"merchant": "PARK-EAST", "terminal": "T0000001", "benefit": "benefit", "product": "ticket"}
        plain = GrantRequest(JOURNAL, intent, chip.card_number, 1, quantity=1, price=1000, edition=1, **named)
        return replace(plain, **values)

    def ask(self, intent: int = 1, *, outlet: int = 0, **values: Any) -> OnlineGrant | GrantRefused:
        wanted = self.request(intent, **values)
        rules = ProgrammeGrantRules(self.ruled.rules.refreshed())
        granted: OnlineGrant | GrantRefused = self.grants.ask(outlet or self.ledger.east, wanted, rules, by="till")
        return granted


@pytest.fixture
def issuer(registry: Registry, keys: MemoryCustody, filled: Filled, clock: SetClock) -> Issuer:
    return Issuer(Ledger(registry, keys, filled), clock)


def refused(answer: OnlineGrant | GrantRefused) -> GrantRefused:
    assert isinstance(answer, GrantRefused)
    return answer


def granted(answer: OnlineGrant | GrantRefused) -> OnlineGrant:
    assert isinstance(answer, OnlineGrant)
    return answer


def count(issuer: Issuer) -> int:
    with issuer.ledger.registry._context.read() as conn:
        return len(conn.execute(select(grants.c.id)).all())


def test_a_use_is_granted_with_price_and_what_is_left(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    answer = granted(issuer.ask())
    assert (answer.price, answer.left, answer.day, answer.known, answer.reversed) == (1000, 1, DAY, False, False)
    assert audit_entries(issuer.ledger.registry, "grant.make") == [("till", f"grant:{answer.number}", "")]


def test_the_same_request_again_is_the_same_grant(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    first = granted(issuer.ask())
    assert granted(issuer.ask()) == replace(first, known=True)
    assert count(issuer) == 1


def test_another_request_under_the_same_row_is_refused(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    issuer.ask()
    with pytest.raises(RegistryConflict) as conflict:
        issuer.ask(quantity=2, price=2000)
    assert conflict.value.reason == "grant-request"
    assert count(issuer) == 1


def test_uses_at_all_counters_and_of_all_cards_of_a_member_count_together(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    ledger = issuer.ledger
    first, second = (cards.c.card_number == chip.card_number for chip in (ledger.first, ledger.second))
    issuer.ask()
    with ledger.registry._context.write() as conn:
        holder = conn.execute(select(cards.c.member_id).where(first)).scalar_one()
        conn.execute(update(cards).where(first).values(state="replaced"))
        conn.execute(update(cards).where(second).values(member_id=holder))
    other = {"card_number": ledger.second.card_number, "journal": "f" * 32, "terminal": "T0000003"}
    assert granted(issuer.ask(outlet=ledger.west, **other)).left == 0
    over = refused(issuer.ask(2, outlet=ledger.west, **other))
    assert (over.code, over.rule, over.again_on) == ("limit-reached", "limits.0", date(2026, 12, 1))
    assert "每月每人限 2 次" in over.zh
    assert "at most 2 a month" in over.en


def test_fifty_clients_at_once_get_no_more_than_the_limit(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    rules = ProgrammeGrantRules(issuer.ruled.rules.refreshed())
    wanted = [issuer.request(number) for number in range(1, CLIENTS + 1)]

    def ask(request: GrantRequest) -> OnlineGrant | GrantRefused:
        answer: OnlineGrant | GrantRefused = issuer.grants.ask(issuer.ledger.east, request, rules, by="till")
        return answer

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(ask, wanted))
    assert sorted(one.left for one in answers if isinstance(one, OnlineGrant)) == [0, 1]
    assert {one.code for one in answers if isinstance(one, GrantRefused)} == {"limit-reached"}
    assert count(issuer) == 2


def test_fifty_clients_with_one_request_get_one_grant(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    rules, wanted = ProgrammeGrantRules(issuer.ruled.rules.refreshed()), issuer.request()
    with ThreadPoolExecutor(CLIENTS) as pool:
        jobs = [pool.submit(issuer.grants.ask, issuer.ledger.east, wanted, rules, by="till") for _ in range(CLIENTS)]
        numbers = {granted(job.result()).number for job in jobs}
    assert len(numbers) == count(issuer) == 1


def test_a_stock_is_not_oversold_to_two_members_at_once(issuer: Issuer) -> None:
    issuer.ruled.publish(FIFTY)
    rules = ProgrammeGrantRules(issuer.ruled.rules.refreshed())
    holders = (issuer.ledger.first.card_number, issuer.ledger.second.card_number)
    wanted = [issuer.request(number, card_number=holders[number % 2]) for number in range(1, CLIENTS + 1)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        jobs = [pool.submit(issuer.grants.ask, issuer.ledger.east, one, rules, by="till") for one in wanted]
        answers = [job.result() for job in jobs]
    assert sum(isinstance(one, OnlineGrant) for one in answers) == 5
    assert {one.code for one in answers if isinstance(one, GrantRefused)} == {"sold-out"}


def test_the_database_refuses_two_grants_on_one_history(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    issuer.ask()
    context = issuer.ledger.registry._context
    with context.read() as conn:
        row = dict(conn.execute(select(grants)).mappings().one())
    with pytest.raises(RegistryConflict), context.write() as conn:
        conn.execute(insert(grants).values({**row, "id": 99, "intent": 99}))


@pytest.mark.parametrize("change", [update(grants).values(price=1), delete(grants)], ids=["changed", "deleted"])
def test_a_grant_is_never_changed_or_deleted(issuer: Issuer, change: Any) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    issuer.ask()
    with pytest.raises(RegistryError), issuer.ledger.registry._context.write() as conn:
        conn.execute(change)
    assert count(issuer) == 1


def test_what_was_given_back_does_not_count(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    first = granted(issuer.ask())
    issuer.ask(2)
    row = given(issuer, 1, first.number)
    issuer.ledger.till.add(RowKind.REVERSED, redemption=row, by="王芳", reason="买错")
    issuer.ruled.book()
    assert granted(issuer.ask()).reversed, "the same request stays reversed"
    assert granted(issuer.ask(3)).left == 0


def test_the_price_is_the_programmes_whatever_the_counter_has_computed(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    assert granted(issuer.ask(price=900)).price == 1000


def test_an_older_edition_that_the_counter_still_has_gives_its_price(issuer: Issuer) -> None:
    old = issuer.ruled.publish(TWO_A_MONTH, DAY - timedelta(days=60))
    new = issuer.ruled.publish(TWO_A_MONTH.replace("fixed: 10", "fixed: 12"), DAY - timedelta(days=10))
    assert granted(issuer.ask(1, price=1000, edition=old)).price == 1000
    assert granted(issuer.ask(2, price=1000, edition=new)).price == 1200


def _lost(issuer: Issuer) -> None:
    with issuer.ledger.registry._context.write() as conn:
        this = cards.c.card_number == issuer.ledger.first.card_number
        conn.execute(update(cards).where(this).values(state="lost"))


@pytest.mark.parametrize(
    ("change", "values", "code"),
    [
        (_lost, {}, "card-ended"),
        (None, {"card_number": "6212260000000000000"}, "card-ended"),
        (lambda issuer: end_park(issuer.ledger.registry), {}, "no-contract"),
        (None, {"terminal": "T0000003"}, "unknown-terminal"),
        (None, {"terminal": "T9999999"}, "unknown-terminal"),
        (None, {"merchant": "OTHER"}, "unknown-terminal"),
        (None, {"benefit": "other"}, "benefit-not-agreed"),
        (None, {"benefit": "unpublished"}, "not-counted-here"),
        (None, {"product": "other"}, "not-in-programme"),
    ],
    ids=[
        "lost",
        "unknown card",
        "ended merchant",
        "other outlet",
        "no terminal",
        "merchant",
        "contract",
        "benefit",
        "product",
    ],
)
def test_what_is_not_in_order_is_refused_with_its_code(
    issuer: Issuer, change: Callable[[Issuer], None] | None, values: dict[str, Any], code: str
) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    if change is not None:
        change(issuer)
        issuer.clock.now += timedelta(days=1)
    answer = refused(issuer.ask(**values))
    assert answer.code == code
    assert answer.zh
    assert answer.en
    assert count(issuer) == 0


def test_the_journal_of_another_outlet_gets_nothing(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    issuer.ask()
    with pytest.raises(RegistryConflict) as conflict:
        issuer.ask(2, outlet=issuer.ledger.west, terminal="T0000003")
    assert conflict.value.reason == "journal-outlet"


def test_only_the_month_is_read_for_a_monthly_limit_and_everything_for_one_for_life(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    rules = BookingRules(issuer.ledger.registry.programme_editions, UTC).refreshed()
    assert rules.since_online("benefit", DAY) == date(2026, 11, 1)
    issuer.ruled.publish(TWO_A_MONTH.replace("month", "lifetime"))
    assert rules.refreshed().since_online("benefit", DAY) is None


def given(issuer: Issuer, intent: int, grant: int) -> int:
    """The counter's row of the result; its number."""
    till = issuer.ledger.till
    return till.add(RowKind.GIVEN, intent=intent, grant=grant, price=1000, saved=0).number


def test_the_uploaded_result_finds_its_grant_and_a_reversal_gives_it_back(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    first, second = granted(issuer.ask(1)), granted(issuer.ask(2))
    row = given(issuer, 1, first.number)
    given(issuer, 2, second.number)
    assert issuer.ruled.book().findings == {}
    assert refused(issuer.ask(9)).code == "limit-reached"
    issuer.ledger.till.add(RowKind.REVERSED, redemption=row, by="王芳", reason="买错")
    assert issuer.ruled.book().findings == {}
    assert issuer.ruled.book(first=1).findings == {}, "the same rows again change nothing"
    assert granted(issuer.ask(9)).left == 0


def test_a_result_without_a_grant_is_a_finding(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    given(issuer, 7, 99)
    assert issuer.ruled.book().findings == {"grant-unknown": 1}
    assert issuer.ledger.findings()[0].facts == {"row": 7}


def test_a_reversal_on_another_day_gives_nothing_back_and_is_a_finding(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    issuer.ask(2)
    row = given(issuer, 1, granted(issuer.ask(1)).number)
    issuer.ledger.till.add(RowKind.REVERSED, DAY + timedelta(days=1), redemption=row, by="王芳", reason="买错")
    assert issuer.ruled.book().findings == {"reversal-late": 1}
    assert refused(issuer.ask(9)).code == "limit-reached"
    (late,) = issuer.ledger.findings()
    assert [one.held for one in issuer.ledger.registry.redemptions.page().items] == [True]
    for person in ("li", "wang"):
        issuer.ledger.registry.findings.close(late.id, "accepted", by=person, reason="looked at")
    assert granted(issuer.ask(9)).left == 0


def test_an_issuer_in_the_same_installation_is_called_without_http(issuer: Issuer, custody: MemoryCustody) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    receiver = RegistryReceiver(issuer.ledger.registry, custody, "PARK-EAST", "T0000001", UTC)
    assert granted(receiver.ask(issuer.request())).left == 1
    assert granted(receiver.ask(issuer.request())).known
    with pytest.raises(UploadRefused) as conflict:
        receiver.ask(issuer.request(quantity=2))
    assert conflict.value.fault is UploadFaultCode.JOURNAL


def test_a_given_use_is_a_redemption_that_no_card_has_signed(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    number = granted(issuer.ask(1)).number
    given(issuer, 1, number)
    assert issuer.ruled.book().booked == 1
    (one,) = issuer.ledger.registry.redemptions.page().items
    assert (one.grant, one.atc, one.signed, one.benefit_class, one.amount) == (number, None, False, "benefit", 1000)
    assert (one.day, one.clock, one.merchant, one.terminal) == (DAY, "09:00:00", "PARK-EAST", "T0000001")
    again = issuer.ruled.book(first=1)
    assert (again.booked, again.known) == (0, 1)


def test_a_card_counts_on_beside_what_the_issuer_has_counted(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    ledger = issuer.ledger
    given(issuer, 1, granted(issuer.ask(1)).number)
    for _ in range(2):
        ledger.till.redeemed(ledger.first.redeem())
        assert ledger.registry.booking.book(ledger.east, ledger.till.upload(), ledger.prove, by="till").findings == {}


def test_a_grant_that_nobody_gives_is_returned_after_three_days(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    issuer.ask(1), issuer.ask(2)
    issuer.clock.now += REPEATED_FOR
    assert not granted(issuer.ask(1)).reversed
    issuer.clock.now += timedelta(minutes=1)
    assert granted(issuer.ask(1)).reversed, "it may not be given any more"
    assert refused(issuer.ask(3)).code == "limit-reached", "and counts still"
    issuer.clock.now += RETURNED_AFTER - REPEATED_FOR
    assert granted(issuer.ask(3)).left == 1


def test_a_stock_gets_back_what_nobody_has_given(issuer: Issuer) -> None:
    issuer.ruled.publish(FIFTY.replace("units: 5", "units: 1"))
    issuer.ask(1)
    assert refused(issuer.ask(2)).code == "sold-out"
    issuer.clock.now += RETURNED_AFTER + timedelta(minutes=1)
    assert isinstance(issuer.ask(2), OnlineGrant)


def test_a_result_that_comes_after_the_return_counts_and_is_held(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    number = granted(issuer.ask(1)).number
    given(issuer, 1, number)
    issuer.clock.now += RETURNED_AFTER + timedelta(minutes=1)
    assert issuer.ruled.book().findings == {"grant-late": 1}
    assert issuer.ledger.findings()[0].facts == {"day": "2026-11-22", "benefit": "benefit"}
    assert [one.held for one in issuer.ledger.registry.redemptions.page().items] == [True]
    assert granted(issuer.ask(2)).left == 0


def test_two_counters_that_want_the_last_use_at_once_get_it_once(issuer: Issuer) -> None:
    """One at each outlet, each with a journal of its own."""
    issuer.ruled.publish(TWO_A_MONTH.replace("count: 2", "count: 1"))
    rules, ledger = ProgrammeGrantRules(issuer.ruled.rules.refreshed()), issuer.ledger
    wanted = [
        (ledger.east, issuer.request()),
        (ledger.west, issuer.request(journal="f" * 32, terminal="T0000003")),
    ]
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(issuer.grants.ask, outlet, request, rules, by="till") for outlet, request in wanted]
        answers = [job.result() for job in jobs]
    assert sorted(type(one).__name__ for one in answers) == ["GrantRefused", "OnlineGrant"]
    assert count(issuer) == 1


def november_of(issuer: Issuer) -> StatementSheet:
    """The statement of November, drawn up in December and signed by two people."""
    issuer.clock.now = datetime(2026, 12, 3, 9, tzinfo=UTC)
    settlement = issuer.ledger.registry.settlement
    drawn: StatementSheet = settlement.draw_up("PARK-EAST", Month(2026, 11), by="zhang")
    for person in ("zhang", "li"):
        settlement.sign(drawn.statement.number, drawn.statement.digest, by=person)
    return drawn


def test_given_uses_are_settled_at_the_rate_of_their_code_beside_those_of_cards(issuer: Issuer) -> None:
    registry, ledger = issuer.ledger.registry, issuer.ledger
    issuer.ruled.publish(TWO_A_MONTH)
    give_rate(registry, Rate("benefit", date(2026, 1, 1), per_unit=300))
    give_rate(registry, Rate("0101", date(2026, 1, 1), share=1000))
    ledger.till.redeemed(ledger.first.redeem(amount=500))
    given(issuer, 1, granted(issuer.ask(1)).number)
    issuer.ask(2)  # of which no counter says that it was given
    registry.booking.book(ledger.east, ledger.till.upload(), ledger.prove, by="till")
    sheet = november_of(issuer)
    assert [(one.benefit_class, one.atc, one.amount, one.due) for one in sheet.entries] == [
        ("benefit", None, 1000, 300),
        ("0101", 1, 500, 50),
    ]
    assert [(line.benefit_class, line.totals.uses, line.totals.due) for line in sheet.lines] == [
        ("0101", 1, 50),
        ("benefit", 1, 300),
    ]
    assert (sheet.statement.amount, sheet.statement.due) == (1500, 350)
    assert statement_pdf(sheet, date(2026, 12, 3), UTC).startswith(b"%PDF")
    assert statement_workbook(sheet, date(2026, 12, 3), UTC)


def test_a_given_use_that_was_taken_back_comes_to_nothing(issuer: Issuer) -> None:
    issuer.ruled.publish(TWO_A_MONTH)
    give_rate(issuer.ledger.registry, Rate("benefit", date(2026, 1, 1), per_unit=300))
    row = given(issuer, 1, granted(issuer.ask(1)).number)
    issuer.ledger.till.add(RowKind.REVERSED, redemption=row, by="王芳", reason="买错")
    assert issuer.ruled.book().reversed == 1
    sheet = november_of(issuer)
    assert [(one.kind, one.amount, one.due) for one in sheet.entries] == [
        ("redeemed", 1000, 300),
        ("taken-back", -1000, -300),
    ]
    assert (sheet.statement.amount, sheet.statement.due) == (0, 0)


def test_a_given_use_is_disputed_by_its_number_and_left_out_until_it_is_decided(issuer: Issuer) -> None:
    registry = issuer.ledger.registry
    issuer.ruled.publish(TWO_A_MONTH)
    given(issuer, 1, granted(issuer.ask(1)).number)
    issuer.ruled.book()
    (one,) = registry.redemptions.page().items
    dispute = registry.disputes.raise_one(one.id, by="wang", reason="the member was abroad")
    assert (dispute.benefit_class, dispute.amount, dispute.day) == ("benefit", 1000, DAY)
    left = november_of(issuer).statement.left_out
    assert (left.disputed, left.disputed_amount) == (1, 1000)
    registry.disputes.decide(dispute.number, "accepted", by="li", reason="the member was there")
    issuer.clock.now = datetime(2027, 1, 3, 9, tzinfo=UTC)
    sheet = registry.settlement.draw_up("PARK-EAST", Month(2026, 12), by="zhang")
    assert [(entry.late, entry.amount) for entry in sheet.entries] == [(True, 1000)]
