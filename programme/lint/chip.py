"""What a chip, or a counter without a line, can count. docs/card-layout.md, DF28; docs/programme.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from programme.benefit import Benefit, UseLimit
from programme.dates import MonthDay
from programme.lint.finding import ProgrammeFinding, finding
from programme.programme import Location, Programme

MOST_CLASSES: Final = 30
"""Entries of DF28 in its record: 30 of 8 bytes."""
MOST_USES: Final = 255
"""The limit in DF28 is one byte."""
LAST_DAY: Final = 28
"""Periods that begin later move to the end of shorter months, and stay there."""
_RULE: Final = "chip"


def check(programme: Programme) -> Iterator[ProgrammeFinding]:
    """Classes of the programme, and the counts of each benefit."""
    classes: dict[str, str] = {}
    for code, benefit in programme.benefits.items():
        location = ("benefits", code)
        if benefit.benefit_class is not None:
            if benefit.benefit_class in classes:
                other = classes[benefit.benefit_class]
                zh, en = f"类别已用于权益 {other}", f"benefit {other} has this class already"
                yield finding(_RULE, (*location, "class"), zh, en)
            classes.setdefault(benefit.benefit_class, code)
        if benefit.counted == "card":
            yield from _on_card(benefit, location)
        if benefit.counted != "office":
            yield from _uncounted(benefit, location)
    if len(classes) > MOST_CLASSES:
        zh, en = f"卡上最多 {MOST_CLASSES} 个类别", f"a card has room for {MOST_CLASSES} classes"
        yield finding(_RULE, ("benefits",), zh, en)


def _on_card(benefit: Benefit, location: Location) -> Iterator[ProgrammeFinding]:
    limit = benefit.card_limit
    if limit is None:
        zh, en = "由卡计数的权益须有次数限制", "a benefit that the card counts needs a limit"
        yield finding(_RULE, (*location, "limits"), zh, en)
        return
    for place, other in enumerate(benefit.limits):
        here = (*location, "limits", place)
        if other is limit:
            yield from _entry(benefit, limit, here)
        elif other.per != "event":
            zh, en = "每个类别在卡上只能有一个限制", "the card holds one limit a class"
            yield finding(_RULE, here, zh, en)


def _entry(benefit: Benefit, limit: UseLimit, location: Location) -> Iterator[ProgrammeFinding]:
    """The one limit of a class, as an entry of DF28."""
    if limit.count > MOST_USES:
        zh, en = f"卡上次数最多 {MOST_USES}", f"a card counts {MOST_USES} at most"
        yield finding(_RULE, (*location, "count"), zh, en)
    if limit.products:
        zh, en = "卡按类别计数，不能只限部分产品", "the card counts the class, not some of its products"
        yield finding(_RULE, (*location, "products"), zh, en)
    if limit.per in ("month", "quarter", "year") and limit.starts.day > LAST_DAY:
        yield _late((*location, "starts"))
    if limit.per != "season":
        return
    first = benefit.sold[0].first
    if len(benefit.sold) > 1 or not isinstance(first, MonthDay):
        zh, en = "卡只能按一个每年的销售期计数", "a card counts the season of one window that comes every year"
        yield finding(_RULE, (*location, "per"), zh, en)
    elif first.day > LAST_DAY:
        yield _late((*location[:-2], "sold", 0, "from"))


def _late(location: Location) -> ProgrammeFinding:
    zh = f"卡上周期的起始日须在 {LAST_DAY} 日及以前"
    return finding(_RULE, location, zh, f"a period on the card begins on day {LAST_DAY} of a month at the latest")


def _uncounted(benefit: Benefit, location: Location) -> Iterator[ProgrammeFinding]:
    """Rules that need all uses of a member, or of all members, which only the office has."""
    zh, en = "须由工会计数（counted: office）", "only the office can count this (counted: office)"
    if benefit.counted == "none":
        for place, limit in enumerate(benefit.limits):
            if limit.per != "event":
                yield finding(_RULE, (*location, "limits", place), zh, en)
    if benefit.phases:
        yield finding(_RULE, (*location, "phases"), zh, en)
    if benefit.stock:
        yield finding(_RULE, (*location, "stock"), zh, en)
    for code, product in benefit.products.items():
        if product.after is not None:
            yield finding(_RULE, (*location, "products", code, "after"), zh, en)
        if product.price.cap is not None and product.price.cap.month is not None:
            yield finding(_RULE, (*location, "products", code, "price", "cap", "month"), zh, en)
