"""Days that never come, and windows of sale that overlap."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import combinations

from programme.benefit import Benefit
from programme.dates import DateSpan, MonthDay, OpenHours, SaleWindow, ValidDates
from programme.lint.finding import ProgrammeFinding, finding
from programme.programme import Location, Programme


def check(programme: Programme) -> Iterator[ProgrammeFinding]:
    """Days of the programme, of windows, stocks and rushes."""
    valid = programme.valid
    if valid.first > valid.last:
        yield finding("days", ("valid",), "结束日期早于开始日期", "it ends before it begins")
        return
    for code, benefit in programme.benefits.items():
        yield from _windows(benefit, valid, ("benefits", code, "sold"))
        for name, stock in benefit.stock.items():
            if stock.days is not None:
                yield from _span(DateSpan(stock.days.first, stock.days.last), valid, _stock(code, name))
        for place, limit in enumerate(benefit.limits):
            yield from _leap(limit.starts, ("benefits", code, "limits", place, "starts"))
    for code, rush in programme.rush.items():
        yield from _span(DateSpan(rush.opens.date(), rush.closes.date()), valid, ("rush", code, "opens"))
        for name, lot in rush.lots.items():
            yield from _span(DateSpan(lot.days.first, lot.days.last), valid, ("rush", code, "lots", name, "days"))


def _stock(code: str, name: str) -> Location:
    return ("benefits", code, "stock", name, "days")


def _windows(benefit: Benefit, valid: ValidDates, location: Location) -> Iterator[ProgrammeFinding]:
    for place, window in enumerate(benefit.sold):
        here = (*location, place)
        yield from _leap(window.first, (*here, "from"))
        yield from _leap(window.last, (*here, "through"))
        if isinstance(window.first, date) and isinstance(window.last, date):
            yield from _span(DateSpan(window.first, window.last), valid, here)
        elif not any(_meet(span, DateSpan(valid.first, valid.last)) for span in _spans(window, valid)):
            yield _never(here)
    for (_, one), (place, other) in combinations(enumerate(benefit.sold), 2):
        apart = one.hours is not None and other.hours is not None and not _hours_meet(one.hours, other.hours)
        if not apart and any(_meet(a, b) for a in _spans(one, valid) for b in _spans(other, valid)):
            yield finding("windows", (*location, place), "与另一销售期重叠", "overlaps another window of sale")


def _span(span: DateSpan, valid: ValidDates, location: Location) -> Iterator[ProgrammeFinding]:
    if span.first > span.last:
        yield finding("days", location, "结束日期早于开始日期", "it ends before it begins")
    elif not _meet(span, DateSpan(valid.first, valid.last)):
        yield _never(location)


def _never(location: Location) -> ProgrammeFinding:
    zh, en = "这些日期都不在方案有效期内", "these days never come while the programme is valid"
    return finding("days", location, zh, en)


def _leap(day: date | MonthDay, location: Location) -> Iterator[ProgrammeFinding]:
    if isinstance(day, MonthDay) and day == (2, 29):
        zh, en = "2 月 29 日多数年份没有，请改用其他日期", "29 February does not come in most years; name another day"
        yield finding("days", location, zh, en)


def _spans(window: SaleWindow, valid: ValidDates) -> list[DateSpan]:
    """The windows from the year before the programme to the year after it."""
    years = range(valid.first.year, valid.last.year + 1)
    return sorted({span for year in years for span in window.near(date(year, 6, 30))})


def _meet(one: DateSpan, other: DateSpan) -> bool:
    return one.first <= other.last and other.first <= one.last


def _hours_meet(one: OpenHours, other: OpenHours) -> bool:
    return one.first < other.last and other.first < one.last
