"""Members: search, masked views, data in clear with a reason, transfer and withdrawal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final, Literal

from reader_service.errors import Invalid
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from registry.covers.values import Departure
from registry.db.paging import Page
from registry.members.members import MemberEvent
from registry.members.views import MemberView
from registry.person import Person
from registry.unit_names import own_name
from registry.values import Card

LONGEST_SEARCH: Final = 100
LEAST_SUGGESTED: Final = 2


class MemberService:
    """``on_hotlist`` is called when a card enters the hotlist, so that this service's counters know at once."""

    def __init__(self, parts: ServiceParts, bus: EventBus, *, on_hotlist: Callable[[], None] = lambda: None) -> None:
        self._registry = parts.registry
        self._bus = bus
        self._on_hotlist = on_hotlist
        self._scheme = parts.scheme

    def find(self, p: Principal, text: str, cursor: str | None = None, limit: int = 50) -> Page[MemberView]:
        """By a whole number or name, a surname, the end of a number, a masked one, or a part of the unit's name
        (``registry.members.search``). Raises Invalid."""
        p.need(Permission.MEMBERS_FIND)
        if not text.strip() or len(text) > LONGEST_SEARCH:
            raise Invalid("the search text is empty or too long", {"text": f"1 to {LONGEST_SEARCH} characters"})
        with translate_registry_errors():
            return self._registry.members.find(text.strip(), cursor, limit)

    def page(
        self,
        p: Principal,
        cursor: str | None = None,
        limit: int = 50,
        *,
        unit: str | None = None,
        unit_part: str | None = None,
        only: Literal["no card", "withdrawn"] | None = None,
    ) -> Page[MemberView]:
        """All members, in the order of their registration: those of a unit, of units with ``unit_part`` in their name,
        who have no card yet, or who left."""
        p.need(Permission.MEMBERS_FIND)
        with translate_registry_errors():
            return self._registry.members.page(cursor, limit, unit=unit, unit_part=unit_part, only=only)

    def units(self, p: Principal, part: str) -> list[str]:
        """Names of up to twenty units with this part, for suggestions; none for a text of digits or one character."""
        p.need(Permission.MEMBERS_FIND)
        part = part.strip()
        if len(part) < LEAST_SUGGESTED or len(part) > LONGEST_SEARCH or part.isdecimal():
            return []
        with translate_registry_errors():
            return self._registry.members.units_with(part)

    def member(self, p: Principal, member_id: int) -> MemberView:
        """Masked. Raises NotFound."""
        p.need(Permission.MEMBERS_FIND)
        with translate_registry_errors():
            return self._registry.members.member(member_id)

    def cards(self, p: Principal, member_id: int) -> list[Card]:
        """Verified cards, oldest first. Raises NotFound."""
        p.need(Permission.CARDS_VIEW)
        with translate_registry_errors():
            return self._registry.cards.of_member(member_id)

    def history(self, p: Principal, member_id: int) -> list[MemberEvent]:
        """The events of the member and their cards, oldest first. Raises NotFound."""
        p.need(Permission.MEMBERS_FIND)
        with translate_registry_errors():
            return self._registry.members.history(member_id)

    def unmask(self, p: Principal, member_id: int, reason: str) -> Person:
        """ID number, name, gender and mobile number in clear; audited first. Raises Invalid without a
        reason, NotFound."""
        p.need(Permission.MEMBERS_UNMASK)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.members.unmask(member_id, by=p.name, reason=why)

    def transfer(self, p: Principal, member_id: int, unit: str, reason: str) -> MemberView:
        """Move the member to another unit; an earlier card still names the former one. Raises Invalid, Conflict,
        NotFound."""
        p.need(Permission.MEMBERS_CHANGE)
        why = needs_reason(reason)
        # DF23 on the card has room for 60 bytes, as the intake of forms says too.
        if not own_name(unit) or len(own_name(unit).encode("gb18030", "replace")) > 60:
            raise Invalid("name the unit that the member goes to", {"unit": "1 to 60 bytes of GB 18030"})
        with translate_registry_errors():
            return self._registry.members.transfer(member_id, unit, by=p.name, reason=why, scheme=self._scheme)

    def withdraw(
        self,
        p: Principal,
        member_id: int,
        reason: str,
        because: Departure = Departure.WITHDREW,
        left_on: date | None = None,
    ) -> MemberView:
        """Withdraw the member from the union, and the current card with them. ``left_on``: the day, today without it.
        Raises Invalid, Conflict, NotFound."""
        p.need(Permission.MEMBERS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            gone = self._registry.members.withdraw(member_id, by=p.name, reason=why, because=because, left_on=left_on)
        self._on_hotlist()
        return gone
