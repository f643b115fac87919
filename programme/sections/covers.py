"""The section ``covers`` (互助保障): terms, who is covered, and when the list of changes is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from pydantic import Field

from programme.dates import CenturyDay, add_months
from programme.eligibility import CategoryName
from programme.wording import ProgrammeSection, Wording, Yuan


@dataclass(frozen=True, slots=True)
class CoverTerm:
    """A term: its number from 1 on, its first and its last day."""

    number: int
    first: date
    last: date


class Cover(ProgrammeSection):
    """A cover. ``first`` is the first day of its first term; each lasts so many ``months``, and its list is due
    ``list_days`` before it begins. Covered are members of the ``categories`` with a card in ``card``: ``issued`` counts
    from its production on, ``delivered`` from its hand-over, ``active`` from its activation. ``premium`` is what the
    federation pays for a member and term. The cover that is ``on_card`` is the one whose last day chips have."""

    name: Wording
    text: Wording | None = None
    insurer: Wording | None = None
    first: CenturyDay
    months: int = Field(12, ge=1, le=60)
    list_days: int = Field(15, ge=0, le=90)
    categories: tuple[CategoryName, ...] = ("in-post", "dispatched", "model-worker", "in-hardship")
    card: Literal["issued", "delivered", "active"] = "issued"
    premium: Yuan = 0
    on_card: bool = False

    def term(self, number: int) -> CoverTerm:
        """The term of that number, from 1 on."""
        first = add_months(self.first, (number - 1) * self.months)
        return CoverTerm(number, first, add_months(self.first, number * self.months) - timedelta(days=1))

    def term_at(self, day: date) -> CoverTerm | None:
        """The term that a day lies in; None before the first one."""
        if day < self.first:
            return None
        months = (day.year - self.first.year) * 12 + day.month - self.first.month
        number = months // self.months + 1
        term = self.term(number)
        return term if term.first <= day else self.term(number - 1)

    def list_due(self, term: CoverTerm) -> date:
        """The day on which the list that opens a term is drawn up."""
        return term.first - timedelta(days=self.list_days)
