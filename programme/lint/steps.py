"""Steps of a sequence and products that no member ever reaches."""

from __future__ import annotations

from collections.abc import Iterator

from programme.benefit import Benefit
from programme.lint.finding import ProgrammeFinding, finding
from programme.programme import Location, Programme


def check(programme: Programme) -> Iterator[ProgrammeFinding]:
    """Phases and products of each benefit."""
    for code, benefit in programme.benefits.items():
        location = ("benefits", code)
        yield from _phases(benefit, (*location, "phases"))
        yield from _products(benefit, (*location, "products"))


def _phases(benefit: Benefit, location: Location) -> Iterator[ProgrammeFinding]:
    wanted: dict[str, int] = {}
    closed = False
    for place, phase in enumerate(benefit.phases):
        if closed:
            zh, en = "永远到不了这个阶段：前一阶段没有结束", "no member reaches this step: one before it never ends"
            yield finding("phases", (*location, place), zh, en)
            continue
        wanted[phase.product] = wanted.get(phase.product, 0) + (phase.uses or 1)
        most = min(
            (limit.count for limit in benefit.limits if limit.per == "lifetime" and limit.covers(phase.product)),
            default=None,
        )
        closed = phase.uses is None or (most is not None and wanted[phase.product] > most)


def _products(benefit: Benefit, location: Location) -> Iterator[ProgrammeFinding]:
    for code in benefit.products:
        seen, here = {code}, benefit.products[code].after
        while here is not None and here not in seen:
            seen.add(here)
            here = benefit.products[here].after
        if here is not None:
            zh, en = "互为前提，永远无法办理", "each of these products comes after the other, so that none ever comes"
            yield finding("after", (*location, code, "after"), zh, en)
