"""Booking of uploads: each genuine redemption once, and a finding for whatever is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from registry.errors import NotOnRecord, RegistryConflict
from registry.programme.booking import BookingResult
from registry.programme.findings import Finding
from registry.programme.judgement import HOLDS, FindingKind
from registry.store import Registry
from registry.values import Card, CardState
from terminal.errors import KeyNotFound
from terminal.keys.memory import MemoryCustody
from terminal.member.journal_rows import JournalRow, RowKind
from terminal.member.redemption.evidence import RedemptionEvidence
from tests.support.paths import ROOT
from tests.support.registry import databases
from tests.support.registry.redeemed import (
    DAY,
    PARK,
    CountingChip,
    Till,
    chips_of,
    close_outlet,
    counted,
    end_park,
    masters,
    park,
    prove_with,
    two_cards,
)
from tests.support.registry.registrar import SetClock, audit_entries, custodian, unlist

GUIDE = ROOT / "docs" / "redemption-journal.md"
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@dataclass(frozen=True)
class Filled:
    """A database with two cards and a park."""

    url: str
    cards: list[Card]
    outlets: tuple[int, int]


class Ledger:
    """A registry with two cards and a park, and one journal of the park's east gate."""

    def __init__(self, registry: Registry, keys: MemoryCustody, filled: Filled) -> None:
        self.registry, self.prove = registry, prove_with(keys)
        self.first, self.second = chips_of(keys, filled.cards)
        self.east, self.west = filled.outlets
        self.till = Till()

    def book(self, till: Till | None = None, *, outlet: int = 0, first: int | None = None) -> BookingResult:
        upload = (till or self.till).upload(first)
        return self.registry.booking.book(outlet or self.east, upload, self.prove, by="till 1 (token 1)")

    def redeemed(self, *taken: RedemptionEvidence) -> BookingResult:
        self.till.redeemed(*taken)
        return self.book()

    def findings(self, *, closed: bool = False) -> list[Finding]:
        return list(self.registry.findings.page(limit=500, closed=closed).items)

    def kinds(self) -> list[str]:
        return [finding.kind for finding in self.findings()]

    def counters(self, chip: CountingChip) -> list[int]:
        """The transaction counters of a card that are booked."""
        page = self.registry.redemptions.page(limit=500, card_number=chip.card_number)
        return sorted(one.atc for one in page.items)

    def held(self) -> list[int]:
        return [one.atc for one in self.registry.redemptions.page(limit=500).items if one.held]


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
def ledger(registry: Registry, keys: MemoryCustody, filled: Filled) -> Ledger:
    return Ledger(registry, keys, filled)


def test_a_redemption_is_booked_with_what_the_card_has_signed(ledger: Ledger) -> None:
    evidence = ledger.first.redeem(quantity=2, amount=1000)
    assert ledger.redeemed(evidence) == BookingResult(1, 1, 0, 0, {})
    (booked,) = ledger.registry.redemptions.page().items
    assert (booked.card_number, booked.sequence, booked.atc) == (ledger.first.card_number, 1, 1)
    assert (booked.merchant, booked.terminal, booked.outlet) == ("PARK-EAST", "T0000001", ledger.east)
    assert (booked.benefit_class, booked.quantity, booked.amount) == ("0101", 2, 1000)
    assert (booked.day, booked.clock, booked.signed) == (DAY, "10:30:00", True)
    assert (booked.held, booked.reversed_at) == (False, None)
    assert ledger.findings() == []
    assert audit_entries(ledger.registry, "redemption.book") == [("till 1 (token 1)", f"outlet:{ledger.east}", "")]


def test_the_same_upload_again_changes_nothing(ledger: Ledger) -> None:
    ledger.till.redeemed(*(ledger.first.redeem() for _ in range(3)))
    assert ledger.book(first=1) == BookingResult(3, 3, 0, 0, {})
    assert ledger.book(first=1) == BookingResult(3, 0, 3, 0, {})
    assert ledger.book(first=2) == BookingResult(3, 0, 2, 0, {})
    assert ledger.counters(ledger.first) == [1, 2, 3]
    assert len(audit_entries(ledger.registry, "redemption.book")) == 1
    assert ledger.registry.booking.through(ledger.east, ledger.till.journal) == 3


