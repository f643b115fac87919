"""The statistics of a period as frozen values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from registry.admin.statistics import CardSeconds, HourCount, LaneCount, RejectCount, UnitProgress
from registry.unit_names import levels


@dataclass(frozen=True, slots=True)
class DayCount:
    """Cards of one day in this machine's time zone: ``count`` were verified, ``issued`` were handed over."""

    day: date
    count: int
    issued: int


@dataclass(frozen=True, slots=True)
class PlanTotal:
    """The schedule as a whole. ``issued`` counts the units with a plan only, as ``planned`` does; ``unplanned`` are the
    cards that other units were given. No department counts twice."""

    planned: int
    issued: int
    unplanned: int


def plan_total(units: Sequence[UnitProgress]) -> PlanTotal:
    """The sum of all units of the progress."""
    outermost = [unit for unit in units if unit.planned is not None and not unit.within]
    planned = sum(unit.planned or 0 for unit in outermost)
    others = {unit.unit: unit.issued for unit in units if unit.planned is None}
    counted_in_others = sum(unit.issued for unit in outermost if levels(unit.unit)[0] in others)
    return PlanTotal(planned, sum(unit.issued for unit in outermost), sum(others.values()) - counted_in_others)


@dataclass(frozen=True, slots=True)
class Figures:
    """All statistics of one period, as the workbook shows them. ``until`` is excluded."""

    since: datetime | None
    until: datetime | None
    created_at: datetime
    units: Sequence[UnitProgress]
    days: Sequence[DayCount]
    rejects: Sequence[RejectCount]
    seconds: CardSeconds
    lanes: Sequence[LaneCount]
    verdicts: Sequence[HourCount]
