"""Moves: a step that many cards take in one transaction, all or none, and its undoing until one of them goes on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from sqlalchemy import Connection, and_, func, insert, or_, select, tuple_, update

from registry.db.audit_chain import Fact
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, read_cursor, write_cursor
from registry.db.privacy import scrub
from registry.db.tables import box_cards, boxes, card_events, cards, move_cards, moves
from registry.errors import NotOnRecord, RegistryConflict
from registry.handover.lookup import FINAL, CardKey, card_meant, moves_of, named
from registry.handover.values import Move
from registry.members.cards import CardChange, next_states, set_state
from registry.members.views import without_names
from registry.values import CardState

MOST_CARDS: Final = 5000
"""Cards of one move."""
_CHUNK: Final = 500
_RETURNED: Final = (CardState.PACKED, CardState.DELIVERED)
"""States from which a card comes back into stock."""


class Moves:
    """Repository of moves: steps of many cards by hand, returns, and the undoing of every move."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def take(
        self,
        step: str,
        to: CardState,
        scans: Sequence[str],
        by: str,
        reason: str,
        *,
        only_from: CardState | None = None,
    ) -> Move:
        """Move cards, named as a scanner reads them, to their next state, ``only_from`` one of the states that allow
        it: all of them, or none.

        Raises NotOnRecord for a scan that is no card, RegistryConflict that names the cards whose state forbids it.
        """
        with self._context.write() as conn:
            wanted = _meant(conn, scans)
            states = lock_cards(conn, wanted)
            wrong = [
                card for card in wanted if to not in next_states(states[card]) or only_from not in (None, states[card])
            ]
            if wrong:
                raise _wrong_state(step, wrong, states)
            why = without_names(conn, self._context.personal, wanted, scrub(reason))
            change = CardChange(by, "", why, self._context.clock())
            move = record_move(conn, step, change, [(card, states[card], to) for card in wanted])
            return self._audited(conn, move)

    def return_cards(self, scans: Sequence[str], by: str, reason: str) -> Move:
        """Take cards that came back into stock again, out of their boxes: packed ones, and delivered ones that are not
        in use. Raises NotOnRecord, RegistryConflict without a reason or for a card in another state."""
        why = reason_given(reason)
        with self._context.write() as conn:
            return self._return(conn, _meant(conn, scans), by, why)

    def return_unsigned(self, box_id: str, by: str, reason: str) -> Move:
        """As ``return_cards``, for all cards of a box that nobody signed for. Raises RegistryConflict where there are
        none."""
        why = reason_given(reason)
        chosen = select(box_cards.c.card_number, box_cards.c.sequence).where(
            box_cards.c.box_id == box_id, box_cards.c.signed.is_(False), box_cards.c.out_at.is_(None)
        )
        with self._context.write() as conn:
            unsigned = [(row.card_number, row.sequence) for row in conn.execute(chosen)]
            if not unsigned:
                sentence = f"no card of box {box_id} is to be sent back"
                raise RegistryConflict(sentence, reason="box-none-unsigned", box=box_id)
            return self._return(conn, unsigned, by, why)

    def undo(self, move_id: int, by: str, reason: str = "") -> Move:
        """Take a move back: its cards are in the state before it, its box at the stage before it.

        Raises NotOnRecord, RegistryConflict for a move that was undone, that ended its cards, or after which one of its
        cards or its box went on.
        """
        with self._context.write() as conn:
            move = one_move(conn, move_id, hold=True)
            chosen = select(move_cards).where(move_cards.c.move_id == move_id)
            rows = conn.execute(chosen.order_by(move_cards.c.card_number, move_cards.c.sequence)).all()
            lock_cards(conn, [(row.card_number, row.sequence) for row in rows])
            move = one_move(conn, move_id)
            _refuse_undone(move)
            at = self._context.clock()
            keys = [(row.card_number, row.sequence) for row in rows]
            why = without_names(conn, self._context.personal, keys, scrub(reason))
            change = CardChange(by, move.box_id, why or f"undone: {move.step}", at, move_id, undoes=True)
            conn.execute(update(moves).where(moves.c.id == move_id).values(undone_at=at, undone_by=by))
            conn.execute(update(card_events).where(card_events.c.move_id == move_id).values(undone=True))
            back = [
                ((row.card_number, row.sequence), CardState(row.after), CardState(row.before))
                for row in rows
                if row.after != row.before
            ]
            _apply(conn, back, change)
            _undo_in_box(conn, move)
            facts: dict[str, Fact] = {"cards": move.cards, "step": move.step, "box": move.box_id or None}
            self._context.audit(conn, by, "move.undo", f"move:{move_id}", why, **facts)
            return one_move(conn, move_id)

    def move(self, move_id: int) -> Move:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return one_move(conn, move_id)

    def cards_of(self, move_id: int) -> list[CardKey]:
        """The cards of a move, by number. Raises NotOnRecord."""
        chosen = select(move_cards.c.card_number, move_cards.c.sequence).where(move_cards.c.move_id == move_id)
        with self._context.read() as conn:
            one_move(conn, move_id)
            rows = conn.execute(chosen.order_by(move_cards.c.card_number, move_cards.c.sequence))
            return [(row.card_number, row.sequence) for row in rows]

    def page(self, cursor: str | None = None, limit: int = 50, *, box_id: str | None = None) -> Page[Move]:
        """All moves, or those of a box, newest first. Raises BadCursor."""
        chosen = select(moves).order_by(moves.c.id.desc()).limit(cut(limit) + 1)
        if box_id is not None:
            chosen = chosen.where(moves.c.box_id == box_id)
        if cursor is not None:
            chosen = chosen.where(moves.c.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            listed = moves_of(conn, chosen)
        shown = listed[: cut(limit)]
        return Page(tuple(shown), write_cursor(shown[-1].id) if len(listed) > len(shown) else None)

    def _return(self, conn: Connection, wanted: Sequence[CardKey], by: str, reason: str) -> Move:
        states = lock_cards(conn, wanted)
        wrong = [card for card in wanted if states[card] not in _RETURNED]
        if wrong:
            raise _wrong_state("return", wrong, states)
        why = without_names(conn, self._context.personal, wanted, reason)
        change = CardChange(by, "", why, self._context.clock())
        move = record_move(conn, "return", change, [(card, states[card], CardState.VERIFIED) for card in wanted])
        touched: set[str] = set()
        for number, sequence in wanted:
            inside = and_(
                box_cards.c.card_number == number, box_cards.c.sequence == sequence, box_cards.c.out_at.is_(None)
            )
            touched |= set(conn.execute(select(box_cards.c.box_id).where(inside)).scalars())
            conn.execute(update(box_cards).where(inside).values(out_at=change.at, out_id=move.id))
        settle(conn, sorted(touched))
        return self._audited(conn, move)

    def _audited(self, conn: Connection, move: Move) -> Move:
        facts: dict[str, Fact] = {"step": move.step, "cards": move.cards}
        self._context.audit(conn, move.by, "move.take", f"move:{move.id}", move.reason, **facts)
        return move


def one_move(conn: Connection, move_id: int, *, hold: bool = False) -> Move:
    """Raises NotOnRecord."""
    chosen = select(moves).where(moves.c.id == move_id)
    listed = moves_of(conn, chosen.with_for_update() if hold else chosen)
    if not listed:
        raise NotOnRecord(f"there is no move {move_id}", reason="move", move=move_id)
    return listed[0]


def lock_cards(conn: Connection, wanted: Sequence[CardKey]) -> dict[CardKey, CardState]:
    """The states of cards whose rows are held to the end of the transaction, taken in one order."""
    states: dict[CardKey, CardState] = {}
    ordered = sorted(set(wanted))
    for start in range(0, len(ordered), _CHUNK):
        chosen = (
            select(cards.c.card_number, cards.c.sequence, cards.c.state)
            .where(tuple_(cards.c.card_number, cards.c.sequence).in_(ordered[start : start + _CHUNK]))
            .order_by(cards.c.card_number, cards.c.sequence)
            .with_for_update()
        )
        states |= {(row.card_number, row.sequence): CardState(row.state) for row in conn.execute(chosen)}
    return states


def record_move(
    conn: Connection,
    step: str,
    change: CardChange,
    changes: Sequence[tuple[CardKey, CardState, CardState]],
    *,
    box_id: str | None = None,
    level: str | None = None,
    recipient: str | None = None,
    day: date | None = None,
    cards: int | None = None,
    unsigned: int = 0,
) -> Move:
    """Record a move and change its cards, whose rows the caller holds."""
    values = {"step": step, "at": change.at, "by": change.by, "reason": change.reason, "box_id": box_id}
    values |= {"level": level, "recipient": recipient, "day": day.isoformat() if day else None}
    values |= {"cards": len(changes) if cards is None else cards, "unsigned": unsigned, "event_id": _newest_event(conn)}
    move_id: int = conn.execute(insert(moves).values(values).returning(moves.c.id)).scalar_one()
    _apply(conn, changes, CardChange(change.by, change.place, change.reason, change.at, move_id))
    return one_move(conn, move_id)


def settle(conn: Connection, box_ids: Sequence[str]) -> None:
    """A box on its way is received once every card in it was signed for or is to be sent back; otherwise not yet."""
    waits = (
        select(box_cards.c.id)
        .where(box_cards.c.box_id == boxes.c.id, box_cards.c.out_at.is_(None), box_cards.c.signed.is_(None))
        .exists()
    )
    for box_id in box_ids:
        conn.execute(
            update(boxes).where(boxes.c.id == box_id, boxes.c.stage == "sent", ~waits).values(stage="received")
        )
        conn.execute(update(boxes).where(boxes.c.id == box_id, boxes.c.stage == "received", waits).values(stage="sent"))


def _meant(conn: Connection, scans: Sequence[str]) -> list[CardKey]:
    """The cards of scans, each once. Raises NotOnRecord, RegistryConflict for none or too many."""
    wanted = list(dict.fromkeys(card_meant(conn, scan) for scan in scans if scan.strip()))
    if not wanted or len(wanted) > MOST_CARDS:
        sentence = f"name 1 to {MOST_CARDS} cards"
        raise RegistryConflict(sentence, reason="cards-count", most=MOST_CARDS)
    return wanted


def _wrong_state(step: str, wrong: Sequence[CardKey], states: dict[CardKey, CardState]) -> RegistryConflict:
    state = states[wrong[0]].value
    sentence = f"nothing was changed: {step} is not possible for {named(wrong)}, the first of which is {state}"
    return RegistryConflict(sentence, reason="cards-state", step=step, cards=named(wrong), state=state)


def _newest_event(conn: Connection) -> int:
    return conn.execute(select(func.max(card_events.c.id))).scalar_one() or 0


def _apply(conn: Connection, changes: Sequence[tuple[CardKey, CardState, CardState]], change: CardChange) -> None:
    """Change cards to their new states; a card whose state stays gets no event."""
    if changes and not change.undoes:
        conn.execute(
            insert(move_cards),
            [
                {"move_id": change.move, "card_number": key[0], "sequence": key[1], "before": old, "after": new}
                for key, old, new in changes
            ],
        )
    for key, old, new in changes:
        if old is not new:
            set_state(conn, key, old, new, change)


def _refuse_undone(move: Move) -> None:
    if move.undone_at is not None:
        sentence = f"move {move.id} was undone already, by {move.undone_by}"
        raise RegistryConflict(sentence, reason="move-undone", move=move.id, by=move.undone_by)
    if move.step in FINAL:
        sentence = f"{move.step} is final: nothing undoes it"
        raise RegistryConflict(sentence, reason="move-final", move=move.id, step=move.step)
    if not move.undoable:
        sentence = f"move {move.id} cannot be undone any more: one of its cards, or its box, took the next step"
        raise RegistryConflict(sentence, reason="move-gone-on", move=move.id)


def _undo_in_box(conn: Connection, move: Move) -> None:
    stage = "open" if move.step == "close" else None
    if move.step == "hand-over":
        others = select(moves.c.id).where(
            moves.c.box_id == move.box_id, moves.c.step == "hand-over", moves.c.undone_at.is_(None)
        )
        stage = "sent" if conn.execute(others.limit(1)).first() else "closed"
    if stage is not None:
        conn.execute(update(boxes).where(boxes.c.id == move.box_id).values(stage=stage))
    touched = or_(box_cards.c.receipt_id == move.id, box_cards.c.out_id == move.id)
    touched_boxes = sorted(set(conn.execute(select(box_cards.c.box_id).where(touched)).scalars()))
    signed = update(box_cards).where(box_cards.c.receipt_id == move.id)
    conn.execute(signed.values(signed=None, receipt_id=None))
    conn.execute(update(box_cards).where(box_cards.c.out_id == move.id).values(out_at=None, out_id=None))
    settle(conn, touched_boxes)
