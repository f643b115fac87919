"""A scripted year of one federation: its registry, keys and virtual cards, with the steps that every script takes.

A script is a function of a ``DemoYear`` in a module beside this one, and a row of ``scripts``. It moves the clock
forward, lets people do what the year brings, and writes chapters of the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

from membercard import settings
from membercard.demo.counters import DemoCounter, DemoMerchant, Served, Wish, counter_at, verdict_now
from membercard.demo.issuing import STOCK, DemoIssuing
from membercard.demo.people import FormRow, write_form
from membercard.demo.programmes.clock import YearClock
from membercard.demo.programmes.profile import BANK, write_profile
from membercard.demo.programmes.report import YearReport
from membercard.demo.publishing import publish_programme
from membercard.demo.setup import create_demo_home
from membercard.demo.window import DemoWindow
from membercard.wiring.readers import card_in
from personalize.profiles.profile import load_profile
from programme.decision import decide
from programme.facts import Beneficiary, PastUses
from programme.outcome import Refused
from programme.programme import Programme, example
from programme.sentences import title
from programme.wording import Sentence
from registry.admin.plans import UnitPlan
from registry.programme.changes import ChangeState
from registry.programme.merchants import NewMerchant, NewOutlet
from registry.programme.rates import Rate
from registry.programme.statement import Month, StatementSheet
from registry.store import Registry
from registry.values import Card, CardState
from terminal.apdu import stack
from terminal.keys import MemoryCustody
from terminal.member.outcome import Verdict

CLERK: Final = "录入员"
REVIEWER: Final = "审核员"
ACCOUNTANT: Final = "会计"
TREASURER: Final = "财务主任"
_CASHIER: Final = "收银员"
_EARLY: Final = timedelta(days=5)
"""How long before its end an edition is followed by the next one."""
_SPARE: Final = 4
"""Blank chips beyond those of a batch."""


@dataclass(frozen=True)
class Shop:
    """A merchant of a script with its contract: the benefits that it gives, with what the union pays it for each."""

    merchant: DemoMerchant
    rates: Mapping[str, Rate] = field(default_factory=dict)
    account: str = ""

    @property
    def benefits(self) -> tuple[str, ...]:
        return tuple(self.rates)


@dataclass(frozen=True, slots=True)
class BenefitGiven:
    """What a member got. ``amount`` paid and ``saved`` in fen; ``month`` of the year."""

    title: Sentence
    quantity: int
    amount: int
    saved: int
    month: int


class DemoYear:
    """One federation in its year, in the directory ``home``."""

    def __init__(
        self,
        name: str,
        home: Path,
        registry: Registry,
        custody: MemoryCustody,
        clock: YearClock,
        report: YearReport,
        part: int,
    ) -> None:
        self.name, self.home, self.registry, self.custody = name, home, registry, custody
        self.clock, self.report, self._part = clock, report, part
        self.file = example(name)
        self.issuing = DemoIssuing(home, registry, custody, clock, by=CLERK, second=REVIEWER)
        self._edition: datetime | None = None
        """When the next edition is published."""
        self.uses: list[BenefitGiven] = []
        self.refusals: list[Refused] = []

    def bank(self, name: str, accounts: str) -> DemoIssuing:
        """The work on cards of another bank, whose accounts begin with these digits."""
        path = write_profile(self.home, self.programme, self.clock.local().date(), BANK, bank=name, accounts=accounts)
        profile = load_profile(path)
        return DemoIssuing(
            self.home, self.registry, self.custody, self.clock, by=CLERK, second=REVIEWER, profile=profile
        )

    @property
    def programme(self) -> Programme:
        return self.file.programme

    @cached_property
    def text(self) -> str:
        """The programme file."""
        from importlib.resources import files

        return (files("programme") / "examples" / f"{self.name}.yaml").read_text(encoding="utf-8")

    def some(self, count: int) -> int:
        """So many of the script's people, one at least; a part of them where the year is played small."""
        return max(1, count // self._part)

    def to(self, month: int, day: int, hour: int = 9, minute: int = 0) -> None:
        """Put the clock to a time of the year; on the way there, two people publish the programme anew before its
        edition is out of date."""
        while self._edition is not None and self._edition < self.clock.day(month, day):
            self.clock.to(self._edition)
            self.publish()
        self.clock.at(month, day, hour, minute)

    def publish(self) -> None:
        """Two people publish the programme for the counters."""
        edition = publish_programme(self.registry, self.custody, self.home, self.text, first=CLERK, second=REVIEWER)
        self._edition = edition.expires.astimezone(self.clock.zone) - _EARLY

    def collect(
        self,
        unit: str,
        rows: Sequence[FormRow],
        write: Callable[[Path, str, Sequence[FormRow]], Path] = write_form,
    ) -> str:
        """A unit hands in its form, and the second person approves it: the batch."""
        return self.issuing.approve(self.issuing.import_form(unit, rows, write))

    def issue(self, batch: str, issuing: DemoIssuing | None = None) -> list[Card]:
        """Make the cards of an approved batch, with the profile in use or by another bank's ``issuing``."""
        work = issuing or self.issuing
        work.add_blanks(self.registry.batches.batch(batch).to_prepare + _SPARE)
        work.run(batch)
        return self.registry.cards.of_batch(batch)

    def hand_out(self, cards: Sequence[Card], activated: int | None = None) -> None:
        """Members sign for their cards; the first ``activated`` have theirs activated at a window, or all of them."""
        numbers = [card.card_number for card in cards]
        for step, state in (("pack", CardState.PACKED), ("deliver", CardState.DELIVERED)):
            self.registry.moves.take(step, state, numbers, CLERK, "发放")
        window = DemoWindow(self.registry, self.custody, self.clock, self.home / STOCK / "issued", by=CLERK)
        window.activate(cards if activated is None else cards[:activated])

    def contract(self, *shops: Shop) -> None:
        """Record merchants with their rates, which a second person approves."""
        begins, ends = date(self.clock.year, 1, 1), date(self.clock.year + 1, 12, 31)
        self.registry.merchants.put(
            *(
                NewMerchant(
                    shop.merchant.number,
                    shop.merchant.name,
                    begins,
                    ends,
                    shop.benefits,
                    (NewOutlet(shop.merchant.name, "", (shop.merchant.terminal,)),),
                    account=shop.account,
                )
                for shop in shops
            ),
            by=CLERK,
        )
        for shop in shops:
            for rate in shop.rates.values():
                if rate.per_unit or rate.share:
                    self.registry.rates.request(
                        shop.merchant.number, rate, by=CLERK, reason=f"{self.clock.year} 年合同"
                    )
        for change in self.registry.merchant_changes.page(state=ChangeState.WAITING).items:
            self.registry.merchant_changes.approve(change.number, by=REVIEWER)

    @contextmanager
    def counter(self, shop: Shop) -> Iterator[DemoCounter]:
        """The counter of a merchant, which uploads at the end."""
        folder = self.home / "journals" / shop.merchant.terminal
        folder.parent.mkdir(exist_ok=True)
        with counter_at(self.registry, self.custody, self.clock, shop.merchant, folder, _CASHIER) as counter:
            yield counter
            counter.line.up = True
            counter.upload()

    def serve(self, shop: Shop, card: Card, wish: Wish) -> Served:
        """One member at a counter, whose line to the office holds."""
        with self.counter(shop) as counter:
            return self.insert(counter, card, wish)

    def insert(self, counter: DemoCounter, card: Card, wish: Wish | None = None) -> Served:
        """One member at a counter that is open; the report counts what came of it."""
        served = counter.serve(self.issuing.chip(card), wish)
        for record in served.proven:
            given = BenefitGiven(record.title, record.quantity, record.amount, record.saved, self.clock.month)
            self.uses.append(given)
        if isinstance(served.result, Refused):
            self.refusals.append(served.result)
        return served

    def verdict(self, card: Card) -> Verdict:
        """A counter looks at a card."""
        with card_in(f"sim:{self.issuing.chip(card)}", 0) as transport:
            return verdict_now(self.registry, self.custody, self.clock, stack(transport))

    def discount(self, card: Card, wish: Wish) -> None:
        """A benefit that nobody counts: the cashier looks at the card, and sees the price."""
        facts = self.verdict(card).member
        if facts is None:
            return
        offer, request = self.programme.offer(wish.benefit), wish.request
        decision = decide(offer, Beneficiary.of_card(facts), request, PastUses.of_card(facts), self.clock.local())
        if isinstance(decision, Refused):
            self.refusals.append(decision)
        else:
            name = title(offer, offer.product(wish.product))
            self.uses.append(BenefitGiven(name, wish.quantity, decision.price, decision.saved, self.clock.month))

    def plan(self, group: str, planned: Mapping[str, int], due: date) -> None:
        """Note how many members the units have, and when their cards are due."""
        self.registry.plans.put([UnitPlan(unit, group, count, due) for unit, count in planned.items()], by=CLERK)

    def settle(self, shop: Shop, month: int) -> StatementSheet:
        """The merchant's statement of a month, signed by two."""
        drawn = self.registry.settlement.draw_up(
            shop.merchant.number, Month(self.clock.year, month), by=ACCOUNTANT
        ).statement
        for person in (ACCOUNTANT, TREASURER):
            self.registry.settlement.sign(drawn.number, drawn.digest, by=person)
        return self.registry.settlement.sheet(drawn.number)


@contextmanager
def demo_year(name: str, home: Path, report: YearReport, year: int, *, part: int = 1) -> Iterator[DemoYear]:
    """A federation at the beginning of its year, in a directory that is replaced if a demo made it. ``part``: of how
    many members one takes part. Raises SettingsError for a directory that no demo created."""
    programme = example(name).programme
    clock = YearClock(settings.load().zone, year)
    on = clock.local().date()
    custody = create_demo_home(
        home,
        option="--data",
        profile=lambda folder: write_profile(folder, programme, on, BANK),
    )
    settings.load().follow(clock)
    with settings.open_registry(custody) as registry:
        yield DemoYear(name, home, registry, custody, clock, report, part)
