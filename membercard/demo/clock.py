"""The clock of a demo, which tells what was before, and the days of what it tells.

Members use their cards in the month that is over, so that a statement of that month can be drawn up today.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, Protocol

from registry.programme.statement import Month

_SEASON: Final = 15
"""Day of the month on which the season of the demo begins and ends."""


def _real_time() -> datetime:
    return datetime.now(UTC)


class DemoClock(Protocol):
    """The clock of a demo."""

    def __call__(self) -> datetime:
        """The time in UTC."""

    def local(self) -> datetime:
        """The time of the place."""


class HistoryClock:
    """A clock that is ``behind`` the real one."""

    def __init__(self, zone: tzinfo, real: Callable[[], datetime] = _real_time) -> None:
        self._zone, self._real = zone, real
        self.behind = timedelta(0)

    def set(self, days: float) -> None:
        """Set the clock to so many days ago."""
        self.behind = timedelta(days=days)

    def set_to(self, day: date, hour: int, minute: int = 0) -> None:
        """Set the clock to a local time; never ahead of the real one."""
        at = datetime.combine(day, time(hour, minute), self._zone)
        self.behind = max(timedelta(0), self._real() - at)

    def __call__(self) -> datetime:
        return self._real() - self.behind

    def local(self) -> datetime:
        return self().astimezone(self._zone)


@dataclass(frozen=True, slots=True)
class DemoDays:
    """Days of a demo of ``today``."""

    today: date

    @property
    def month(self) -> Month:
        """The month that is over."""
        return Month.of(self.today.replace(day=1) - timedelta(days=1))

    def of_month(self, day: int) -> date:
        """A day of that month."""
        return date(self.month.year, self.month.number, day)

    @property
    def season(self) -> tuple[date, date]:
        """The season in which the park pass is sold: from that month into the next one."""
        following = (self.today.replace(day=28) + timedelta(days=4)).replace(day=_SEASON)
        return self.of_month(_SEASON), following


@dataclass(frozen=True, slots=True)
class DemoTime:
    """The clock of a demo with its days."""

    clock: HistoryClock
    days: DemoDays

    @classmethod
    def of(cls, today: date, zone: tzinfo) -> DemoTime:
        return cls(HistoryClock(zone), DemoDays(today))

    def set_to(self, day: int, hour: int, minute: int = 0) -> None:
        """Set the clock to a time of a day of the month that is over."""
        self.clock.set_to(self.days.of_month(day), hour, minute)
