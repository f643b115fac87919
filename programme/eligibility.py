"""Who may have a benefit: conditions that all have to hold; one that is not in the file does not count.

A fact that is not known here fulfils no condition: the office can say, a counter without a line cannot.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from programme.dates import birthday
from programme.facts import Beneficiary
from programme.outcome import RefusalCode, Ruling
from programme.wording import ProgrammeSection, Sentence
from terminal.member.values import Category

CategoryName = Literal["in-post", "retired", "dispatched", "model-worker", "in-hardship"]
Division = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
"""Administrative division, GB/T 2260: trailing zeros stand for all that is below it."""
CATEGORIES: Final[dict[str, Category]] = {
    "in-post": Category.IN_POST,
    "retired": Category.RETIRED,
    "dispatched": Category.DISPATCHED,
    "model-worker": Category.MODEL_WORKER,
    "in-hardship": Category.IN_HARDSHIP,
}
CATEGORY_TEXTS: Final = {
    "in-post": Sentence("在职会员", "members in post"),
    "retired": Sentence("退休会员", "retired members"),
    "dispatched": Sentence("劳务派遣会员", "dispatched members"),
    "model-worker": Sentence("劳动模范", "model workers"),
    "in-hardship": Sentence("困难职工", "members in hardship"),
}
_OLDEST: Final = 120


class AgeRange(ProgrammeSection):
    """Ages in years, both included: until the day before the birthday after ``through``."""

    least: int = Field(0, ge=0, le=_OLDEST, alias="from")
    most: int | None = Field(None, ge=0, le=_OLDEST, alias="through")

    def begins(self, birth: date) -> date:
        """The first day on which somebody has the age."""
        return birthday(birth, self.least)

    def over(self, birth: date, on: date) -> bool:
        """Whether somebody is too old."""
        return self.most is not None and on >= birthday(birth, self.most + 1)


class Eligibility(ProgrammeSection):
    """The conditions. A division is met by itself and by what is below it: 110000 by 110105."""

    federations: tuple[Division, ...] | None = None
    categories: tuple[CategoryName, ...] | None = None
    units: tuple[str, ...] | None = None
    districts: tuple[Division, ...] | None = None
    hardship: Literal[True] | None = None
    cover: Literal[True] | None = None
    age: AgeRange | None = None
    children: AgeRange | None = None

    @model_validator(mode="after")
    def _members(self) -> Eligibility:
        if self.units is not None and any(not unit.strip() for unit in self.units):
            raise ValueError("a unit code is empty")
        return self

    def refusal(self, member: Beneficiary, on: date) -> Ruling | None:
        """The first condition that the member does not fulfil on that day; None where all are fulfilled."""
        if not self.model_fields_set:
            return None
        return (
            self._federation(member, on)
            or self._category(member, on)
            or self._unit(member, on)
            or self._district(member, on)
            or self._hardship(member, on)
            or self._cover(member, on)
            or self._age(member, on)
            or self._child(member, on)
        )

    def _federation(self, member: Beneficiary, on: date) -> Ruling | None:
        if self.federations is None or _within(member.federation, self.federations):
            return None
        return _failed(RefusalCode.OTHER_FEDERATION, "federations", member.federation, on)

    def _category(self, member: Beneficiary, on: date) -> Ruling | None:
        if self.categories is None or member.category in [CATEGORIES[name] for name in self.categories]:
            return None
        return _failed(RefusalCode.OTHER_CATEGORY, "categories", member.category, on, names=self.categories)

    def _unit(self, member: Beneficiary, on: date) -> Ruling | None:
        if self.units is None or member.unit in self.units:
            return None
        return _failed(RefusalCode.OTHER_UNIT, "units", member.unit, on)

    def _district(self, member: Beneficiary, on: date) -> Ruling | None:
        if self.districts is None or _within(member.district, self.districts):
            return None
        return _failed(RefusalCode.OTHER_DISTRICT, "districts", member.district, on)

    def _hardship(self, member: Beneficiary, on: date) -> Ruling | None:
        if self.hardship is None or member.in_hardship:
            return None
        return _failed(RefusalCode.NOT_IN_HARDSHIP, "hardship", member.in_hardship, on)

    def _cover(self, member: Beneficiary, on: date) -> Ruling | None:
        if self.cover is None or (member.cover_ends is not None and on <= member.cover_ends):
            return None
        return _failed(RefusalCode.NO_COVER, "cover", member.cover_ends, on, day=member.cover_ends)

    def _age(self, member: Beneficiary, on: date) -> Ruling | None:
        if self.age is None:
            return None
        if member.birth is None:
            return _failed(RefusalCode.TOO_OLD, "age", None, on)
        if self.age.over(member.birth, on):
            return Ruling(RefusalCode.TOO_OLD, "eligibility.age", count=self.age.most or 0)
        begins = self.age.begins(member.birth)
        return None if on >= begins else Ruling(RefusalCode.TOO_YOUNG, "eligibility.age", begins, count=self.age.least)

    def _child(self, member: Beneficiary, on: date) -> Ruling | None:
        if self.children is None:
            return None
        if member.children is None:
            return _failed(RefusalCode.NO_CHILD, "children", None, on)
        later = []
        for birth in member.children:
            if self.children.over(birth, on):
                continue
            begins = self.children.begins(birth)
            if on >= begins:
                return None
            later.append(begins)
        again = min(later, default=None)
        return Ruling(RefusalCode.NO_CHILD, "eligibility.children", again)


def within(division: str, places: tuple[str, ...]) -> bool:
    """Whether a division is one of the places or below one: trailing zeros of a place, two by two, stand for all."""
    return any(division.startswith(_stem(place)) for place in places)


def _within(division: str | None, places: tuple[str, ...]) -> bool:
    return division is not None and within(division, places)


def _stem(place: str) -> str:
    while place.endswith("00"):
        place = place[:-2]
    return place


def _failed(
    code: RefusalCode,
    rule: str,
    fact: object,
    on: date,
    *,
    names: tuple[str, ...] = (),
    day: date | None = None,
) -> Ruling:
    """The refusal by a condition; for a fact that is not known here, until somebody who knows it was consulted."""
    place = f"eligibility.{rule}"
    if fact is None:
        return Ruling(RefusalCode.NOT_KNOWN, place, on)
    return Ruling(code, place, names=names, day=day)