def test_a_redemption_that_was_recovered_is_the_same_one(ledger: Ledger) -> None:
    evidence = ledger.first.redeem()
    ledger.redeemed(evidence)
    ledger.till.redeemed(replace(evidence, signature=b"\x01" * 144), kind=RowKind.RECOVERED)
    assert ledger.book() == BookingResult(2, 0, 1, 0, {})
    assert ledger.findings() == []


def test_one_that_only_the_log_has_is_booked_unsigned(ledger: Ledger) -> None:
    ledger.till.redeemed(replace(ledger.first.redeem(), signature=b"", related=b""), kind=RowKind.RECOVERED)
    assert ledger.book().booked == 1
    assert [one.signed for one in ledger.registry.redemptions.page().items] == [False]


def test_rows_without_a_count_are_taken_and_book_nothing(ledger: Ledger) -> None:
    for kind in (RowKind.OPENED, RowKind.TORN, RowKind.REFUSED, RowKind.NOT_COUNTED, RowKind.UPLOADED):
        ledger.till.add(kind, intent=1)
    ledger.till.add(RowKind.INTENT, card="62", sequence=1, request="00", cashier="王芳")
    assert ledger.book() == BookingResult(6, 0, 0, 0, {})


def changed(chip: CountingChip, **change: Any) -> RedemptionEvidence:
    """Evidence that a merchant changed after the card had signed it."""
    return replace(chip.redeem(), **change)


INVENTED: dict[str, Callable[[CountingChip], RedemptionEvidence]] = {
    "a cryptogram": lambda chip: changed(chip, cryptogram=bytes(8)),
    "no cryptogram": lambda chip: changed(chip, cryptogram=b""),
    "an amount": lambda chip: changed(chip, values=b"\x00\x00\x00\x09\x99\x00" + chip.redeem().values[6:]),
    "a transaction counter": lambda chip: changed(chip, atc=b"\x00\x77"),
    "counts": lambda chip: changed(chip, issuer_data=chip.redeem().issuer_data[:9] + b"\x01\xff\x26\x01\x01"),
    "another card": lambda chip: changed(chip, sequence=2),
}


@pytest.mark.parametrize("what", INVENTED)
def test_what_a_merchant_invents_is_a_finding_and_not_booked(ledger: Ledger, what: str) -> None:
    assert ledger.redeemed(INVENTED[what](ledger.first)) == BookingResult(1, 0, 0, 0, {"wrong-cryptogram": 1})
    (finding,) = ledger.findings()
    assert (finding.kind, finding.holds, finding.outlet) == ("wrong-cryptogram", True, ledger.east)
    assert (finding.journal, finding.number) == (ledger.till.journal, 1)
    assert ledger.counters(ledger.first) == []
    ledger.book(first=1)
    assert len(ledger.findings()) == 1, "the same upload finds the same"


def test_evidence_in_no_form_is_a_finding(ledger: Ledger) -> None:
    sound = counted(ledger.first.redeem())
    for bad in ({"evidence": "00"}, {"evidence": "zz"}, {"counter": 7}, {"card": "6200"}, {"sequence": 9}):
        ledger.till.add(RowKind.REDEEMED, **{**sound, **bad})
    ledger.till.add(RowKind.REDEEMED, intent=1)
    assert ledger.book().findings == {"malformed": 6}


def test_a_list_that_reads_the_bytes_in_another_way_is_refused(ledger: Ledger) -> None:
    evidence = ledger.first.redeem()
    swapped = evidence.wanted.replace(bytes.fromhex("9A039F2103"), bytes.fromhex("9F21039A03"))
    assert len(swapped) == len(evidence.wanted)
    assert ledger.redeemed(replace(evidence, wanted=swapped)).findings == {"malformed": 1}
    assert ledger.findings()[0].facts == {"part": "CDOL1"}


def test_an_aac_is_no_redemption(ledger: Ledger, keys: MemoryCustody) -> None:
    refused = ledger.first.proven(replace(ledger.first.redeem(cvr=b"\x00\x40"), cid=0))
    claimed = ledger.first.proven(ledger.first.redeem(cvr=b"\x00\x40"))
    assert ledger.redeemed(refused, claimed).findings == {"not-approved": 2}


def test_a_card_that_was_never_verified_is_a_finding(ledger: Ledger, keys: MemoryCustody) -> None:
    foreign = CountingChip(keys, "6212260000009999996")
    assert ledger.redeemed(foreign.redeem()).findings == {"unknown-card": 1}
    assert ledger.findings()[0].card_number == "6212260000009999996"


