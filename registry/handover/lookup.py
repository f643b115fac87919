"""Boxes, their cards and moves as they stand, looked up or locked in the caller's transaction."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, func, or_, select

from registry.db.tables import ENDED, box_cards, boxes, card_events, cards, dossiers, members, move_cards, moves, units
from registry.errors import NotOnRecord, RegistryConflict
from registry.handover.values import Box, BoxCard, BoxStage, CardPlace, CardPlaces, Move
from registry.values import CardState

_CARD: Final = re.compile(r"([0-9]{13,19})(?:-([0-9]{1,2}))?")
BOX_ID: Final = re.compile(r"X[0-9]{8}-[0-9]{3,9}")
_NAMED: Final = 5
CardKey = tuple[str, int]
"""Number and sequence of a card."""
_INSIDE: Final = box_cards.c.out_at.is_(None)
SAME_CARD: Final = and_(cards.c.card_number == box_cards.c.card_number, cards.c.sequence == box_cards.c.sequence)


def no_box(box_id: str) -> NotOnRecord:
    sentence = f"there is no box {box_id}; `membercard box list` shows those there are"
    return NotOnRecord(sentence, reason="box", box=box_id)


def box_on_record(conn: Connection, box_id: str) -> Box:
    """Raises NotOnRecord."""
    listed = boxes_of(conn, conn.execute(selected_boxes().where(boxes.c.id == box_id)).all())
    if not listed:
        raise no_box(box_id)
    return listed[0]


def lock_box(conn: Connection, box_id: str, *stages: BoxStage) -> BoxStage:
    """The stage of a box, its row held to the end of the transaction. Raises NotOnRecord, and RegistryConflict for a
    stage that is not among ``stages``."""
    stage = conn.execute(select(boxes.c.stage).where(boxes.c.id == box_id).with_for_update()).scalar_one_or_none()
    if stage is None:
        raise no_box(box_id)
    if stage not in stages:
        wanted = " or ".join(one.value for one in stages)
        sentence = f"box {box_id} is {stage}; for this it has to be {wanted}"
        raise RegistryConflict(sentence, reason="box-stage", box=box_id, stage=stage)
    return BoxStage(stage)


def selected_boxes() -> Select[Any]:
    def count(*conditions: ColumnElement[bool]) -> Any:
        counted = select(func.count()).where(box_cards.c.box_id == boxes.c.id, _INSIDE, *conditions)
        return counted.correlate(boxes).scalar_subquery()

    return select(
        boxes,
        count().label("cards"),
        count(box_cards.c.ticked_at.is_not(None)).label("ticked"),
        count(box_cards.c.signed.is_(True)).label("signed"),
        count(box_cards.c.signed.is_(False)).label("unsigned"),
        count(select(cards.c.state).where(SAME_CARD, cards.c.state.in_(ENDED)).correlate(box_cards).exists()).label(
            "ended"
        ),
    )


def boxes_of(conn: Connection, rows: Iterable[Row[*tuple[Any, ...]]]) -> list[Box]:
    """Boxes of rows of ``selected_boxes``, in two more queries for all of them."""
    rows = list(rows)
    ids = [row.id for row in rows]
    named: dict[str, list[str]] = {box_id: [] for box_id in ids}
    divided = (
        select(box_cards.c.box_id, units.c.name)
        .join(units, units.c.id == box_cards.c.unit_id)
        .where(box_cards.c.box_id.in_(ids), _INSIDE)
        .group_by(box_cards.c.box_id, units.c.name)
        .order_by(box_cards.c.box_id, func.min(box_cards.c.place))
    )
    for box_id, name in conn.execute(divided):
        named[box_id].append(name)
    handed = select(moves.c.box_id, moves.c.level, moves.c.recipient).where(
        moves.c.box_id.in_(ids), moves.c.step == "hand-over", moves.c.undone_at.is_(None)
    )
    last = {row.box_id: row for row in conn.execute(handed.order_by(moves.c.id))}
    return [
        Box(
            id=row.id,
            batch_id=row.batch_id,
            stage=BoxStage(row.stage),
            units=tuple(named[row.id]),
            cards=row.cards,
            ticked=row.ticked,
            signed=row.signed,
            unsigned=row.unsigned,
            ended=row.ended,
            level=last[row.id].level if row.id in last else "",
            recipient=last[row.id].recipient if row.id in last else "",
            created_by=row.created_by,
            created_at=row.created_at,
        )
        for row in rows
    ]


def selected_cards() -> Select[Any]:
    """The cards in boxes, in the order of their lines, as ``card_of`` reads them."""
    return (
        select(box_cards, cards.c.state, cards.c.member_id, members.c.member_number, members.c.name_masked)
        .add_columns(units.c.name.label("unit"))
        .join(cards, SAME_CARD)
        .join(members, members.c.id == cards.c.member_id)
        .join(units, units.c.id == box_cards.c.unit_id)
        .where(_INSIDE)
        .order_by(box_cards.c.box_id, box_cards.c.place)
    )


def card_of(row: Row[*tuple[Any, ...]]) -> BoxCard:
    return BoxCard(
        card_number=row.card_number,
        sequence=row.sequence,
        place=row.place,
        unit=row.unit,
        member_id=row.member_id,
        member_number=row.member_number,
        name_masked=row.name_masked,
        state=CardState(row.state),
        ticked=row.ticked_at is not None,
        signed=row.signed,
    )


def scanned(text: str) -> str:
    """What a barcode scanner or a person typed, without blanks, in half width and capitals."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).upper()


