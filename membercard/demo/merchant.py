"""The merchant of the demos, a workers' palace of culture: its contract, its programme edition, and a counter where
members redeem benefits with virtual cards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Final

from membercard import settings
from membercard.demo.clock import DemoDays, HistoryClock
from membercard.demo.counters import DemoCounter, DemoMerchant, counter_at
from membercard.demo.issuer import DemoLine
from membercard.demo.publishing import FILE, publish_programme
from membercard.wiring.merchant import counter_redemptions
from membercard.wiring.profile import profile_in_use
from personalize.sheets.statement import statement_pdf
from personalize.sheets.statement_workbook import statement_workbook
from programme.records.benefit_names import BenefitNames
from reader_service.services.redeeming.registry_receiver import RegistryReceiver
from registry.admin.programmes import ProgrammeEditionFile
from registry.programme.changes import ChangeState
from registry.programme.merchants import NewMerchant, NewOutlet
from registry.programme.rates import Rate
from registry.programme.statement import StatementSheet
from registry.store import Registry
from terminal.keys import MemoryCustody

MERCHANT: Final = "CULTURE-PALACE"
TERMINAL: Final = "WHG00001"
NAME: Final = "市工人文化宫"
KINDS: Final = ("park", "cinema", "gym")
PARK_PASS, FILM = "0102", "0101"
"""Benefit classes that the cards count for the demo's programme."""
GYM: Final = "gym"
"""The benefit that the office counts."""
_CLASSES: Final = (PARK_PASS, FILM)
_OTHER: Final = DemoMerchant("CINEMA-YANZHAO", "燕赵影城", "YZYC0001", ("cinema",))
"""Another merchant, with a contract for films."""
_SHIPPED_SEASON: Final = "{from: 12-15, through: 01-15}"
_SHIPPED_DIVISION: Final = 'division: "130000"'


def counter_settings() -> list[str]:
    """The lines of the settings file that make a station the merchant's counter, whose office is the station itself."""
    kinds = ", ".join(f'"{kind}"' for kind in KINDS)
    return [
        f'merchant = "{MERCHANT}"',
        f'merchant_terminal = "{TERMINAL}"',
        f'merchant_name = "{NAME}"',
        f"merchant_kinds = [{kinds}]",
        'receipt_printer = ""',
        'upload_url = ""',
    ]


def entitlement(days: DemoDays) -> str:
    """The line of a card profile for what cards count beside its other classes. The season has begun the year
    before."""
    start = days.season[0].replace(year=days.season[0].year - 1)
    return f'    - {{benefit_class: "{PARK_PASS}", limit: 1, period: year, start: {start}}}'


def counted_by_profile() -> bool:
    """Whether the cards of the profile in use count the benefits of the demo's programme."""
    return set(_CLASSES) <= {entry.benefit_class for entry in profile_in_use().member.entitlements}


class DemoContract:
    """The union's side of the merchant's contract: programme, record, settlement."""

    def __init__(self, registry: Registry, custody: MemoryCustody, days: DemoDays) -> None:
        self._registry, self._custody, self.days = registry, custody, days

    def publish(self, home: Path, *, first: str, second: str) -> ProgrammeEditionFile:
        """Write the programme file with the season of these days. One person hands it in, and another publishes it for
        the counter in ``home``."""
        begins, ends = self.days.season
        shipped = (files("membercard.demo") / "data" / FILE).read_text(encoding="utf-8")
        season = f"{{from: {begins:%m-%d}, through: {ends:%m-%d}}}"
        division = f'division: "{profile_in_use().scheme}"'
        text = shipped.replace(_SHIPPED_SEASON, season).replace(_SHIPPED_DIVISION, division)
        return publish_programme(self._registry, self._custody, home, text, first=first, second=second)

    def record_merchants(self, *, first: str, second: str) -> None:
        """Record the merchants with their contracts, and what the union pays this one for each benefit, which a second
        person approves."""
        year = self.days.month.year
        begins, ends = date(year, 1, 1), date(year + 2, 12, 31)
        outlet = NewOutlet("中山路服务台", "中山东路 1 号", (TERMINAL,))
        self._registry.merchants.put(
            NewMerchant(
                MERCHANT,
                NAME,
                begins,
                ends,
                (*_CLASSES, GYM),
                (outlet,),
                "Workers' Palace of Culture",
                "62109713000000000018",
            ),
            NewMerchant(
                _OTHER.number,
                _OTHER.name,
                begins,
                ends,
                (FILM,),
                (NewOutlet("裕华店", "", (_OTHER.terminal,)),),
                "Yanzhao Cinema",
            ),
            by=first,
        )
        for rate in (
            Rate(PARK_PASS, begins, per_unit=5000),
            Rate(FILM, begins, per_unit=500),
            Rate(GYM, begins, share=1000),
        ):
            self._registry.rates.request(MERCHANT, rate, by=first, reason=f"{year} 年合同")
        changes = self._registry.merchant_changes
        for change in changes.page(state=ChangeState.WAITING).items:
            changes.approve(change.number, by=second)

    def settle(self, *, first: str, second: str) -> StatementSheet:
        """Draw up the merchant's statement of the month, and have two people sign it."""
        drawn = self._registry.settlement.draw_up(MERCHANT, self.days.month, by=first).statement
        for person in (first, second):
            self._registry.settlement.sign(drawn.number, drawn.digest, by=person)
        names = BenefitNames(self._registry.programme_editions, settings.load().zone).refreshed()
        return self._registry.settlement.sheet(drawn.number).named(names.of)


@contextmanager
def demo_counter(
    registry: Registry, custody: MemoryCustody, clock: HistoryClock, cashier: str
) -> Iterator[DemoCounter]:
    """The counter of the active settings."""
    line = DemoLine(RegistryReceiver(registry, custody, MERCHANT, TERMINAL, settings.load().zone))
    with counter_redemptions(line.of_counter()) as redemptions:
        yield DemoCounter(redemptions, line, registry, custody, clock, cashier)


@contextmanager
def other_counter(
    registry: Registry, custody: MemoryCustody, clock: HistoryClock, folder: Path
) -> Iterator[DemoCounter]:
    """A counter of the other merchant, with a journal in ``folder``."""
    with counter_at(registry, custody, clock, _OTHER, folder, _OTHER.name) as counter:
        yield counter


def statement_papers(sheet: StatementSheet, folder: Path, now: datetime) -> Mapping[Path, Callable[[], bytes]]:
    """A statement as PDF and workbook, by where they are written."""
    name = f"statement-{sheet.statement.month}"
    return {
        folder / f"{name}.pdf": lambda: statement_pdf(sheet, now.date(), settings.load().zone),
        folder / f"{name}.xlsx": lambda: statement_workbook(sheet, now.date(), settings.load().zone),
    }
