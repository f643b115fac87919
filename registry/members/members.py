"""What happens to members after they were registered: found, looked at, moved to another unit, given a new card, gone.

Who is in a batch that is on its way to a card stays as the batch has them: such a member is changed afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from registry.batches import batches as reports
from registry.batches import rosters
from registry.batches.approval import give_unit_code
from registry.batches.persons import MemberView, Unmasked, condition, no_member, person, view, view_of, views
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.privacy import mask_name, scrub
from registry.db.tables import LIVING, card_events, cards, dossiers, members, roster_rows, units
from registry.errors import RegistryConflict
from registry.line import cards as life
from registry.office_tables import member_events
from registry.values import Batch, Card, CardState


@dataclass(frozen=True, slots=True)
class MemberEvent:
    """An event of a member or of one of the member's cards. ``card`` is card number and sequence number, or empty."""

    at: datetime
    event: str
    by: str
    reason: str
    detail: str
    card: str


class Members:
    def __init__(self, ground: RegistryContext) -> None:
        self._ground = ground

    def find(self, text: str, cursor: str | None = None, limit: int = 50) -> Page[MemberView]:
        """Members by card number (of a card in preparation too), member number, ID number or exact name."""
        return self._page(cursor, limit, condition(self._ground.personal, text))

    def page(self, cursor: str | None = None, limit: int = 50, *, unit: str | None = None) -> Page[MemberView]:
        """All members, or those of a unit, in the order in which they were put on record. Raises BadCursor."""
        return self._page(cursor, limit, *([] if unit is None else [units.c.name == unit]))

    def member(self, member_id: int) -> MemberView:
        with self._ground.read() as conn:
            return view(conn, member_id)

    def cards_of(self, member_id: int) -> list[Card]:
        """Proven cards, oldest first."""
        chosen = life.chosen_cards().where(cards.c.member_id == member_id).order_by(cards.c.dossier_id)
        with self._ground.read() as conn:
            view(conn, member_id)
            return [life.card_of(row) for row in conn.execute(chosen)]

    def cards(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        unit: str | None = None,
        state: CardState | str | None = None,
        batch_id: str | None = None,
    ) -> Page[Card]:
        """Proven cards, newest first. Raises BadCursor."""
        chosen = life.chosen_cards().order_by(cards.c.dossier_id.desc()).limit(cut(limit) + 1)
        if unit is not None:
            chosen = chosen.join(units, units.c.id == members.c.unit_id).where(units.c.name == unit)
        if state is not None:
            chosen = chosen.where(cards.c.state == CardState(state).value)
        if batch_id is not None:
            chosen = chosen.where(dossiers.c.batch_id == batch_id)
        if cursor is not None:
            chosen = chosen.where(cards.c.dossier_id < read_cursor(cursor, int)[0])
        with self._ground.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, life.card_of, lambda row: [row.dossier_id])

    def history(self, member_id: int) -> list[MemberEvent]:
        """What happened to a member and their cards, oldest first."""
        of_cards = (
            select(card_events)
            .join_from(
                card_events,
                cards,
                (cards.c.card_number == card_events.c.card_number) & (cards.c.sequence == card_events.c.sequence),
            )
            .where(cards.c.member_id == member_id)
            .order_by(card_events.c.id)
        )
        own = select(member_events).where(member_events.c.member_id == member_id).order_by(member_events.c.id)
        with self._ground.read() as conn:
            view(conn, member_id)
            found = [
                MemberEvent(row.at, row.event, row.by, row.reason, row.place, f"{row.card_number}-{row.sequence}")
                for row in conn.execute(of_cards)
            ]
            found += [MemberEvent(row.at, row.event, row.by, row.reason, row.detail, "") for row in conn.execute(own)]
        return sorted(found, key=lambda event: event.at)

    def unmask(self, member_id: int, *, by: str, reason: str) -> Unmasked:
        """A person's data in clear. That they were looked at is in the audit before they are told."""
        why = reason_given(reason)
        with self._ground.write() as conn:
            shown = person(self._ground.personal, _row(conn, member_id))
            self._ground.tell(conn, by, "member.unmask", f"member:{member_id}", _without(shown, why))
        return shown

    def transfer(self, member_id: int, unit: str, *, by: str, reason: str) -> MemberView:
        """To another unit, which is put on record where it is new. A card made before still names the old unit:
        ``replace`` gives another.

        Raises RegistryConflict for a member who left, is in a batch on its way, or is of that unit already.
        """
        why = reason_given(reason)
        with self._ground.write() as conn:
            row = _settled(conn, member_id)
            before = conn.execute(select(units.c.name).where(units.c.id == row.unit_id)).scalar_one()
            wanted = unit.strip()
            if not wanted or not wanted.isprintable():
                raise RegistryConflict("name the unit that the member goes to", reason="unit-missing")
            if wanted == before:
                raise RegistryConflict(f"this member is of {before} already", reason="unit-same", unit=before)
            unit_id = rosters.unit_ids_of(conn, {wanted})[wanted]
            if conn.execute(select(units.c.code).where(units.c.id == unit_id)).scalar_one() is None:
                give_unit_code(conn, unit_id, row.member_number[:6])
            conn.execute(update(members).where(members.c.id == member_id).values(unit_id=unit_id))
            why = _without(person(self._ground.personal, row), why)
            self._happened(conn, member_id, "transferred", by, why, f"{before} → {wanted}")
            self._ground.tell(conn, by, "member.transfer", f"member:{member_id}", why, old=before, new=wanted)
            return view(conn, member_id)

    def withdraw(self, member_id: int, *, by: str, reason: str) -> MemberView:
        """The member leaves: a living card is withdrawn, and so refused everywhere from the next hotlist on.

        Raises RegistryConflict for a member who left already, or is in a batch on its way.
        """
        why = reason_given(reason)
        with self._ground.write() as conn:
            row = _settled(conn, member_id)
            why = _without(person(self._ground.personal, row), why)
            now = self._ground.clock()
            living = select(cards.c.card_number).where(cards.c.member_id == member_id, cards.c.state.in_(LIVING))
            number = conn.execute(living).scalar_one_or_none()
            if number is not None:
                life.card_event(conn, number, CardState.WITHDRAWN, life.CardChange(by, "", why, now))
            conn.execute(update(members).where(members.c.id == member_id).values(withdrawn_at=now))
            self._happened(conn, member_id, "withdrawn", by, why, "")
            self._ground.tell(conn, by, "member.withdraw", f"member:{member_id}", why, card=number)
            return view(conn, member_id)

    def replace(self, card_number: str, *, by: str, reason: str, because: CardState | str = CardState.DAMAGED) -> Batch:
        """Another card of that number, with the next sequence: a draft batch, which a second person approves.

        A card that still lives ends here, as ``because`` says (lost, damaged, expired or withdrawn); so its member has
        none until the new one is proven. Said again after the draft was given up, it makes another draft. Raises
        RegistryConflict for a member who left or is in a batch on its way, NotOnRecord.
        """
        why, cause = reason_given(reason), CardState(because)
        if cause not in life.ENDS:
            raise RegistryConflict(f"a card ends as {', '.join(life.ENDS)}, not as {cause}", reason="card-end")
        with self._ground.write() as conn:
            card = life.card(conn, card_number)
            row = _settled(conn, card.member_id)
            why = _without(person(self._ground.personal, row), why)
            doing = life.CardChange(by, "", why, self._ground.clock())
            newest = view(conn, card.member_id)
            if newest.card_number != card_number:
                sentence = f"card {card_number} has a successor: {newest.card_number}"
                raise RegistryConflict(sentence, reason="card-succeeded", card=str(newest.card_number))
            if card.state.value in LIVING:
                life.card_event(conn, card_number, cause, doing)
            if card.state is not CardState.REPLACED:
                life.card_event(conn, card_number, CardState.REPLACED, doing)
            following = f"{card_number}-{card.sequence}"
            origin = rosters.Origin(f"replacement of card {following}", f"replacement/{following}", by, doing.at)
            batch_id = rosters.replacement(conn, self._ground.personal, card.member_id, card_number, origin)
            subject = f"card:{following}"
            self._ground.tell(conn, by, "card.replaced", subject, why, because=cause.value, batch=batch_id)
            return reports.batch(conn, batch_id)

    def _page(self, cursor: str | None, limit: int, *conditions: Any) -> Page[MemberView]:
        chosen = views().where(*conditions).order_by(members.c.id).limit(cut(limit) + 1)
        if cursor is not None:
            chosen = chosen.where(members.c.id > read_cursor(cursor, int)[0])
        with self._ground.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, view_of, lambda row: [row.id])

    def _happened(self, conn: Connection, member_id: int, event: str, by: str, reason: str, detail: str) -> None:
        conn.execute(
            insert(member_events).values(
                member_id=member_id, at=self._ground.clock(), event=event, by=by, reason=reason, detail=detail
            )
        )