def card_meant(conn: Connection, text: str) -> tuple[str, int]:
    """Number and sequence of the card that a scan means: a card number, with its sequence or without, or the serial of
    its chip. Raises NotOnRecord."""
    plain = scanned(text)
    number = _CARD.fullmatch(plain)
    meant = cards.c.chip_serial == plain
    if number:
        of_number = cards.c.card_number == number[1]
        meant = or_(meant, of_number if number[2] is None else and_(of_number, cards.c.sequence == int(number[2])))
    chosen = select(cards.c.card_number, cards.c.sequence).where(meant).order_by(cards.c.sequence.desc()).limit(1)
    row = conn.execute(chosen).one_or_none()
    if row is None:
        sentence = "no card with this number or chip serial was ever verified here: put it aside"
        raise NotOnRecord(sentence, reason="card-scanned")
    return row.card_number, row.sequence


def named(wanted: Sequence[CardKey]) -> str:
    """The first cards of many, for a sentence."""
    first = ", ".join(f"{number}-{sequence}" for number, sequence in wanted[:_NAMED])
    return first if len(wanted) <= _NAMED else f"{first} … ({len(wanted)})"


def box_of_card(conn: Connection, card: tuple[str, int]) -> str | None:
    """The id of the box that a card is in."""
    chosen = select(box_cards.c.box_id).where(
        box_cards.c.card_number == card[0], box_cards.c.sequence == card[1], _INSIDE
    )
    return conn.execute(chosen).scalar_one_or_none()


def handed_over_at(conn: Connection, box_id: str) -> datetime | None:
    """When a box was handed over last."""
    chosen = select(func.max(moves.c.at)).where(
        moves.c.box_id == box_id, moves.c.step == "hand-over", moves.c.undone_at.is_(None)
    )
    at: datetime | None = conn.execute(chosen).scalar_one()
    return at


def place_of() -> ColumnElement[str]:
    """The place of the card in the row, over ``cards`` and, as an outer join, its place in a box."""
    inside, ticked = box_cards.c.id.is_not(None), box_cards.c.ticked_at.is_not(None)
    return case(
        (cards.c.state.in_(ENDED), CardPlace.ENDED.value),
        (cards.c.state.in_(("active", "suspended")), CardPlace.IN_USE.value),
        (cards.c.state == "delivered", CardPlace.DELIVERED.value),
        (and_(inside, boxes.c.stage == "open", ticked), CardPlace.TICKED.value),
        (and_(inside, boxes.c.stage == "open"), CardPlace.TO_TICK.value),
        (and_(inside, box_cards.c.signed.is_(False)), CardPlace.UNSIGNED.value),
        (and_(inside, boxes.c.stage.in_(("sent", "received"))), CardPlace.ON_THE_WAY.value),
        (cards.c.state == "packed", CardPlace.PACKED.value),
        else_=CardPlace.STOCK.value,
    )


