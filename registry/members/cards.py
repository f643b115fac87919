"""Verified cards: their states and events, the hotlist that follows from them, and replacement.

``verified -> packed -> delivered -> active <-> suspended -> lost | damaged | expired | withdrawn -> replaced``
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, insert, select, update

from registry.batches.lookup import batch_on_record
from registry.batches.persons import open_person
from registry.batches.rosters import Origin, create_replacement
from registry.batches.units import part_of_unit, within
from registry.db.context import RegistryContext, reason_given
from registry.db.counters import allocate
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.privacy import REPLACEMENT, scrub
from registry.db.tables import LIVING, card_events, card_updates, cards, claims, dossiers, losses, members
from registry.ecards.ending import end_ecards
from registry.errors import NotOnRecord, RegistryConflict
from registry.members.hotlist import hotlist_add, hotlist_lift
from registry.members.views import member_row, settled_member, view, without_name
from registry.values import Batch, Card, CardEvent, CardState

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
# A terminal sees by itself that a card has expired, unless its state was set early; a replaced one is always listed.
_LISTED = (CardState.SUSPENDED, CardState.LOST, CardState.DAMAGED, CardState.WITHDRAWN)
_EVENT = insert(card_events)


@dataclass(frozen=True, slots=True)
class CardChange:
    """Who changes a card, where, why and when. ``move``: the move of many cards that this is part of, or
    ``undoes``."""

    by: str
    place: str
    reason: str
    at: datetime
    move: int | None = None
    undoes: bool = False


class Cards:
    """Repository of verified cards."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def allocate_serials(self, prefix: str, count: int) -> range:
        """``count`` serials of card numbers under ``prefix`` that nobody else gets, counted from 1; unused ones are
        lost."""
        with self._context.write() as conn:
            return allocate(conn, f"card/{prefix}", count)

    def card(self, card_number: str) -> Card:
        """The card of that number with the highest sequence. Raises NotOnRecord."""
        with self._context.read() as conn:
            return card_on_record(conn, card_number)

    def of_batch(self, batch_id: str) -> list[Card]:
        """The verified cards of a batch, in the order of their dossiers."""
        chosen = selected_cards().where(dossiers.c.batch_id == batch_id).order_by(cards.c.dossier_id)
        with self._context.read() as conn:
            return [card_of(row) for row in conn.execute(chosen)]

    def of_member(self, member_id: int) -> list[Card]:
        """The verified cards of a member, oldest first. Raises NotOnRecord."""
        chosen = selected_cards().where(cards.c.member_id == member_id).order_by(cards.c.dossier_id)
        with self._context.read() as conn:
            view(conn, member_id)
            return [card_of(row) for row in conn.execute(chosen)]

    def page(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        unit: str | None = None,
        unit_part: str | None = None,
        state: CardState | str | None = None,
        batch_id: str | None = None,
    ) -> Page[Card]:
        """All verified cards, newest first. Raises BadCursor."""
        chosen = selected_cards().order_by(cards.c.dossier_id.desc()).limit(cut(limit) + 1)
        if unit is not None:
            chosen = chosen.where(within(members.c.unit_id, unit))
        if unit_part is not None:
            chosen = chosen.where(part_of_unit(members.c.unit_id, unit_part))
        if state is not None:
            chosen = chosen.where(cards.c.state == CardState(state).value)
        if batch_id is not None:
            chosen = chosen.where(dossiers.c.batch_id == batch_id)
        if cursor is not None:
            chosen = chosen.where(cards.c.dossier_id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, card_of, lambda row: [row.dossier_id])

    def events(self, card_number: str) -> list[CardEvent]:
        """Events of the cards of that number, oldest first."""
        chosen = select(card_events).where(card_events.c.card_number == card_number).order_by(card_events.c.id)
        with self._context.read() as conn:
            return [CardEvent(row.at, row.event, row.by, row.place, row.reason) for row in conn.execute(chosen)]

    def change(
        self,
        card_number: str,
        event: CardState | str,
        by: str,
        reason: str,
        *,
        place: str = "",
        only_from: CardState | None = None,
    ) -> Card:
        """Move a card to its next state, ``only_from`` one of the states that allow it. A card that is lost, damaged,
        withdrawn or suspended is on the hotlist from then on. The reason is stored without the member's name.

        Raises NotOnRecord, RegistryConflict for a state that the card cannot take.
        """
        new = CardState(event)
        with self._context.write() as conn:
            card = card_on_record(conn, card_number)
            member = open_person(self._context.personal, member_row(conn, card.member_id))
            reason = without_name(member, scrub(reason))
            change_card(conn, card_number, new, CardChange(by, place, reason, self._context.clock()), only_from)
            changed = card_on_record(conn, card_number)
            subject = f"card:{card_number}-{changed.sequence}"
            self._context.audit(conn, by, f"card.{changed.state}", subject, reason, place=place)
            return changed

    def replace(self, card_number: str, *, by: str, reason: str, because: CardState | str = CardState.DAMAGED) -> Batch:
        """Create a draft batch for the next card of that number, which a second person approves.

        A living card ends as ``because`` says (lost, damaged, expired or withdrawn), so its member has none until the
        new one is verified. Repeated after the draft was discarded, it creates another draft. Raises NotOnRecord,
        RegistryConflict for a member who left or is in an open batch.
        """
        reason, cause = reason_given(reason), CardState(because)
        if cause not in ENDS:
            raise RegistryConflict(f"a card ends as {', '.join(ENDS)}, not as {cause}", reason="card-end")
        with self._context.write() as conn:
            card = card_on_record(conn, card_number)
            row = settled_member(conn, card.member_id)
            reason = without_name(open_person(self._context.personal, row), reason)
            change = CardChange(by, "", reason, self._context.clock())
            batch_id = order_replacement(conn, self._context, card, cause, change)
            subject = f"card:{card_number}-{card.sequence}"
            self._context.audit(conn, by, "card.replaced", subject, reason, because=cause.value, batch=batch_id)
            return batch_on_record(conn, batch_id)


