"""Decisions about benefits: a counter decides on every benefit of a merchant while the member waits."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from benchmarks.table import Row
from programme.decision import decide
from programme.facts import Beneficiary, BenefitRequest, BenefitUse, PastUses
from programme.programme import example
from terminal.member.values import Category, Entitlement, Period

CALLS, ROUNDS = 500, 31
MOST = 50e-6
"""Seconds a decision may take."""
NOON = datetime(2027, 1, 10, 12)
USES = 20
"""Earlier uses of the benefit: two years of a monthly one."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request to a benefit of an example, and what it is a case of."""

    name: str
    programme: str
    benefit: str
    request: BenefitRequest
    past: PastUses


def member() -> Beneficiary:
    """A member of whom everything is known."""
    return Beneficiary("110000", Category.IN_POST, "811101010000000001", "110105", False, date(2030, 1, 1),
                       date(2026, 10, 1), date(1980, 5, 1), (date(2011, 5, 1),))  # fmt: skip


def questions() -> list[Question]:
    """An allowed and a refused request of the kinds that do most."""
    days = [date(2026, 12, 1) - timedelta(days=30 * n) for n in range(USES)]
    uses = [BenefitUse(str(n), "visit", 1, day) for n, day in enumerate(days)]
    season = Entitlement("0101", 1, 1, Period.YEAR, date(2026, 12, 15))
    fresh = season._replace(used=0)
    return [
        Question("percent, fee, season, on the chip: allowed", "beijing", "park-pass", BenefitRequest("new"),
                 PastUses(card={"0101": fresh})),
        Question("the same: refused until the next season", "beijing", "park-pass", BenefitRequest("new"),
                 PastUses(card={"0101": season})),
        Question(f"phases after {USES} uses: refused", "beijing", "gym", BenefitRequest("visit"),
                 PastUses(uses, complete=True)),
        Question("window after issue, once: allowed", "beijing", "gold-membership", BenefitRequest("binding"),
                 PastUses(complete=True)),
    ]  # fmt: skip


def seconds(call: Callable[[], object]) -> float:
    """Processor time of one call, the median of many rounds."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(CALLS):
            call()
        rounds.append((time.process_time() - start) / CALLS)
    return statistics.median(rounds)


def run() -> list[Row]:
    """Each question against the time that a decision may take."""
    rows, person = [], member()
    for question in questions():
        offer = example(question.programme).programme.offer(question.benefit)
        request, past = question.request, question.past
        taken = seconds(lambda: decide(offer, person, request, past, NOON))  # noqa: B023  # it is called at once
        what = f"decide: {question.name}"
        rows.append(Row(what, f"{taken * 1e6:.1f} µs", taken / MOST, "≤ 50 µs", taken <= MOST))
    return rows
