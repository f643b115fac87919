"""Values of the figures of a year."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class YearFigures:
    """What a federation reports of some days. Amounts in fen. ``members`` are those that units have planned, or
    registered where there is no plan; ``cards`` were handed over by the last day, ``active`` are in use now;
    ``merchants``, ``sites`` and ``benefits`` are under contract on the last day. What was paid is counted by the bank's
    day; redemptions that were taken back are left out."""

    members: int
    registered: int
    cards: int
    active: int
    merchants: int
    sites: int
    benefits: int
    redemptions: int
    quantity: int
    paid_by_members: int
    claims_filed: int
    claims_paid: int
    claims_amount: int
    grants_paid: int
    grants_amount: int
    tickets: int
    matters_opened: int
    matters_closed: int
    losses: int
    open_payments: int
    open_amount: int


@dataclass(frozen=True, slots=True)
class MonthCoverage:
    """Cards that were handed over in a month (``2026-03``), and in all until its end."""

    month: str
    cards: int
    total: int


@dataclass(frozen=True, slots=True)
class BenefitFigures:
    """Redemptions of a benefit class or code in a month, without those that were taken back; ``amount`` in fen is what
    members paid."""

    benefit: str
    month: str
    redemptions: int
    quantity: int
    amount: int
