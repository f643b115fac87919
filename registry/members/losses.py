"""Losses (挂失): reported at a window or by telephone, with the order of a replacement, and unlisted again (解挂).

Every card that becomes lost has a row here, whichever way it was reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, exists, select, update

from registry.admin.login_failures import LoginFailures
from registry.batches.approval import discard
from registry.batches.lookup import batch_on_record
from registry.batches.persons import open_person
from registry.batches.reviews import ReviewEvent, ReviewStep, record_step
from registry.db.actors import person_key, refuse_same_person
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.privacy import mask_name
from registry.db.tables import LIVING, cards, losses, members, roster_rows, units
from registry.errors import NotOnRecord, RegistryConflict
from registry.members import identity
from registry.members.cards import CardChange, card_on_record, change_card, order_replacement, reinstate
from registry.members.identity import Caller, CallerKind, Question
from registry.members.views import member_row, settled_member, without_name
from registry.values import BatchState, CardState


class LossChannel(StrEnum):
    """How a loss was reported."""

    WINDOW = "window"
    HOTLINE = "hotline"


@dataclass(frozen=True, slots=True)
class CollectionPoint:
    """Where and from which day on a member collects the new card."""

    at: str
    on: date


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss, with masked data of the member. ``returned_by`` says that the card is there again; another person unlists
    it. ``answers`` names the questions that a caller answered rightly;
    ``caller_masked`` is the name of a caller who is not the member. ``batch`` makes the replacement, and ``collect_at``
    and ``collect_on`` say where and from when it is handed out."""

    number: int
    member_id: int
    member_number: str
    name_masked: str
    id_masked: str
    unit: str
    card_number: str
    sequence: int
    card_state: CardState
    at: datetime
    by: str
    place: str
    reason: str
    channel: LossChannel
    caller: CallerKind | None
    caller_masked: str
    answers: tuple[Question, ...]
    batch: str | None
    batch_state: BatchState | None
    collect_at: str
    collect_on: date | None
    unlisted_at: datetime | None
    unlisted_by: str | None
    unlisted_reason: str | None
    returned_at: datetime | None
    returned_by: str | None
    returned_reason: str | None

    @property
    def listed(self) -> bool:
        return self.unlisted_at is None


_CALLS_FORGOTTEN: Final = timedelta(hours=24)
_IN_PRODUCTION: Final = ("batch-has-cards", "batch-has-chips", "batch-over")


