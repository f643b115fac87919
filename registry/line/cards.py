"""The life of a proven card: its events, the states it may take, and the hotlist that follows from them.

``verified -> packed -> delivered -> active <-> suspended -> lost | damaged | expired | withdrawn -> replaced``
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from registry.db.tables import LIVING, card_events, cards, claims, dossiers, hotlist, members
from registry.errors import NotOnRecord, RegistryConflict
from registry.values import Card, CardEvent, CardState, HotlistEntry

ENDS = (CardState.LOST, CardState.DAMAGED, CardState.EXPIRED, CardState.WITHDRAWN)
_NEXT: dict[CardState, tuple[CardState, ...]] = {
    CardState.VERIFIED: (CardState.PACKED, *ENDS),
    CardState.PACKED: (CardState.DELIVERED, *ENDS),
    CardState.DELIVERED: (CardState.ACTIVE, *ENDS),
    CardState.ACTIVE: (CardState.SUSPENDED, *ENDS),
    CardState.SUSPENDED: (CardState.ACTIVE, *ENDS),
    **dict.fromkeys(ENDS, (CardState.REPLACED,)),
    CardState.REPLACED: (),
}
# An expired card says so itself, unless somebody ended it before its day; once it is replaced, there would be two.
_LISTED = (CardState.SUSPENDED, CardState.LOST, CardState.DAMAGED, CardState.WITHDRAWN)
_EVENT = insert(card_events)


@dataclass(frozen=True, slots=True)
class CardChange:
    """Who did it, where, why and when."""

    by: str
    place: str
    reason: str
    at: datetime


def card(conn: Connection, card_number: str, sequence: int | None = None) -> Card:
    """The card of that number and sequence; without one, that of the highest sequence."""
    chosen = chosen_cards().where(cards.c.card_number == card_number).order_by(cards.c.sequence.desc()).limit(1)
    if sequence is not None:
        chosen = chosen.where(cards.c.sequence == sequence)
    row = conn.execute(chosen).one_or_none()
    if row is None:
        raise NotOnRecord(f"no card {card_number} was ever verified", reason="card", card=card_number)
    return card_of(row)


def cards_of_batch(conn: Connection, batch_id: str) -> list[Card]:
    chosen = chosen_cards().where(dossiers.c.batch_id == batch_id).order_by(cards.c.dossier_id)
    return [card_of(row) for row in conn.execute(chosen)]


def card_event(
    conn: Connection, card_number: str, new: CardState, doing: CardChange, only_from: CardState | None = None
) -> None:
    chosen = (
        select(cards.c.state, cards.c.sequence)
        .where(cards.c.card_number == card_number)
        .order_by(cards.c.sequence.desc())
        .limit(1)
        .with_for_update()
    )
    row = conn.execute(chosen).one_or_none()
    if row is None:
        raise NotOnRecord(f"no card {card_number} was ever verified", reason="card", card=card_number)
    allowed = _NEXT[CardState(row.state)]
    if new not in allowed or only_from not in (None, row.state):
        choice = f"can become {' or '.join(allowed) or 'nothing any more'}, not {new}"
        sentence = f"card {card_number} is {row.state}; it {choice if new not in allowed else f'is not {only_from}'}"
        raise RegistryConflict(sentence, reason="card-state", card=card_number)
    key = (cards.c.card_number == card_number, cards.c.sequence == row.sequence)
    conn.execute(update(cards).where(*key).values(state=new.value))
    record_event(conn, card_number, row.sequence, new, doing)
    if new in _LISTED or (new is CardState.REPLACED and row.state == CardState.EXPIRED):
        hotlist_add(conn, card_number, row.sequence, new.value, doing.at)
    elif new.value in LIVING:
        _hotlist_lift(conn, card_number, row.sequence, doing.at)


def next_states(state: CardState) -> tuple[CardState, ...]:
    """What a card in that state can become."""
    return _NEXT[state]


def record_event(conn: Connection, card_number: str, sequence: int, event: CardState, doing: CardChange) -> None:
    conn.execute(
        _EVENT,
        {
            "card_number": card_number,
            "sequence": sequence,
            "at": doing.at,
            "event": event.value,
            "by": doing.by,
            "place": doing.place,
            "reason": doing.reason,
        },
    )


def events(conn: Connection, card_number: str) -> list[CardEvent]:
    chosen = select(card_events).where(card_events.c.card_number == card_number).order_by(card_events.c.id)
    return [CardEvent(row.at, row.event, row.by, row.place, row.reason) for row in conn.execute(chosen)]


def hotlist_add(conn: Connection, card_number: str, sequence: int, reason: str, at: datetime) -> None:
    """List a card; a newer reason takes the place of an older one."""
    _hotlist_lift(conn, card_number, sequence, at)
    conn.execute(insert(hotlist).values(card_number=card_number, sequence=sequence, reason=reason, at=at))


def hotlist_entries(conn: Connection) -> list[HotlistEntry]:
    chosen = (
        select(hotlist.c.card_number, hotlist.c.sequence, hotlist.c.reason, hotlist.c.at)
        .where(hotlist.c.lifted_at.is_(None))
        .order_by(hotlist.c.card_number, hotlist.c.sequence)
    )
    return [HotlistEntry(*row) for row in conn.execute(chosen)]


def _hotlist_lift(conn: Connection, card_number: str, sequence: int, at: datetime) -> None:
    listed = (
        hotlist.c.card_number == card_number,
        hotlist.c.sequence == sequence,
        hotlist.c.lifted_at.is_(None),
    )
    conn.execute(update(hotlist).where(*listed).values(lifted_at=at))


def chosen_cards() -> Select[Any]:
    return (
        select(cards, members.c.member_number, members.c.name_masked, members.c.id_masked)
        .add_columns(dossiers.c.batch_id, claims.c.lane)
        .join(members, members.c.id == cards.c.member_id)
        .join(dossiers, dossiers.c.id == cards.c.dossier_id)
        .join(claims, claims.c.token == dossiers.c.token)
    )


def card_of(row: Row[*tuple[Any, ...]]) -> Card:
    return Card(
        card_number=row.card_number,
        sequence=row.sequence,
        member_id=row.member_id,
        member_number=row.member_number,
        name_masked=row.name_masked,
        id_masked=row.id_masked,
        batch_id=row.batch_id,
        dossier_id=row.dossier_id,
        chip_serial=row.chip_serial,
        state=CardState(row.state),
        verified_at=row.verified_at,
        seconds=row.seconds,
        lane=row.lane,
        result=json.loads(row.result),
    )