def test_one_counter_with_two_redemptions_is_a_copied_chip(ledger: Ledger) -> None:
    clone = replace(ledger.first)
    ledger.redeemed(ledger.first.redeem())
    other = Till("f" * 32)
    other.redeemed(clone.redeem(terminal="T0000003", quantity=2))
    result = ledger.book(other, outlet=ledger.west)
    assert result.findings == {"atc-doubled": 1}
    assert result.booked == 0
    (finding,) = ledger.findings()
    assert (finding.kind, finding.atc, finding.outlet) == ("atc-doubled", 1, ledger.west)
    assert ledger.held() == [1], "the one that was first is held, too: nobody knows which is the chip"


@pytest.mark.parametrize(
    ("given", "kind", "facts"),
    [
        ({"merchant": "NOBODY"}, "unknown-merchant", {"merchant": "NOBODY"}),
        ({"terminal": "X9999999"}, "unknown-terminal", {"terminal": "X9999999"}),
        ({"terminal": "T0000003"}, "other-outlet", {"terminal": "T0000003"}),
        ({"benefit": "0909"}, "benefit-not-agreed", {"benefit": "0909"}),
        ({"day": date(2025, 12, 31)}, "no-contract", {"day": "2025-12-31"}),
        ({"day": date(2026, 11, 25)}, "date-ahead", {"day": "2026-11-25", "today": "2026-11-22"}),
        ({"quantity": 201}, "count", {"used": 201, "expected": 201}),
    ],
)
def test_what_is_not_agreed_is_booked_and_held(
    ledger: Ledger, given: dict[str, Any], kind: str, facts: dict[str, Any]
) -> None:
    result = ledger.redeemed(ledger.first.redeem(**given))
    assert (result.booked, result.findings) == (1, {kind: 1})
    (finding,) = ledger.findings()
    assert (finding.kind, finding.facts, finding.holds) == (kind, facts, True)
    assert (finding.card_number, finding.atc) == (ledger.first.card_number, 1)
    assert ledger.held() == [1]


def test_a_redemption_at_another_merchant_is_another_outlets(ledger: Ledger) -> None:
    ledger.registry.merchants.put(replace(PARK, number="GYM", outlets=()), by="test")
    assert ledger.redeemed(ledger.first.redeem(merchant="GYM")).findings == {"other-outlet": 1}


def test_a_terminal_of_a_closed_outlet_still_uploads_what_it_has(ledger: Ledger) -> None:
    close_outlet(ledger.registry, ledger.east)
    assert ledger.redeemed(ledger.first.redeem()).findings == {}


def test_a_terminal_redeems_no_more_from_the_day_after_it_was_retired(ledger: Ledger, clock: SetClock) -> None:
    close_outlet(ledger.registry, ledger.east)
    clock.forward(timedelta(days=1))
    assert ledger.redeemed(ledger.first.redeem(day=DAY + timedelta(days=1))).findings == {"unknown-terminal": 1}
    (finding,) = ledger.findings()
    assert (finding.facts, finding.holds) == ({"terminal": "T0000001", "retired": "2026-11-22"}, True)


def test_an_end_is_of_the_day_where_the_merchants_are(
    url: str, custody: MemoryCustody, clock: SetClock, keys: MemoryCustody, filled: Filled
) -> None:
    clock.now = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)  # 23 November, seven in the morning
    with Registry.open(url, custody, clock=clock, zone=timezone(timedelta(hours=8))) as registry:
        ledger = Ledger(registry, keys, filled)
        close_outlet(registry, ledger.east)
        end_park(registry)
        assert ledger.redeemed(ledger.first.redeem(day=date(2026, 11, 23))).findings == {}
        after = ledger.redeemed(ledger.first.redeem(day=date(2026, 11, 24)))
        assert after.findings == {"no-contract": 1, "unknown-terminal": 1}


def test_a_merchant_that_ended_has_no_contract_from_the_next_day_on(ledger: Ledger, clock: SetClock) -> None:
    end_park(ledger.registry)
    assert ledger.redeemed(ledger.first.redeem()).findings == {}
    clock.forward(timedelta(days=1))
    late = ledger.first.redeem(day=DAY + timedelta(days=1))
    assert ledger.redeemed(late).findings == {"no-contract": 1}


