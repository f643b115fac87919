"""Amendments (更正) of a member's name or mobile number: requested by one person, decided by a second."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, insert, select, update

from registry.batches import approval
from registry.batches.approval import forget_waiting_dossiers
from registry.batches.lookup import batch_on_record
from registry.batches.persons import open_person, seal_person, search_indexes
from registry.batches.reviews import ReviewEvent, ReviewStep, record_step
from registry.db.actors import refuse_same_person
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import LIVING, amendments, cards, member_events, members, units
from registry.errors import NotOnRecord, RegistryConflict
from registry.members.cards import CardChange, card_on_record, order_replacement
from registry.members.views import member_row, settled_member, without_name
from registry.person import Person
from registry.values import BatchState, CardState


class AmendmentState(StrEnum):
    """Where an amendment stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    CANCELLED = "cancelled"


FIELDS: Final = ("name", "mobile")
"""What can be amended, in the order in which it is stored."""


@dataclass(frozen=True, slots=True)
class NewData:
    """The new values in clear; empty for what stays as it is."""

    name: str = field(default="", repr=False)
    mobile: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Amendment:
    """A request. ``name_after`` and ``mobile_after`` are masked; the values before are those on record now. ``batch``
    makes the new card."""

    number: int
    member_id: int
    member_number: str
    id_masked: str
    unit: str
    at: datetime
    by: str
    reason: str
    fields: tuple[str, ...]
    name_now: str
    mobile_now: str
    name_after: str
    mobile_after: str
    new_card: bool
    state: AmendmentState
    decided_at: datetime | None
    decided_by: str | None
    decided_reason: str
    batch: str | None
    batch_state: BatchState | None


@dataclass(frozen=True, slots=True)
class AmendedPerson:
    """A member as on record now, and as the amendment has them; both print themselves masked."""

    now: Person
    after: Person


