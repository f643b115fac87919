"""Values of the data elements of the member application: enumerations and small tuples."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum, IntEnum
from typing import Any, Final, NamedTuple

from terminal.emv.data.cvm_list import CvmList
from terminal.tlv import Dol


class Sex(IntEnum):
    """GB/T 2261.1."""

    MALE = 1
    FEMALE = 2


class Category(IntEnum):
    """Category of a member."""

    IN_POST = 0
    RETIRED = 1
    DISPATCHED = 2
    MODEL_WORKER = 3
    IN_HARDSHIP = 4


class IdType(IntEnum):
    """Identity documents. JR/T 0025.5, tag 9F62."""

    RESIDENT_ID = 0
    OFFICER = 1
    PASSPORT = 2
    ENTRY_PERMIT = 3
    TEMPORARY_ID = 4
    OTHER = 5


class Period(IntEnum):
    """The period after which an entitlement is renewed. docs/redemption.md, Periods."""

    DAY = 1
    MONTH = 2
    QUARTER = 3
    YEAR = 4
    ONCE = 5
    """Never renewed."""


_MONTHS: Final = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}


class Entitlement(NamedTuple):
    """How often a benefit class may be used in one period, and how often it was.

    ``pin``: a redemption demands that the PIN was verified.
    """

    benefit_class: str
    limit: int
    used: int
    period: Period
    start: date
    pin: bool = False

    def on(self, day: date) -> Entitlement:
        """The same in the period that this day lies in: a later one than the stored one begins unused."""
        start = self.start
        if self.period is Period.DAY:
            start = max(start, day)
        while (following := _next_period(start, self.period)) is not None and following <= day:
            start = following
        return self if start == self.start else self._replace(used=0, start=start)

    def left(self, on: date) -> int:
        """Uses left on that day: the limit once a new period has begun, none before the first one."""
        return 0 if on < self.start else max(0, self.limit - self.on(on).used)

    def renewed(self, on: date) -> date | None:
        """The first day after this one on which all uses are left again; None where that never comes."""
        return self.start if on < self.start else _next_period(self.on(on).start, self.period)


@dataclass(frozen=True, slots=True)
class MaskedIdentity:
    """Data that a counter may compare with a document: the last four characters of the ID number and of the phone
    number."""

    id_number: str
    mobile: str

    def __str__(self) -> str:
        return f"ID …{self.id_number}, phone …{self.mobile}"


def value_text(value: Any) -> str:
    """A value of an element of the member application, for a person to read; several values on a line each."""
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, Dol):
        return " ".join(f"{entry.tag}({entry.length})" for entry in value)
    if isinstance(value, CvmList):
        return value.encode().hex().upper()
    if isinstance(value, Enum):
        return value.name.lower().replace("_", " ")
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return "\n".join(value_text(item) for item in value)
    if isinstance(value, Entitlement):
        used = f"{value.used} of {value.limit} used"
        period = "once" if value.period is Period.ONCE else f"a {value.period.name.lower()}"
        return f"{value.benefit_class}: {used}, {period} from {value.start}{', with PIN' if value.pin else ''}"
    if value is None:
        return "not yet"
    return str(value)


def _next_period(start: date, period: Period) -> date | None:
    """The first day of the period after the one that began on ``start``; None where there is none."""
    if period is Period.ONCE:
        return None
    if period is Period.DAY:
        return start + timedelta(days=1)
    years, month = divmod(start.month - 1 + _MONTHS[period], 12)
    year = start.year + years
    return date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1]))
