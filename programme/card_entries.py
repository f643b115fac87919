"""DF28 of a card by the programme: what the chip counts, and from when. docs/card-layout.md, DF28."""

from __future__ import annotations

from datetime import date
from typing import Final

from programme.benefit import Benefit
from programme.dates import period_span
from programme.errors import ProgrammeUnfit
from programme.programme import Programme
from terminal.member.values import Entitlement, Period

_PERIODS: Final = {"month": Period.MONTH, "quarter": Period.QUARTER, "year": Period.YEAR}


def entitlements(programme: Programme, on: date) -> tuple[Entitlement, ...]:
    """An unused entry for each benefit that the card counts, in the order of the file, in the period of that day.

    Raises ProgrammeUnfit for a limit that no entry holds; the linter finds it.
    """
    return tuple(_entry(benefit, on) for benefit in programme.benefits.values() if benefit.counted == "card")


def _entry(benefit: Benefit, on: date) -> Entitlement:
    limit, benefit_class = benefit.card_limit, benefit.benefit_class
    if limit is None or benefit_class is None:
        raise ProgrammeUnfit("a benefit that the card counts needs a limit", "由卡计数的权益须有次数限制")
    if limit.per == "season":
        window = benefit.sold[0]
        begun = [span.first for span in window.near(on) if span.first <= on]
        if not begun or not window.yearly:
            raise ProgrammeUnfit(
                "a card counts the season of one window that comes every year", "卡只能按一个每年的销售期计数"
            )
        period, start = Period.YEAR, max(begun)
    elif limit.per == "day":
        period, start = Period.DAY, on
    elif limit.per == "lifetime" or limit.per == "event":
        period, start = Period.ONCE, on
    else:
        period, start = _PERIODS[limit.per], period_span(limit.per, limit.starts, on).first
    return Entitlement(benefit_class, limit.count, 0, period, start, bool(benefit.pin))