class Losses:
    """Repository of losses."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context
        self._calls = LoginFailures(context)

    def report(
        self,
        card_number: str,
        *,
        by: str,
        reason: str,
        place: str = "",
        caller: Caller | None = None,
        collection: CollectionPoint | None = None,
        within: Callable[[Connection, Loss], None] | None = None,
    ) -> Loss:
        """A card is lost: it is on the hotlist from now on. ``caller``: who reported it by telephone, with the answers
        by which they were identified. ``collection``: a replacement is ordered too, and submitted for the second
        person's review. ``within`` is more of the transaction.

        Raises NotOnRecord, RegistryConflict for a card that has ended, a caller who was not identified (which the audit
        keeps), too few answers after too many such callers, or a member who cannot get a replacement now.
        """
        reason = reason_given(reason)
        right = frozenset() if caller is None else self._identify(card_number, caller, by)
        with self._context.write() as conn:
            card = card_on_record(conn, card_number)
            row = member_row(conn, card.member_id)
            reason = without_name(open_person(self._context.personal, row), reason)
            change = CardChange(by, place, reason, self._context.clock())
            change_card(conn, card_number, CardState.LOST, change)
            number = _listed(conn, card_number, card.sequence).id
            if caller is not None:
                self._note_caller(conn, number, caller, right)
            if collection is not None:
                self._order(conn, number, change, collection)
            loss = loss_on_record(conn, self._context, number)
            if within is not None:
                within(conn, loss)
            subject, caller_kind = f"card:{card_number}-{card.sequence}", loss.caller and loss.caller.value
            facts = {"batch": loss.batch, "channel": loss.channel.value, "caller": caller_kind}
            self._context.audit(conn, by, "card.lost", subject, reason, place=place, **facts)
            return loss

    def order(self, number: int, collection: CollectionPoint, *, by: str, reason: str) -> Loss:
        """Order the replacement of a card that was reported lost before, and submit it for review.

        Raises NotOnRecord, RegistryConflict for a card that was unlisted or whose replacement is ordered already.
        """
        reason = reason_given(reason)
        with self._context.write() as conn:
            row = _listed_by_number(conn, number)
            reason = without_name(open_person(self._context.personal, member_row(conn, row.member_id)), reason)
            self._order(conn, number, CardChange(by, "", reason, self._context.clock()), collection)
            loss = loss_on_record(conn, self._context, number)
            subject = f"card:{loss.card_number}-{loss.sequence}"
            because = CardState.LOST.value
            self._context.audit(conn, by, "card.replaced", subject, reason, because=because, batch=loss.batch)
            return loss

    def unlist(self, number: int, *, by: str, reason: str, place: str = "") -> Loss:
        """The card was found. Two people say so: the first call notes it (``returned_by``), the second one, by another
        person, takes the card off the hotlist and gives it its state back; a replacement that no chip was taken for is
        given up.

        Raises NotOnRecord, RegistryConflict once the replacement is being made, for a member who left, or who is in
        another batch, and, as OWN_WORK, for the person who noted it.
        """
        reason = reason_given(reason)
        with self._context.write() as conn:
            row = _listed_by_number(conn, number)
            now = self._context.clock()
            card = card_on_record(conn, row.card_number)
            if card.sequence != row.sequence or _has_living_card(conn, row.member_id):
                raise _in_production(row.card_number)
            if row.returned_by is None:
                return self._note_return(conn, row, CardChange(by, place, reason, now))
            sentence = f"{by} noted that card {row.card_number} was found, in person or by a token; another unlists it"
            refuse_same_person(conn, row.returned_by, by, sentence, number=number)
            if (batch_id := _ordered_in(conn, row.member_id, row.card_number)) is not None:
                _give_up(conn, batch_id, row.card_number, by, now)
            member = settled_member(conn, row.member_id)
            reason = without_name(open_person(self._context.personal, member), reason)
            state = reinstate(conn, card, CardChange(by, place, reason, now))
            ended = {"unlisted_at": now, "unlisted_by": by, "unlisted_reason": reason}
            conn.execute(update(losses).where(losses.c.id == number).values(ended))
            loss = loss_on_record(conn, self._context, number)
            subject = f"card:{card.card_number}-{card.sequence}"
            self._context.audit(conn, by, "card.unlisted", subject, reason, place=place, state=state.value)
        if batch_id is not None:
            self._context.database.forget_deleted()
        return loss

    def still_lost(self, number: int, *, by: str, reason: str) -> Loss:
        """Take back that a card was found; it stays on the hotlist. Raises NotOnRecord, RegistryConflict where nobody
        noted it, or the card was unlisted."""
        with self._context.write() as conn:
            row, reason = _listed_by_number(conn, number), reason_given(reason)
            if row.returned_by is None:
                sentence = f"nobody noted that the card of loss {number} was found"
                raise RegistryConflict(sentence, reason="loss-not-found", number=number)
            reason = without_name(open_person(self._context.personal, member_row(conn, row.member_id)), reason)
            nobody: dict[str, None] = {"returned_at": None, "returned_by": None, "returned_reason": None}
            conn.execute(update(losses).where(losses.c.id == number).values(nobody))
            self._context.audit(conn, by, "card.still-lost", f"card:{row.card_number}-{row.sequence}", reason)
            return loss_on_record(conn, self._context, number)

    def loss(self, number: int) -> Loss:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return loss_on_record(conn, self._context, number)

    def page(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        listed: bool | None = None,
        member_id: int | None = None,
        returned: bool = False,
    ) -> Page[Loss]:
        """Losses, newest first; those listed or unlisted alone, or those of one member. ``returned``: those listed
        whose card was found, which wait for a second person. Raises BadCursor."""
        chosen = _chosen().order_by(losses.c.id.desc()).limit(cut(limit) + 1)
        if listed is not None:
            chosen = chosen.where(losses.c.unlisted_at.is_(None) if listed else losses.c.unlisted_at.is_not(None))
        if member_id is not None:
            chosen = chosen.where(losses.c.member_id == member_id)
        if returned:
            chosen = chosen.where(losses.c.unlisted_at.is_(None), losses.c.returned_by.is_not(None))
        if cursor is not None:
            chosen = chosen.where(losses.c.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            rows = conn.execute(chosen).all()
            return page_of(rows, limit, lambda row: _loss(conn, self._context, row), lambda row: [row.id])

    def _note_return(self, conn: Connection, row: Row[*tuple[Any, ...]], change: CardChange) -> Loss:
        """The first of two people."""
        with conn.begin_nested() as trial:  # whether the second person could unlist it now
            if (batch_id := _ordered_in(conn, row.member_id, row.card_number)) is not None:
                _give_up(conn, batch_id, row.card_number, change.by, change.at)
            member = settled_member(conn, row.member_id)
            trial.rollback()
        reason = without_name(open_person(self._context.personal, member), change.reason)
        noted = {"returned_at": change.at, "returned_by": change.by, "returned_reason": reason}
        conn.execute(update(losses).where(losses.c.id == row.id).values(noted))
        subject = f"card:{row.card_number}-{row.sequence}"
        self._context.audit(conn, change.by, "card.found", subject, reason, place=change.place)
        return loss_on_record(conn, self._context, row.id)

    def _identify(self, card_number: str, caller: Caller, by: str) -> frozenset[Question]:
        """The caller's right answers. Raises NotOnRecord, RegistryConflict for too few; the audit keeps the attempt."""
        now = self._context.clock()
        with self._context.read() as conn:
            key = f"caller {card_number} {person_key(conn, by)}"
        known = self._calls.of([key]).get(key)
        until = known.blocked_until if known is not None and known.blocked_until is not None else now
        with self._context.write() as conn:
            card = card_on_record(conn, card_number)
            member = member_row(conn, card.member_id)
            unit: str = conn.execute(select(units.c.name).where(units.c.id == member.unit_id)).scalar_one()
            right = caller.right_answers(open_person(self._context.personal, member), unit)
            identified = len(right) == len(Question) if until > now else caller.identified(right)
            if not identified:
                subject, kind = f"card:{card_number}-{card.sequence}", caller.kind.value
                self._context.audit(conn, by, "card.caller-refused", subject, "", caller=kind, right=len(right))
        if identified:
            self._calls.clear(key)
        elif until > now:
            raise identity.too_many_callers(until - now)
        elif self._calls.failed(key, forget=_CALLS_FORGOTTEN).count >= identity.MOST_CALLS:
            self._calls.block(key, now + identity.CALLS_REST)
        if not identified:
            identity.refuse_unproven(caller, right)
        return right

    def _note_caller(self, conn: Connection, number: int, caller: Caller, right: frozenset[Question]) -> None:
        values: dict[str, object] = {
            "channel": LossChannel.HOTLINE.value,
            "caller": caller.kind.value,
            "answers": " ".join(question.value for question in Question if question in right),
        }
        if caller.name or caller.telephone:
            key = self._context.personal.seal_key()
            sealed = self._context.personal.seal(key, _place(number), caller.name, caller.telephone)
            values |= {"caller_sealed": sealed, "seal_key": str(key)}
        conn.execute(update(losses).where(losses.c.id == number).values(values))

    def _order(self, conn: Connection, number: int, change: CardChange, collection: CollectionPoint) -> None:
        row = _listed_by_number(conn, number)
        settled_member(conn, row.member_id)
        card = card_on_record(conn, row.card_number)
        if card.sequence != row.sequence:
            raise _in_production(row.card_number)
        batch_id = order_replacement(conn, self._context, card, CardState.LOST, change)
        record_step(conn, batch_id, ReviewEvent(change.at, change.by, ReviewStep.SUBMITTED, ""))
        there = {"collect_at": collection.at, "collect_on": collection.on.isoformat()}
        conn.execute(update(losses).where(losses.c.id == number).values(there))


