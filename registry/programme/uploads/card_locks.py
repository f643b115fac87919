"""Locks of cards and of their members, so that one transaction at a time judges by all uses of a member."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select, tuple_

from registry.db.tables import cards, members
from registry.programme.work import Card


def locked_cards(conn: Connection, wanted: Collection[Card]) -> dict[Card, str]:
    """The state of each of these cards that is on record; their rows and those of their members are held until the end
    of the transaction: the programme's rules count the uses of all cards of a member."""
    if not wanted:
        return {}
    holders = select(cards.c.member_id).where(tuple_(cards.c.card_number, cards.c.sequence).in_(wanted))
    held = select(members.c.id).where(members.c.id.in_(holders)).order_by(members.c.id)
    conn.execute(held.with_for_update(key_share=True))
    chosen = (
        select(cards.c.card_number, cards.c.sequence, cards.c.state)
        .where(tuple_(cards.c.card_number, cards.c.sequence).in_(wanted))
        .order_by(cards.c.card_number, cards.c.sequence)
        .with_for_update(key_share=True)
    )
    return {(number, sequence): state for number, sequence, state in conn.execute(chosen)}