def places(conn: Connection, batch_id: str) -> CardPlaces:
    """The cards of a batch by place."""
    joined = (
        cards.join(dossiers, dossiers.c.id == cards.c.dossier_id)
        .join(box_cards, and_(SAME_CARD, _INSIDE), isouter=True)
        .join(boxes, boxes.c.id == box_cards.c.box_id, isouter=True)
    )
    place = place_of().label("place")
    counted = select(place, func.count()).select_from(joined).where(dossiers.c.batch_id == batch_id).group_by(place)
    counts = {CardPlace(name): number for name, number in conn.execute(counted)}
    return {one: counts.get(one, 0) for one in CardPlace}


def moves_of(conn: Connection, chosen: Select[Any]) -> list[Move]:
    """Moves of a selection of rows of ``moves``."""
    rows = conn.execute(chosen).all()
    gone_on = _gone_on(conn, [row.id for row in rows if row.undone_at is None])
    return [
        Move(
            id=row.id,
            step=row.step,
            at=row.at,
            by=row.by,
            reason=row.reason,
            box_id=row.box_id or "",
            level=row.level or "",
            recipient=row.recipient or "",
            day=date.fromisoformat(row.day) if row.day else None,
            cards=row.cards,
            unsigned=row.unsigned,
            undone_at=row.undone_at,
            undone_by=row.undone_by or "",
            undoable=row.undone_at is None and row.step not in FINAL and row.id not in gone_on,
        )
        for row in rows
    ]


FINAL: Final = ("loss", "withdraw")
"""Steps that end a card: nothing undoes them."""


def _gone_on(conn: Connection, ids: list[int]) -> set[int]:
    """Those of these moves after which one of their cards, or their box, took another step."""
    if not ids:
        return set()
    event, later, same, own = card_events.alias(), moves.alias(), move_cards.alias(), moves.alias()
    stepped = (
        select(move_cards.c.move_id)
        .join(own, own.c.id == move_cards.c.move_id)
        .join(event, and_(event.c.card_number == move_cards.c.card_number, event.c.sequence == move_cards.c.sequence))
        .where(move_cards.c.move_id.in_(ids), event.c.id > own.c.event_id, event.c.undone.is_(False))
        .where(event.c.move_id.is_distinct_from(own.c.id))
    )
    moved = (
        select(move_cards.c.move_id)
        .join(same, and_(same.c.card_number == move_cards.c.card_number, same.c.sequence == move_cards.c.sequence))
        .join(later, later.c.id == same.c.move_id)
        .where(move_cards.c.move_id.in_(ids), same.c.move_id > move_cards.c.move_id, later.c.undone_at.is_(None))
    )
    of_boxes = select(own.c.id).where(
        own.c.id.in_(ids),
        select(later.c.id)
        .where(later.c.box_id == own.c.box_id, later.c.id > own.c.id, later.c.undone_at.is_(None))
        .exists(),
    )
    boxed_again = (
        select(move_cards.c.move_id)
        .join(moves, moves.c.id == move_cards.c.move_id)
        .join(
            box_cards,
            and_(
                box_cards.c.card_number == move_cards.c.card_number,
                box_cards.c.sequence == move_cards.c.sequence,
                _INSIDE,
            ),
        )
        .where(move_cards.c.move_id.in_(ids), moves.c.step == "return")
    )
    return {move_id for chosen in (stepped, moved, of_boxes, boxed_again) for (move_id,) in conn.execute(chosen)}
