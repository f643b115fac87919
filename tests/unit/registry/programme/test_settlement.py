"""Settlement: statements by merchant and month, two signatures, versions, disputes, and sums to the fen."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from registry.errors import OWN_WORK, NotOnRecord, RegistryConflict
from registry.programme.merchants import NewMerchant, NewOutlet
from registry.programme.payouts import digest_of
from registry.programme.rates import Rate
from registry.programme.statement import EntryKind, Month, Statement, StatementSheet, StatementState
from registry.store import Registry
from registry.values import Card
from terminal.keys.memory import MemoryCustody
from terminal.member.journal_rows import RowKind
from tests.support.registry import databases
from tests.support.registry.redeemed import (
    PARK,
    Till,
    approve_all,
    chips_of,
    give_rate,
    masters,
    park,
    prove_with,
    two_cards,
)
from tests.support.registry.registrar import SetClock, audit_entries, custodian
from tests.support.thorough import repeats

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
NOVEMBER, DECEMBER, JANUARY = Month(2026, 11), Month(2026, 12), Month(2027, 1)
IN_DECEMBER = datetime(2026, 12, 3, 9, 0, tzinfo=UTC)
IN_JANUARY = datetime(2027, 1, 4, 9, 0, tzinfo=UTC)
IN_FEBRUARY = datetime(2027, 2, 4, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Filled:
    """A database with two cards and a park."""

    url: str
    cards: list[Card]
    outlets: tuple[int, int]


class Settling:
    """A registry with two cards, a park and one journal of its east gate, in December 2026."""

    def __init__(self, registry: Registry, keys: MemoryCustody, filled: Filled, clock: SetClock) -> None:
        self.registry, self.prove, self.clock = registry, prove_with(keys), clock
        self.first, self.second = chips_of(keys, filled.cards)
        self.east, self.west = filled.outlets
        self.till = Till()
        clock.now = IN_DECEMBER

    def redeemed(
        self, amount: int, day: date = date(2026, 11, 22), *, quantity: int = 1, terminal: str = "T0000001"
    ) -> int:
        """The row of a redemption that is booked."""
        evidence = self.first.redeem(amount=amount, day=day, quantity=quantity, terminal=terminal)
        row = self.till.redeemed(evidence)
        self.book()
        return row.number

    def reverse(self, row: int, day: date) -> None:
        self.till.add(RowKind.REVERSED, day, redemption=row, by="王芳", reason="wrong benefit")
        self.book()

    def book(self) -> None:
        self.registry.booking.book(self.east, self.till.upload(), self.prove, by="till 1 (token 1)")

    def draw_up(self, month: Month = NOVEMBER, reason: str = "") -> StatementSheet:
        return self.registry.settlement.draw_up("PARK-EAST", month, by="zhang", reason=reason)

    def close(self, sheet: StatementSheet) -> Statement:
        number, digest = sheet.statement.number, sheet.statement.digest
        self.registry.settlement.sign(number, digest, by="zhang")
        return self.registry.settlement.sign(number, digest, by="li")

    def closed(self, month: Month = NOVEMBER, reason: str = "") -> Statement:
        return self.close(self.draw_up(month, reason))

    def redemption(self, atc: int) -> int:
        return next(one.id for one in self.registry.redemptions.page(limit=500).items if one.atc == atc)

    def refuse_finding(self, decision: str = "refused") -> None:
        for finding in self.registry.findings.page(limit=500).items:
            if finding.holds:
                for person in ("li", "wang") if decision == "accepted" else ("li",):
                    self.registry.findings.close(finding.id, decision, by=person, reason="looked at")


@pytest.fixture(scope="module")
def keys() -> MemoryCustody:
    return masters()


@pytest.fixture(scope="module")
def custody() -> MemoryCustody:
    return custodian()


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, custody: MemoryCustody) -> Filled:
    """The database of which each test has a copy."""
    if request.param == "postgresql":
        request.getfixturevalue("cluster")
    with databases.on_postgresql() if request.param == "postgresql" else nullcontext():
        url = databases.fresh(tmp_path_factory.mktemp("filled"))
    with Registry.open(url, custody, clock=SetClock()) as registry:
        return Filled(url, two_cards(registry, custody), park(registry))


@pytest.fixture
def url(filled: Filled, tmp_path: Path) -> str:
    return databases.copy(filled.url, tmp_path)


@pytest.fixture
def settling(registry: Registry, keys: MemoryCustody, filled: Filled, clock: SetClock) -> Settling:
    return Settling(registry, keys, filled, clock)


def test_a_statement_has_sums_by_outlet_and_benefit_and_what_the_union_owes(settling: Settling) -> None:
    give_rate(settling.registry, Rate("0101", date(2026, 1, 1), 250, -150))
    settling.redeemed(1000, quantity=2)
    settling.redeemed(333, date(2026, 11, 30))
    settling.redeemed(500, date(2026, 12, 1))
    sheet = settling.draw_up()
    # 2 x 2.50 - 1.5 % of 10.00, and 2.50 - 1.5 % of 3.33, which is 0.05 rounded
    assert [(entry.amount, entry.due) for entry in sheet.entries] == [(1000, 485), (333, 245)]
    assert (sheet.statement.entries, sheet.statement.amount, sheet.statement.due) == (2, 1333, 730)
    (line,) = sheet.lines
    assert (line.outlet_name, line.benefit_class, line.totals.uses, line.totals.quantity) == ("east gate", "0101", 2, 3)
    assert (sheet.totals.amount, sheet.totals.due) == (1333, 730)
    assert sheet.statement.state is StatementState.DRAFT


def test_without_a_rate_the_union_owes_nothing(settling: Settling) -> None:
    give_rate(settling.registry, Rate("0101", date(2026, 12, 1), 100))
    settling.redeemed(500)
    assert settling.draw_up().statement.due == 0


def test_of_two_rates_of_one_day_the_newer_one_holds(settling: Settling) -> None:
    for per_unit in (100, 200):
        give_rate(settling.registry, Rate("0101", date(2026, 1, 1), per_unit))
    views = settling.registry.rates.of("PARK-EAST")
    assert {(view.by, view.approved_by) for view in views} == {("zhang", "second person")}
    assert [(view.rate.per_unit, view.in_use) for view in views] == [(100, False), (200, True)]
    settling.redeemed(500)
    assert settling.draw_up().statement.due == 200


@pytest.mark.parametrize(
    ("rate", "quantity", "amount", "due"),
    [
        (Rate("0101", date(2026, 1, 1), 0, 5000), 1, 1, 1),
        (Rate("0101", date(2026, 1, 1), 0, -5000), 1, 1, -1),
        (Rate("0101", date(2026, 1, 1), 0, 4999), 1, 1, 0),
        (Rate("0101", date(2026, 1, 1), -30, 0), 3, 999, -90),
    ],
)
def test_a_share_is_rounded_half_away_from_zero(rate: Rate, quantity: int, amount: int, due: int) -> None:
    assert rate.due(quantity, amount) == due


@pytest.mark.parametrize(
    ("rate", "reason"),
    [
        (Rate("101", date(2026, 1, 1), 1), "rate-class"),
        (Rate("0101", date(2026, 1, 1), 0, 10_001), "rate-range"),
        (Rate("0101", date(2026, 1, 1), -100_000_001), "rate-range"),
    ],
)
def test_a_rate_out_of_range_is_refused(settling: Settling, rate: Rate, reason: str) -> None:
    with pytest.raises(RegistryConflict) as refused:
        give_rate(settling.registry, rate)
    assert refused.value.reason == reason


def test_two_people_close_a_statement(settling: Settling) -> None:
    settling.redeemed(500)
    drawn = settling.draw_up().statement
    sign = settling.registry.settlement.sign
    assert sign(drawn.number, drawn.digest, by="zhang").state is StatementState.SIGNED
    for same in ("zhang", "ZHANG", "zhang (command line)"):
        with pytest.raises(RegistryConflict) as refused:
            sign(drawn.number, drawn.digest, by=same)
        assert refused.value.reason == OWN_WORK
    closed = sign(drawn.number, drawn.digest, by="li")
    assert (closed.state, closed.signed_by, closed.closed_by) == (StatementState.CLOSED, "zhang", "li")
    assert audit_entries(settling.registry, "settlement.close") == [("li", f"statement:{drawn.number}", "")]
    with pytest.raises(RegistryConflict, match="closed already"):
        sign(drawn.number, drawn.digest, by="li")


def test_another_statement_than_the_one_looked_at_is_not_signed(settling: Settling) -> None:
    settling.redeemed(500)
    with pytest.raises(RegistryConflict, match="look at it again"):
        settling.registry.settlement.sign(settling.draw_up().statement.number, "0" * 64, by="zhang")


def test_a_month_is_settled_when_it_is_over_in_the_zone_of_the_users(settling: Settling) -> None:
    settling.redeemed(500)
    settling.clock.now = datetime(2026, 11, 30, 15, 59, 59, tzinfo=UTC)  # 23:59:59 in Shanghai
    context = settling.registry._context
    shanghai = Registry(type(context)(context.database, context.personal, context.clock, ZoneInfo("Asia/Shanghai")))
    with pytest.raises(RegistryConflict, match="2026-11 is not over yet"):
        shanghai.settlement.draw_up("PARK-EAST", NOVEMBER, by="zhang")
    settling.clock.forward(timedelta(seconds=1))
    assert shanghai.settlement.draw_up("PARK-EAST", NOVEMBER, by="zhang").statement.entries == 1


def test_a_redemption_reversed_in_its_month_counts_for_nothing(settling: Settling) -> None:
    give_rate(settling.registry, Rate("0101", date(2026, 1, 1), 100))
    row = settling.redeemed(500)
    settling.redeemed(300)
    settling.reverse(row, date(2026, 11, 22))
    sheet = settling.draw_up()
    assert (sheet.totals.uses, sheet.totals.redeemed, sheet.totals.backs, sheet.totals.back) == (2, 800, 1, -500)
    assert (sheet.statement.amount, sheet.statement.due) == (300, 100)


def test_held_rows_are_left_for_a_later_month_and_refused_ones_for_none(settling: Settling) -> None:
    settling.redeemed(500)
    settling.redeemed(700, terminal="X9999999")
    drawn = settling.closed()
    assert (drawn.amount, drawn.left_out.held, drawn.left_out.held_amount) == (500, 1, 700)
    settling.refuse_finding("accepted")
    settling.redeemed(900, terminal="X8888888")
    settling.clock.now = IN_JANUARY
    sheet = settling.draw_up(DECEMBER)
    assert [(entry.amount, entry.late) for entry in sheet.entries] == [(700, True)]
    settling.refuse_finding("refused")
    assert settling.close(sheet).left_out.held == 1
    settling.clock.now = IN_FEBRUARY
    assert settling.draw_up(JANUARY).statement.left_out.held == 0


def test_a_late_upload_falls_into_the_next_month(settling: Settling) -> None:
    settling.redeemed(500)
    settling.closed()
    settling.redeemed(600)
    settling.redeemed(700, date(2026, 12, 2))
    settling.clock.now = IN_JANUARY
    sheet = settling.draw_up(DECEMBER)
    assert [(entry.amount, entry.late) for entry in sheet.entries] == [(600, True), (700, False)]


def test_a_closed_month_is_reopened_by_two_people_with_a_reason_and_stands_until_then(settling: Settling) -> None:
    settling.redeemed(500)
    first = settling.closed()
    settling.redeemed(600)
    with pytest.raises(RegistryConflict, match="needs a reason"):
        settling.draw_up()
    sheet = settling.draw_up(reason="the east gate was offline")
    assert (sheet.statement.version, sheet.statement.amount) == (2, 1100)
    sheets = settling.registry.settlement
    assert sheets.sheet(first.number).statement.state is StatementState.CLOSED
    second = settling.close(sheet)
    assert (second.state, second.reason) == (StatementState.CLOSED, "the east gate was offline")
    assert sheets.sheet(first.number).statement.state is StatementState.SUPERSEDED
    assert [entry.amount for entry in sheets.sheet(first.number).entries] == [500]
    settling.clock.now = IN_JANUARY
    assert settling.draw_up(DECEMBER).entries == ()


def test_what_is_refused_after_it_was_settled_is_taken_back_once(settling: Settling) -> None:
    give_rate(settling.registry, Rate("0101", date(2026, 1, 1), 100))
    settling.redeemed(500)
    settling.redeemed(600)
    settling.closed()
    dispute = settling.registry.disputes.raise_one(settling.redemption(1), by="li", reason="nobody was there")
    settling.registry.disputes.decide(dispute.number, "refused", by="zhang", reason="so it is")
    give_rate(settling.registry, Rate("0101", date(2026, 1, 1), 999))
    settling.clock.now = IN_JANUARY
    december = settling.draw_up(DECEMBER)
    assert [(one.kind, one.amount, one.due) for one in december.entries] == [(EntryKind.TAKEN_BACK, -500, -100)]
    settling.close(december)
    settling.clock.now = IN_FEBRUARY
    assert settling.closed(JANUARY).entries == 0
    again = settling.draw_up(NOVEMBER, "the rate was wrong")  # keeps what December has taken back
    assert [(one.amount, one.due) for one in again.entries] == [(500, 100), (600, 999)]


def test_a_disputed_redemption_waits_for_a_second_person(settling: Settling) -> None:
    settling.redeemed(500)
    settling.redeemed(600)
    disputes = settling.registry.disputes
    raised = disputes.raise_one(
        settling.redemption(2), by="till 1 (token 1)", reason="we gave two", outlet=settling.west
    )
    assert (raised.party, raised.decision) == ("merchant", None)
    drawn = settling.draw_up().statement
    assert (drawn.amount, drawn.left_out.disputed, drawn.left_out.disputed_amount) == (500, 1, 600)
    settling.registry.settlement.discard(drawn.number, by="zhang", reason="wait for the dispute")
    with pytest.raises(RegistryConflict) as refused:
        disputes.decide(raised.number, "accepted", by="till 1 (token 1)", reason="it is right")
    assert refused.value.reason == OWN_WORK
    decided = disputes.decide(raised.number, "accepted", by="li", reason="it is right")
    assert (decided.decision, decided.decided_by) == ("accepted", "li")
    assert settling.draw_up().statement.amount == 1100
    with pytest.raises(RegistryConflict, match="decided already"):
        disputes.decide(raised.number, "refused", by="wang", reason="no")
    with pytest.raises(RegistryConflict, match="disputed already"):
        disputes.raise_one(settling.redemption(2), by="li", reason="again")
    assert [one.number for one in disputes.page(decided=True).items] == [raised.number]
    assert disputes.page().items == ()


def test_a_merchant_disputes_its_own_redemptions_only(settling: Settling) -> None:
    settling.redeemed(500)
    other = NewMerchant(
        "FILM", "影院", date(2026, 1, 1), date(2027, 12, 31), ("0102",), (NewOutlet("hall", "", ("T0000009",)),)
    )
    (film,) = settling.registry.merchants.put(other, by="zhang")
    with pytest.raises(NotOnRecord):
        settling.registry.disputes.raise_one(settling.redemption(1), by="x", reason="no", outlet=film.outlets[0].id)


def test_the_merchant_of_the_statement_disputes_a_redemption_that_another_uploaded(settling: Settling) -> None:
    other = NewMerchant(
        "FILM", "影院", date(2026, 1, 1), date(2027, 12, 31), ("0101",), (NewOutlet("hall", "", ("T0000009",)),)
    )
    (film,) = settling.registry.merchants.put(other, by="zhang")
    hall, disputes = film.outlets[0].id, settling.registry.disputes
    settling.till.redeemed(settling.first.redeem())  # the card has signed the park's number, and the cinema uploads it
    settling.registry.booking.book(hall, settling.till.upload(), settling.prove, by="till 9 (token 9)")
    settling.refuse_finding("accepted")
    with pytest.raises(NotOnRecord):
        disputes.raise_one(settling.redemption(1), by="x", reason="no", outlet=hall)
    assert [entry.atc for entry in settling.draw_up().entries] == [1], "in the park's statement"
    assert disputes.raise_one(settling.redemption(1), by="x", reason="no", outlet=settling.west).party == "merchant"


def test_a_statement_is_not_signed_when_a_redemption_of_it_was_disputed_since(settling: Settling) -> None:
    settling.redeemed(500)
    drawn = settling.draw_up().statement
    settling.registry.disputes.raise_one(settling.redemption(1), by="li", reason="nobody was there")
    with pytest.raises(RegistryConflict) as refused:
        settling.registry.settlement.sign(drawn.number, drawn.digest, by="zhang")
    assert refused.value.reason == "settlement-changed"


def test_a_statement_is_not_closed_when_a_redemption_of_it_was_reversed_since(settling: Settling) -> None:
    row = settling.redeemed(500)
    drawn = settling.draw_up().statement
    settling.registry.settlement.sign(drawn.number, drawn.digest, by="zhang")
    settling.reverse(row, date(2026, 11, 22))
    with pytest.raises(RegistryConflict) as refused:
        settling.registry.settlement.sign(drawn.number, drawn.digest, by="li")
    assert refused.value.reason == "settlement-changed"


def test_what_comes_between_the_signatures_is_for_the_next_month(settling: Settling) -> None:
    settling.redeemed(500)
    sheet = settling.draw_up()
    settling.redeemed(600)
    assert settling.close(sheet).amount == 500


def test_months_are_settled_in_their_order_and_one_at_a_time(settling: Settling) -> None:
    settling.redeemed(500)
    settling.redeemed(600, date(2026, 12, 2))
    settling.clock.now = IN_JANUARY
    with pytest.raises(RegistryConflict, match="2026-11 has to be settled first"):
        settling.draw_up(DECEMBER)
    sheet = settling.draw_up(NOVEMBER)
    with pytest.raises(RegistryConflict, match="is not finished"):
        settling.draw_up(NOVEMBER)
    settling.close(sheet)
    settling.closed(DECEMBER)
    with pytest.raises(RegistryConflict, match="falls into the next month"):
        settling.draw_up(Month(2026, 10))


COLUMNS = (
    "merchant_id, month, version, state, created_at, created_by, reason, entries, amount, due, held, held_amount, "
    "disputed, disputed_amount, digest"
)
FORBIDDEN = {
    "a rate changed": "UPDATE settlement_rates SET share = 1",
    "a rate deleted": "DELETE FROM settlement_rates",
    "a statement deleted": "DELETE FROM statements",
    "sums changed": "UPDATE statements SET due = due + 1 WHERE state = 'closed'",
    "a closed one reopened": "UPDATE statements SET state = 'draft' WHERE state = 'closed'",
    "a signature exchanged": "UPDATE statements SET closed_by = 'x' WHERE state = 'closed'",
    "a draft closed by one": (
        "UPDATE statements SET state = 'signed', signed_by = 'x', signed_at = created_at WHERE state = 'draft';"
        "UPDATE statements SET state = 'closed', closed_by = 'x', closed_at = created_at WHERE state = 'signed'"
    ),
    "a draft closed at once": (
        "UPDATE statements SET state = 'closed', signed_by = 'x', signed_at = created_at, closed_by = 'y', "
        "closed_at = created_at WHERE state = 'draft'"
    ),
    "a statement that is born closed": (
        "INSERT INTO statements (*) SELECT * FROM statements WHERE state = 'closed'".replace("*", COLUMNS)
    ),
    "an entry deleted": "DELETE FROM statement_entries",
    "an entry changed": "UPDATE statement_entries SET due = 1",
    "an entry put in force before it is signed": (
        "UPDATE statement_entries SET in_force = true WHERE statement_id = (SELECT max(id) FROM statements)"
    ),
    "an entry out of force": "UPDATE statement_entries SET in_force = false WHERE in_force",
    "an entry added": (
        "INSERT INTO statement_entries SELECT statement_id, redemption_id, 'taken-back', 0, 0, false "
        "FROM statement_entries WHERE in_force"
    ),
    "a dispute deleted": "DELETE FROM disputes",
    "a dispute decided by the same person": (
        "UPDATE disputes SET decided_at = at, decided_by = by, decision = 'accepted', decided_reason = 'x' "
        "WHERE decided_at IS NULL"
    ),
    "a decision changed": "UPDATE disputes SET decision = 'refused' WHERE decided_at IS NOT NULL",
}


def test_the_database_holds_what_was_signed(settling: Settling) -> None:
    give_rate(settling.registry, Rate("0101", date(2026, 1, 1), 100))
    for amount in (500, 600, 700):
        settling.redeemed(amount)
    disputes = settling.registry.disputes
    decided = disputes.raise_one(settling.redemption(2), by="li", reason="nobody was there")
    disputes.decide(decided.number, "accepted", by="zhang", reason="somebody was")
    disputes.raise_one(settling.redemption(3), by="li", reason="nobody was there")
    settling.closed()
    settling.draw_up(reason="again")

    def refused(statements: str) -> bool:
        try:
            with settling.registry._context.database.write() as conn:
                for statement in statements.split(";"):
                    conn.execute(text(statement))
        except RegistryConflict:
            return True
        return False

    assert [what for what, statements in FORBIDDEN.items() if not refused(statements)] == []


Uses = st.lists(
    st.tuples(
        st.integers(0, 10**9),
        st.integers(1, 3),
        st.sampled_from([date(2026, 11, 2), date(2026, 11, 30), date(2026, 12, 31)]),
        st.sampled_from(["sound", "reversed", "held", "refused", "disputed", "undone"]),
    ),
    max_size=8,
)


@settings(max_examples=repeats(8, 300), deadline=None, suppress_health_check=list(HealthCheck))
@given(uses=Uses, share=st.integers(-10_000, 10_000), per_unit=st.integers(-1000, 1000))
def test_statements_are_the_sum_of_accepted_redemptions_to_the_fen(
    tmp_path_factory: pytest.TempPathFactory,
    keys: MemoryCustody,
    custody: MemoryCustody,
    filled: Filled,
    uses: list[tuple[int, int, date, str]],
    share: int,
    per_unit: int,
) -> None:
    clock = SetClock()
    rate = Rate("0101", date(2026, 1, 1), per_unit, share)
    with Registry.open(databases.copy(filled.url, tmp_path_factory.mktemp("one")), custody, clock=clock) as registry:
        settling = Settling(registry, keys, filled, clock)
        give_rate(registry, rate)
        clock.now = IN_JANUARY
        wanted = 0, 0
        undone = []
        for amount, quantity, day, state in sorted(uses, key=lambda use: use[2]):
            terminal = "X9999999" if state in ("held", "refused") else "T0000001"
            row = settling.redeemed(amount, day, quantity=quantity, terminal=terminal)
            if state == "reversed":
                settling.reverse(row, day)
            elif state == "refused":
                settling.refuse_finding()
            elif state == "disputed":
                registry.disputes.raise_one(settling.redemption(settling.first.atc), by="li", reason="no")
            elif state == "undone":
                undone.append(settling.redemption(settling.first.atc))
            else:
                wanted = wanted[0] + amount, wanted[1] + rate.due(quantity, amount)
                if state == "held":
                    settling.refuse_finding("accepted")
        statements = [settling.closed(NOVEMBER), settling.closed(DECEMBER)]
        for number in undone:
            dispute = registry.disputes.raise_one(number, by="li", reason="no")
            registry.disputes.decide(dispute.number, "refused", by="zhang", reason="no")
        clock.now = IN_FEBRUARY
        statements.append(settling.closed(JANUARY))
        assert (sum(one.amount for one in statements), sum(one.due for one in statements)) == wanted


Steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["book", "book", "held"]), st.integers(0, 10**7), st.integers(1, 3)),
        st.tuples(
            st.sampled_from(["reverse", "dispute", "accepted", "refused", "clear", "reject"]),
            st.integers(0, 5),
            st.just(0),
        ),
        st.tuples(st.sampled_from(["close", "reopen"]), st.sampled_from([NOVEMBER, DECEMBER, JANUARY]), st.just(0)),
    ),
    max_size=14,
)


class Ledger:
    """Steps in any order, and what the union owes by them in the end."""

    def __init__(self, settling: Settling, days: list[date]) -> None:
        self.settling, self.days = settling, days
        self.uses: list[tuple[int, int, int]] = []  # row, amount, quantity; in the order of the counters
        self.lost: set[int] = set()

    def step(self, step: str, one: Any, quantity: int) -> None:
        if step in ("book", "held"):
            day = self.days[len(self.uses)]
            terminal = "X9999999" if step == "held" else "T0000001"
            self.uses.append((self.settling.redeemed(one, day, quantity=quantity, terminal=terminal), one, quantity))
        elif step in ("close", "reopen"):
            self._settle(one, "once more" if step == "reopen" else "")
        elif one < len(self.uses):
            with suppress(RegistryConflict, NotOnRecord):
                self._of_redemption(step, one)

    def end(self) -> tuple[int, int]:
        """Everything is decided and settled: the sums of what is in force."""
        for number in range(len(self.uses)):
            for step in ("clear", "accepted"):
                self.step(step, number, 0)
        self.settling.clock.now = datetime(2027, 3, 4, 9, 0, tzinfo=UTC)
        for month in (NOVEMBER, DECEMBER, JANUARY, Month(2027, 2)):
            self._settle(month, "")
        closed = self.settling.registry.settlement.page(limit=500, state=StatementState.CLOSED).items
        return sum(one.amount for one in closed), sum(one.due for one in closed)

    def _settle(self, month: Month, reason: str) -> None:
        with suppress(RegistryConflict):
            self.settling.closed(month, reason)

    def _of_redemption(self, step: str, number: int) -> None:
        registry, atc = self.settling.registry, number + 1
        if step == "reverse":
            self.settling.reverse(self.uses[number][0], self.days[number])
            self.lost.add(number)
        elif step == "dispute":
            registry.disputes.raise_one(self.settling.redemption(atc), by="li", reason="no")
        elif step in ("accepted", "refused"):
            redemption = self.settling.redemption(atc)
            for one in registry.disputes.page(limit=500).items:
                if one.redemption == redemption:
                    registry.disputes.decide(one.number, step, by="zhang", reason="no")
                    self.lost |= {number} if step == "refused" else set()
        else:
            decision = "accepted" if step == "clear" else "refused"
            for finding in registry.findings.page(limit=500).items:
                if finding.atc == atc and finding.holds:
                    for person in ("li", "wang") if decision == "accepted" else ("li",):
                        registry.findings.close(finding.id, decision, by=person, reason="looked at")
                    self.lost |= {number} if decision == "refused" else set()


@settings(max_examples=repeats(8, 300), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=Steps,
    days=st.lists(st.dates(date(2026, 11, 1), date(2027, 1, 31)), min_size=14, max_size=14).map(sorted),
    share=st.integers(-10_000, 10_000),
    per_unit=st.integers(-1000, 1000),
)
def test_sums_are_those_of_accepted_redemptions_in_any_order_of_steps(
    tmp_path_factory: pytest.TempPathFactory,
    keys: MemoryCustody,
    custody: MemoryCustody,
    filled: Filled,
    steps: list[tuple[str, Any, int]],
    days: list[date],
    share: int,
    per_unit: int,
) -> None:
    clock, rate = SetClock(), Rate("0101", date(2026, 1, 1), per_unit, share)
    with Registry.open(databases.copy(filled.url, tmp_path_factory.mktemp("one")), custody, clock=clock) as registry:
        ledger = Ledger(Settling(registry, keys, filled, clock), days)
        give_rate(registry, rate)
        clock.now = IN_FEBRUARY
        for step in steps:
            ledger.step(*step)
        sums = ledger.end()
    counted = [use for number, use in enumerate(ledger.uses) if number not in ledger.lost]
    assert sums == (
        sum(amount for _, amount, _ in counted),
        sum(rate.due(quantity, amount) for _, amount, quantity in counted),
    )


def test_a_payout_list_has_each_statement_once_and_of_a_reopened_month_the_difference(
    settling: Settling,
) -> None:
    give_rate(settling.registry, Rate("0101", date(2026, 1, 1), 100))
    payouts = settling.registry.payouts
    settling.redeemed(500)
    with pytest.raises(RegistryConflict) as refused:
        payouts.draw_up(NOVEMBER, by="zhang")
    assert refused.value.reason == "payout-nothing"
    first = settling.closed()
    listed = payouts.draw_up(NOVEMBER, by="zhang")
    assert [(one.merchant, one.statement, one.amount, one.account) for one in listed.rows] == [
        ("PARK-EAST", first.number, 100, "************1234")
    ]
    with pytest.raises(RegistryConflict, match="no signed statement"):
        payouts.draw_up(NOVEMBER, by="zhang")
    settling.redeemed(600)
    settling.redeemed(700)
    second = settling.closed(reason="the east gate was offline")
    later = payouts.draw_up(NOVEMBER, by="zhang")
    assert [(one.statement, one.version, one.amount) for one in later.rows] == [(second.number, 2, 200)]
    assert [(one.number, one.pay, one.collect) for one in payouts.page().items] == [
        (later.payout.number, 200, 0),
        (listed.payout.number, 100, 0),
    ]


def test_a_payout_list_keeps_the_account_of_its_day_under_its_hash(settling: Settling) -> None:
    give_rate(settling.registry, Rate("0101", date(2026, 1, 1), 100))
    settling.redeemed(500)
    settling.closed()
    drawn = settling.registry.payouts.draw_up(NOVEMBER, by="zhang").payout
    settling.registry.merchants.put(replace(PARK, account="6222000000005678"), by="zhang")
    approve_all(settling.registry)
    opened = settling.registry.payouts.opened(drawn.number, by="zhang")
    assert [one.account for one in opened.rows] == [PARK.account]
    assert digest_of("2026-11", opened.rows) == drawn.digest == opened.payout.digest
    assert audit_entries(settling.registry, "payout.file") == [("zhang", f"payout:{drawn.number}", "")]
    assert [one.account for one in settling.registry.payouts.payout(drawn.number).rows] == ["************1234"]
    with pytest.raises(NotOnRecord, match="there is no payout list 9"):
        settling.registry.payouts.payout(9)


def test_a_merchant_that_owes_is_listed_to_collect_from(settling: Settling) -> None:
    give_rate(settling.registry, Rate("0101", date(2026, 1, 1), 0, -1000))
    settling.redeemed(500)
    settling.closed()
    payout = settling.registry.payouts.draw_up(NOVEMBER, by="zhang").payout
    assert (payout.rows, payout.pay, payout.collect) == (1, 0, 50)


OF_PAYOUTS = {
    "a list deleted": "DELETE FROM payouts",
    "a list changed": "UPDATE payouts SET pay = 1",
    "a row deleted": "DELETE FROM payout_rows",
    "a row changed": "UPDATE payout_rows SET amount = 1",
    "a draft listed": (
        "INSERT INTO payout_rows (payout_id, statement_id, amount, account_masked) "
        "SELECT 1, max(id), 0, '' FROM statements"
    ),
    "a statement listed twice": (
        "INSERT INTO payout_rows (payout_id, statement_id, amount, account_masked) SELECT 1, 1, 0, ''"
    ),
}


def test_the_database_holds_what_was_listed(settling: Settling) -> None:
    give_rate(settling.registry, Rate("0101", date(2026, 1, 1), 100))
    settling.redeemed(500)
    settling.closed()
    settling.registry.payouts.draw_up(NOVEMBER, by="zhang")
    settling.redeemed(700)
    settling.draw_up(reason="again")

    def refused(statement: str) -> bool:
        try:
            with settling.registry._context.database.write() as conn:
                conn.execute(text(statement))
        except RegistryConflict:
            return True
        return False

    assert [what for what, statement in OF_PAYOUTS.items() if not refused(statement)] == []


@pytest.mark.parametrize("wrong", ["2026", "2026-13", "2026-1", "26-11", "2026-11-01", ""])
def test_a_month_out_of_form_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"month|isoformat"):
        Month.parse(wrong)


@pytest.mark.parametrize(
    ("month", "last"),
    [("2026-12", date(2026, 12, 31)), ("2028-02", date(2028, 2, 29)), ("9999-12", date(9999, 12, 31))],
)
def test_a_month_has_its_last_day(month: str, last: date) -> None:
    assert (Month.parse(month).last, str(Month.parse(month))) == (last, month)
