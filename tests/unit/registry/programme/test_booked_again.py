"""Booking again: what came before its card was on record, or while its key was away, is booked once, later."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest

from registry.errors import NotOnRecord, RegistryConflict
from registry.programme.booking import BookedAgain, BookingResult
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from terminal.member.journal_rows import RowKind
from terminal.member.redemption.evidence import RedemptionEvidence
from tests.support.registry.redeemed import DAY, CountingChip, Till, counted
from tests.support.registry.registrar import SetClock, audit_entries, claimed, ready
from tests.unit.registry.programme.test_booking import Filled, Ledger, credits, custody, filled, keys, url
from tests.unit.registry.programme.test_rules import TWO_A_DAY, VISIT, Ruled

__all__ = ["custody", "filled", "keys", "url"]
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


class Unbooked(Ledger):
    """A ledger with the chip of a card that is not on record yet, and a key that may be away."""

    def __init__(self, registry: Registry, keys: MemoryCustody, filled: Filled, custody: MemoryCustody) -> None:
        super().__init__(registry, keys, filled)
        self.custody, self.with_key = custody, self.prove
        self.new = CountingChip(keys, f"621226{43:012d}")  # a serial with the right check digit

    def issue(self) -> None:
        """The new card is verified: it is on record."""
        self.registry.cards.allocate_serials("621226", 6)
        batch = ready(self.registry, self.custody, 1, "d3", 3)
        card = self.registry.line.verified(claimed(self.registry, batch, 3), {}, 1.0)
        assert card.card_number == self.new.card_number

    def take_key(self) -> None:
        """The version of the master is away, as proofs have it: no cryptogram is right."""
        self.prove = lambda evidence: False

    def again(self) -> BookedAgain:
        (finding,) = (one for one in self.findings() if one.kind in ("unknown-card", "wrong-cryptogram"))
        return self.registry.booking.again(finding.id, self.with_key, by="li")


@pytest.fixture
def ledger(registry: Registry, keys: MemoryCustody, filled: Filled, custody: MemoryCustody) -> Unbooked:
    return Unbooked(registry, keys, filled, custody)


def test_a_redemption_is_booked_once_its_card_is_on_record(ledger: Unbooked) -> None:
    ledger.redeemed(ledger.first.redeem(), ledger.new.redeem(quantity=2, amount=1000))
    (finding,) = ledger.findings()
    assert ledger.again() == BookedAgain(finding.id, False, {}), "nothing has changed yet"
    ledger.issue()
    assert ledger.again() == BookedAgain(finding.id, True, {})
    booked, _ = ledger.registry.redemptions.page().items
    assert (booked.card_number, booked.atc, booked.quantity, booked.amount) == (ledger.new.card_number, 1, 2, 1000)
    assert (booked.outlet, booked.held) == (ledger.east, False)
    (closed,) = ledger.findings(closed=True)
    assert (closed.decision, closed.closed_by, closed.reason) == ("resolved", "li", "booked")
    assert audit_entries(ledger.registry, "finding.book") == [("li", f"finding:{finding.id}", "")]
    assert ledger.book(first=1) == BookingResult(2, 0, 2, 0, {}), "the rows again book nothing"


def test_a_redemption_is_booked_once_its_key_is_back_and_a_wrong_one_stays(ledger: Unbooked) -> None:
    ledger.take_key()
    ledger.redeemed(ledger.first.redeem(), replace(ledger.second.redeem(), cryptogram=bytes(8)))
    right, wrong = ledger.findings()
    assert (right.kind, wrong.kind) == ("wrong-cryptogram", "wrong-cryptogram")
    done = ledger.registry.booking.again_all(ledger.with_key, by="li")
    assert done == (BookedAgain(right.id, True, {}),)
    assert ledger.registry.booking.again_all(ledger.with_key, by="li") == ()
    assert (ledger.counters(ledger.first), ledger.counters(ledger.second)) == ([1], [])
    assert [one.id for one in ledger.findings()] == [wrong.id]


def test_a_proven_redemption_of_an_unknown_card_becomes_a_finding_of_that_kind(ledger: Unbooked) -> None:
    ledger.take_key()
    ledger.redeemed(ledger.new.redeem())
    (first,) = ledger.findings()
    assert ledger.again() == BookedAgain(first.id, False, {"unknown-card": 1})
    assert [(one.kind, one.card_number, one.atc) for one in ledger.findings()] == [
        ("unknown-card", ledger.new.card_number, 1)
    ]
    ledger.issue()
    assert ledger.again().booked


def test_only_what_waits_for_a_card_on_record_is_booked_without_a_person(ledger: Unbooked) -> None:
    ledger.redeemed(ledger.new.redeem(), ledger.new.redeem())
    ledger.take_key()
    ledger.redeemed(ledger.first.redeem())
    assert ledger.registry.booking.again_all(ledger.with_key, unproven=False) == ()
    ledger.issue()
    done = ledger.registry.booking.again_all(ledger.with_key, unproven=False)
    assert [one.booked for one in done] == [True, True]
    assert ledger.counters(ledger.new) == [1, 2]
    assert ledger.kinds() == ["wrong-cryptogram"]
    assert [one[0] for one in audit_entries(ledger.registry, "finding.book")] == ["registry", "registry"]


def test_what_is_wrong_with_it_is_marked_as_with_its_upload(ledger: Unbooked, clock: SetClock) -> None:
    ledger.redeemed(ledger.new.redeem(day=DAY + timedelta(days=3)), ledger.new.redeem("0909", day=date(2026, 11, 25)))
    clock.forward(timedelta(days=9))
    ledger.issue()
    done = ledger.registry.booking.again_all(ledger.with_key, by="li")
    assert [dict(one.findings) for one in done] == [{"date-ahead": 1}, {"benefit-not-agreed": 1, "date-ahead": 1}]
    assert sorted(ledger.held()) == [1, 2]


def test_a_copy_of_what_was_booked_meanwhile_is_a_copied_chip(ledger: Unbooked) -> None:
    clone = replace(ledger.new)
    ledger.redeemed(ledger.new.redeem())
    ledger.issue()
    other = Till("f" * 32)
    other.redeemed(clone.redeem(terminal="T0000003", quantity=2))
    assert ledger.book(other, outlet=ledger.west).booked == 1
    assert ledger.again().findings == {"atc-doubled": 1}
    assert ledger.held() == [1]


@pytest.mark.parametrize(("days", "reversed_", "kinds"), [(0, True, []), (1, False, ["reversal-late"])])
def test_a_reversal_that_came_before_follows(ledger: Unbooked, days: int, reversed_: bool, kinds: list[str]) -> None:
    row = ledger.till.redeemed(ledger.new.redeem())
    ledger.till.at += timedelta(days=days)
    ledger.till.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="13931177777 买错")
    assert ledger.book(first=1).findings == {"unknown-card": 1, "reversal-unknown": 1}
    ledger.issue()
    assert ledger.again().booked
    (booked,) = ledger.registry.redemptions.page().items
    assert (booked.reversed_at == ledger.till.rows[1].at) is reversed_
    assert ledger.kinds() == kinds
    assert len(ledger.registry.updates.pending(ledger.new.card_number, 1)) == int(reversed_)
    again = ledger.book(first=1)
    assert (again.booked, again.reversed, ledger.kinds()) == (0, 0, kinds), "the rows again change nothing"


def test_rows_that_are_uploaded_again_book_it_too_and_close_its_finding(ledger: Unbooked) -> None:
    row = ledger.till.redeemed(ledger.new.redeem())
    ledger.till.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="买错")
    ledger.book(first=1)
    ledger.issue()
    assert ledger.book(first=1) == BookingResult(2, 1, 0, 1, {})
    assert (ledger.findings(), ledger.held()) == ([], [])


def test_the_counters_values_are_not_lost(ledger: Unbooked, clock: SetClock) -> None:
    ruled = Ruled(ledger, clock)
    ruled.publish(TWO_A_DAY)
    assert ruled.redeemed(ledger.new.redeem(amount=501), **VISIT) == {"unknown-card": 1}
    ledger.issue()
    (finding,) = ledger.findings()
    done = ledger.registry.booking.again(finding.id, ledger.with_key, by="li", rules=ruled.rules)
    assert done.findings == {"price": 1}
    assert ruled.facts("price")[0]["product"] == "visit"


def test_a_finding_of_an_earlier_version_has_the_time_of_its_request(ledger: Unbooked) -> None:
    ledger.redeemed(ledger.new.redeem())
    with ledger.registry._context.write() as conn:
        conn.exec_driver_sql(
            f"DROP TRIGGER findings_unchanged{'' if conn.dialect.name == 'sqlite' else ' ON findings'}"
        )
        conn.exec_driver_sql("UPDATE findings SET source = NULL")
    ledger.issue()
    assert ledger.again() == BookedAgain(1, True, {})
    assert ledger.book(first=1).known == 1


def test_other_findings_and_closed_ones_are_refused(ledger: Unbooked) -> None:
    ledger.till.add(RowKind.CUT, bytes=7)
    ledger.till.add(RowKind.REDEEMED, None, **counted(replace(ledger.new.redeem(), cryptogram=bytes(8))))
    ledger.book()
    cut, wrong = ledger.findings()
    ledger.registry.findings.close(wrong.id, "refused", by="li", reason="invented")
    for number, reason in ((cut.id, "finding-not-again"), (wrong.id, "finding-closed")):
        with pytest.raises(RegistryConflict) as refused:
            ledger.registry.booking.again(number, ledger.with_key, by="li")
        assert refused.value.reason == reason
    with pytest.raises(NotOnRecord, match="there is no finding 99"):
        ledger.registry.booking.again(99, ledger.with_key, by="li")


def test_two_programs_at_once_book_it_once(ledger: Unbooked) -> None:
    taken: list[RedemptionEvidence] = [ledger.new.redeem() for _ in range(6)]
    ledger.redeemed(*taken)
    ledger.issue()
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(ledger.registry.booking.again_all, ledger.with_key, by=f"li{n}") for n in range(4)]
        done = [one for call in calls for one in call.result()]
    assert sorted(one.finding for one in done) == sorted(one.id for one in ledger.findings(closed=True))
    assert ledger.counters(ledger.new) == [1, 2, 3, 4, 5, 6]
    assert ledger.findings() == []
    assert credits(ledger) == []