def order_replacement(
    conn: Connection, context: RegistryContext, card: Card, because: CardState, change: CardChange
) -> str:
    """Create a draft batch for the next card of that number and return its id; a living card ends. The member is
    settled (``settled_member``). Raises RegistryConflict for a card with a successor."""
    number = card.card_number
    newest = view(conn, card.member_id)
    if newest.card_number != number:
        sentence = f"card {number} has a successor: {newest.card_number}"
        raise RegistryConflict(sentence, reason="card-succeeded", card=str(newest.card_number))
    if card.state.value in LIVING:
        change_card(conn, number, because, change)
    if card.state is not CardState.REPLACED:
        change_card(conn, number, CardState.REPLACED, change)
    following = f"{number}-{card.sequence}"
    digest = context.personal.content_index(f"{REPLACEMENT}{following}")
    origin = Origin(f"replacement of card {following}", digest, change.by, change.at, context.day(change.at))
    batch_id = create_replacement(conn, context.personal, card.member_id, number, origin)
    lost = (losses.c.card_number == number, losses.c.sequence == card.sequence, losses.c.unlisted_at.is_(None))
    conn.execute(update(losses).where(*lost).values(batch_id=batch_id))
    return batch_id


def card_on_record(conn: Connection, card_number: str, sequence: int | None = None) -> Card:
    """The card of that number and sequence; of the highest sequence where none is given. Raises NotOnRecord."""
    chosen = selected_cards().where(cards.c.card_number == card_number).order_by(cards.c.sequence.desc()).limit(1)
    if sequence is not None:
        chosen = chosen.where(cards.c.sequence == sequence)
    row = conn.execute(chosen).one_or_none()
    if row is None:
        raise NotOnRecord(f"no card {card_number} was ever verified", reason="card", card=card_number)
    return card_of(row)


