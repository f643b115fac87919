"""The statistics of a period as frozen values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from registry.admin.statistics import CardSeconds, HourCount, LaneCount, RejectCount, UnitProgress


@dataclass(frozen=True, slots=True)
class DayCount:
    """Verified cards of one day in this machine's time zone."""

    day: date
    count: int


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