class Amendments:
    """Repository of amendments."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def request(self, member_id: int, new: NewData, *, by: str, reason: str, new_card: bool) -> Amendment:
        """Request a change; nothing changes before a second person approves. ``new_card``: then the member's card is
        withdrawn and replaced by one with the new data.

        Raises NotOnRecord, RegistryConflict for data that are on record as they are, a member who left or is in an open
        batch, one without a card to replace, or one with a request that waits.
        """
        reason = reason_given(reason)
        with self._context.write() as conn:
            row = settled_member(conn, member_id)
            person = open_person(self._context.personal, row)
            after = _amended(person, new)
            changed = [name for name in FIELDS if getattr(person, name) != getattr(after, name)]
            if not changed:
                raise RegistryConflict("these data are on record as they are", reason="amendment-same")
            waiting = select(amendments.c.id).where(amendments.c.member_id == member_id, _WAITING)
            if (other := conn.execute(waiting).scalar_one_or_none()) is not None:
                sentence = f"amendment {other} of this member waits already; decide or cancel it first"
                raise RegistryConflict(sentence, reason="amendment-waiting", number=other)
            if new_card:
                _living_card(conn, member_id)
            reason = without_name(person, without_name(after, reason))
            number = self._store(conn, member_id, after, changed, by, reason, new_card)
            fields, subject = " ".join(changed), f"member:{member_id}"
            self._context.audit(
                conn, by, "amendment.request", subject, reason, number=number, fields=fields, new_card=new_card
            )
            return amendment_on_record(conn, self._context, number)

    def approve(self, number: int, *, by: str, scheme: str = "130000", member_prefix: str = "") -> Amendment:
        """The second person approves: the record is changed, dossiers that no chip has are prepared again, and with
        ``new_card`` the card is withdrawn and its replacement approved with it.

        Raises NotOnRecord, RegistryConflict for the person who requested it, one that does not wait, or a member who
        left or is in an open batch meanwhile.
        """
        now = self._context.clock()
        with self._context.write() as conn:
            row = self._undecided(conn, number, by)
            member = settled_member(conn, row.member_id)
            person = open_person(self._context.personal, member)
            after = self._after(row, person)
            key = self._context.personal.seal_key()
            values = {
                "sealed": seal_person(self._context.personal, key, row.member_id, after),
                "seal_key": str(key),
                "name_masked": after.name_masked,
                "mobile_masked": after.mobile_masked,
                **search_indexes(self._context.personal, after),
            }
            conn.execute(update(members).where(members.c.id == row.member_id).values(values))
            event = {"member_id": row.member_id, "at": now, "event": "amended", "by": by}
            conn.execute(insert(member_events).values(**event, reason=row.reason, detail=row.fields.replace(" ", ", ")))
            forget_waiting_dossiers(conn, row.member_id)
            batch_id = None
            if row.new_card:
                change = CardChange(row.by, "", row.reason, now)
                card = card_on_record(conn, _living_card(conn, row.member_id))
                batch_id = order_replacement(conn, self._context, card, CardState.WITHDRAWN, change)
                record_step(conn, batch_id, ReviewEvent(now, row.by, ReviewStep.SUBMITTED, ""))
                approval.approve(conn, self._context.personal, batch_id, by, scheme, member_prefix, now)
            self._decide(conn, row, AmendmentState.APPROVED, by, "", batch_id)
            return amendment_on_record(conn, self._context, number)

    def refuse(self, number: int, *, by: str, reason: str) -> Amendment:
        """The second person refuses. Raises NotOnRecord, RegistryConflict for the person who requested it, or one that
        does not wait."""
        reason = reason_given(reason)
        with self._context.write() as conn:
            self._decide(conn, self._undecided(conn, number, by), AmendmentState.REFUSED, by, reason)
            return amendment_on_record(conn, self._context, number)

    def cancel(self, number: int, *, by: str, reason: str) -> Amendment:
        """Give up a request that waits. Raises NotOnRecord, RegistryConflict for one that does not."""
        reason = reason_given(reason)
        with self._context.write() as conn:
            self._decide(conn, _waiting(conn, number), AmendmentState.CANCELLED, by, reason)
            return amendment_on_record(conn, self._context, number)

    def look(self, number: int, *, by: str) -> AmendedPerson:
        """Both sets of data in clear, for whoever decides; the audit entry is committed before. Raises NotOnRecord,
        RegistryConflict for one that does not wait."""
        with self._context.write() as conn:
            row = _waiting(conn, number)
            person = open_person(self._context.personal, member_row(conn, row.member_id))
            shown = AmendedPerson(person, self._after(row, person))
            self._context.audit(conn, by, "amendment.look", f"member:{row.member_id}", number=number)
        return shown

    def amendment(self, number: int) -> Amendment:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return amendment_on_record(conn, self._context, number)

    def page(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        state: AmendmentState | None = None,
        member_id: int | None = None,
    ) -> Page[Amendment]:
        """Amendments, newest first. Raises BadCursor."""
        chosen = _chosen().order_by(amendments.c.id.desc()).limit(cut(limit) + 1)
        if state is not None:
            chosen = chosen.where(amendments.c.state == state.value)
        if member_id is not None:
            chosen = chosen.where(amendments.c.member_id == member_id)
        if cursor is not None:
            chosen = chosen.where(amendments.c.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            rows = conn.execute(chosen).all()
            return page_of(rows, limit, lambda row: _amendment(conn, self._context, row), lambda row: [row.id])

    def _store(
        self, conn: Connection, member_id: int, after: Person, changed: list[str], by: str, reason: str, new_card: bool
    ) -> int:
        key = self._context.personal.seal_key()
        values = {name: getattr(after, name) if name in changed else "" for name in FIELDS}
        row: dict[str, object] = {"member_id": member_id, "at": self._context.clock(), "by": by, "reason": reason}
        row |= {"fields": " ".join(changed), "new_card": new_card, "state": AmendmentState.WAITING.value}
        row |= {"sealed": b"", "seal_key": str(key)}
        number: int = conn.execute(insert(amendments).values(row).returning(amendments.c.id)).scalar_one()
        sealed = self._context.personal.seal_fields(key, _place(number), values)
        conn.execute(update(amendments).where(amendments.c.id == number).values(sealed=sealed))
        return number

    def _after(self, row: Row[*tuple[Any, ...]], person: Person) -> Person:
        fields = self._context.personal.open_fields(row.seal_key, row.sealed, _place(row.id), FIELDS)
        return _amended(person, NewData(**fields))

    def _undecided(self, conn: Connection, number: int, by: str) -> Row[*tuple[Any, ...]]:
        """The locked row, for a second person. Raises NotOnRecord, RegistryConflict."""
        row = _waiting(conn, number)
        sentence = f"{by} requested amendment {number}, in person or by a token; a second person decides it"
        refuse_same_person(conn, row.by, by, sentence, number=number)
        return row

    def _decide(
        self,
        conn: Connection,
        row: Row[*tuple[Any, ...]],
        state: AmendmentState,
        by: str,
        reason: str,
        batch_id: str | None = None,
    ) -> None:
        person = open_person(self._context.personal, member_row(conn, row.member_id))
        reason = without_name(person, without_name(self._after(row, person), reason))
        decision = {"state": state.value, "decided_at": self._context.clock(), "decided_by": by}
        values = {**decision, "decided_reason": reason, "batch_id": batch_id}
        conn.execute(update(amendments).where(amendments.c.id == row.id).values(values))
        subject = f"member:{row.member_id}"
        self._context.audit(
            conn, by, f"amendment.{state}", subject, reason, number=row.id, fields=row.fields, batch=batch_id
        )


_WAITING: Final = amendments.c.state == AmendmentState.WAITING.value


def amendment_on_record(conn: Connection, context: RegistryContext, number: int) -> Amendment:
    """Raises NotOnRecord."""
    row = conn.execute(_chosen().where(amendments.c.id == number)).one_or_none()
    if row is None:
        raise _no_amendment(number)
    return _amendment(conn, context, row)


def _chosen() -> Select[Any]:
    return (
        select(amendments, members.c.member_number, members.c.id_masked, units.c.name.label("unit"))
        .add_columns(members.c.name_masked, members.c.mobile_masked)
        .join(members, members.c.id == amendments.c.member_id)
        .join(units, units.c.id == members.c.unit_id)
    )


def _amendment(conn: Connection, context: RegistryContext, row: Row[*tuple[Any, ...]]) -> Amendment:
    person = open_person(context.personal, _member_of(conn, row.member_id))
    fields = context.personal.open_fields(row.seal_key, row.sealed, _place(row.id), FIELDS)
    after = _amended(person, NewData(**fields))
    return Amendment(
        number=row.id,
        member_id=row.member_id,
        member_number=row.member_number,
        id_masked=row.id_masked,
        unit=row.unit,
        at=row.at,
        by=row.by,
        reason=row.reason,
        fields=tuple(row.fields.split()),
        name_now=row.name_masked,
        mobile_now=row.mobile_masked,
        name_after=after.name_masked,
        mobile_after=after.mobile_masked,
        new_card=row.new_card,
        state=AmendmentState(row.state),
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        decided_reason=row.decided_reason,
        batch=row.batch_id,
        batch_state=None if row.batch_id is None else batch_on_record(conn, row.batch_id).state,
    )


def _member_of(conn: Connection, member_id: int) -> Row[*tuple[Any, ...]]:
    """The row of a member on record, not locked."""
    return conn.execute(select(members).where(members.c.id == member_id)).one()


def _amended(person: Person, new: NewData) -> Person:
    return replace(person, name=new.name or person.name, mobile=new.mobile or person.mobile)


def _living_card(conn: Connection, member_id: int) -> str:
    """The number of the member's card. Raises RegistryConflict where there is none to replace."""
    living = select(cards.c.card_number).where(cards.c.member_id == member_id, cards.c.state.in_(LIVING))
    number: str | None = conn.execute(living).scalar_one_or_none()
    if number is None:
        raise RegistryConflict("this member has no card that could be replaced", reason="amendment-no-card")
    return number


def _waiting(conn: Connection, number: int) -> Row[*tuple[Any, ...]]:
    """The locked row of a request that waits. Raises NotOnRecord, RegistryConflict."""
    row = conn.execute(
        select(amendments).where(amendments.c.id == number).with_for_update(key_share=True)
    ).one_or_none()
    if row is None:
        raise _no_amendment(number)
    if row.state != AmendmentState.WAITING:
        sentence = f"amendment {number} was decided already"
        raise RegistryConflict(sentence, reason="amendment-over", number=number)
    return row


def _no_amendment(number: int) -> NotOnRecord:
    return NotOnRecord(f"there is no amendment with the number {number}", reason="amendment", number=number)


def _place(number: int) -> str:
    return f"amendments.sealed/{number}"
