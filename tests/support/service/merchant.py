"""A merchant's counter for tests: its programme, its journal, and cards that redeem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from programme.facts import BenefitRequest
from programme.programme import Programme, parse_programme
from reader_service.parts import CounterPlace
from reader_service.redemptions.counter import CounterRedemptions
from reader_service.redemptions.journal import RedemptionJournal
from reader_service.redemptions.offers import BenefitChoice
from terminal.member.signed import Issue

ISSUED = datetime(2026, 11, 21, 8, tzinfo=UTC)
PROGRAMME = """\
format: 1
programme: test
name: {zh: 测试, en: Test}
valid: {from: 2020-01-01, through: 2039-12-31}
federation: {division: "130000", name: {zh: 河北省总工会, en: Hebei Federation}}
merchant_kinds: {park: {zh: 公园, en: Park}, cinema: {zh: 影院, en: Cinema}}
documents: {id-card: {zh: 身份证, en: ID card}}
benefits:
  park-pass:
    name: {zh: 公园年票, en: Park pass}
    merchants: [park]
    counted: card
    class: "0101"
    show: [id-card]
    limits: [{count: 12, per: year}]
    products: {pass: {name: {zh: 年票, en: pass}, price: {list: 200, percent: 50}}}
  check-up:
    name: {zh: 体检, en: Check-up}
    merchants: [park]
    counted: card
    class: "0201"
    limits: [{count: 4, per: month}]
    products: {basic: {name: {zh: 套餐, en: package}, price: {percent: 80}}}
  film:
    name: {zh: 电影票, en: Film ticket}
    merchants: [cinema]
    counted: card
    class: "0301"
    limits: [{count: 2, per: day}]
    products: {ticket: {name: {zh: 票, en: ticket}, price: {fixed: 10}}}
"""


@dataclass
class Edition:
    """A programme edition as a counter reads it."""

    programme: Programme = field(default_factory=lambda: parse_programme(PROGRAMME, "test.yaml").programme)
    issue: Issue = field(default_factory=lambda: Issue(7, ISSUED, ISSUED + timedelta(days=90)))


def place(edition: Edition | None = None, kinds: Sequence[str] = ("park",)) -> CounterPlace:
    """A park's counter."""
    in_force = edition or Edition()
    return CounterPlace("PARK-EAST", "T0000001", "东公园", tuple(kinds), lambda: in_force)


def counter(folder: Path, at: datetime, edition: Edition | None = None) -> CounterRedemptions:
    """A counter with its journal in ``folder``; whoever opens it closes ``journal``."""
    return CounterRedemptions(RedemptionJournal.open(folder, at), place(edition), UTC)


def choice(benefit: str = "park-pass", product: str = "pass", quantity: int = 1, **more: object) -> BenefitChoice:
    """One product of a benefit."""
    return BenefitChoice(benefit, replace(BenefitRequest(product, quantity), **more))  # type: ignore[arg-type]
