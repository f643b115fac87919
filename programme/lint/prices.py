"""Prices below zero, and prices that are no advantage."""

from __future__ import annotations

from collections.abc import Iterator

from programme.benefit import WHOLE, PriceRule
from programme.lint.finding import ProgrammeFinding, finding
from programme.programme import Location, Programme


def check(programme: Programme) -> Iterator[ProgrammeFinding]:
    """The price of each product."""
    for code, benefit in programme.benefits.items():
        for name, product in benefit.products.items():
            yield from _price(product.price, ("benefits", code, "products", name, "price"))


def _price(rule: PriceRule, location: Location) -> Iterator[ProgrammeFinding]:
    if rule.percent is not None and rule.percent > WHOLE:
        yield _dearer((*location, "percent"))
    if rule.fixed is not None and rule.list_price is not None and rule.fixed > rule.list_price:
        yield _dearer((*location, "fixed"))
    least = rule.threshold if rule.list_price is None else rule.list_price
    if rule.off is not None and rule.off > least:
        zh, en = "减免额高于消费额，价格低于零", "more is taken off than the purchase: a price below zero"
        yield finding("price", (*location, "off"), zh, en)


def _dearer(location: Location) -> ProgrammeFinding:
    return finding("price", location, "高于原价", "more than the list price")