def move_card(
    conn: Connection,
    ground: RegistryContext,
    card_number: str,
    new: CardState,
    doing: life.CardChange,
    only_from: CardState | None,
) -> Card:
    """A card's next state, told in the audit without what would tell whose card it is."""
    who = person(ground.personal, _row(conn, life.card(conn, card_number).member_id))
    doing = replace(doing, reason=_without(who, scrub(doing.reason)))
    life.card_event(conn, card_number, new, doing, only_from)
    moved = life.card(conn, card_number)
    subject = f"card:{card_number}-{moved.sequence}"
    ground.tell(conn, doing.by, f"card.{moved.state}", subject, doing.reason, place=doing.place)
    return moved


def _row(conn: Connection, member_id: int) -> Row[*tuple[Any, ...]]:
    row = conn.execute(select(members).where(members.c.id == member_id).with_for_update(key_share=True)).one_or_none()
    if row is None:
        raise no_member(member_id)
    return row


def _settled(conn: Connection, member_id: int) -> Row[*tuple[Any, ...]]:
    """A member who is here and whom no batch is about to change."""
    row = _row(conn, member_id)
    if row.withdrawn_at is not None:
        sentence = "this member has left the union; a new roster takes them in again"
        raise RegistryConflict(sentence, reason="member-left")
    mine = (roster_rows.c.member_id == member_id, roster_rows.c.open)
    batch_id = conn.execute(select(roster_rows.c.batch_id).where(*mine)).scalar()
    if batch_id is not None:
        sentence = f"this member is in batch {batch_id}; finish or give that up first"
        raise RegistryConflict(sentence, reason="member-in-batch", batch=batch_id)
    if row.member_number is None:
        raise RegistryConflict("this member is not approved yet", reason="member-not-approved")
    return row


def _without(who: Unmasked, reason: str) -> str:
    """A clerk writes a name where a reason was asked for."""
    return reason.replace(who.name, mask_name(who.name)) if len(who.name) > 1 else reason
