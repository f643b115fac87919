"""The merchant of the demos, a workers' palace of culture: its contract, its programme edition, and a counter where
members redeem benefits with virtual cards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Final

from membercard import output, settings
from membercard.demo.clock import DemoDays, HistoryClock
from membercard.demo.issuer import DemoLine
from membercard.wiring.counter_lists import LIST_KEY, key_file, list_policy
from membercard.wiring.member_application import member_aid
from membercard.wiring.merchant import StoredEdition, counter_redemptions
from membercard.wiring.profile import profile_in_use
from membercard.wiring.programme_edition import PROGRAMME
from membercard.wiring.readers import card_in
from personalize.lists import current_hotlist, own_trust, public_key
from personalize.sheets.statement import statement_pdf
from personalize.sheets.statement_workbook import statement_workbook
from programme.facts import BenefitRequest
from programme.outcome import Refused
from programme.programme import parse_programme
from programme.publishing import propose, publish
from programme.records.benefit_names import BenefitNames
from reader_service.parts import CounterPlace
from reader_service.redemptions.counter import CounterRedemptions, PinRefused
from reader_service.redemptions.journal import RedemptionJournal
from reader_service.redemptions.offers import BenefitChoice
from reader_service.redemptions.record import CounterOutcome, CounterRecord
from reader_service.redemptions.uploads import Uploaded, Uploader
from reader_service.services.redeeming.registry_receiver import RegistryReceiver
from registry.admin.programmes import ProgrammeEditionFile
from registry.programme.changes import ChangeState
from registry.programme.merchants import NewMerchant, NewOutlet
from registry.programme.rates import Rate
from registry.programme.statement import StatementSheet
from registry.store import Registry
from terminal.apdu import Command, Response, Sender, stack
from terminal.errors import CardGone
from terminal.keys import MemoryCustody
from terminal.member.outcome import Verdict
from terminal.member.verdict import verify

MERCHANT: Final = "CULTURE-PALACE"
TERMINAL: Final = "WHG00001"
NAME: Final = "市工人文化宫"
KINDS: Final = ("park", "cinema", "gym")
PARK_PASS, FILM = "0102", "0101"
"""Benefit classes that the cards count for the demo's programme."""
GYM: Final = "gym"
"""The benefit that the office counts."""
_CLASSES: Final = (PARK_PASS, FILM)
_OTHERS: Final = ("CINEMA-YANZHAO", "燕赵影城", "YZYC0001")
"""Another merchant, with a contract for films."""
_FILE: Final = "programme.yaml"
_SHIPPED_SEASON: Final = "{from: 12-15, through: 01-15}"
_SHIPPED_DIVISION: Final = 'division: "130000"'
_GENERATE_AC: Final = 0xAE


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


@dataclass(frozen=True, slots=True)
class Wish:
    """What a member asks for at the counter. ``torn``: the card is pulled out before its answer comes."""

    benefit: str
    product: str
    quantity: int = 1
    price: int | None = None
    event: str = ""
    answers: frozenset[str] = frozenset()
    torn: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """One insertion at the counter: what an earlier torn redemption came to, and what the wish came to."""

    verdict: Verdict
    recovered: CounterRecord | None
    result: CounterRecord | Refused | PinRefused | None

    @property
    def proven(self) -> list[CounterRecord]:
        """The redemptions of this insertion that are proven."""
        records = [one for one in (self.recovered, self.result) if isinstance(one, CounterRecord)]
        return [one for one in records if one.outcome.proven]


