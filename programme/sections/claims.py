"""The section ``claims`` (理赔): kinds of claims with their amounts, documents, deadlines and levels of review."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from programme.benefit import Code
from programme.wording import Percent, ProgrammeSection, Wording, Yuan

Level = Literal["station", "district", "city"]
LEVELS: Final[tuple[Level, ...]] = ("station", "district", "city")
_WHOLE: Final = 10_000


class ClaimChoice(ProgrammeSection):
    """A row of a table of amounts, such as a grade of disability or a kind of employer."""

    name: Wording
    amount: Yuan = Field(gt=0)


class ClaimKind(ProgrammeSection):
    """A kind of claim. Its amount is one of ``amount``, ``percent`` of a loss up to a ``cap``, and the row of a
    ``table``. ``cover`` is in force on the day of the event. One event of a member is paid once: kinds with the same
    ``event`` are of one. ``documents`` are all there before the first review; filed at most so many ``days`` after the
    event. ``death``: for a member who has died, paid to an heir. ``medical``: what it says of a member's health stands
    on no list. ``levels`` review it in this order."""

    name: Wording
    text: Wording | None = None
    cover: Code | None = None
    event: Code | None = None
    amount: Yuan | None = Field(None, gt=0)
    percent: Percent | None = Field(None, gt=0)
    cap: Yuan | None = Field(None, gt=0)
    table: dict[Code, ClaimChoice] = Field(default_factory=dict, max_length=50)
    documents: tuple[Code, ...] = Field((), max_length=20)
    days: int = Field(180, ge=0, le=3660)
    death: bool = False
    medical: bool = False
    levels: tuple[Level, ...] = Field(LEVELS, min_length=1)

    @model_validator(mode="after")
    def _decidable(self) -> ClaimKind:
        ways = [self.amount is not None, self.percent is not None, bool(self.table)]
        if sum(ways) != 1:
            raise ValueError("the amount of a claim is one of amount, percent and table")
        if self.percent is not None and (self.cap is None or self.percent > _WHOLE):
            raise ValueError("a percent of a loss is at most 100 and has a cap")
        if self.cap is not None and self.percent is None:
            raise ValueError("a cap is that of a percent of a loss")
        if list(self.levels) != [level for level in LEVELS if level in self.levels]:
            raise ValueError("levels are station, district and city in this order, each once at most")
        if len(set(self.documents)) < len(self.documents):
            raise ValueError("a document is listed twice")
        return self
