"""How the cards of a batch are distributed over boxes: by unit, evenly, small units together behind dividers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, and_, insert, select

from registry.batches.lookup import stage_for_update
from registry.db.context import RegistryContext
from registry.db.counters import allocate
from registry.db.tables import box_cards, boxes, cards, dossiers, members, units
from registry.errors import RegistryConflict

CAPACITY: Final = 100
"""Cards of one box, where nothing else is wanted."""
MOST_IN_BOX: Final = 1000

Card = tuple[str, int, int]
"""Number and sequence of a card, and the id of its member's unit."""


def create_boxes(
    conn: Connection, context: RegistryContext, batch_id: str, by: str, *, capacity: int, together: int
) -> list[str]:
    """Create the boxes of a batch; returns their ids in order. Raises NotOnRecord, RegistryConflict."""
    if not 1 <= capacity <= MOST_IN_BOX or not 0 <= together <= capacity:
        sentence = f"a box takes 1 to {MOST_IN_BOX} cards, and units that share one have at most as many"
        raise RegistryConflict(sentence, reason="box-capacity", most=MOST_IN_BOX)
    stage_for_update(conn, batch_id)  # one after the other
    chosen = (
        select(cards.c.card_number, cards.c.sequence, members.c.unit_id)
        .join(dossiers, dossiers.c.id == cards.c.dossier_id)
        .join(members, members.c.id == cards.c.member_id)
        .join(units, units.c.id == members.c.unit_id)
        .where(dossiers.c.batch_id == batch_id, cards.c.state.in_(("verified", "packed")))
        .where(
            ~select(box_cards.c.id)
            .where(
                and_(
                    box_cards.c.card_number == cards.c.card_number,
                    box_cards.c.sequence == cards.c.sequence,
                    box_cards.c.out_at.is_(None),
                )
            )
            .exists()
        )
        .order_by(units.c.name, members.c.member_number, cards.c.card_number)
    )
    waiting = [(row.card_number, row.sequence, row.unit_id) for row in conn.execute(chosen)]
    if not waiting:
        sentence = f"no card of batch {batch_id} is in stock and in no box yet"
        raise RegistryConflict(sentence, reason="box-no-cards", batch=batch_id)
    at = context.clock()
    filled = distributed(waiting, capacity, together)
    day = f"{context.day(at):%Y%m%d}"
    ids = [f"X{day}-{number:03d}" for number in allocate(conn, f"box/{day}", len(filled))]
    conn.execute(
        insert(boxes),
        [{"id": box_id, "batch_id": batch_id, "stage": "open", "created_by": by, "created_at": at} for box_id in ids],
    )
    rows = [
        {"box_id": box_id, "card_number": number, "sequence": sequence, "unit_id": unit_id, "place": place}
        for box_id, inside in zip(ids, filled, strict=True)
        for place, (number, sequence, unit_id) in enumerate(inside, start=1)
    ]
    conn.execute(insert(box_cards), rows)
    return ids


def distributed(waiting: Sequence[Card], capacity: int, together: int) -> list[list[Card]]:
    """Cards by box, in the order given, which has the cards of a unit one after the other."""
    filled: list[list[Card]] = []
    shared: list[Card] = []
    for _, of_unit in groupby(waiting, key=lambda card: card[2]):
        inside = list(of_unit)
        if len(inside) <= together:
            if len(shared) + len(inside) > capacity:
                filled.append(shared)
                shared = []
            shared += inside
            continue
        count = -(-len(inside) // capacity)
        size, larger = divmod(len(inside), count)
        start = 0
        for number in range(count):
            end = start + size + (number < larger)
            filled.append(inside[start:end])
            start = end
    return [*filled, shared] if shared else filled
