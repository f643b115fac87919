"""Amendments of a member's name or mobile number: requested by one person, decided by a second."""

from __future__ import annotations

from collections.abc import Callable

from personalize.intake.names import read_name
from personalize.intake.phones import read_phone
from reader_service.errors import Invalid
from reader_service.events import EventBus
from reader_service.parts import ServiceParts
from reader_service.principal import Permission, Principal
from reader_service.registry_errors import needs_reason, translate_registry_errors
from registry.db.paging import Page
from registry.members.amendments import AmendedPerson, Amendment, AmendmentState, NewData


class AmendmentService:
    """``on_hotlist`` is called when a card is withdrawn for a new one. Event: batch.changed for a new card."""

    def __init__(self, parts: ServiceParts, bus: EventBus, *, on_hotlist: Callable[[], None] = lambda: None) -> None:
        self._parts = parts
        self._registry = parts.registry
        self._bus = bus
        self._on_hotlist = on_hotlist

    def request(
        self, p: Principal, member_id: int, name: str, mobile: str, reason: str, *, new_card: bool
    ) -> Amendment:
        """Request a change, which a second person decides; an empty value stays as it is. ``new_card``: the card is
        replaced then. Raises Invalid for a name or number that no form could have, Conflict, NotFound."""
        p.need(Permission.MEMBERS_CHANGE)
        why = needs_reason(reason)
        new = checked_data(name, mobile)
        with translate_registry_errors():
            return self._registry.amendments.request(member_id, new, by=p.name, reason=why, new_card=new_card)

    def approve(self, p: Principal, number: int) -> Amendment:
        """Raises OwnWork for whoever requested it, Conflict, NotFound."""
        p.need(Permission.ROSTERS_APPROVE)
        with translate_registry_errors():
            done = self._registry.amendments.approve(
                number, by=p.name, scheme=self._parts.scheme, member_prefix=self._parts.member_prefix
            )
        if done.batch is not None and done.batch_state is not None:
            self._on_hotlist()
            self._bus.publish("batch.changed", done.batch, {"state": done.batch_state.value, "review": None})
        return done

    def refuse(self, p: Principal, number: int, reason: str) -> Amendment:
        """Raises OwnWork for whoever requested it, Invalid without a reason, Conflict, NotFound."""
        p.need(Permission.ROSTERS_APPROVE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.amendments.refuse(number, by=p.name, reason=why)

    def cancel(self, p: Principal, number: int, reason: str) -> Amendment:
        """Give up a request that waits. Raises Invalid without a reason, Conflict, NotFound."""
        p.need(Permission.MEMBERS_CHANGE)
        why = needs_reason(reason)
        with translate_registry_errors():
            return self._registry.amendments.cancel(number, by=p.name, reason=why)

    def look(self, p: Principal, number: int) -> AmendedPerson:
        """The data before and after in clear, for whoever decides; audited first. Raises Conflict, NotFound."""
        p.need(Permission.ROSTERS_APPROVE)
        with translate_registry_errors():
            return self._registry.amendments.look(number, by=p.name)

    def amendment(self, p: Principal, number: int) -> Amendment:
        """Masked. Raises NotFound."""
        p.need(Permission.AMENDMENTS_VIEW)
        with translate_registry_errors():
            return self._registry.amendments.amendment(number)

    def page(
        self, p: Principal, cursor: str | None = None, limit: int = 50, *, state: AmendmentState | None = None
    ) -> Page[Amendment]:
        """Newest first, masked."""
        p.need(Permission.AMENDMENTS_VIEW)
        with translate_registry_errors():
            return self._registry.amendments.page(cursor, limit, state=state)


def checked_data(name: str, mobile: str) -> NewData:
    """The new values as the intake of forms takes them; empty ones stay empty. Raises Invalid."""
    read, phone = read_name(name), read_phone(mobile)
    fields = {}
    if name.strip() and read.fault is not None:
        fields["name"] = "letters of a name, up to 60 bytes of GB 18030"
    if mobile.strip() and phone.fault is not None:
        fields["mobile"] = "a mobile number of the mainland, eleven digits"
    if not name.strip() and not mobile.strip():
        fields = {"name": "a new name or a new mobile number"}
    if fields:
        raise Invalid("this name or mobile number cannot be recorded", fields)
    return NewData(read.name if name.strip() else "", phone.number if mobile.strip() else "")
