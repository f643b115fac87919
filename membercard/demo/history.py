"""Sample history of a demo station: the work since the month that is over, created through the same modules that do it.

It is dated by a clock that is behind the real one and catches up from step to step.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from membercard import settings
from membercard.demo.clock import DemoTime
from membercard.demo.counters import Wish
from membercard.demo.handover import BoxPacker
from membercard.demo.issuing import FORMS, STOCK, DemoIssuing
from membercard.demo.members import SCENES, UPLOADED, play
from membercard.demo.merchant import DemoContract, demo_counter, other_counter
from membercard.demo.people import people, with_faults, write_form
from membercard.demo.setup import make_blanks, make_stock
from membercard.demo.window import DemoWindow
from registry.admin.plans import UnitPlan
from registry.members.verdicts import VerdictNote
from registry.store import Registry
from registry.values import Card, CardState
from terminal.keys import MemoryCustody

CLERK, SECOND, COUNTER = "registrar", "reviewer", "counter"
SLOT_CARDS: Final = "drawer"
_REDEEMING: Final = 3
"""Cards of the first batch, at its end, whose members redeem benefits."""
_WITHDRAWN: Final = 3
"""A card of the first batch that is never activated."""
_TO_ACTIVATE: Final = 1
"""Cards of the second batch that their members have, and not activated."""
_IN_BOX: Final = 2
"""Cards of the second batch in a box that is being filled."""
_LATE: Final = len(SCENES) - 2
"""Scene before which one of the members goes to another merchant."""
_DEAD: Final = 2
"""Chips of the delivery that give no answer to reset."""
_UNITS: Final = ("石家庄铁道大学工会", "省邮政公司工会", "省电力公司工会", "河北医科大学工会", "省地质局工会")
_OUTCOMES: Final = {  # outcomes at a counter, by the states that lead there
    "2-lost": CardState.LOST,
    "3-suspended": CardState.SUSPENDED,
    "4-withdrawn": CardState.WITHDRAWN,
}
_REASONS: Final = {
    CardState.LOST: "本人挂失",
    CardState.SUSPENDED: "信息核对",
    CardState.WITHDRAWN: "调离本单位",
}


@dataclass(frozen=True)
class HistoryResult:
    """The batch to run, the batch to review, and a form that was not imported yet."""

    prepared: str
    draft: str
    fresh_form: Path


class SampleHistory:
    """Creates the history. ``home``: the station's directory, for the folders ``forms``, ``stock`` and ``drawer``."""

    def __init__(self, home: Path, registry: Registry, custody: MemoryCustody, time: DemoTime) -> None:
        self._home, self._registry, self._custody = home, registry, custody
        self._time, self._clock = time, time.clock
        self._packer = BoxPacker(registry, time, by=CLERK)
        self._issued = home / STOCK / "issued"
        self._contract = DemoContract(registry, custody, time.days)
        self._issuing = DemoIssuing(home, registry, custody, self._clock, by=CLERK, second=SECOND)
        (home / SLOT_CARDS).mkdir(exist_ok=True)

    def create(self) -> HistoryResult:
        self._time.set_to(2, 10)
        today = self._time.days.today
        terms = zip(_UNITS, ("第一组", "第一组", "第二组", "第二组", "第三组"), (7, 12, 10, 9, 8), strict=True)
        plans = [
            UnitPlan(unit, group, planned, today + timedelta(days=due))
            for (unit, group, planned), due in zip(terms, (-7, -2, 9, 14, 30), strict=True)
        ]
        self._registry.plans.put(plans, by=CLERK)
        self._time.set_to(3, 9)
        self._issuing.receive(make_blanks(self._home / STOCK, 16) + _DEAD)
        first = self._issuing.issue(self._issuing.import_form(_UNITS[0], with_faults(people(11, 1))))
        self._registry.batches.close(first, "operator", SECOND)
        handed = self._registry.cards.of_batch(first)
        self._hand_over(first, handed)
        self._redeem(handed)
        self._clock.set(4)
        second = self._issuing.issue(self._issuing.import_form(_UNITS[1], people(6, 101)), dead=_DEAD)
        further = self._registry.cards.of_batch(second)
        self._hand_out(further[:-_IN_BOX])
        for box in self._packer.create(second):
            self._packer.tick(box, 1)
        self._end_some(handed)
        self._store_slot_cards(handed, delivered=further[0], boxed=further[-1])
        self._note_verdicts((*handed, *further))
        self._clock.set(1)
        ready = self._issuing.approve(self._issuing.import_form(_UNITS[2], people(10, 201)))
        self._issuing.prepare(ready)
        self._issuing.receive(make_blanks(self._home / STOCK, 12))
        self._clock.set(0.04)
        draft = self._issuing.import_form(_UNITS[3], with_faults(people(9, 301)))
        self._registry.reviews.submit(draft, by=CLERK)
        self._redeem_today(handed)
        self._clock.set(0)
        self._contract.settle(first=CLERK, second=SECOND)
        fresh = self._home / FORMS / f"{_UNITS[4]}.xlsx"
        return HistoryResult(ready, draft, write_form(fresh, _UNITS[4], with_faults(people(8, 401))))

    # --- 享受优惠服务 ------------------------------------------------------------------------------------------------

    def _hand_over(self, batch: str, handed: Sequence[Card]) -> None:
        """Pack the cards of a batch and hand them over level by level; members activate them at a window."""
        self._time.set_to(5, 10)
        boxes = self._packer.create(batch)
        for box in boxes:
            self._packer.tick(box)
        self._time.set_to(6, 10)
        for box in boxes:
            self._packer.send(box)
        self._time.set_to(8, 16)
        for box in boxes:
            self._packer.receive(box)
        self._activate([card for card in handed if card.card_number != handed[_WITHDRAWN].card_number])

    def _hand_out(self, called_for: Sequence[Card]) -> None:
        """Members call for their cards one by one; the first ones did not activate theirs yet."""
        cards = [card.card_number for card in called_for]
        for step, state, reason in (("pack", CardState.PACKED, "装袋"), ("deliver", CardState.DELIVERED, "本人签收")):
            self._registry.moves.take(step, state, cards, CLERK, reason)
        self._activate(called_for[_TO_ACTIVATE:])

    def _activate(self, cards: Sequence[Card]) -> None:
        DemoWindow(self._registry, self._custody, self._clock, self._issued, by=CLERK).activate(cards)

    def _redeem(self, handed: Sequence[Card]) -> None:
        """Three members redeem benefits, one of them also at a merchant that has not uploaded it yet; then this counter
        uploads what it has, and one redemption is disputed."""
        self._time.set_to(12, 9)
        self._contract.record_merchants(first=CLERK, second=SECOND)
        self._contract.publish(self._home, first=CLERK, second=SECOND)
        chips = [self._issuing.chip(card) for card in handed[-_REDEEMING:]]
        before, after = SCENES[:_LATE], SCENES[_LATE:]
        with demo_counter(self._registry, self._custody, self._clock, COUNTER) as counter:
            list(play(counter, chips, self._time, before))
            self._see_a_film(chips[2])
            list(play(counter, chips, self._time, after))
            self._time.set_to(UPLOADED, 8)
            counter.line.up = True
            counter.upload()
        newest = self._registry.redemptions.page(limit=1).items[0]
        self._registry.disputes.raise_one(newest.id, by=CLERK, reason="会员来电：没有办过健身会员卡")

    def _see_a_film(self, chip: Path) -> None:
        """A redemption at the other merchant, which does not upload it."""
        with (
            TemporaryDirectory() as folder,
            other_counter(self._registry, self._custody, self._clock, Path(folder) / "journal") as cinema,
        ):
            cinema.serve(chip, Wish("film", "ticket", price=5000, event="林家铺子"))

    def _redeem_today(self, handed: Sequence[Card]) -> None:
        """Two redemptions of today, which wait in the journal until the service starts."""
        self._clock.set(0.02)
        chip = self._issuing.chip(handed[-1])
        with demo_counter(self._registry, self._custody, self._clock, COUNTER) as counter:
            counter.serve(chip, Wish("film", "ticket", 2, 4500, "城南旧事"))
            counter.serve(chip, Wish("gym", "first-visit"))

    def _end_some(self, issued: Sequence[Card]) -> None:
        """Some cards are lost, suspended or withdrawn."""
        for card, state in zip(issued[1:], _OUTCOMES.values(), strict=False):
            self._registry.cards.change(card.card_number, state, CLERK, _REASONS[state])
        self._registry.cards.replace(issued[1].card_number, by=CLERK, reason="挂失补卡", because="lost")

    def _store_slot_cards(self, issued: Sequence[Card], *, delivered: Card, boxed: Card) -> None:
        """Store cards for the counter's slot: valid ones, one for each other outcome, a blank, one that was taken out
        of its box, and one to be activated."""
        folder = self._home / SLOT_CARDS
        for card, name in zip(issued, ("1-good", *_OUTCOMES, "5-good"), strict=False):
            shutil.copyfile(self._issuing.chip(card), folder / f"{name}.card")
        make_stock(folder, 1)
        (blank,) = folder.glob("chip-*.card")
        blank.rename(folder / "6-blank.card")
        shutil.copyfile(self._issuing.chip(boxed), folder / "7-boxed.card")
        shutil.copyfile(self._issuing.chip(delivered), folder / "8-to-activate.card")

    def _note_verdicts(self, issued: Sequence[Card]) -> None:
        """Note verdicts of two counters in the opening hours of the last three days."""
        notes = []
        now = datetime.now(UTC)
        for number in range(240):
            at = now - timedelta(minutes=18 * (240 - number))
            if 9 <= at.astimezone(settings.load().zone).hour < 19:
                card = issued[number * 5 % len(issued)]
                code = _code(number)
                seconds = 0.11 + (number * 37 % 23) / 100
                counter = f"counter-{number % 2 + 1}"
                notes.append(VerdictNote(at, "demo", counter, code, seconds, card.card_number))
        self._registry.verdicts.note(*notes)


def _code(number: int) -> str:
    """The verdict of a number: mostly ACTIVE, sometimes another."""
    odd: dict[int, str] = {13: "LOST", 17: "EXPIRED", 29: "SUSPENDED", 41: "NOT_GENUINE"}
    return next((code for every, code in odd.items() if number % every == every - 1), "ACTIVE")
