"""On which days a member is covered, and why not on the others: worked out from the lists alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from registry.covers.values import ChangeReason, CoverDay, CoverList, CoverListKind, CoverSpan, Uncovered

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Holding:
    """From the list that entered a member to the one that left the member out, if one did, with its reason."""

    entered: CoverList
    left: CoverList | None
    reason: ChangeReason | None


def covered_spans(
    lists: Iterable[CoverList], holdings: Sequence[Holding], died_on: date | None = None
) -> list[CoverSpan]:
    """The days on which a member is covered, one span for each term that has some, in order. ``lists`` are the released
    ones of the cover. The day of a death is covered, the next one is not."""
    spans: list[CoverSpan] = []
    for opening in sorted(_openings(lists), key=lambda one: one.term_first):
        for held in holdings:
            last = opening.term_last if held.left is None else min(opening.term_last, held.left.effective - _DAY)
            if died_on is not None:
                last = min(last, died_on)
            first = max(opening.effective, held.entered.effective)
            if first <= last:
                spans.append(CoverSpan(first, last, opening.number, held.entered.id))
    return spans


def explain(
    day: date, lists: Sequence[CoverList], holdings: Sequence[Holding], died_on: date | None = None
) -> CoverDay:
    """Whether and why a member is covered on a day."""
    for span in covered_spans(lists, holdings, died_on):
        if span.first <= day <= span.last:
            return CoverDay(day, span.list_id, None)
    if died_on is not None and day > died_on:
        return CoverDay(day, None, Uncovered.DIED)
    if not any(one.effective <= day <= one.term_last for one in _openings(lists)):
        return CoverDay(day, None, Uncovered.NO_TERM)
    left = [held for held in holdings if held.left is not None and held.left.effective <= day]
    if left:
        last = max(left, key=lambda held: held.left.effective if held.left else day)
        return CoverDay(day, None, Uncovered.LEFT, last.reason)
    return CoverDay(day, None, Uncovered.NOT_LISTED)


def _openings(lists: Iterable[CoverList]) -> list[CoverList]:
    return [one for one in lists if one.kind is CoverListKind.OPENING]