def loss_on_record(conn: Connection, context: RegistryContext, number: int) -> Loss:
    """Raises NotOnRecord."""
    row = conn.execute(_chosen().where(losses.c.id == number)).one_or_none()
    if row is None:
        raise _no_loss(number)
    return _loss(conn, context, row)


def _chosen() -> Select[Any]:
    key = (cards.c.card_number == losses.c.card_number) & (cards.c.sequence == losses.c.sequence)
    return (
        select(losses, members.c.member_number, members.c.name_masked, members.c.id_masked)
        .add_columns(units.c.name.label("unit"), cards.c.state.label("card_state"))
        .join(members, members.c.id == losses.c.member_id)
        .join(units, units.c.id == members.c.unit_id)
        .join(cards, key)
    )


def _loss(conn: Connection, context: RegistryContext, row: Row[*tuple[Any, ...]]) -> Loss:
    name = ""
    if row.caller_sealed is not None:
        name = str(context.personal.open(row.seal_key, row.caller_sealed, _place(row.id))[0] or "")
    return Loss(
        number=row.id,
        member_id=row.member_id,
        member_number=row.member_number,
        name_masked=row.name_masked,
        id_masked=row.id_masked,
        unit=row.unit,
        card_number=row.card_number,
        sequence=row.sequence,
        card_state=CardState(row.card_state),
        at=row.at,
        by=row.by,
        place=row.place,
        reason=row.reason,
        channel=LossChannel(row.channel),
        caller=CallerKind(row.caller) if row.caller else None,
        caller_masked=mask_name(name) if name else "",
        answers=tuple(map(Question, row.answers.split())),
        batch=row.batch_id,
        batch_state=None if row.batch_id is None else batch_on_record(conn, row.batch_id).state,
        collect_at=row.collect_at,
        collect_on=None if row.collect_on is None else date.fromisoformat(row.collect_on),
        unlisted_at=row.unlisted_at,
        unlisted_by=row.unlisted_by,
        unlisted_reason=row.unlisted_reason,
        returned_at=row.returned_at,
        returned_by=row.returned_by,
        returned_reason=row.returned_reason,
    )


