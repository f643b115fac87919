"""Members after their registration: searched, listed, unmasked, transferred to another unit, withdrawn.

A member in an open batch cannot be changed until that batch has ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, exists, insert, select, update

from registry.batches.approval import give_unit_codes
from registry.batches.persons import open_person
from registry.batches.units import part_of_unit, unit_ids_of, within
from registry.covers.values import Departure
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import LIVING, card_events, cards, departures, member_events, members, units
from registry.errors import RegistryConflict
from registry.members.cards import CardChange, change_card
from registry.members.search import condition
from registry.members.views import (
    MemberView,
    member_row,
    settled_member,
    view,
    view_of,
    views,
    without_name,
)
from registry.person import Person
from registry.unit_names import BETWEEN, levels
from registry.values import CardState
from terminal.names import all_visible

IN_STOCK: Final = "in-stock"
"""Event of a card that came back into stock, or whose packing was undone."""


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
    """Repository of members."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def find(self, text: str, cursor: str | None = None, limit: int = 50) -> Page[MemberView]:
        """Members by card number (also of a dossier), member number, identity document, mobile number or name, each
        whole; by surname, the last four to eight characters of a number, a masked number or name, or a part of the
        unit's name. Raises BadCursor.
        """
        return self._page(cursor, limit, condition(self._context.personal, text))

    def page(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        unit: str | None = None,
        unit_part: str | None = None,
        only: Literal["no card", "withdrawn"] | None = None,
    ) -> Page[MemberView]:
        """All members, in the order of their registration: those of a unit, of units with ``unit_part`` in their name,
        who have no card yet, or who left. Raises BadCursor.
        """
        own = cards.alias()
        conditions = [] if unit is None else [within(members.c.unit_id, unit)]
        if unit_part is not None:
            conditions.append(part_of_unit(members.c.unit_id, unit_part))
        if only == "withdrawn":
            conditions.append(members.c.withdrawn_at.is_not(None))
        elif only == "no card":
            conditions += [members.c.withdrawn_at.is_(None), ~exists().where(own.c.member_id == members.c.id)]
        return self._page(cursor, limit, *conditions)

    def units_with(self, part: str, limit: int = 20) -> list[str]:
        """Names of units with this part, in the order of their names."""
        chosen = select(units.c.name).where(units.c.name.icontains(part, autoescape=True)).order_by(units.c.name)
        with self._context.read() as conn:
            return list(conn.execute(chosen.limit(cut(limit))).scalars())

    def member(self, member_id: int) -> MemberView:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return view(conn, member_id)

    def history(self, member_id: int) -> list[MemberEvent]:
        """Events of a member and of the member's cards, oldest first. Raises NotOnRecord."""
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
        with self._context.read() as conn:
            view(conn, member_id)
            known: set[str] = set()
            history: list[MemberEvent] = []
            for row in conn.execute(of_cards):
                card = f"{row.card_number}-{row.sequence}"
                event = IN_STOCK if row.event == CardState.VERIFIED and card in known else row.event
                history.append(MemberEvent(row.at, event, row.by, row.reason, row.place, card))
                known.add(card)
            history += [MemberEvent(row.at, row.event, row.by, row.reason, row.detail, "") for row in conn.execute(own)]
        return sorted(history, key=lambda event: event.at)

    def unmask(self, member_id: int, *, by: str, reason: str) -> Person:
        """A member's data in clear; the audit entry is committed before they are returned.

        Raises NotOnRecord, RegistryConflict without a reason.
        """
        reason = reason_given(reason)
        with self._context.write() as conn:
            shown = open_person(self._context.personal, member_row(conn, member_id))
            self._context.audit(conn, by, "member.unmask", f"member:{member_id}", without_name(shown, reason))
        return shown

    def transfer(self, member_id: int, unit: str, *, by: str, reason: str, scheme: str = "") -> MemberView:
        """Move a member to another unit, which is recorded where it is new, with a code of ``scheme`` (that of the
        member's number, if empty). An issued card still names the old unit: ``Cards.replace`` makes another.

        Raises NotOnRecord, RegistryConflict for a member who left, is in an open batch, or is of that unit already.
        """
        reason = reason_given(reason)
        with self._context.write() as conn:
            row = settled_member(conn, member_id)
            before = conn.execute(select(units.c.name).where(units.c.id == row.unit_id)).scalar_one()
            new_unit = BETWEEN.join(levels(unit))
            if not all_visible(new_unit):
                raise RegistryConflict("name the unit that the member goes to", reason="unit-missing")
            unit_id = unit_ids_of(conn, {new_unit})[new_unit]
            if unit_id == row.unit_id:
                raise RegistryConflict(f"this member is of {before} already", reason="unit-same", unit=before)
            if conn.execute(select(units.c.code).where(units.c.id == unit_id)).scalar_one() is None:
                give_unit_codes(conn, [unit_id], scheme or row.member_number[:6])
            conn.execute(update(members).where(members.c.id == member_id).values(unit_id=unit_id))
            reason = without_name(open_person(self._context.personal, row), reason)
            self._record(conn, member_id, "transferred", by, reason, f"{before} → {new_unit}")
            self._context.audit(conn, by, "member.transfer", f"member:{member_id}", reason, old=before, new=new_unit)
            return view(conn, member_id)

    def withdraw(
        self,
        member_id: int,
        *,
        by: str,
        reason: str,
        because: Departure = Departure.WITHDREW,
        left_on: date | None = None,
    ) -> MemberView:
        """The member leaves the union, on a day that is not to come (``left_on``; today): a living card is withdrawn,
        and refused by counters from the next hotlist on.

        Raises NotOnRecord, RegistryConflict for a member who left already or is in an open batch, and for a day to come
        (``departure-day``).
        """
        reason = reason_given(reason)
        today = self._context.day(self._context.clock())
        if left_on is not None and left_on > today:
            sentence = f"{left_on} is a day to come: record that a member left when it has happened"
            raise RegistryConflict(sentence, reason="departure-day", day=str(left_on))
        with self._context.write() as conn:
            row = settled_member(conn, member_id)
            reason = without_name(open_person(self._context.personal, row), reason)
            now = self._context.clock()
            living = select(cards.c.card_number).where(cards.c.member_id == member_id, cards.c.state.in_(LIVING))
            number = conn.execute(living).scalar_one_or_none()
            if number is not None:
                change_card(conn, number, CardState.WITHDRAWN, CardChange(by, "", reason, now))
            conn.execute(update(members).where(members.c.id == member_id).values(withdrawn_at=now))
            event = self._record(conn, member_id, "withdrawn", by, reason, "")
            day = left_on or today
            conn.execute(insert(departures).values(event_id=event, kind=because.value, left_on=day.isoformat()))
            subject, facts = f"member:{member_id}", {"departure": because.value, "left_on": day.isoformat()}
            self._context.audit(conn, by, "member.withdraw", subject, reason, card=number, **facts)
            return view(conn, member_id)

    def _page(self, cursor: str | None, limit: int, *conditions: Any) -> Page[MemberView]:
        chosen = views().where(*conditions).order_by(members.c.id).limit(cut(limit) + 1)
        if cursor is not None:
            chosen = chosen.where(members.c.id > read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, view_of, lambda row: [row.id])

    def _record(self, conn: Connection, member_id: int, event: str, by: str, reason: str, detail: str) -> int:
        """Gives the number of the event."""
        values = {"member_id": member_id, "event": event, "by": by, "reason": reason, "detail": detail}
        chosen = insert(member_events).values(**values, at=self._context.clock())
        number: int = conn.execute(chosen.returning(member_events.c.id)).scalar_one()
        return number
