"""A window in a demo: members come with their cards and an ID, and each card is activated on its chip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from membercard import settings
from membercard.demo.clock import DemoClock
from membercard.language import text
from membercard.wiring.counter_lists import list_policy
from membercard.wiring.member_application import member_aid
from membercard.wiring.profile import profile_in_use
from membercard.wiring.readers import card_in
from personalize.lists import current_hotlist, own_trust
from personalize.updates import UpdateRunner
from registry.store import Registry
from registry.values import Card, CardState
from terminal.apdu import Sender, stack
from terminal.keys import MemoryCustody
from terminal.member.outcome import Verdict, VerdictCode
from terminal.member.verdict import verify

_SHOWN: Final = "居民身份证"
_BY_LIST: Final = "启用"


class DemoWindow:
    """A window with a virtual reader, on line, with the lists of the moment in which it opens."""

    def __init__(self, registry: Registry, custody: MemoryCustody, clock: DemoClock, issued: Path, *, by: str) -> None:
        """``issued``: the folder with the chips of issued cards."""
        self._registry, self._custody, self._clock, self._issued, self._by = registry, custody, clock, issued, by
        at = clock.local()
        self._trust, self._hotlist = own_trust(custody, profile_in_use().trust, at), current_hotlist(registry, at)

    def activate(self, cards: Sequence[Card]) -> int:
        """Activate delivered cards: on their chips, in front of their members, or by the list where the profile asks
        for no activation. How many are active then."""
        if profile_in_use().member.activation == "none":
            numbers = [card.card_number for card in cards]
            self._registry.moves.take("activate", CardState.ACTIVE, numbers, self._by, _BY_LIST)
            return len(numbers)
        return sum(self._activated(self._issued / f"chip-{card.chip_serial}.card") for card in cards)

    def _activated(self, chip: Path) -> bool:
        now = self._clock.local()
        station = settings.load().station
        runner = UpdateRunner(self._registry.updates, self._custody, self._by, station, now.date())
        with card_in(f"sim:{chip}", 0) as transport:
            sender = stack(transport)
            card = self._verdict(sender).card
            return card is not None and bool(runner.activate(sender, card, _SHOWN).done)

    def _verdict(self, sender: Sender) -> Verdict:
        return verify(
            sender,
            trust=self._trust,
            hotlist=self._hotlist,
            at=self._clock.local(),
            policy=list_policy(),
            aid=member_aid(),
        )


def activate_cards(console: Console, registry: Registry, window: DemoWindow, batches: Sequence[str]) -> Counter[str]:
    """The members of some batches come to the window with the cards that they have, shown. The verdicts that a counter
    gives on all cards then."""
    cards = [card for batch in batches for card in registry.cards.of_batch(batch)]
    delivered = [card for card in cards if card.state is CardState.DELIVERED]
    active, rest = window.activate(delivered), len(cards) - len(delivered)
    line = text(
        "{active} of {count} delivered cards activated; back in stock: {rest}",
        active=active,
        count=len(delivered),
        rest=rest,
    )
    console.print(f"   {line}", markup=False, soft_wrap=True)
    other = VerdictCode.NOT_ACTIVATED if profile_in_use().member.activation == "required" else VerdictCode.ACTIVE
    return Counter([VerdictCode.ACTIVE.value] * len(delivered) + [other.value] * rest)