def test_missing_counters_are_a_gap_until_they_arrive(ledger: Ledger) -> None:
    taken = [ledger.first.redeem() for _ in range(6)]
    ledger.redeemed(taken[5])
    (gap,) = ledger.findings()
    assert (gap.kind, gap.atc, gap.atc_until, gap.holds) == ("atc-gap", 1, 5, False)
    ledger.redeemed(taken[2])
    assert [(one.atc, one.atc_until) for one in ledger.findings()] == [(1, 2), (4, 5)]
    (resolved,) = ledger.findings(closed=True)
    assert (resolved.id, resolved.decision, resolved.closed_by) == (gap.id, "resolved", "registry")
    ledger.redeemed(*taken)
    assert ledger.findings() == []
    assert ledger.counters(ledger.first) == [1, 2, 3, 4, 5, 6]


def test_a_gap_that_a_person_has_decided_does_not_come_back(ledger: Ledger) -> None:
    taken = [ledger.first.redeem() for _ in range(8)]
    ledger.redeemed(taken[4])
    (gap,) = ledger.findings()
    ledger.registry.findings.close(gap.id, "accepted", by="li", reason="a counter burned down")
    ledger.redeemed(taken[2], taken[7])
    assert [(one.atc, one.atc_until) for one in ledger.findings()] == [(6, 7)]


def test_a_count_that_does_not_follow_is_a_finding(ledger: Ledger) -> None:
    first = ledger.first.redeem()
    ledger.first.used = 9
    assert ledger.redeemed(first, ledger.first.redeem()).findings == {"count": 1}
    assert ledger.findings()[0].facts == {"used": 10, "expected": 2}


def test_a_count_is_compared_within_its_class_and_period(ledger: Ledger) -> None:
    first = ledger.first.redeem("0101")
    ledger.first.used = 0
    other = ledger.first.redeem("0102", 3)
    ledger.first.used = 1
    again = ledger.first.redeem("0101")
    ledger.first.used, ledger.first.start = 0, bytes.fromhex("261122")
    fresh = ledger.first.redeem("0101")
    ledger.first.used, ledger.first.scripts = 0, 1  # the office has credited
    credited = ledger.first.redeem("0101")
    assert ledger.redeemed(first, other, again, fresh, credited).findings == {}


def test_a_count_is_compared_with_a_later_one_that_came_before(ledger: Ledger) -> None:
    first = ledger.first.redeem()
    ledger.first.used = 9
    second = ledger.first.redeem()
    ledger.redeemed(second)
    assert ledger.redeemed(first).findings == {"count": 1}
    assert ledger.findings()[0].facts == {"used": 10, "expected": 2, "atc": 2}


def test_a_date_that_goes_back_is_a_finding(ledger: Ledger) -> None:
    taken = [ledger.first.redeem(day=day) for day in (DAY, DAY - timedelta(days=3), DAY)]
    other = Till("f" * 32)
    ledger.redeemed(taken[0])
    other.redeemed(taken[1])
    assert ledger.book(other).findings == {"date-order": 1}
    assert ledger.redeemed(taken[2]).findings == {}
    assert ledger.findings()[0].facts == {"day": "2026-11-19", "before": "2026-11-22"}


def test_a_date_behind_a_later_one_is_a_finding(ledger: Ledger) -> None:
    first, second = ledger.first.redeem(day=DAY), ledger.first.redeem(day=DAY - timedelta(days=1))
    ledger.redeemed(second)
    assert ledger.redeemed(first).findings == {"date-order": 1}


@pytest.mark.parametrize(("days", "kind", "held"), [(0, "late-upload", []), (1, "ended-card", [1])])
def test_a_late_upload_of_a_replaced_card_is_booked(
    ledger: Ledger, clock: SetClock, days: int, kind: str, held: list[int]
) -> None:
    ledger.registry.cards.replace(ledger.first.card_number, by="li", reason="lost", because=CardState.LOST)
    clock.forward(timedelta(days=5))
    result = ledger.redeemed(ledger.first.redeem(day=DAY + timedelta(days=days)))
    assert (result.booked, result.findings) == (1, {kind: 1})
    assert ledger.held() == held
    assert ledger.findings()[0].facts["ended"] == "2026-11-22"


def test_a_card_that_was_unlisted_had_not_ended(ledger: Ledger, clock: SetClock) -> None:
    number = ledger.first.card_number
    loss = ledger.registry.losses.report(number, by="li", reason="lost")
    unlist(ledger.registry, loss.number)
    used = ledger.first.redeem(day=DAY + timedelta(days=2))
    clock.forward(timedelta(days=5))
    ledger.registry.losses.report(number, by="li", reason="lost again")
    assert ledger.redeemed(used).findings == {"late-upload": 1}
    assert ledger.findings()[0].facts["ended"] == "2026-11-27"
    assert ledger.held() == []


