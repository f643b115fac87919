"""What is printed of a box: its cards by unit, with the names of their members in clear."""

from __future__ import annotations

from itertools import groupby

from sqlalchemy import Connection, select

from registry.batches.persons import open_person
from registry.db.context import RegistryContext
from registry.db.tables import ENDED, box_cards, boxes, cards, members, units
from registry.handover.lookup import SAME_CARD, box_on_record
from registry.handover.values import BoxSheet, SheetLine, SheetSection


def sheet_of(conn: Connection, context: RegistryContext, box_id: str) -> BoxSheet:
    """Raises NotOnRecord."""
    chosen = (
        select(members, box_cards.c.place, box_cards.c.card_number, box_cards.c.sequence)
        .add_columns(units.c.name.label("unit"), cards.c.state.label("card_state"))
        .join(cards, cards.c.member_id == members.c.id)
        .join(box_cards, SAME_CARD)
        .join(units, units.c.id == box_cards.c.unit_id)
        .where(box_cards.c.box_id == box_id, box_cards.c.out_at.is_(None))
        .order_by(box_cards.c.place)
    )
    box = box_on_record(conn, box_id)
    of_batch = select(boxes.c.id).where(boxes.c.batch_id == box.batch_id, boxes.c.stage != "discarded")
    ids = list(conn.execute(of_batch.order_by(boxes.c.id)).scalars())
    rows = [
        (
            str(row.unit),
            SheetLine(
                row.place,
                row.member_number,
                open_person(context.personal, row).name,
                row.card_number,
                row.sequence,
                ended=row.card_state in ENDED,
            ),
        )
        for row in conn.execute(chosen)
    ]
    sections = tuple(
        SheetSection(unit, tuple(line for _, line in lines)) for unit, lines in groupby(rows, key=lambda row: row[0])
    )
    number = ids.index(box_id) + 1 if box_id in ids else 0
    return BoxSheet(box, number, len(ids), context.day(context.clock()), sections)
