"""The section ``grants`` (补助): kinds of grants, what they pay, how often, and the budget of each year."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from programme.benefit import Code
from programme.eligibility import CategoryName
from programme.wording import ProgrammeSection, Wording, Yuan

BudgetYear = Annotated[int, Field(ge=2000, le=2099)]


class GrantChoice(ProgrammeSection):
    """A row of a table of amounts, such as a grade of skill."""

    name: Wording
    amount: Yuan = Field(gt=0)


class GrantKind(ProgrammeSection):
    """A kind of grant. A row of a list pays the fixed ``amount``, that of its row of the ``table``, or what the list
    says, at most ``most``. ``once``: a member has each row of the table once in a lifetime or in a year. ``budget`` is
    what all lists of a year may come to; without it there is no bound. ``on_activation``: for every member whose card
    is activated, without a list."""

    name: Wording
    text: Wording | None = None
    amount: Yuan | None = Field(None, gt=0)
    table: dict[Code, GrantChoice] = Field(default_factory=dict, max_length=50)
    most: Yuan | None = Field(None, gt=0)
    once: Literal["lifetime", "year"] | None = None
    budget: dict[BudgetYear, Yuan] | None = Field(None, min_length=1, max_length=30)
    categories: tuple[CategoryName, ...] | None = None
    on_activation: bool = False

    @model_validator(mode="after")
    def _decidable(self) -> GrantKind:
        if sum([self.amount is not None, bool(self.table), self.most is not None]) != 1:
            raise ValueError("the amount of a grant is one of amount, table and most")
        if self.on_activation and (self.amount is None or self.once is None):
            raise ValueError("a grant on activation has a fixed amount, once a lifetime or a year")
        return self
