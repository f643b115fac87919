"""Figures of a year: the sums tie to what is on record, and each day counts on its side of the edge."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import insert, text

from registry.db.tables import card_events, counter_journals, redemptions, reversals
from registry.figures.values import BenefitFigures, MonthCoverage
from registry.paying.instructions import PaymentKind
from registry.store import Registry
from tests.support.registry.covered import Population
from tests.support.registry.payouts import ordered
from tests.support.registry.redeemed import JOURNAL, park
from tests.support.registry.registrar import SetClock

FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2026, 6, 1, 4, tzinfo=UTC))


def delivered(registry: Registry, number: int, at: datetime, *, undone: bool = False) -> None:
    """A card is handed over."""
    values = {"card_number": f"6212260000{number:06d}", "sequence": 1, "at": at, "event": "delivered", "undone": undone}
    with registry.members._context.write() as conn:
        conn.execute(insert(card_events).values(**values, by="zhang", place="", reason=""))


def used(registry: Registry, outlet: int, number: int, day: str, benefit: str, quantity: int, amount: int) -> None:
    at = datetime.fromisoformat(f"{day}T04:00:00+00:00")
    row: dict[str, Any] = {"card_number": "6212260000000001", "sequence": 1, "atc": number, "outlet_id": outlet}
    row |= {"merchant": "PARK-EAST", "terminal": "T0000001", "benefit_class": benefit, "quantity": quantity}
    row |= {"amount": amount, "day": day, "clock": "12:00:00", "signed": True, "journal": JOURNAL, "number": number}
    row |= {"used": 1, "limit": 9, "period_start": day, "scripts": 0, "cryptogram": bytes(8), "evidence": b"e"}
    with registry.members._context.write() as conn:
        if number == 1:
            journal = {"name": JOURNAL, "outlet_id": outlet, "through": 9, "head": bytes(32), "uploaded_at": at}
            conn.execute(insert(counter_journals).values(journal))
        conn.execute(insert(redemptions).values(**row, at=at, booked_at=at))


def test_a_year_counts_what_is_on_record_once(registry: Registry) -> None:
    people = Population(registry)
    for _ in range(4):
        people.holder()
    people.member()
    for number, day in ((1, 1), (2, 2)):
        delivered(registry, number, datetime(2026, 1, day, 4, tzinfo=UTC))
    delivered(registry, 3, datetime(2027, 1, 1, tzinfo=UTC))
    delivered(registry, 4, datetime(2026, 3, 1, tzinfo=UTC), undone=True)
    outlet, _ = park(registry)
    used(registry, outlet, 1, "2026-01-01", "0101", 1, 10_000)
    used(registry, outlet, 2, "2026-12-31", "0101", 2, 300)
    used(registry, outlet, 3, "2026-05-05", "0102", 3, 0)
    used(registry, outlet, 4, "2027-01-01", "0101", 9, 9)
    used(registry, outlet, 5, "2026-05-06", "0102", 9, 9)
    with registry.members._context.write() as conn:
        back = {"redemption_id": 5, "at": datetime(2026, 5, 6, tzinfo=UTC), "by": "zhang", "reason": "x"}
        conn.execute(insert(reversals).values(**back, booked_at=datetime(2026, 5, 6, tzinfo=UTC)))
    ordered(registry, 1, 300_000, "a", kind=PaymentKind.CLAIM)
    ordered(registry, 1, 2_000, "b", kind=PaymentKind.GRANT)
    ordered(registry, 1, 7, "c", kind=PaymentKind.GRANT)
    with registry.members._context.write() as conn:
        conn.execute(text("UPDATE instructions SET state = 'batched' WHERE reference <> 'c'"))
        paid = "UPDATE instructions SET state = 'paid', outcome_on = '2026-12-31' WHERE reference <> 'c'"
        conn.execute(text(paid))
    year = registry.figures.year(FIRST, LAST)
    assert (year.members, year.registered, year.cards, year.active) == (5, 5, 2, 4)
    assert (year.merchants, year.sites, year.benefits) == (1, 2, 2)
    assert (year.redemptions, year.quantity, year.paid_by_members) == (3, 6, 10_300)
    assert (year.claims_paid, year.claims_amount, year.grants_paid, year.grants_amount) == (1, 300_000, 1, 2_000)
    assert (year.open_payments, year.open_amount) == (1, 7)
    later = registry.figures.year(date(2027, 1, 1), date(2027, 12, 31))
    assert (later.cards, later.redemptions, later.claims_paid, later.merchants) == (3, 1, 0, 1)
    assert registry.figures.year(date(2028, 1, 1), date(2028, 12, 31)).merchants == 0


def test_the_months_of_cards_add_up(registry: Registry) -> None:
    people = Population(registry)
    for _ in range(4):
        people.holder()
    for number, at in enumerate(((2025, 12, 31), (2026, 1, 31), (2026, 2, 1), (2026, 2, 28)), start=1):
        delivered(registry, number, datetime(*at, 4, tzinfo=UTC))
    months = registry.figures.coverage(date(2026, 1, 1), date(2026, 3, 31))
    assert months == [MonthCoverage("2026-01", 1, 2), MonthCoverage("2026-02", 2, 4), MonthCoverage("2026-03", 0, 4)]
    assert months[-1].total == registry.figures.year(date(2026, 1, 1), date(2026, 3, 31)).cards


def test_redemptions_by_benefit_and_month_add_up(registry: Registry) -> None:
    Population(registry).holder()
    outlet, _ = park(registry)
    used(registry, outlet, 1, "2026-01-05", "0101", 1, 100)
    used(registry, outlet, 2, "2026-01-31", "0101", 2, 300)
    used(registry, outlet, 3, "2026-02-01", "0101", 1, 50)
    used(registry, outlet, 4, "2026-02-01", "0102", 1, 0)
    listed = registry.figures.benefits(FIRST, LAST)
    assert listed == [
        BenefitFigures("0101", "2026-01", 2, 3, 400),
        BenefitFigures("0101", "2026-02", 1, 1, 50),
        BenefitFigures("0102", "2026-02", 1, 1, 0),
    ]
    year = registry.figures.year(FIRST, LAST)
    assert sum(one.redemptions for one in listed) == year.redemptions
    assert sum(one.amount for one in listed) == year.paid_by_members
