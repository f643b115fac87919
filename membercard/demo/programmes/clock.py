"""The clock of a scripted year: it stands where the script puts it, and never goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

_LOOK: Final = timedelta(milliseconds=1)


class YearClock:
    """Goes on by a millisecond at each look, so that no two records have the same time."""

    def __init__(self, zone: tzinfo, year: int) -> None:
        self.zone, self.year = zone, year
        self._now = datetime(year, 1, 1, 8, tzinfo=zone)

    def day(self, month: int, day: int, hour: int = 9, minute: int = 0) -> datetime:
        """A time of the year."""
        return datetime(self.year, month, day, hour, minute, tzinfo=self.zone)

    def at(self, month: int, day: int, hour: int = 9, minute: int = 0) -> None:
        """Put the clock to a time of the year. Raises ValueError for one that has passed."""
        self.to(self.day(month, day, hour, minute))

    def to(self, time: datetime) -> None:
        """The same to any instant."""
        if time < self._now:
            raise ValueError(f"{time:%m-%d %H:%M}")
        self._now = time

    def __call__(self) -> datetime:
        self._now += _LOOK
        return self._now.astimezone(UTC)

    def local(self) -> datetime:
        """The time of the place."""
        return self().astimezone(self.zone)

    @property
    def month(self) -> int:
        return self._now.month
