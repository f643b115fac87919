"""Names of benefits, by the edition of the programme that was in force on the day."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from programme.editions import ProgrammeEdition
from programme.programme import parse_programme
from programme.records.benefit_names import BenefitNames
from registry.programme.statement import BenefitName
from terminal.crypto.rsa import RsaPublic
from tests.support.programmes import HEAD

KEY = RsaPublic(1 << 1023 | 1, 65537)
BENEFIT = """
counted: card
class: "0101"
limits: [{count: 2, per: day}]
products:
  visit: {name: {zh: 单次, en: visit}, price: {fixed: 5}}
"""


@dataclass
class Editions:
    """The editions on record."""

    files: list[tuple[int, bytes]] = field(default_factory=list)

    def publish(self, issued: datetime, zh: str, en: str) -> None:
        version = len(self.files) + 1
        named = f"{BENEFIT}name: {{zh: {zh}, en: {en}}}\nmerchants: [shop]\n"
        content = parse_programme(f"{HEAD}  benefit:\n{textwrap.indent(named, '    ')}", "own.yaml").programme
        signed = ProgrammeEdition.of(content, version, issued, 30).write(KEY, lambda _: bytes(128))
        self.files.append((version, signed))

    def since(self, version: int) -> Sequence[object]:
        return [_File(*one) for one in self.files if one[0] > version]


@dataclass
class _File:
    version: int
    signed: bytes


def test_a_benefit_has_the_name_of_the_edition_in_force_on_the_day() -> None:
    editions = Editions()
    names = BenefitNames(editions, ZoneInfo("Asia/Shanghai"))  # type: ignore[arg-type]
    editions.publish(datetime(2026, 10, 31, 20, tzinfo=UTC), "公园票", "park ticket")
    assert names.refreshed().of("0101", date(2026, 11, 1)) == BenefitName("公园票", "park ticket")
    assert names.of("0101", date(2026, 10, 31)) is None, "before the first edition, in the zone of the days"
    assert names.of("0102", date(2026, 11, 1)) is None
    editions.publish(datetime(2026, 11, 10, tzinfo=UTC), "公园年票", "park pass")
    names.refreshed()
    days = [names.of("0101", date(2026, month, day)) for month, day in ((11, 9), (11, 10), (12, 31))]
    assert [one.zh for one in days if one] == ["公园票", "公园年票", "公园年票"]


@pytest.mark.parametrize("garbage", [b"", b"{}"])
def test_an_edition_of_a_later_program_is_passed_over(garbage: bytes) -> None:
    editions = Editions([(1, garbage)])
    assert BenefitNames(editions, UTC).refreshed().of("0101", date(2026, 11, 1)) is None  # type: ignore[arg-type]