def test_a_reversal_of_the_same_day_is_booked_once(ledger: Ledger) -> None:
    row = ledger.till.redeemed(ledger.first.redeem())
    ledger.till.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="wrong\u0000 benefit")
    assert ledger.book(first=1) == BookingResult(2, 1, 0, 1, {})
    assert ledger.book(first=1) == BookingResult(2, 0, 1, 0, {})
    (one,) = ledger.registry.redemptions.page().items
    assert one.reversed_at == ledger.till.rows[1].at
    ledger.till.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="again")
    assert ledger.book().findings == {"reversal-unknown": 1}


def test_a_reversal_that_is_put_among_rows_on_record_waits_for_a_person(ledger: Ledger) -> None:
    row = ledger.till.redeemed(ledger.first.redeem())
    for _ in range(2):
        ledger.till.redeemed(ledger.second.redeem())
    assert ledger.book(first=1).booked == 3
    invented = Till(rows=ledger.till.rows[:1], hashes=ledger.till.hashes[:2])
    invented.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="the same day")
    assert ledger.book(invented, first=2).findings == {"reversal-late": 1}
    assert ledger.held() == [1]
    assert [one.reversed_at for one in ledger.registry.redemptions.page().items] == [None] * 3


def credits(ledger: Ledger) -> list[tuple[str, str, str]]:
    """What is wanted of the first card: kind, value and reason."""
    wanted = ledger.registry.updates.pending(ledger.first.card_number, 1)
    return [(one.kind.value, one.value.hex(), one.reason) for one in wanted]


def test_a_reversal_gives_the_uses_back_on_the_card_once_for_each(ledger: Ledger) -> None:
    first = ledger.till.redeemed(ledger.first.redeem(quantity=2))
    second = ledger.till.redeemed(ledger.first.redeem("0102", quantity=1))
    for row in (first, second):
        ledger.till.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="买错")
    ledger.book(first=1)
    ledger.book(first=1)
    assert credits(ledger) == [
        ("credit", "0101020205260101", "T0000001-1 买错"),
        ("credit", "0102010105260101", "T0000001-2 买错"),
    ]


def test_a_card_that_ended_gets_nothing_back_but_a_lost_one_does(ledger: Ledger) -> None:
    row = ledger.till.redeemed(ledger.first.redeem())
    other = ledger.till.redeemed(ledger.second.redeem())
    ledger.registry.losses.report(ledger.first.card_number, by="li", reason="lost")
    ledger.registry.cards.change(ledger.second.card_number, "withdrawn", "li", "left")
    for number in (row.number, other.number):
        ledger.till.add(RowKind.REVERSED, redemption=number, by="王芳", reason="买错")
    assert ledger.book(first=1).reversed == 2
    assert len(credits(ledger)) == 1
    assert ledger.registry.updates.pending(ledger.second.card_number, 1) == ()


def test_a_reversal_of_another_day_or_of_nothing_is_a_finding(ledger: Ledger) -> None:
    row = ledger.till.redeemed(ledger.first.redeem())
    ledger.till.at += timedelta(days=1)
    ledger.till.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="late")
    for number in (99, "row 1"):
        ledger.till.add(RowKind.REVERSED, redemption=number, by="王芳", reason="of nothing")
    ledger.till.add(RowKind.REVERSED)
    assert ledger.book().findings == {"reversal-late": 1, "reversal-unknown": 3}
    assert ledger.held() == [1]
    assert ledger.registry.redemptions.page().items[0].reversed_at is None


@pytest.mark.parametrize("decision", ["accepted", "refused"])
def test_a_late_reversal_takes_back_when_a_person_accepts_it_and_else_the_redemption_stands(
    ledger: Ledger, decision: str
) -> None:
    row = ledger.till.redeemed(ledger.first.redeem())
    ledger.till.at += timedelta(days=1)
    ledger.till.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="买错")
    ledger.book()
    (late,) = ledger.findings()
    assert (late.facts["by"], late.facts["reason"]) == ("王芳", "买错")
    for person in ("li", "wang") if decision == "accepted" else ("li",):
        ledger.registry.findings.close(late.id, decision, by=person, reason="talked to the merchant")
    (one,) = ledger.registry.redemptions.page().items
    assert one.reversed_at == (ledger.till.rows[1].at if decision == "accepted" else None)
    assert [kind for kind, _, _ in credits(ledger)] == (["credit"] if decision == "accepted" else [])
    assert ledger.held() == []
    assert ledger.book(first=1).findings == ({} if decision == "accepted" else {"reversal-late": 1})
    assert ledger.findings() == [], "the same upload again opens nothing"