def change_card(
    conn: Connection, card_number: str, new: CardState, change: CardChange, only_from: CardState | None = None
) -> tuple[int, CardState]:
    """Move a card to its next state and update the hotlist; returns its sequence and the state before.

    Raises NotOnRecord, RegistryConflict.
    """
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
    set_state(conn, (card_number, row.sequence), CardState(row.state), new, change)
    return row.sequence, CardState(row.state)


def set_state(conn: Connection, card: tuple[str, int], before: CardState, new: CardState, change: CardChange) -> None:
    """Put the card of that number and sequence, whose row the caller holds, into a state that was found allowed."""
    number, sequence = card
    if (before, new) == (CardState.DELIVERED, CardState.ACTIVE):
        own = (cards.c.card_number == number, cards.c.sequence == sequence)
        if needs_activation(json.loads(conn.execute(select(cards.c.result).where(*own)).scalar_one())):
            _refuse_unconfirmed(conn, number, sequence)
    _move(conn, number, sequence, new, change)
    if new is CardState.REPLACED and before is CardState.EXPIRED:
        hotlist_add(conn, number, sequence, new.value, change.at)
    if new is CardState.LOST:
        owner = select(cards.c.member_id).where(cards.c.card_number == number, cards.c.sequence == sequence)
        loss = {"by": change.by, "at": change.at, "place": change.place, "reason": change.reason}
        key = {"card_number": number, "sequence": sequence, "member_id": owner.scalar_subquery()}
        conn.execute(insert(losses).values(**key, **loss))


def reinstate(conn: Connection, card: Card, change: CardChange) -> CardState:
    """Give an ended card the state back that it had when it was living last; a suspended one stays on the hotlist. The
    caller has checked that its member has no other."""
    own = (card_events.c.card_number == card.card_number, card_events.c.sequence == card.sequence)
    living = select(card_events.c.event).where(*own, card_events.c.event.in_(LIVING)).order_by(card_events.c.id.desc())
    state = CardState(conn.execute(living.limit(1)).scalar_one())
    _move(conn, card.card_number, card.sequence, state, change)
    return state


def _move(conn: Connection, card_number: str, sequence: int, new: CardState, change: CardChange) -> None:
    key = (cards.c.card_number == card_number, cards.c.sequence == sequence)
    conn.execute(update(cards).where(*key).values(state=new.value))
    record_event(conn, card_number, sequence, new, change)
    if new.value not in LIVING:
        end_ecards(conn, (card_number, sequence), new.value, by=change.by, at=change.at)
    if new in _LISTED:
        hotlist_add(conn, card_number, sequence, new.value, change.at)
    elif new.value in LIVING:
        hotlist_lift(conn, card_number, sequence, change.at)


def _refuse_unconfirmed(conn: Connection, card_number: str, sequence: int) -> None:
    """Raises RegistryConflict for a card whose chip has not confirmed its activation."""
    confirmed = exists().where(
        card_updates.c.card_number == card_number,
        card_updates.c.sequence == sequence,
        card_updates.c.kind == "activation",
        card_updates.c.state == "done",
    )
    if not conn.execute(select(confirmed)).scalar():
        sentence = f"card {card_number} is activated on its chip, with its member present: insert it at a window"
        raise RegistryConflict(sentence, reason="card-needs-activation", card=card_number)


def needs_activation(result: Mapping[str, object]) -> bool:
    """Whether the read-back with this result proved a card for its member to activate; it may be activated since."""
    return result.get("verdict") == "NOT_ACTIVATED"


def next_states(state: CardState) -> tuple[CardState, ...]:
    """The states that a card in that state can take."""
    return _NEXT[state]


def record_event(conn: Connection, card_number: str, sequence: int, event: CardState, change: CardChange) -> None:
    conn.execute(
        _EVENT,
        {
            "card_number": card_number,
            "sequence": sequence,
            "at": change.at,
            "event": event.value,
            "by": change.by,
            "place": change.place,
            "reason": change.reason,
            "move_id": change.move,
            "undone": change.undoes,
        },
    )


def selected_cards() -> Select[Any]:
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
