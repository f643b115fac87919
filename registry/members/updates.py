"""Changes on issued chips: what the office wants on a card, the scripts that were sent to it, and what came of them.

A wish is a value, not a command: it becomes a command when the card is there (``personalize.updates``). At most one
script of a card is open at a time; which of its commands ran is known from the card alone, perhaps at its next
insertion. States of a wish: ``pending -> sent -> done | refused``, back to ``pending`` where its command did not run,
and ``withdrawn`` by a person or by a newer wish of its kind. A wish that lifts a block is ``proposed`` first, until a
second person consents; so is one of a member's rights where the federation requires it (``registry.members.rights``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, exists, insert, select, update

from registry.db.actors import refuse_same_person
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import card_scripts, card_updates
from registry.errors import NotOnRecord, RegistryConflict
from registry.members.cards import CardChange, card_on_record, change_card
from registry.members.rights import rights_by_two
from registry.members.views import without_names
from registry.members.wanted import OpenScript, SentScript, UpdateKind, UpdateState, WantedChange, wanted_change
from registry.values import Card, CardState

_STAYS: Final = (CardState.LOST, CardState.WITHDRAWN, CardState.REPLACED, CardState.DAMAGED)
"""Ended cards: nothing but a block is wanted on them."""
_HANDED_OVER: Final = (CardState.DELIVERED, CardState.ACTIVE)


class CardUpdates:
    """Repository of wanted changes of chips, and of their scripts."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def want(
        self, card_number: str, wanted: Mapping[UpdateKind, bytes], *, by: str, reason: str
    ) -> tuple[WantedChange, ...]:
        """Order changes of the newest card of that number; each but a credit replaces a waiting one of its kind.
        One that two people order waits for ``consent``.

        Raises NotOnRecord, RegistryConflict without a reason, for an activation or a new PIN, and for a card that has
        ended.
        """
        why = reason_given(reason)
        if UpdateKind.ACTIVATION in wanted:
            raise RegistryConflict("a card is activated with its member present", reason="activation-present")
        if UpdateKind.PIN_CHANGE in wanted:
            raise RegistryConflict("a PIN is changed with the member present", reason="pin-present")
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

    def consent(self, update_id: int, *, by: str, place: str = "") -> WantedChange:
        """The second person consents: the change is pending. Raises NotOnRecord, RegistryConflict for the person who
        ordered it, and for one that does not wait for consent."""
        return self.consent_all([update_id], by=by, place=place)[0]

    def consent_all(self, update_ids: Collection[int], *, by: str, place: str = "") -> tuple[WantedChange, ...]:
        """The second person consents to several changes: to all of them or to none. Raises what ``consent`` raises."""
        ids = sorted(set(update_ids))
        with self._context.write() as conn:
            consented = [self._consent(conn, update_id, by) for update_id in ids]
            for one in consented:
                subject = f"card:{one.card_number}-{one.sequence}"
                self._context.audit(conn, by, "card.consent", subject, changes=one.kind.value, place=place)
            return tuple(_updates(conn, ids))

    def change_pin(
        self, card_number: str, sequence: int, value: bytes, *, by: str, shown: str, place: str, second: str = ""
    ) -> WantedChange:
        """Order a new PIN of a card whose member is present. ``shown`` is what identified the member, ``second`` the
        person who consents where the PIN was blocked.

        Raises NotOnRecord, RegistryConflict where the member was not identified, for a card that is not in use, and
        where both are one person.
        """
        with self._context.write() as conn:
            card, why = self._present(conn, card_number, sequence, shown)
            if card.state not in _HANDED_OVER:
                sentence = f"card {card_number} is {card.state}; only a delivered card has its PIN changed"
                raise RegistryConflict(sentence, reason="card-not-in-use", card=card_number, state=card.state.value)
            if second:
                sentence = "who changes a blocked PIN does not consent to it; a second person does"
                refuse_same_person(conn, by, second, sentence)
            wanted = self._add(conn, card, UpdateKind.PIN_CHANGE, value, by, why, second=second)
            subject = f"card:{card_number}-{sequence}"
            self._context.audit(conn, by, "card.pin", subject, why, place=place, consent=second or None)
            return _updates(conn, [wanted])[0]

    def activate(self, card_number: str, sequence: int, day: bytes, *, by: str, shown: str, place: str) -> WantedChange:
        """Order the activation of a card whose member is present; ``day`` is the value of DF2D, ``shown`` what
        identified the member. Nothing is activated until the chip has confirmed its script.

        Raises NotOnRecord, RegistryConflict where the member was not identified, or the card was not delivered.
        """
        with self._context.write() as conn:
            card, why = self._present(conn, card_number, sequence, shown)
            if card.state not in _HANDED_OVER:
                sentence = f"card {card_number} is {card.state}; only a delivered card is activated"
                raise RegistryConflict(sentence, reason="card-not-delivered", card=card_number, state=card.state.value)
            wanted = self._add(conn, card, UpdateKind.ACTIVATION, day, by, why)
            self._context.audit(conn, by, "card.identify", f"card:{card_number}-{sequence}", why, place=place)
            return _updates(conn, [wanted])[0]

    def pending(self, card_number: str, sequence: int) -> tuple[WantedChange, ...]:
        """What is wanted of a card and in no open script, oldest first."""
        chosen = _of_card(card_number, sequence).where(card_updates.c.state == UpdateState.PENDING.value)
        with self._context.read() as conn:
            return tuple(wanted_change(row) for row in conn.execute(chosen))

    def of_card(self, card_number: str, sequence: int) -> tuple[WantedChange, ...]:
        """Everything that was ever wanted of a card, oldest first."""
        with self._context.read() as conn:
            return tuple(wanted_change(row) for row in conn.execute(_of_card(card_number, sequence)))

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
            return page_of(conn.execute(chosen).all(), limit, wanted_change, lambda row: [row.id])

    def change(self, update_id: int) -> WantedChange:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return _on_record(conn, update_id)

    def proposed(self, limit: int) -> tuple[WantedChange, ...]:
        """Changes that wait for a second person, oldest first."""
        chosen = select(card_updates).where(card_updates.c.state == UpdateState.PROPOSED.value)
        with self._context.read() as conn:
            return tuple(wanted_change(row) for row in conn.execute(chosen.order_by(card_updates.c.id).limit(limit)))

    def withdraw(self, update_id: int, *, by: str, reason: str) -> WantedChange:
        """Take back a change that was not sent. Raises NotOnRecord, RegistryConflict for one that was sent or has
        ended."""
        why = reason_given(reason)
        with self._context.write() as conn:
            return self._take_back(conn, _on_record(conn, update_id), by, why)

    def refuse_consent(self, update_id: int, *, by: str, reason: str) -> WantedChange:
        """The second person refuses: the change is taken back. Raises NotOnRecord, RegistryConflict for one that does
        not wait for consent."""
        why = reason_given(reason)
        with self._context.write() as conn:
            return self._take_back(conn, self._proposed(conn, update_id), by, why)

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

    def scripts(self, card_number: str, sequence: int) -> tuple[SentScript, ...]:
        """Every script of a card, oldest first."""
        mine = (card_scripts.c.card_number == card_number, card_scripts.c.sequence == sequence)
        with self._context.read() as conn:
            rows = conn.execute(select(card_scripts).where(*mine).order_by(card_scripts.c.id)).all()
        return tuple(SentScript(row.id, bytes(row.script), row.ran) for row in rows)

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
            sent = [
                (row.position, wanted_change(row)) for row in conn.execute(chosen.order_by(card_updates.c.position))
            ]
            done = [wanted for position, wanted in sent if position < ran]
            refused = [wanted.id for position, wanted in sent if refusal and position == ran]
            again = [wanted for position, wanted in sent if position >= ran and wanted.id not in refused]
            if any(wanted.kind is UpdateKind.PIN_CHANGE for _, wanted in sent):
                conn.execute(update(card_scripts).where(card_scripts.c.id == script_id).values(script=b""))
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

    def _consent(self, conn: Connection, update_id: int, by: str) -> WantedChange:
        wanted = self._proposed(conn, update_id)
        own = f"who ordered change {update_id} does not consent to it; a second person does"
        refuse_same_person(conn, wanted.wanted_by, by, own, update=update_id)
        card = card_on_record(conn, wanted.card_number, wanted.sequence)
        self._end_waiting(conn, card, wanted.kind, by, (UpdateState.PENDING,))
        mine = (card_updates.c.id == update_id, card_updates.c.state == UpdateState.PROPOSED.value)
        given = {"consented_at": self._context.clock(), "consented_by": by, "state": UpdateState.PENDING.value}
        if not conn.execute(update(card_updates).where(*mine).values(given)).rowcount:
            raise _not_proposed(_on_record(conn, update_id))
        return wanted

    def _take_back(self, conn: Connection, wanted: WantedChange, by: str, why: str) -> WantedChange:
        update_id = wanted.id
        if wanted.state not in (UpdateState.PROPOSED, UpdateState.PENDING):
            sentence = f"change {update_id} is {wanted.state} and cannot be taken back"
            raise RegistryConflict(sentence, reason="update-state", update=update_id, state=wanted.state.value)
        if not self._end(conn, [update_id], UpdateState.WITHDRAWN, by, "", before=wanted.state):  # since it was read
            sentence = f"change {update_id} is {UpdateState.SENT} and cannot be taken back"
            state = UpdateState.SENT.value
            raise RegistryConflict(sentence, reason="update-state", update=update_id, state=state)
        why = self._nameless(conn, wanted.card_number, wanted.sequence, why)
        subject = f"card:{wanted.card_number}-{wanted.sequence}"
        self._context.audit(conn, by, "card.withdraw-change", subject, why, changes=wanted.kind.value)
        return _updates(conn, [update_id])[0]

    def _nameless(self, conn: Connection, card_number: str, sequence: int, reason: str) -> str:
        return without_names(conn, self._context.personal, [(card_number, sequence)], reason)

    def _present(self, conn: Connection, card_number: str, sequence: int, shown: str) -> tuple[Card, str]:
        """The card of a member who was identified, and by what. Raises NotOnRecord, RegistryConflict."""
        if not shown.strip():
            raise RegistryConflict("say what identified the member", reason="member-identified")
        card = card_on_record(conn, card_number, sequence)
        return card, self._nameless(conn, card_number, sequence, reason_given(shown))

    def _proposed(self, conn: Connection, update_id: int) -> WantedChange:
        wanted = _on_record(conn, update_id)
        if wanted.state is not UpdateState.PROPOSED:
            raise _not_proposed(wanted)
        return wanted

    def _add(
        self, conn: Connection, card: Card, kind: UpdateKind, value: bytes, by: str, reason: str, second: str = ""
    ) -> int:
        """``second``: the person who consented already."""
        two = kind.lifts_block(value) or (kind.gives_rights and rights_by_two(conn))
        now = self._context.clock()
        state = UpdateState.PROPOSED if two and not second else UpdateState.PENDING
        replaced = (UpdateState.PROPOSED,) if state is UpdateState.PROPOSED else (UpdateState.PROPOSED, state)
        if kind is not UpdateKind.CREDIT:
            self._end_waiting(conn, card, kind, by, replaced)
        values = {"card_number": card.card_number, "sequence": card.sequence, "kind": kind.value, "value": value}
        wanted = {"wanted_at": now, "wanted_by": by, "reason": reason, "state": state.value, "two_people": two}
        consent = {"two_people": True, "consented_at": now, "consented_by": second} if second else {}
        key = conn.execute(insert(card_updates).values(values | wanted | consent)).inserted_primary_key
        return int(key[0]) if key else 0

    def _end_waiting(
        self, conn: Connection, card: Card, kind: UpdateKind, by: str, states: Sequence[UpdateState]
    ) -> None:
        """Withdraw what waits of this kind, for a newer change."""
        waiting = (card_updates.c.kind == kind.value, card_updates.c.sequence == card.sequence)
        earlier = select(card_updates.c.id).where(card_updates.c.card_number == card.card_number, *waiting)
        for state in states:
            ids = list(conn.execute(earlier.where(card_updates.c.state == state.value)).scalars())
            self._end(conn, ids, UpdateState.WITHDRAWN, by, "", before=state)

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
        if wanted.kind is not UpdateKind.CREDIT and conn.execute(newer).scalar():
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
        done = set(conn.execute(chosen.values(**ended, refusal=refusal).returning(card_updates.c.id)).scalars())
        of_pins = (card_updates.c.id.in_(done), card_updates.c.kind == UpdateKind.PIN_CHANGE.value)
        conn.execute(update(card_updates).where(*of_pins).values(value=b""))
        return done


def _of_card(card_number: str, sequence: int) -> Any:
    mine = (card_updates.c.card_number == card_number, card_updates.c.sequence == sequence)
    return select(card_updates).where(*mine).order_by(card_updates.c.id)


def _on_record(conn: Connection, update_id: int) -> WantedChange:
    for wanted in _updates(conn, [update_id]):
        return wanted
    raise NotOnRecord(f"there is no wanted change {update_id}", reason="update", update=update_id)


def _not_proposed(wanted: WantedChange) -> RegistryConflict:
    sentence = f"change {wanted.id} is {wanted.state} and waits for nobody's consent"
    return RegistryConflict(sentence, reason="update-consent", update=wanted.id, state=wanted.state.value)


def _updates(conn: Connection, ids: Sequence[int]) -> list[WantedChange]:
    chosen = select(card_updates).where(card_updates.c.id.in_(ids)).order_by(card_updates.c.id)
    return [wanted_change(row) for row in conn.execute(chosen)]