def test_what_a_counter_could_not_find_out_is_a_finding(ledger: Ledger) -> None:
    ledger.till.add(RowKind.UNKNOWN, intent=2, card=ledger.first.card_number, sequence=1, reason="")
    ledger.till.add(RowKind.NOT_PROVEN, intent=3, card=ledger.first.card_number, sequence=1, reason="the signature")
    ledger.till.add(RowKind.CUT, bytes=40)
    ledger.till.add(RowKind.ACKNOWLEDGED, by="王芳", reason="13931177777 rang", places="120")
    ledger.book()
    assert [(one.kind, one.facts) for one in ledger.findings()] == [
        ("unknown-outcome", {}),
        ("not-proven", {"reason": "the signature"}),
        ("journal-cut", {"bytes": 40}),
        ("journal-acknowledged", {"by": "王芳", "reason": "****7777 rang"}),
    ]
    assert ledger.findings()[0].card_number == ledger.first.card_number


def test_rows_that_are_missing_are_a_finding(ledger: Ledger) -> None:
    ledger.till.redeemed(*(ledger.first.redeem() for _ in range(4)))
    ledger.book(first=4)
    assert [(one.kind, one.facts) for one in ledger.findings() if one.journal] == [
        ("journal-gap", {"first": 1, "last": 3})
    ]
    assert ledger.book(first=1).booked == 3, "nothing of them is lost"


def test_an_older_copy_of_a_journal_that_goes_on_is_named_and_booked(ledger: Ledger) -> None:
    ledger.till.redeemed(ledger.first.redeem())
    older = Till(ledger.till.journal, ledger.till.at, list(ledger.till.rows), list(ledger.till.hashes), 1)
    ledger.till.redeemed(ledger.first.redeem(), ledger.first.redeem())
    ledger.book(first=1)
    older.at += timedelta(minutes=5)
    older.redeemed(ledger.second.redeem())
    assert ledger.book(older).findings == {"row-doubled": 1}, "it ends before what the office has"
    older.redeemed(ledger.second.redeem(), ledger.second.redeem())
    assert ledger.book(older).findings == {"journal-forked": 1, "row-doubled": 1}
    assert ledger.counters(ledger.second) == [1, 2, 3]
    older.redeemed(ledger.second.redeem())
    assert ledger.book(older).findings == {}, "it goes on from there"


def test_a_journal_belongs_to_one_outlet(ledger: Ledger) -> None:
    ledger.redeemed(ledger.first.redeem())
    ledger.till.redeemed(ledger.first.redeem())
    with pytest.raises(RegistryConflict) as refused:
        ledger.book(outlet=ledger.west)
    assert refused.value.reason == "journal-outlet"
    with pytest.raises(RegistryConflict, match="another outlet"):
        ledger.registry.booking.through(ledger.west, ledger.till.journal)
    assert ledger.counters(ledger.first) == [1]


def test_an_unknown_outlet_is_refused(ledger: Ledger) -> None:
    ledger.till.redeemed(ledger.first.redeem())
    with pytest.raises(NotOnRecord, match="there is no outlet 99"):
        ledger.book(outlet=99)
    assert ledger.registry.booking.through(99, ledger.till.journal) == 0


def test_rows_that_no_journal_has_are_refused(ledger: Ledger) -> None:
    ledger.till.redeemed(ledger.first.redeem(), ledger.first.redeem(), ledger.first.redeem())
    whole = ledger.till.upload()
    for bad in (
        replace(whole, rows=()),
        replace(whole, rows=whole.rows[::2]),
        replace(whole, rows=whole.rows[::-1]),
        replace(whole, rows=whole.rows * 200),
        replace(whole, previous=b"short"),
        replace(whole, rows=(JournalRow(1, ledger.till.at, RowKind.CUT, {"reason": "\ud800"}),)),
    ):
        with pytest.raises(RegistryConflict) as refused:
            ledger.registry.booking.book(ledger.east, bad, ledger.prove, by="till")
        assert refused.value.reason == "upload-rows"
    assert ledger.counters(ledger.first) == []


