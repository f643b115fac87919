"""The end of e-cards: with the card, in the transaction that ends it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, update

from registry.db.tables import ecard_codes, ecard_devices


def end_ecards(conn: Connection, card: tuple[str, int], ended: str, *, by: str, at: datetime) -> None:
    """End the code and the telephone of a card, of this number and sequence, where it has them."""
    number, sequence = card
    for table in (ecard_codes, ecard_devices):
        living = (table.c.card_number == number, table.c.sequence == sequence, table.c.ended.is_(None))
        conn.execute(update(table).where(*living).values(ended=ended, ended_at=at, ended_by=by))
