"""The section ``rush`` (限量抢票): tickets that members rush for, with stock, opening instant, limits and waiting list.

The stock of a rush is that of its lots, one for each place, event or day. A rush may be of a benefit, whose
conditions then hold as well; such a benefit has no stock of its own, so that every unit is counted in one place.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from programme.benefit import Code
from programme.dates import ValidDates
from programme.eligibility import Eligibility
from programme.wording import ProgrammeSection, Wording, Yuan

_INSTANT: Final = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}")
MOST_UNITS: Final = 10_000_000


def _instant(value: object) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is None and not value.second and not value.microsecond:
        return value
    try:
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            return datetime.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError('write a day with its time, such as "2026-02-01 09:00"')


LocalInstant = Annotated[
    datetime, PlainValidator(_instant), PlainSerializer(lambda at: at.strftime("%Y-%m-%d %H:%M"), return_type=str)
]
"""A minute by the clock of the federation: written ``"2026-02-01 09:00"``."""


class TicketLot(ProgrammeSection):
    """The tickets of one place, event or day. ``days`` are those on which a ticket is valid; ``limit`` is the most that
    one member may have of this lot."""

    name: Wording
    units: int = Field(ge=1, le=MOST_UNITS)
    days: ValidDates
    limit: int | None = Field(None, ge=1, le=100)


class TicketRush(ProgrammeSection):
    """One rush. ``price`` is that of a ticket, ``limit`` the most tickets of one member over all lots, ``waiting`` the
    length of the waiting list of each lot; tickets go back until ``returns``, without it until the rush closes."""

    name: Wording
    text: Wording | None = None
    benefit: Code | None = None
    price: Yuan = 0
    opens: LocalInstant
    closes: LocalInstant
    returns: LocalInstant | None = None
    limit: int = Field(ge=1, le=100)
    waiting: int = Field(0, ge=0, le=MOST_UNITS)
    eligibility: Eligibility = Eligibility()
    lots: dict[Code, TicketLot] = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _decidable(self) -> TicketRush:
        for name in ("districts", "cover", "children"):
            if getattr(self.eligibility, name) is not None:
                raise ValueError(f"a rush has no condition {name}: the registry decides it without the card")
        return self

    @model_validator(mode="after")
    def _ordered(self) -> TicketRush:
        if self.opens >= self.closes:
            raise ValueError("a rush closes after it opens")
        if self.returns is not None and self.returns < self.opens:
            raise ValueError("tickets can be returned from the opening on: returns is before it")
        for code, lot in self.lots.items():
            if lot.days.first > lot.days.last:
                raise ValueError(f"the tickets of lot {code} are over before they begin")
            if lot.days.last < self.opens.date():
                raise ValueError(f"the tickets of lot {code} are over before the rush opens")
        return self

    def limit_at(self, lot: str) -> int:
        """The most tickets of one member at a lot."""
        return min(self.limit, self.lots[lot].limit or self.limit)
