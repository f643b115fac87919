"""Conditions that no member fulfils."""

from __future__ import annotations

from collections.abc import Iterator

from programme.eligibility import AgeRange, Eligibility, within
from programme.lint.finding import ProgrammeFinding, finding
from programme.programme import Location, Programme

_RULE = "nobody"


def check(programme: Programme) -> Iterator[ProgrammeFinding]:
    """The conditions of the programme, of each benefit, and of both together."""
    common = programme.eligibility
    yield from _by_itself(common, ("eligibility",))
    federations = common.federations or (programme.federation.division,)
    for code, benefit in programme.benefits.items():
        own, location = benefit.eligibility, ("benefits", code, "eligibility")
        yield from _by_itself(own, location)
        for field in ("categories", "units"):
            here, there = getattr(own, field), getattr(common, field)
            if here and there and not set(here) & set(there):
                yield _nobody((*location, field))
        for field, places in (("federations", federations), ("districts", common.districts)):
            here = getattr(own, field)
            if here and places and not _overlap(here, places):
                yield _nobody((*location, field))
        if own.districts and not _overlap(own.districts, federations) and not own.federations:
            yield _nobody((*location, "districts"))
        for field in ("age", "children"):
            one, other = getattr(own, field), getattr(common, field)
            if one is not None and other is not None and _apart(one, other):
                yield _nobody((*location, field))


def _by_itself(conditions: Eligibility, location: Location) -> Iterator[ProgrammeFinding]:
    for field in ("federations", "categories", "units", "districts"):
        if getattr(conditions, field) == ():
            yield _nobody((*location, field))
    for field in ("age", "children"):
        ages: AgeRange | None = getattr(conditions, field)
        if ages is not None and ages.most is not None and ages.least > ages.most:
            yield _nobody((*location, field))


def _overlap(here: tuple[str, ...], there: tuple[str, ...]) -> bool:
    return any(within(one, there) for one in here) or any(within(one, here) for one in there)


def _apart(one: AgeRange, other: AgeRange) -> bool:
    return (one.most is not None and one.most < other.least) or (other.most is not None and other.most < one.least)


def _nobody(location: Location) -> ProgrammeFinding:
    return finding(_RULE, location, "没有会员符合此条件", "no member fulfils this condition")
