"""Boxes: created for a batch, filled by ticking cards off, closed, handed over level by level, and signed for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import and_, select, update

from registry.batches.lookup import batch_on_record
from registry.batches.units import part_of_unit
from registry.db.actors import refuse_own_name
from registry.db.audit_chain import Fact
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, read_cursor, write_cursor
from registry.db.privacy import scrub
from registry.db.tables import ENDED, box_cards, boxes
from registry.errors import NotOnRecord, RegistryConflict
from registry.handover import lookup
from registry.handover.filling import CAPACITY, create_boxes
from registry.handover.lookup import BOX_ID, box_on_record, card_meant, card_of, lock_box, named, scanned
from registry.handover.moves import lock_cards, record_move, settle
from registry.handover.sheets import sheet_of
from registry.handover.values import Box, BoxCard, BoxSheet, BoxStage, CardPlaces, Level, Move, Tick
from registry.members.cards import CardChange
from registry.members.views import without_names
from registry.values import CardState
from terminal.names import all_visible

_RANK: Final = {level: place for place, level in enumerate(Level)}
LONGEST_NAME: Final = 60
"""Characters of the name of who takes a box or signs for it."""


class Boxes:
    """Repository of boxes."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def create(self, batch_id: str, by: str, *, capacity: int = CAPACITY, together: int = 0) -> list[Box]:
        """Boxes for all cards of a batch that are in stock, by unit. A unit with more than ``capacity`` cards gets
        several boxes, filled evenly; units of at most ``together`` cards share boxes, each behind a divider of its own.

        Raises NotOnRecord, RegistryConflict where no card of the batch is in stock.
        """
        with self._context.write() as conn:
            ids = create_boxes(conn, self._context, batch_id, by, capacity=capacity, together=together)
            created = [box_on_record(conn, box_id) for box_id in ids]
            count = sum(box.cards for box in created)
            self._context.audit(
                conn, by, "box.create", f"batch:{batch_id}", boxes=len(ids), cards=count, first=ids[0], last=ids[-1]
            )
            return created

    def box(self, box_id: str) -> Box:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return box_on_record(conn, box_id)

    def page(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        batch_id: str | None = None,
        stage: BoxStage | str | None = None,
        unit_part: str | None = None,
    ) -> Page[Box]:
        """Boxes, newest first: of a batch, at a stage, or with cards of units with ``unit_part`` in their name. Raises
        BadCursor."""
        chosen = lookup.selected_boxes().order_by(boxes.c.created_at.desc(), boxes.c.id.desc()).limit(cut(limit) + 1)
        if batch_id is not None:
            chosen = chosen.where(boxes.c.batch_id == batch_id)
        if stage is not None:
            chosen = chosen.where(boxes.c.stage == BoxStage(stage).value)
        if unit_part is not None:
            inside = and_(box_cards.c.box_id == boxes.c.id, part_of_unit(box_cards.c.unit_id, unit_part))
            chosen = chosen.where(select(box_cards.c.id).where(inside).exists())
        if cursor is not None:
            last = select(boxes.c.created_at).where(boxes.c.id == read_cursor(cursor, str)[0]).scalar_subquery()
            same = and_(boxes.c.created_at == last, boxes.c.id < read_cursor(cursor, str)[0])
            chosen = chosen.where((boxes.c.created_at < last) | same)
        with self._context.read() as conn:
            listed = lookup.boxes_of(conn, conn.execute(chosen).all())
        shown = listed[: cut(limit)]
        return Page(tuple(shown), write_cursor(shown[-1].id) if len(listed) > len(shown) else None)

    def cards(self, box_id: str) -> list[BoxCard]:
        """The cards in a box, in the order of the delivery list. Raises NotOnRecord."""
        with self._context.read() as conn:
            box_on_record(conn, box_id)
            return _cards(conn, box_id)

    def card_of_line(self, box_id: str, line: int) -> str:
        """Number and sequence of the card on a line of the delivery list. Raises NotOnRecord."""
        with self._context.read() as conn:
            box_on_record(conn, box_id)
            for card in _cards(conn, box_id):
                if card.place == line:
                    return named([(card.card_number, card.sequence)])
        sentence = f"there is no line {line} on the list of box {box_id}"
        raise NotOnRecord(sentence, reason="box-line", box=box_id, line=line)

    def places(self, batch_id: str) -> CardPlaces:
        """The cards of a batch by place; their sum is the number of its cards. Raises NotOnRecord."""
        with self._context.read() as conn:
            batch_on_record(conn, batch_id)
            return lookup.places(conn, batch_id)

    def of_scan(self, text: str) -> str:
        """The id of the box that a scan means: its own number, or that of a card in it. Raises NotOnRecord."""
        plain = scanned(text)
        with self._context.read() as conn:
            if BOX_ID.fullmatch(plain):
                return box_on_record(conn, plain).id
            card = card_meant(conn, plain)
            box_id = lookup.box_of_card(conn, card)
        if box_id is None:
            sentence = f"card {named([card])} is in no box"
            raise NotOnRecord(sentence, reason="card-in-no-box", card=named([card]))
        return box_id

    def tick(self, box_id: str, scan: str, by: str) -> Tick:
        """Tick a card off that lies in the box. Raises NotOnRecord for a scan that is no card, RegistryConflict for a
        box that is not open, and for a card that belongs elsewhere or has ended, with where it belongs."""
        with self._context.write() as conn:
            lock_box(conn, box_id, BoxStage.OPEN)
            key = card_meant(conn, scan)
            card = _card(conn, box_id, key)
            if card.state.value in ENDED:
                sentence = f"card {named([key])} is {card.state}: put it aside"
                raise RegistryConflict(sentence, reason="card-ended", card=named([key]), state=card.state.value)
            if not card.ticked:
                values = {"ticked_at": self._context.clock(), "ticked_by": by}
                conn.execute(update(box_cards).where(*_row(box_id, key)).values(values))
            left = sum(not one.ticked for one in _expected(_cards(conn, box_id)))
            return Tick(_card(conn, box_id, key), card.ticked, left)

    def untick(self, box_id: str, scan: str, by: str) -> BoxCard:
        """Take a tick back. Raises as ``tick`` does."""
        with self._context.write() as conn:
            lock_box(conn, box_id, BoxStage.OPEN)
            key = card_meant(conn, scan)
            _card(conn, box_id, key)
            conn.execute(update(box_cards).where(*_row(box_id, key)).values(ticked_at=None, ticked_by=None))
            self._context.audit(conn, by, "box.untick", f"box:{box_id}", card=named([key]))
            return _card(conn, box_id, key)

    def leave_out(self, box_id: str, scans: Sequence[str] | None, by: str, reason: str) -> Box:
        """Take cards out of an open box, None for all that nobody has ticked off; they stay in stock for another box.
        Out of a box that is packed or on its way come only cards that have ended (lost, withdrawn …), None for all.
        Raises NotOnRecord, RegistryConflict without a reason, or for a card that is not in it."""
        why = reason_given(reason)
        with self._context.write() as conn:
            is_open = lock_box(conn, box_id, BoxStage.OPEN, BoxStage.CLOSED, BoxStage.SENT) is BoxStage.OPEN
            inside = _cards(conn, box_id)
            if scans is None:
                out = [card for card in inside if (not card.ticked if is_open else card.state.value in ENDED)]
            else:
                out = [_card(conn, box_id, card_meant(conn, scan)) for scan in scans]
            keys = [(card.card_number, card.sequence) for card in out]
            wrong = [(c.card_number, c.sequence) for c in out if not is_open and c.state.value not in ENDED]
            if wrong:
                sentence = f"{named(wrong)} is in use: only lost or withdrawn cards leave box {box_id} now"
                raise RegistryConflict(sentence, reason="card-not-ended", cards=named(wrong), box=box_id)
            for key in keys:
                conn.execute(update(box_cards).where(*_row(box_id, key)).values(out_at=self._context.clock()))
            settle(conn, [box_id])
            why = without_names(conn, self._context.personal, keys, why)
            self._context.audit(conn, by, "box.leave-out", f"box:{box_id}", why, cards=named(keys))
            return box_on_record(conn, box_id)

    def discard(self, box_id: str, by: str, reason: str) -> Box:
        """Give up an open box; its cards stay in stock for another one. Raises NotOnRecord, RegistryConflict."""
        why = reason_given(reason)
        with self._context.write() as conn:
            lock_box(conn, box_id, BoxStage.OPEN)
            why = without_names(conn, self._context.personal, _keys(conn, box_id), why)
            inside = (box_cards.c.box_id == box_id, box_cards.c.out_at.is_(None))
            conn.execute(update(box_cards).where(*inside).values(out_at=self._context.clock()))
            conn.execute(update(boxes).where(boxes.c.id == box_id).values(stage="discarded"))
            self._context.audit(conn, by, "box.discard", f"box:{box_id}", why)
            return box_on_record(conn, box_id)

    def close(self, box_id: str, by: str) -> Move:
        """Close a box whose cards are all ticked off: they are packed, in one transaction. Cards that ended meanwhile
        are taken out. Raises NotOnRecord, RegistryConflict that names the missing cards."""
        with self._context.write() as conn:
            lock_box(conn, box_id, BoxStage.OPEN)
            inside = _cards(conn, box_id)
            states = lock_cards(conn, [(card.card_number, card.sequence) for card in inside])
            stays = [key for key, state in states.items() if state in (CardState.VERIFIED, CardState.PACKED)]
            missing = [
                (c.card_number, c.sequence) for c in inside if not c.ticked and (c.card_number, c.sequence) in stays
            ]
            if missing:
                sentence = f"box {box_id} is not complete: {named(missing)} is missing"
                raise RegistryConflict(
                    sentence, reason="box-missing", box=box_id, cards=named(missing), count=len(missing)
                )
            if not stays:
                raise RegistryConflict(f"box {box_id} is empty", reason="box-empty", box=box_id)
            at = self._context.clock()
            for key in states.keys() - set(stays):
                conn.execute(update(box_cards).where(*_row(box_id, key)).values(out_at=at))
            conn.execute(update(boxes).where(boxes.c.id == box_id).values(stage="closed"))
            change = CardChange(by, box_id, f"box {box_id}", at)
            changes = [(key, states[key], CardState.PACKED) for key in sorted(stays)]
            move = record_move(conn, "close", change, changes, box_id=box_id)
            self._context.audit(conn, by, "box.close", f"box:{box_id}", cards=move.cards, move=move.id)
            return move

    def hand_over(self, box_id: str, level: Level | str, recipient: str, by: str, *, reason: str = "") -> Move:
        """Hand a closed box over to somebody of a lower level, who signs for the whole box.

        Raises NotOnRecord, RegistryConflict for a level that is not below the last one, or for one who hands over to
        themselves.
        """
        to, name = Level(level), _named_person(recipient)
        with self._context.write() as conn:
            lock_box(conn, box_id, BoxStage.CLOSED, BoxStage.SENT)
            refuse_own_name(conn, by, name, f"box {box_id} is handed over to another person", box=box_id)
            box = box_on_record(conn, box_id)
            if box.level and _RANK[to] <= _RANK[Level(box.level)]:
                sentence = f"box {box_id} was handed over to the {box.level} already; the next level is below that"
                raise RegistryConflict(sentence, reason="level-order", box=box_id, level=box.level)
            if box.signed or box.unsigned:
                sentence = f"cards of box {box_id} were signed for already"
                raise RegistryConflict(sentence, reason="box-signed", box=box_id)
            if not box.cards:
                raise RegistryConflict(f"box {box_id} is empty", reason="box-empty", box=box_id)
            if box.ended:
                ended = [key for key, card in _keyed(conn, box_id) if card.state.value in ENDED]
                sentence = f"{named(ended)} was lost or withdrawn since: take it out of box {box_id} first"
                raise RegistryConflict(sentence, reason="box-ended", cards=named(ended), box=box_id)
            why = without_names(conn, self._context.personal, _keys(conn, box_id), scrub(reason))
            change = CardChange(by, box_id, why, self._context.clock())
            conn.execute(update(boxes).where(boxes.c.id == box_id).values(stage="sent"))
            move = record_move(
                conn, "hand-over", change, (), box_id=box_id, level=to.value, recipient=name, cards=box.cards
            )
            facts: dict[str, Fact] = {"level": to.value, "recipient": name, "cards": box.cards, "move": move.id}
            self._context.audit(conn, by, "box.hand-over", f"box:{box_id}", why, **facts)
            return move

    def receipt(
        self,
        box_id: str,
        recipient: str,
        day: date,
        by: str,
        *,
        unsigned: Sequence[str] = (),
        unit: str = "",
        signed: int | None = None,
    ) -> Move:
        """Record what the contact of a unit signed: all cards of the box, or of one ``unit`` in it, but those
        ``unsigned``, which are to be sent back. The others are delivered. ``signed`` is the count on the signed list,
        which has to be theirs; ``day`` is its date.

        Raises NotOnRecord, RegistryConflict for a box that is not on its way to units, a day that is yet to come or
        before the box was handed over, another count, or a card that is not waited for.
        """
        name = _named_person(recipient)
        with self._context.write() as conn:
            lock_box(conn, box_id, BoxStage.SENT)
            refuse_own_name(conn, by, name, f"somebody else signs for box {box_id}", box=box_id)
            at = self._context.clock()
            if day > self._context.day(at):
                raise RegistryConflict(f"{day} is yet to come", reason="day-future", day=day.isoformat())
            handed = lookup.handed_over_at(conn, box_id)
            if handed is not None and day < self._context.day(handed):
                sentence = f"box {box_id} was handed over on {self._context.day(handed)}, after {day}"
                first = self._context.day(handed).isoformat()
                raise RegistryConflict(sentence, reason="day-before", box=box_id, day=day.isoformat(), first=first)
            waits = [card for card in _cards(conn, box_id) if card.signed is None and unit in ("", card.unit)]
            states = lock_cards(conn, [(card.card_number, card.sequence) for card in waits])
            if not waits:
                sentence = f"no card of box {box_id} waits for a signature{f' of {unit}' if unit else ''}"
                raise RegistryConflict(sentence, reason="box-all-signed", box=box_id)
            ended = {key for key, state in states.items() if state.value in ENDED}
            back = {card_meant(conn, scan) for scan in unsigned}
            if not back <= states.keys() - ended:
                wrong = named(sorted(back - (states.keys() - ended)))
                sentence = f"{wrong}: not among the cards of box {box_id} that wait for a signature"
                raise RegistryConflict(sentence, reason="card-not-awaited", cards=wrong, box=box_id)
            delivered = sorted(states.keys() - ended - back)
            if signed is not None and signed != len(delivered):
                sentence = (
                    f"the list counts {signed} signatures; without those sent back there are {len(delivered)} cards"
                )
                raise RegistryConflict(sentence, reason="receipt-count", signed=signed, expected=len(delivered))
            _refuse_in_use(sorted(back), states)
            change = CardChange(by, box_id, f"box {box_id}", at)
            return self._received(conn, box_id, name, day, change, states, back, ended)

    def _received(
        self,
        conn: Any,
        box_id: str,
        recipient: str,
        day: date,
        change: CardChange,
        states: dict[tuple[str, int], CardState],
        back: set[tuple[str, int]],
        ended: set[tuple[str, int]],
    ) -> Move:
        """Record a receipt. Cards that were delivered one by one before, or are in use, stay as they are."""
        changes = [
            (key, state, CardState.DELIVERED if state is CardState.PACKED and key not in back else state)
            for key, state in sorted(states.items())
            if key not in ended
        ]
        values: dict[str, Any] = {"box_id": box_id, "recipient": recipient, "day": day, "unsigned": len(back)}
        move = record_move(conn, "receipt", change, changes, **values)
        for key in states:
            row = {"out_at": change.at} if key in ended else {"signed": key not in back, "receipt_id": move.id}
            conn.execute(update(box_cards).where(*_row(box_id, key)).values(row))
        settle(conn, [box_id])
        facts: dict[str, Fact] = {
            "recipient": recipient,
            "signed": move.cards - len(back),
            "unsigned": len(back),
            "move": move.id,
        }
        self._context.audit(conn, change.by, "box.receipt", f"box:{box_id}", "", **facts)
        return move

    def sheet(self, box_id: str, by: str) -> BoxSheet:
        """What the delivery list and the labels of a box are printed from, with names in clear; the audit entry is
        committed before they are returned. Raises NotOnRecord."""
        with self._context.write() as conn:
            content = sheet_of(conn, self._context, box_id)
            lines = sum(len(section.lines) for section in content.sections)
            self._context.audit(conn, by, "box.sheet", f"box:{box_id}", cards=lines)
        return content


