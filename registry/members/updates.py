"""Changes on issued chips: what the office wants on a card, the scripts that were sent to it, and what came of them.

A wish is a value, not a command: it becomes a command when the card is there (``personalize.updates``). At most one
script of a card is open at a time; which of its commands ran is known from the card alone, perhaps at its next
insertion. States of a wish: ``pending -> sent -> done | refused``, back to ``pending`` where its command did not run,
and ``withdrawn`` by a person or by a newer wish of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, exists, insert, select, update

from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import card_scripts, card_updates
from registry.errors import NotOnRecord, RegistryConflict
from registry.members.cards import CardChange, card_on_record, change_card
from registry.members.views import without_names
from registry.values import Card, CardState


class UpdateKind(StrEnum):
    """What is changed on a chip, and how its value is encoded."""

    ACTIVATION = "activation"
    """DF2D, the day."""
    BLOCK = "block"
    """01 block the application, 00 unblock it."""
    CATEGORY = "category"
    """DF26."""
    COVER = "cover"
    """DF29, last day."""
    ENTITLEMENTS = "entitlements"
    """DF28 with nothing used: what the chip has counted in the same period stays."""
    VALIDITY = "validity"
    """DF27, last day."""


class UpdateState(StrEnum):
    """The state of a wanted change."""

    PENDING = "pending"
    SENT = "sent"
    """In an open script: it may have run."""
    DONE = "done"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class WantedChange:
    """A wanted change of one chip. ``value`` is as ``UpdateKind`` says; ``refusal`` why the chip does not take it."""

    id: int
    card_number: str = field(repr=False)
    sequence: int
    kind: UpdateKind
    value: bytes
    state: UpdateState
    wanted_at: datetime
    wanted_by: str
    reason: str
    ended_at: datetime | None
    ended_by: str | None
    place: str | None
    refusal: str | None


@dataclass(frozen=True, slots=True)
class OpenScript:
    """A script that was sent, and of which nobody knows yet how much ran."""

    id: int
    script: bytes


_STAYS: Final = (CardState.LOST, CardState.WITHDRAWN, CardState.REPLACED, CardState.DAMAGED)
"""Ended cards: nothing but a block is wanted on them."""


class CardUpdates:
    """Repository of wanted changes of chips, and of their scripts."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def want(
        self, card_number: str, wanted: Mapping[UpdateKind, bytes], *, by: str, reason: str
    ) -> tuple[WantedChange, ...]:
        """Order changes of the newest card of that number; each replaces a pending one of its kind.

        Raises NotOnRecord, RegistryConflict without a reason, for an activation, and for a card that has ended.
        """
        why = reason_given(reason)
        if UpdateKind.ACTIVATION in wanted:
            raise RegistryConflict("a card is activated with its member present", reason="activation-present")
        with self._context.write() as conn:
            card = card_on_record(conn, card_number)
            if card.state in _STAYS and set(wanted) != {UpdateKind.BLOCK}:
                sentence = f"card {card_number} is {card.state}: nothing on it is changed any more"
                raise RegistryConflict(sentence, reason="card-ended", card=card_number, state=card.state.value)
            why = self._nameless(conn, card.card_number, card.sequence, why)
            ids = [self._add(conn, card, kind, value, by, why) for kind, value in wanted.items()]
            kinds = ", ".join(sorted(wanted))
            self._context.audit(conn, by, "card.want", f"card:{card_number}-{card.sequence}", why, changes=kinds)
            return tuple(_updates(conn, ids))

    def activate(self, card_number: str, sequence: int, day: bytes, *, by: str, shown: str, place: str) -> WantedChange:
        """Order the activation of a card whose member is present; ``day`` is the value of DF2D, ``shown`` what
        identified the member. Nothing is activated until the chip has confirmed its script.

        Raises NotOnRecord, RegistryConflict where the member was not identified, or the card was not delivered.
        """
        if not shown.strip():
            raise RegistryConflict("say what identified the member", reason="member-identified")
        why = reason_given(shown)
        with self._context.write() as conn:
            card = card_on_record(conn, card_number, sequence)
            if card.state not in (CardState.DELIVERED, CardState.ACTIVE):
                sentence = f"card {card_number} is {card.state}; only a delivered card is activated"
                raise RegistryConflict(sentence, reason="card-not-delivered", card=card_number, state=card.state.value)
            why = self._nameless(conn, card_number, sequence, why)
            wanted = self._add(conn, card, UpdateKind.ACTIVATION, day, by, why)
            self._context.audit(conn, by, "card.identify", f"card:{card_number}-{sequence}", why, place=place)
            return _updates(conn, [wanted])[0]

    def pending(self, card_number: str, sequence: int) -> tuple[WantedChange, ...]:
        """What is wanted of a card and in no open script, oldest first."""
        chosen = _of_card(card_number, sequence).where(card_updates.c.state == UpdateState.PENDING.value)
        with self._context.read() as conn:
            return tuple(_update(row) for row in conn.execute(chosen))

    def of_card(self, card_number: str, sequence: int) -> tuple[WantedChange, ...]:
        """Everything that was ever wanted of a card, oldest first."""
        with self._context.read() as conn:
            return tuple(_update(row) for row in conn.execute(_of_card(card_number, sequence)))

    def any_waiting(self) -> bool:
        """Whether a change of any card is pending or sent: a counter asks before it asks for each card."""
        waiting = card_updates.c.state.in_((UpdateState.PENDING.value, UpdateState.SENT.value))
        with self._context.read() as conn:
            return bool(conn.execute(select(exists().where(waiting))).scalar())

    def page(self, cursor: str | None = None, limit: int = 50, *, card_number: str | None = None) -> Page[WantedChange]:
        """Wanted changes, the newest first; those of one card number where it is given. Raises BadCursor."""
        chosen = select(card_updates).order_by(card_updates.c.id.desc()).limit(cut(limit) + 1)
        if card_number is not None:
            chosen = chosen.where(card_updates.c.card_number == card_number)
        if cursor is not None:
            chosen = chosen.where(card_updates.c.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _update, lambda row: [row.id])

    def withdraw(self, update_id: int, *, by: str, reason: str) -> WantedChange:
        """Take back a pending change. Raises NotOnRecord, RegistryConflict for one that was sent or has ended."""
        why = reason_given(reason)
        with self._context.write() as conn:
            rows = _updates(conn, [update_id])
            if not rows:
                raise NotOnRecord(f"there is no wanted change {update_id}", reason="update", update=update_id)
            (wanted,) = rows
            if wanted.state is not UpdateState.PENDING:
                sentence = f"change {update_id} is {wanted.state} and cannot be taken back"
                raise RegistryConflict(sentence, reason="update-state", update=update_id, state=wanted.state.value)
            if not self._end(conn, [update_id], UpdateState.WITHDRAWN, by, ""):  # sent since it was read
                sentence = f"change {update_id} is {UpdateState.SENT} and cannot be taken back"
                state = UpdateState.SENT.value
                raise RegistryConflict(sentence, reason="update-state", update=update_id, state=state)
            why = self._nameless(conn, wanted.card_number, wanted.sequence, why)
            subject = f"card:{wanted.card_number}-{wanted.sequence}"
            self._context.audit(conn, by, "card.withdraw-change", subject, why, changes=wanted.kind.value)
            return _updates(conn, [update_id])[0]

    def open_script(self, card_number: str, sequence: int) -> OpenScript | None:
        """The script of a card whose outcome is unknown."""
        chosen = select(card_scripts).where(
            card_scripts.c.card_number == card_number,
            card_scripts.c.sequence == sequence,
            card_scripts.c.ended_at.is_(None),
        )
        with self._context.read() as conn:
            row = conn.execute(chosen).one_or_none()
            return None if row is None else OpenScript(row.id, bytes(row.script))

    def begin(
        self, card_number: str, sequence: int, script: bytes, update_ids: Sequence[int], *, by: str, place: str
    ) -> int:
        """Record a script before its first command is sent; ``update_ids`` are its changes in the order of its
        commands. Returns its id. Raises RegistryConflict while another script of the card is open, or where a change is
        no longer pending."""
        with self._context.write() as conn:
            values = {"card_number": card_number, "sequence": sequence, "script": script, "by": by, "place": place}
            key = conn.execute(insert(card_scripts).values(**values, at=self._context.clock())).inserted_primary_key
            script_id = int(key[0]) if key else 0
            for position, update_id in enumerate(update_ids):
                sent = {"state": UpdateState.SENT.value, "script_id": script_id, "position": position}
                mine = (card_updates.c.id == update_id, card_updates.c.state == UpdateState.PENDING.value)
                if not conn.execute(update(card_updates).where(*mine).values(**sent)).rowcount:
                    raise RegistryConflict(f"change {update_id} is not pending any more", reason="update-state")
            return script_id

    def finish(self, script_id: int, ran: int, *, refusal: str = "", by: str, place: str) -> tuple[WantedChange, ...]:
        """Record how many commands of a script ran, and give the changes that are done. ``refusal``: why the card
        refused the command behind them. The others are pending again. A card that is now activated is active.
        Recorded again, it changes nothing and gives none."""
        with self._context.write() as conn:
            ended = update(card_scripts).where(card_scripts.c.id == script_id, card_scripts.c.ended_at.is_(None))
            if not conn.execute(ended.values(ended_at=self._context.clock(), ran=ran)).rowcount:
                return ()
            chosen = select(card_updates).where(
                card_updates.c.script_id == script_id, card_updates.c.state == UpdateState.SENT.value
            )
            sent = [(row.position, _update(row)) for row in conn.execute(chosen.order_by(card_updates.c.position))]
            done = [wanted for position, wanted in sent if position < ran]
            refused = [wanted.id for position, wanted in sent if refusal and position == ran]
            again = [wanted for position, wanted in sent if position >= ran and wanted.id not in refused]
            self._end(conn, refused, UpdateState.REFUSED, by, place, refusal, before=UpdateState.SENT)
            for wanted in again:
                self._put_back(conn, wanted, by)
            return self._done(conn, done, by, place, before=UpdateState.SENT)

    def settle(self, update_ids: Sequence[int], *, by: str, place: str) -> tuple[WantedChange, ...]:
        """Record pending changes that the chip has already, without a script; gives those that were still pending."""
        with self._context.write() as conn:
            return self._done(conn, _updates(conn, update_ids), by, place, before=UpdateState.PENDING)

    def refuse(self, update_id: int, refusal: str, *, by: str, place: str) -> None:
        """Record a pending change that this chip cannot take."""
        with self._context.write() as conn:
            self._end(conn, [update_id], UpdateState.REFUSED, by, place, refusal)

    def _nameless(self, conn: Connection, card_number: str, sequence: int, reason: str) -> str:
        return without_names(conn, self._context.personal, [(card_number, sequence)], reason)

    def _add(self, conn: Connection, card: Card, kind: UpdateKind, value: bytes, by: str, reason: str) -> int:
        earlier = select(card_updates.c.id).where(
            card_updates.c.card_number == card.card_number,
            card_updates.c.sequence == card.sequence,
            card_updates.c.kind == kind.value,
            card_updates.c.state == UpdateState.PENDING.value,
        )
        self._end(conn, list(conn.execute(earlier).scalars()), UpdateState.WITHDRAWN, by, "")
        values = {"card_number": card.card_number, "sequence": card.sequence, "kind": kind.value, "value": value}
        wanted = {"wanted_at": self._context.clock(), "wanted_by": by, "reason": reason, "state": "pending"}
        key = conn.execute(insert(card_updates).values(**values, **wanted)).inserted_primary_key
        return int(key[0]) if key else 0

    def _put_back(self, conn: Connection, wanted: WantedChange, by: str) -> None:
        """Make a change pending again whose command did not run, unless a newer one of its kind is."""
        newer = select(
            exists().where(
                card_updates.c.card_number == wanted.card_number,
                card_updates.c.sequence == wanted.sequence,
                card_updates.c.kind == wanted.kind.value,
                card_updates.c.state == UpdateState.PENDING.value,
            )
        )
        if conn.execute(newer).scalar():
            self._end(conn, [wanted.id], UpdateState.WITHDRAWN, by, "", before=UpdateState.SENT)
            return
        pending = {"state": UpdateState.PENDING.value, "script_id": None, "position": None}
        conn.execute(update(card_updates).where(card_updates.c.id == wanted.id).values(**pending))

    def _done(
        self, conn: Connection, wanted: Sequence[WantedChange], by: str, place: str, *, before: UpdateState
    ) -> tuple[WantedChange, ...]:
        ended = self._end(conn, [one.id for one in wanted], UpdateState.DONE, by, place, before=before)
        done = [one for one in wanted if one.id in ended]
        if not done:
            return ()
        first = done[0]
        for one in done:
            card = card_on_record(conn, one.card_number, one.sequence)
            if one.kind is UpdateKind.ACTIVATION and card.state is CardState.DELIVERED:
                change = CardChange(by, place, one.reason, self._context.clock())
                change_card(conn, one.card_number, CardState.ACTIVE, change, CardState.DELIVERED)
        kinds = ", ".join(sorted(one.kind.value for one in done))
        subject = f"card:{first.card_number}-{first.sequence}"
        self._context.audit(conn, by, "card.update", subject, first.reason, changes=kinds, place=place)
        return tuple(_updates(conn, [one.id for one in done]))

    def _end(
        self,
        conn: Connection,
        ids: Sequence[int],
        state: UpdateState,
        by: str,
        place: str,
        refusal: str | None = None,
        *,
        before: UpdateState = UpdateState.PENDING,
    ) -> set[int]:
        """End those of the changes that are still in the state ``before``, and give their ids: on PostgreSQL another
        transaction may have sent, or ended, one since it was read."""
        if not ids:
            return set()
        ended = {"state": state.value, "ended_at": self._context.clock(), "ended_by": by, "place": place}
        chosen = update(card_updates).where(card_updates.c.id.in_(ids), card_updates.c.state == before.value)
        return set(conn.execute(chosen.values(**ended, refusal=refusal).returning(card_updates.c.id)).scalars())


def _of_card(card_number: str, sequence: int) -> Any:
    mine = (card_updates.c.card_number == card_number, card_updates.c.sequence == sequence)
    return select(card_updates).where(*mine).order_by(card_updates.c.id)


def _updates(conn: Connection, ids: Sequence[int]) -> list[WantedChange]:
    chosen = select(card_updates).where(card_updates.c.id.in_(ids)).order_by(card_updates.c.id)
    return [_update(row) for row in conn.execute(chosen)]


def _update(row: Row[*tuple[Any, ...]]) -> WantedChange:
    return WantedChange(
        id=row.id,
        card_number=row.card_number,
        sequence=row.sequence,
        kind=UpdateKind(row.kind),
        value=bytes(row.value),
        state=UpdateState(row.state),
        wanted_at=row.wanted_at,
        wanted_by=row.wanted_by,
        reason=row.reason,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        place=row.place,
        refusal=row.refusal,
    )
