"""Programme files for tests: a benefit in YAML, in a programme around it."""

from __future__ import annotations

import textwrap
from datetime import date, datetime

from programme.facts import Beneficiary, BenefitUse
from programme.programme import Offer, ProgrammeFile, parse_programme
from terminal.member.values import Category

HEAD = """\
format: 1
programme: test
name: {zh: 测试, en: Test}
valid: {from: 2020-01-01, through: 2039-12-31}
federation: {division: "110000", name: {zh: 北京, en: Beijing}}
merchant_kinds: {shop: {zh: 商户, en: Shop}}
documents: {id-card: {zh: 身份证, en: ID card}}
benefits:
"""
BENEFIT = """\
name: {zh: 权益, en: Benefit}
merchants: [shop]
"""
ONE_PRODUCT = "products: {one: {name: {zh: 一, en: One}, price: {fixed: 10}}}\n"
MEMBER = Beneficiary(
    federation="110000",
    category=Category.IN_POST,
    unit="811101010000000001",
    district="110105",
    cover_ends=date(2030, 1, 1),
    issued=date(2026, 1, 31),
    birth=date(1980, 2, 29),
    children=(),
)
NOON = datetime(2026, 6, 15, 12)


def programme_file(benefit: str, head: str = HEAD, *, code: str = "benefit") -> ProgrammeFile:
    """A programme with one benefit, whose lines follow its name and merchants."""
    body = textwrap.indent(BENEFIT + textwrap.dedent(benefit), "    ")
    return parse_programme(f"{head}  {code}:\n{body}", "own.yaml")


def offer_of(benefit: str, head: str = HEAD) -> Offer:
    """The benefit as a counter offers it."""
    return programme_file(benefit, head).programme.offer("benefit")


def use(
    reference: int, day: date, product: str = "one", *, quantity: int = 1, saved: int = 0, event: str = ""
) -> BenefitUse:
    """An earlier use."""
    return BenefitUse(str(reference), product, quantity, day, saved, event)