def _listed(conn: Connection, card_number: str, sequence: int) -> Row[*tuple[Any, ...]]:
    key = (losses.c.card_number == card_number, losses.c.sequence == sequence, losses.c.unlisted_at.is_(None))
    return conn.execute(select(losses).where(*key)).one()


def _listed_by_number(conn: Connection, number: int) -> Row[*tuple[Any, ...]]:
    """Raises NotOnRecord, RegistryConflict for a card that was unlisted."""
    row = conn.execute(select(losses).where(losses.c.id == number).with_for_update(key_share=True)).one_or_none()
    if row is None:
        raise _no_loss(number)
    if row.unlisted_at is not None:
        raise RegistryConflict(f"loss {number} is over: the card was unlisted", reason="loss-over", number=number)
    return row


def _has_living_card(conn: Connection, member_id: int) -> bool:
    living = exists().where(cards.c.member_id == member_id, cards.c.state.in_(LIVING))
    return bool(conn.execute(select(living)).scalar_one())


def _ordered_in(conn: Connection, member_id: int, card_number: str) -> str | None:
    """The open batch that replaces this card."""
    mine = (roster_rows.c.member_id == member_id, roster_rows.c.open, roster_rows.c.replaces == card_number)
    batch_id: str | None = conn.execute(select(roster_rows.c.batch_id).where(*mine)).scalar_one_or_none()
    return batch_id


def _give_up(conn: Connection, batch_id: str, card_number: str, by: str, at: datetime) -> None:
    """Raises RegistryConflict once a chip was taken for it."""
    try:
        discard(conn, batch_id, by, at)
    except RegistryConflict as refusal:
        if refusal.reason in _IN_PRODUCTION:
            raise _in_production(card_number) from refusal
        raise


def _in_production(card_number: str) -> RegistryConflict:
    sentence = f"the replacement of card {card_number} is made or being made, so the old card stays on the hotlist"
    return RegistryConflict(sentence, reason="loss-replaced", card=card_number)


def _no_loss(number: int) -> NotOnRecord:
    return NotOnRecord(f"there is no loss with the number {number}", reason="loss", number=number)


def _place(number: int) -> str:
    return f"losses.caller_sealed/{number}"