class DemoContract:
    """The union's side of the merchant's contract: programme, record, settlement."""

    def __init__(self, registry: Registry, custody: MemoryCustody, days: DemoDays) -> None:
        self._registry, self._custody, self.days = registry, custody, days

    def publish(self, home: Path, *, first: str, second: str) -> ProgrammeEditionFile:
        """Write the programme file with the season of these days. One person hands it in, and another publishes it for
        the counter in ``home``."""
        begins, ends = self.days.season
        shipped = (files("membercard.demo") / "data" / _FILE).read_text(encoding="utf-8")
        season = f"{{from: {begins:%m-%d}, through: {ends:%m-%d}}}"
        division = f'division: "{profile_in_use().scheme}"'
        text = shipped.replace(_SHIPPED_SEASON, season).replace(_SHIPPED_DIVISION, division)
        (home / _FILE).write_text(text, encoding="utf-8")
        signer = self._custody.latest("list-signer")
        proposal = propose(self._registry, parse_programme(text, str(home / _FILE)), text, by=first)
        edition = publish(
            self._registry,
            proposal.number,
            public_key(self._custody.info(signer)),
            lambda message: self._custody.sign(signer, message),
            by=second,
            zone=settings.load().zone,
        )
        for name, content in ((PROGRAMME, edition.signed), (LIST_KEY, key_file(self._custody))):
            output.write_file(home / name, content, public=True)
        return edition

    def record_merchants(self, *, first: str, second: str) -> None:
        """Record the merchants with their contracts, and what the union pays this one for each benefit, which a second
        person approves."""
        year = self.days.month.year
        begins, ends = date(year, 1, 1), date(year + 2, 12, 31)
        outlet = NewOutlet("中山路服务台", "中山东路 1 号", (TERMINAL,))
        other, name, terminal = _OTHERS
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
            NewMerchant(other, name, begins, ends, (FILM,), (NewOutlet("裕华店", "", (terminal,)),), "Yanzhao Cinema"),
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


class DemoCounter:
    """The merchant's counter over its open journal, with the clock of the demo and its line to the office."""

    def __init__(
        self,
        redemptions: CounterRedemptions,
        line: DemoLine,
        registry: Registry,
        custody: MemoryCustody,
        clock: HistoryClock,
        cashier: str,
    ) -> None:
        self.redemptions, self.line, self._registry, self._custody = redemptions, line, registry, custody
        self._clock, self._cashier = clock, cashier
        self._trust = profile_in_use().trust

    def serve(self, chip: Path, wish: Wish | None) -> Served:
        """Insert a card: verdict, what became of a torn redemption, then the wish of its member."""
        with card_in(f"sim:{chip}", 0) as transport:
            sender = stack(transport)
            verdict = self._verdict(sender)
            recovered = self.redemptions.recover(sender, verdict, self._clock())
            if wish is None:
                return Served(verdict, recovered, None)
            if recovered is not None and recovered.outcome is not CounterOutcome.NOT_COUNTED:
                verdict = self._verdict(sender)
            card = _PulledOut(sender) if wish.torn else sender
            result = self.redemptions.redeem(card, verdict, _choice(wish), self._clock(), cashier=self._cashier)
        return Served(verdict, recovered, result)

    def upload(self) -> Uploaded:
        """Hand over to the office what waits in the journal."""
        return Uploader(self.redemptions.journal, self.line, self._clock).run()

    def _verdict(self, sender: Sender) -> Verdict:
        """The verdict by the lists of this moment."""
        at = self._clock.local()
        trust, hotlist = own_trust(self._custody, self._trust, at), current_hotlist(self._registry, at)
        return verify(sender, trust=trust, hotlist=hotlist, at=at, policy=list_policy(), aid=member_aid())


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
    merchant, name, terminal = _OTHERS
    place = CounterPlace(merchant, terminal, name, ("cinema",), StoredEdition())
    with RedemptionJournal.open(folder, clock()) as journal:
        zone = settings.load().zone
        line = DemoLine(RegistryReceiver(registry, custody, merchant, terminal, zone))
        redemptions = CounterRedemptions(journal, place, zone)
        yield DemoCounter(redemptions, line, registry, custody, clock, name)


def statement_papers(sheet: StatementSheet, folder: Path, now: datetime) -> Mapping[Path, Callable[[], bytes]]:
    """A statement as PDF and workbook, by where they are written."""
    name = f"statement-{sheet.statement.month}"
    return {
        folder / f"{name}.pdf": lambda: statement_pdf(sheet, now.date(), settings.load().zone),
        folder / f"{name}.xlsx": lambda: statement_workbook(sheet, now.date(), settings.load().zone),
    }


def _choice(wish: Wish) -> BenefitChoice:
    request = BenefitRequest(wish.product, wish.quantity, wish.price, wish.event, "", wish.answers)
    return BenefitChoice(wish.benefit, request)


class _PulledOut:
    """A card that is pulled out after it has executed GENERATE AC, and before its answer comes."""

    def __init__(self, card: Sender) -> None:
        self._card = card

    def send(self, command: Command) -> Response:
        response = self._card.send(command)
        if command.ins == _GENERATE_AC:
            raise CardGone("the card was taken out")
        return response
