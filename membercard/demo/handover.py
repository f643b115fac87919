"""Hand-over in a demo: a box for each unit, its delivery list, the signatures level by level, and the receipt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from membercard.demo.clock import DemoTime
from membercard.demo.papers import write_papers
from membercard.language import text
from personalize.sheets.delivery_list import delivery_list
from personalize.sheets.delivery_workbook import delivery_workbook
from registry.handover.values import Level, Move
from registry.store import Registry

RECIPIENTS: Final = {Level.CITY: "刘洋", Level.DISTRICT: "韩梅", Level.UNIT: "周敏"}
"""Who takes a box at each level; the last one signs the receipt."""
CAPACITY: Final = 100
ON_LEAVE: Final = "本人休假"


class BoxPacker:
    """Packs the boxes of batches, and hands them over."""

    def __init__(self, registry: Registry, time: DemoTime, *, by: str) -> None:
        self._registry, self._time, self._by = registry, time, by

    def create(self, batch: str) -> list[str]:
        """The boxes of a batch, by unit; their numbers."""
        return [box.id for box in self._registry.boxes.create(batch, self._by, capacity=CAPACITY)]

    def tick(self, box: str, count: int | None = None) -> None:
        """Tick cards off, the first ``count`` or all of them."""
        for card in self._registry.boxes.cards(box)[:count]:
            self._registry.boxes.tick(box, f"{card.card_number}-{card.sequence}", self._by)

    def papers(self, box: str, folder: Path) -> Mapping[Path, Callable[[], bytes]]:
        """The delivery list as PDF and workbook, by where they are written; it has names in clear."""
        content = self._registry.boxes.sheet(box, self._by)
        return {
            folder / f"list-{box}.pdf": lambda: delivery_list(content),
            folder / f"list-{box}.xlsx": lambda: delivery_workbook(content),
        }

    def send(self, box: str) -> None:
        """Close a box and hand it over from level to level; each recipient signs for it."""
        self._registry.boxes.close(box, self._by)
        for level, recipient in RECIPIENTS.items():
            self._registry.boxes.hand_over(box, level, recipient, self._by)

    def receive(self, box: str, *, returned: int = 0) -> Move:
        """Record what the contact of the unit signed today. The last cards come back, and are in stock again."""
        cards = self._registry.boxes.cards(box)
        back = [f"{card.card_number}-{card.sequence}" for card in cards[len(cards) - returned :]]
        today, contact = self._time.clock.local().date(), RECIPIENTS[Level.UNIT]
        signed = len(cards) - returned
        move = self._registry.boxes.receipt(box, contact, today, self._by, unsigned=back, signed=signed)
        if back:
            self._registry.moves.return_unsigned(box, self._by, ON_LEAVE)
        return move


def hand_over(
    console: Console, registry: Registry, folder: Path, batches: Sequence[str], time: DemoTime, *, by: str
) -> str:
    """The whole way of the boxes of some batches, shown: ticked off, delivery lists printed into ``folder``, handed
    over, signed for; one card comes back. The first box."""
    packer = BoxPacker(registry, time, by=by)
    time.set_to(5, 9, 30)
    boxes = [box for batch in batches for box in packer.create(batch)]
    papers: dict[Path, Callable[[], bytes]] = {}
    for box in boxes:
        packer.tick(box)
        papers |= packer.papers(box, folder)
    units = {box: registry.boxes.box(box).units for box in boxes}
    written = write_papers(console, papers)
    time.set_to(6, 10)
    for box in boxes:
        packer.send(box)
    time.set_to(8, 16)
    receipts = {box: packer.receive(box, returned=int(box == boxes[-1])) for box in boxes}
    names = {level.value: name for level, name in RECIPIENTS.items()}
    for box, move in receipts.items():
        packed = text("{box}: {count} cards for {units}", box=box, count=move.cards, units=text(", ").join(units[box]))
        way = text("signed for by {city} (city), {district} (district), {unit} (unit)", **names)
        signed = text(
            "receipt: {signed} cards, {back} sent back", signed=move.cards - move.unsigned, back=move.unsigned
        )
        console.print(f"   {packed}\n      {way}\n      {signed}", markup=False, soft_wrap=True)
    for path in written:
        listed = text("delivery list, with room for each signature: {path}", path=path)
        console.print(f"   {listed}", markup=False, soft_wrap=True)
    return boxes[0]
