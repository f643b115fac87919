"""Days of the programme file and periods on the calendar: windows that come every year, months, seasons, birthdays.

A period of months ends where the day of the month of the next one begins; 29 February is 28 February in other years.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime, time, timedelta
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator, model_validator

from programme.wording import ProgrammeSection

Period = Literal["day", "month", "quarter", "year"]
PERIOD_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
_LEAP_YEAR: Final = 2000
_MONTH_DAY: Final = re.compile("[0-9]{2}-[0-9]{2}")
_DATE: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile("[0-9]{2}:[0-9]{2}")
"""ISO 8601 has weeks and zones as well, which Python reads and people do not write here."""
_LEAP_DAY: Final = (2, 29)
_SHORTEST: Final = 28
_FIRST_YEAR, _LAST_YEAR = 2000, 2099


class MonthDay(NamedTuple):
    """A day of every year, written ``12-15``."""

    month: int
    day: int

    def __str__(self) -> str:
        return f"{self.month:02d}-{self.day:02d}"

    def of(self, year: int) -> date:
        """The day in that year; 29 February is the 28th where the year has none."""
        return _in_month(year, self.month, self.day)


def _month_day(value: object) -> MonthDay:
    try:
        if isinstance(value, str) and _MONTH_DAY.fullmatch(value):
            day = date.fromisoformat(f"{_LEAP_YEAR}-{value}")
            return MonthDay(day.month, day.day)
    except ValueError:
        pass
    raise ValueError("write a day of every year as month-day, such as 12-15")


def _day(value: object) -> date | MonthDay:
    if isinstance(value, date) and not isinstance(value, datetime):
        return _of_this_century(value)
    try:
        day = date.fromisoformat(value) if isinstance(value, str) and _DATE.fullmatch(value) else _month_day(value)
    except ValueError:
        raise ValueError("write a day as 2026-12-15, or as 12-15 for every year") from None
    return day if isinstance(day, MonthDay) else _of_this_century(day)


def _of_this_century(day: date) -> date:
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ValueError("a day of the years 2000 to 2099")
    return day


def _clock_time(value: object) -> time:
    try:
        if isinstance(value, str) and _TIME.fullmatch(value):
            return time.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError('write a time as hours and minutes, such as "08:30"')


CenturyDay = Annotated[date, AfterValidator(_of_this_century)]
YearlyDay = Annotated[MonthDay, PlainValidator(_month_day), PlainSerializer(str)]
Day = Annotated[date | MonthDay, PlainValidator(_day), PlainSerializer(str)]
ClockTime = Annotated[time, BeforeValidator(_clock_time), PlainSerializer(lambda at: f"{at:%H:%M}")]


class DateSpan(NamedTuple):
    """Days from the first through the last."""

    first: date
    last: date


class ValidDates(ProgrammeSection):
    """Days from the first through the last, both in a certain year."""

    first: CenturyDay = Field(alias="from")
    last: CenturyDay = Field(alias="through")


class OpenHours(ProgrammeSection):
    """Hours of a day, from the first minute until before the last."""

    first: ClockTime = Field(alias="from")
    last: ClockTime = Field(alias="through")

    @model_validator(mode="after")
    def _ordered(self) -> OpenHours:
        if self.first >= self.last:
            raise ValueError("hours end after they begin, on the same day")
        return self


class SaleWindow(ProgrammeSection):
    """When a benefit is sold: days of certain years, or of every year, also over New Year; hours where they count."""

    first: Day = Field(alias="from")
    last: Day = Field(alias="through")
    hours: OpenHours | None = None

    @model_validator(mode="after")
    def _alike(self) -> SaleWindow:
        if isinstance(self.first, MonthDay) != isinstance(self.last, MonthDay):
            raise ValueError("both days with the year, or both without")
        return self

    @property
    def yearly(self) -> bool:
        """Whether the window comes every year."""
        return isinstance(self.first, MonthDay)

    def span(self, day: date) -> DateSpan | None:
        """The window that the day lies in; None between windows."""
        if isinstance(self.first, MonthDay) and isinstance(self.last, MonthDay):
            if self._outside(day, self.first, self.last):
                return None
            this = self.first.of(day.year)
            year = day.year if this <= day else day.year - 1
            first = this if this <= day else self.first.of(year)
            last = self.last.of(year + (self.last < self.first))
            return DateSpan(first, last) if day <= last else None
        return next((span for span in self.near(day) if span.first <= day <= span.last), None)

    @staticmethod
    def _outside(day: date, first: MonthDay, last: MonthDay) -> bool:
        """Whether a day is outside by its month and day alone: quickly, for most of many windows."""
        if _LEAP_DAY in (first, last):
            return False
        here = (day.month, day.day)
        return not first <= here <= last if first <= last else last < here < first

    def following(self, day: date) -> date | None:
        """The first day of the next window that begins after the day; None where none comes."""
        if isinstance(self.first, MonthDay):
            this = self.first.of(day.year)
            return this if this > day else self.first.of(day.year + 1)
        return self.first if self.first > day else None

    def near(self, day: date) -> list[DateSpan]:
        """The windows that begin in the year of the day, in the one before and in the one after."""
        if isinstance(self.first, MonthDay) and isinstance(self.last, MonthDay):
            over_new_year = self.last < self.first
            years = range(day.year - 1, day.year + 2)
            return [DateSpan(self.first.of(year), self.last.of(year + over_new_year)) for year in years]
        if isinstance(self.first, date) and isinstance(self.last, date):
            return [DateSpan(self.first, self.last)]
        return []


def add_months(day: date, months: int) -> date:
    """The same day of the month so many months later, or the last day of a shorter month."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return _in_month(year, month + 1, day.day)


def period_span(period: Period, starts: MonthDay, day: date) -> DateSpan:
    """The day, month, quarter or year that a day lies in. ``starts`` is the first day of a year; a month takes its day,
    a quarter its month's place among three as well."""
    if period == "day":
        return DateSpan(day, day)
    months = PERIOD_MONTHS[period]
    ahead = (day.month - starts.month) % months
    first = _begins(day, -ahead, starts)
    if first > day:
        ahead += months
        first = _begins(day, -ahead, starts)
    return DateSpan(first, _begins(day, months - ahead, starts) - timedelta(days=1))


def _begins(day: date, months: int, starts: MonthDay) -> date:
    """The first day of the period that begins so many months after the month of ``day``."""
    month = add_months(day.replace(day=1), months)
    return _in_month(month.year, month.month, starts.day)


def _in_month(year: int, month: int, day: int) -> date:
    """That day of the month, or its last day where it is shorter."""
    return date(year, month, day if day <= _SHORTEST else min(day, calendar.monthrange(year, month)[1]))


def birthday(birth: date, age: int) -> date:
    """The day on which somebody reaches an age. Who was born on 29 February reaches it on 1 March in other years."""
    year = birth.year + age
    if year > date.max.year:
        return date.max
    return (
        date(year, 3, 1)
        if (birth.month, birth.day) == (2, 29) and not calendar.isleap(year)
        else birth.replace(year=year)
    )