def _cards(conn: Any, box_id: str) -> list[BoxCard]:
    return [card_of(row) for row in conn.execute(lookup.selected_cards().where(box_cards.c.box_id == box_id))]


def _keys(conn: Any, box_id: str) -> list[tuple[str, int]]:
    return [key for key, _ in _keyed(conn, box_id)]


def _keyed(conn: Any, box_id: str) -> list[tuple[tuple[str, int], BoxCard]]:
    return [((card.card_number, card.sequence), card) for card in _cards(conn, box_id)]


def _row(box_id: str, key: tuple[str, int]) -> tuple[Any, ...]:
    return (
        box_cards.c.box_id == box_id,
        box_cards.c.card_number == key[0],
        box_cards.c.sequence == key[1],
        box_cards.c.out_at.is_(None),
    )


def _expected(inside: Sequence[BoxCard]) -> list[BoxCard]:
    return [card for card in inside if card.state in (CardState.VERIFIED, CardState.PACKED)]


def _card(conn: Any, box_id: str, key: tuple[str, int]) -> BoxCard:
    """The card in this box. Raises RegistryConflict for one that belongs elsewhere."""
    row = conn.execute(lookup.selected_cards().where(*_row(box_id, key))).one_or_none()
    if row is not None:
        return card_of(row)
    other = lookup.box_of_card(conn, key)
    if other is not None:
        sentence = f"card {named([key])} belongs into box {other}, not into {box_id}"
        raise RegistryConflict(sentence, reason="card-other-box", card=named([key]), other=other, box=box_id)
    sentence = f"card {named([key])} does not belong into box {box_id}: put it aside"
    raise RegistryConflict(sentence, reason="card-foreign", card=named([key]), box=box_id)


def _named_person(name: str) -> str:
    plain = " ".join(name.split())
    if not plain or len(plain) > LONGEST_NAME or not all_visible(plain):
        sentence = f"name the person who takes the cards, in 1 to {LONGEST_NAME} characters"
        raise RegistryConflict(sentence, reason="recipient", most=LONGEST_NAME)
    return plain


def _refuse_in_use(back: Sequence[tuple[str, int]], states: dict[tuple[str, int], CardState]) -> None:
    used = [key for key in back if states[key] is not CardState.PACKED]
    if used:
        sentence = f"{named(used)} is {states[used[0]]} already, so it was not sent back unsigned"
        raise RegistryConflict(sentence, reason="card-in-use", cards=named(used), state=states[used[0]].value)
