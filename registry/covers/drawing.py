"""The statements that draw up a list of changes and carry it out, over any number of members at once."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.sql.selectable import Select

from registry.covers.values import Change, ChangeReason, CoverTerms
from registry.db.tables import (
    LIVING,
    OPEN,
    card_updates,
    cards,
    cover_entries,
    cover_holders,
    departures,
    dossiers,
    member_events,
    members,
    roster_rows,
)
from registry.members.wanted import UpdateKind, UpdateState
from registry.values import CardState

_M: Final = members.c
_E: Final = cover_entries.c
_H: Final = cover_holders.c
_U: Final = card_updates.c
_RETIRED: Final = 1
"""DF26 of a retired member."""
_ENTRY: Final = ("list_id", "member_id", "change", "reason", "card_number")
_PIECE: Final = 10_000


def write_entries(conn: Connection, list_id: int, terms: CoverTerms) -> None:
    """The entries of a list: who is entitled and not covered, and who is covered and not entitled."""
    for chosen in (_added(list_id, terms), _leaving(list_id, terms)):
        conn.execute(insert(cover_entries).from_select(_ENTRY, chosen))


def covered_now(conn: Connection, cover: str) -> int:
    """How many members a cover has."""
    chosen = select(func.count()).select_from(cover_holders).where(_H.cover == cover, _H.left_list.is_(None))
    return int(conn.execute(chosen).scalar_one())


def count_entries(conn: Connection, list_id: int) -> tuple[int, int, str]:
    """How many entries add and leave, and the SHA-256 over all of them in the order of the members."""
    counted = {Change.ADDED: 0, Change.LEFT: 0}
    digest = hashlib.sha256()
    chosen = select(_E.member_id, _E.change, _E.reason, _E.card_number).where(_E.list_id == list_id)
    rows = conn.execute(chosen.order_by(_E.member_id).execution_options(yield_per=_PIECE))
    for piece in rows.partitions():
        for row in piece:
            counted[Change(row.change)] += 1
        digest.update(b"\n".join(json.dumps([*row], separators=(",", ":")).encode() for row in piece) + b"\n")
    return counted[Change.ADDED], counted[Change.LEFT], digest.hexdigest()


def carry_out(conn: Connection, cover: str, list_id: int) -> None:
    """Enter who is added, and end the cover of who leaves."""
    of_list = select(literal(cover), _E.member_id, _E.list_id).where(_E.list_id == list_id)
    added = of_list.where(_E.change == Change.ADDED.value)
    conn.execute(insert(cover_holders).from_select(("cover", "member_id", "entered_list"), added))
    gone = select(_E.member_id).where(_E.list_id == list_id, _E.change == Change.LEFT.value)
    living = (_H.cover == cover, _H.left_list.is_(None), _H.member_id.in_(gone))
    conn.execute(update(cover_holders).where(*living).values(left_list=list_id))


def order_on_chips(
    conn: Connection, row: Row[Any], *, opening: bool, two_people: bool, ended: dict[str, Any], second: str
) -> int:
    """Order the last day of the cover on the chips of all who are covered, or of those who are added to a running term.
    Gives how many. ``ended`` ends an earlier order of the same kind."""
    held = select(_H.member_id).where(_H.cover == row.cover, _H.left_list.is_(None))
    if not opening:
        held = held.where(_H.entered_list == row.id)
    living = select(cards.c.card_number, cards.c.sequence).where(cards.c.state.in_(LIVING), cards.c.member_id.in_(held))
    numbers = living.with_only_columns(cards.c.card_number)
    earlier = (
        _U.kind == UpdateKind.COVER.value,
        _U.state.in_((UpdateState.PENDING.value, UpdateState.PROPOSED.value)),
        _U.card_number.in_(numbers),
    )
    conn.execute(update(card_updates).where(*earlier).values(**ended, state=UpdateState.WITHDRAWN.value))
    values = {
        "kind": UpdateKind.COVER.value,
        "value": row.chip_value,
        "wanted_at": ended["ended_at"],
        "wanted_by": row.signed_by,
        "reason": f"cover list {row.id}",
        "state": UpdateState.PENDING.value,
        "two_people": two_people,
        "consented_at": ended["ended_at"],
        "consented_by": second,
    }
    columns = ("card_number", "sequence", *values)
    typed = [literal(value, _U[name].type) for name, value in values.items()]
    return conn.execute(insert(card_updates).from_select(columns, living.add_columns(*typed))).rowcount


def _added(list_id: int, terms: CoverTerms) -> Select[Any]:
    earlier = cover_holders.alias()
    again = exists().where(earlier.c.cover == terms.cover, earlier.c.member_id == _M.id)
    reason = case((again, ChangeReason.AGAIN.value), else_=ChangeReason.NEW.value)
    return (
        select(literal(list_id), _M.id, literal(Change.ADDED.value), reason, cards.c.card_number)
        .join_from(members, cards, and_(cards.c.member_id == _M.id, cards.c.state.in_(terms.card_states)))
        .join(cover_holders, _living(terms.cover), isouter=True)
        .where(_M.withdrawn_at.is_(None), _M.category.in_(terms.categories), _H.member_id.is_(None))
    )


def _leaving(list_id: int, terms: CoverTerms) -> Select[Any]:
    counts = and_(cards.c.member_id == _M.id, cards.c.state.in_(terms.card_states))
    no_card = and_(cards.c.card_number.is_(None), ~_on_its_way())
    other = _M.category.not_in(terms.categories)
    event = member_events.alias()
    why = (
        select(departures.c.kind)
        .join_from(event, departures, departures.c.event_id == event.c.id)
        .where(event.c.member_id == _M.id, event.c.event == "withdrawn")
        .order_by(event.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    lost = cards.alias()
    was_lost = exists().where(lost.c.member_id == _M.id, lost.c.state == CardState.LOST.value)
    reason = case(
        (_M.withdrawn_at.is_not(None), func.coalesce(why, ChangeReason.WITHDREW.value)),
        (and_(other, _M.category == _RETIRED), ChangeReason.RETIRED.value),
        (other, ChangeReason.CATEGORY.value),
        (was_lost, ChangeReason.CARD_LOST.value),
        else_=ChangeReason.CARD_ENDED.value,
    )
    return (
        select(literal(list_id), _M.id, literal(Change.LEFT.value), reason, null())
        .join_from(members, cover_holders, _living(terms.cover))
        .join(cards, counts, isouter=True)
        .where(or_(_M.withdrawn_at.is_not(None), other, no_card))
    )


def _living(cover: str) -> ColumnElement[bool]:
    return and_(_H.cover == cover, _H.member_id == _M.id, _H.left_list.is_(None))


def _on_its_way() -> ColumnElement[bool]:
    """Whether another card of a member is being produced, or a living one is not handed over yet."""
    living = cards.alias()
    return or_(
        exists().where(dossiers.c.member_id == _M.id, dossiers.c.state.in_(OPEN)),
        exists().where(roster_rows.c.member_id == _M.id, roster_rows.c.open.is_(True)),
        exists().where(living.c.member_id == _M.id, living.c.state.in_(LIVING)),
    )
