"""A merchant's counter in a demo, where members redeem benefits with virtual cards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from membercard import settings
from membercard.demo.clock import DemoClock
from membercard.demo.issuer import DemoLine
from membercard.wiring.counter_lists import list_policy
from membercard.wiring.member_application import member_aid
from membercard.wiring.merchant import StoredEdition
from membercard.wiring.profile import profile_in_use
from membercard.wiring.readers import card_in
from personalize.lists import current_hotlist, own_trust
from programme.facts import BenefitRequest
from programme.outcome import Refused
from reader_service.parts import CounterPlace
from reader_service.redemptions.counter import CounterRedemptions, PinRefused
from reader_service.redemptions.journal import RedemptionJournal
from reader_service.redemptions.offers import BenefitChoice
from reader_service.redemptions.record import CounterOutcome, CounterRecord
from reader_service.redemptions.uploads import Uploaded, Uploader
from reader_service.services.redeeming.registry_receiver import RegistryReceiver
from registry.store import Registry
from terminal.apdu import Command, Response, Sender, stack
from terminal.errors import CardGone
from terminal.keys import MemoryCustody
from terminal.member.outcome import Verdict
from terminal.member.verdict import verify

_GENERATE_AC: Final = 0xAE


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
    stock: str = ""

    @property
    def request(self) -> BenefitRequest:
        return BenefitRequest(self.product, self.quantity, self.price, self.event, self.stock, self.answers)


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


@dataclass(frozen=True, slots=True)
class DemoMerchant:
    """A merchant with one counter."""

    number: str
    name: str
    terminal: str
    kinds: tuple[str, ...]


class DemoCounter:
    """The merchant's counter over its open journal, with the clock of the demo and its line to the office."""

    def __init__(
        self,
        redemptions: CounterRedemptions,
        line: DemoLine,
        registry: Registry,
        custody: MemoryCustody,
        clock: DemoClock,
        cashier: str,
    ) -> None:
        self.redemptions, self.line, self._registry, self._custody = redemptions, line, registry, custody
        self._clock, self._cashier = clock, cashier

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
            choice = BenefitChoice(wish.benefit, wish.request)
            result = self.redemptions.redeem(card, verdict, choice, self._clock(), cashier=self._cashier)
        return Served(verdict, recovered, result)

    def upload(self) -> Uploaded:
        """Hand over to the office what waits in the journal."""
        return Uploader(self.redemptions.journal, self.line, self._clock).run()

    def _verdict(self, sender: Sender) -> Verdict:
        return verdict_now(self._registry, self._custody, self._clock, sender)


def verdict_now(registry: Registry, custody: MemoryCustody, clock: DemoClock, sender: Sender) -> Verdict:
    """The verdict on a card by the lists of this moment."""
    at = clock.local()
    trust, hotlist = own_trust(custody, profile_in_use().trust, at), current_hotlist(registry, at)
    return verify(sender, trust=trust, hotlist=hotlist, at=at, policy=list_policy(), aid=member_aid())


@contextmanager
def counter_at(
    registry: Registry, custody: MemoryCustody, clock: DemoClock, merchant: DemoMerchant, folder: Path, cashier: str
) -> Iterator[DemoCounter]:
    """The counter of a merchant of this installation, with a journal in ``folder`` and the programme edition of the
    active settings."""
    zone = settings.load().zone
    place = CounterPlace(
        merchant.number, merchant.terminal, merchant.name, merchant.kinds, StoredEdition(), issuer_clock=clock
    )
    line = DemoLine(RegistryReceiver(registry, custody, merchant.number, merchant.terminal, zone))
    with RedemptionJournal.open(folder, clock()) as journal:
        redemptions = CounterRedemptions(journal, place, zone, line.of_counter())
        yield DemoCounter(redemptions, line, registry, custody, clock, cashier)


class _PulledOut:
    """A card that is pulled out after it has executed GENERATE AC, and before its answer comes."""

    def __init__(self, card: Sender) -> None:
        self._card = card

    def send(self, command: Command) -> Response:
        response = self._card.send(command)
        if command.ins == _GENERATE_AC:
            raise CardGone("the card was taken out")
        return response