def test_a_missing_key_books_nothing_and_is_no_finding(ledger: Ledger) -> None:
    def without_key(_: RedemptionEvidence) -> bool:
        raise KeyNotFound("there is no key imk-ac")

    ledger.till.redeemed(ledger.first.redeem())
    with pytest.raises(KeyNotFound):
        ledger.registry.booking.book(ledger.east, ledger.till.upload(), without_key, by="till")
    assert ledger.book(first=1).booked == 1


def test_the_guide_has_every_kind_of_finding_and_what_it_holds() -> None:
    rows = re.findall(r"^\| (`[a-z` -]+`) \|[^|]*\|[^|]*\| (✓?) ?\|$", GUIDE.read_text("utf-8"), re.MULTILINE)
    kinds = {kind: bool(held) for named, held in rows for kind in re.findall("`([a-z-]+)`", named)}
    assert kinds == {kind.value: kind in HOLDS for kind in FindingKind}


COLUMNS = (
    "card_number, sequence, atc, outlet_id, merchant, terminal, benefit_class, quantity, amount, day, clock, used, "
    '"limit", scripts, signed, cryptogram, evidence, journal, number, at, booked_at'
)
FORBIDDEN = {
    "a redemption changed": "UPDATE redemptions SET amount = 1",
    "a redemption deleted": "DELETE FROM redemptions",
    "a reversal deleted": "DELETE FROM reversals",
    "a reversal changed": "UPDATE reversals SET reason = 'x'",
    "a reversal twice": "INSERT INTO reversals SELECT * FROM reversals",
    "a finding deleted": "DELETE FROM findings",
    "a closed finding changed": "UPDATE findings SET decision = 'refused' WHERE closed_at IS NOT NULL",
    "a finding that holds set free": "UPDATE findings SET holds = NOT holds WHERE closed_at IS NULL",
    "a finding of another kind": "UPDATE findings SET kind = 'atc-gap' WHERE closed_at IS NULL",
    "a finding about something else": "UPDATE findings SET facts = '{}', number = 99 WHERE closed_at IS NULL",
    "a finding closed by nobody": "UPDATE findings SET closed_at = at WHERE closed_at IS NULL",
    "a decision of another kind": (
        "UPDATE findings SET closed_at = at, closed_by = 'x', decision = 'maybe', reason = 'x' WHERE closed_at IS NULL"
    ),
    "a finding that one person accepted": (
        "UPDATE findings SET closed_at = at, closed_by = 'x', decision = 'accepted', reason = 'x', first_by = 'x' "
        "WHERE closed_at IS NULL AND holds"
    ),
    "a terminal of 7 letters": "INSERT INTO terminals (terminal, outlet_id) VALUES ('T000001', 1)",
    "a contract that ends first": "UPDATE merchants SET contract_until = '2025-01-01'",
    "a card and counter twice": "INSERT INTO redemptions (*) SELECT * FROM redemptions".replace("*", COLUMNS),
}


def test_the_database_holds_what_was_booked(ledger: Ledger) -> None:
    row = ledger.till.redeemed(*(ledger.first.redeem(terminal=name) for name in ("T0000001", "X9999999", "X9999998")))
    ledger.till.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="wrong")
    ledger.till.add(RowKind.CUT, bytes=1)
    ledger.book()
    first, *_ = (one for one in ledger.findings() if one.holds)
    for person in ("li", "wang"):
        ledger.registry.findings.close(first.id, "accepted", by=person, reason="a new terminal")

    def refused(statement: str) -> bool:
        try:
            with ledger.registry._context.database.write() as conn:
                conn.execute(text(statement))
        except RegistryConflict:
            return True
        return False

    assert [what for what, statement in FORBIDDEN.items() if not refused(statement)] == []
    assert ledger.counters(ledger.first) == [1, 2, 3]


def test_two_counters_with_one_card_at_the_same_time_book_it_once(ledger: Ledger) -> None:
    taken = [ledger.first.redeem() for _ in range(20)]
    tills = [Till(f"{number:032x}") for number in range(4)]
    for till in tills:
        till.redeemed(*taken)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(ledger.book, tills))
    assert sum(result.booked for result in results) == 20
    assert sum(result.known for result in results) == 60
    assert ledger.counters(ledger.first) == list(range(1, 21))
    assert ledger.findings() == []
