"""How full ranges of numbers are, counted from the record, and what a draft needs of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, and_, exists, func, select

from registry.batches.lookup import stage_of
from registry.batches.pans import taken
from registry.db.counters import APPROVALS, last_number, raise_counter, set_mark
from registry.db.privacy import PersonalData
from registry.db.tables import batches, dossiers, members, roster_rows
from registry.ranges import MEMBER_NUMBER, RangeKind, RangeUse, SerialRange, refuse_exceeded

_SCHEME: Final = 6
"""Digits of a scheme, which was the prefix of every member number once."""


def refuse_full(
    conn: Connection, personal: PersonalData, batch_id: str, ranges: Sequence[SerialRange], scheme: str
) -> None:
    """Raises RegistryConflict for a draft that needs more numbers than these ranges have left. Two approvals at once
    are counted one after the other: the second waits here for the first, and counts what it took."""
    if ranges:
        set_mark(conn, APPROVALS, 0)
        refuse_exceeded(range_use(conn, personal, batch_id, ranges, scheme))


def range_use(
    conn: Connection, personal: PersonalData, batch_id: str, ranges: Iterable[SerialRange], scheme: str
) -> list[RangeUse]:
    """How full these ranges are, and what a draft needs of them. Raises NotOnRecord."""
    draft = stage_of(conn, batch_id) == "draft"
    new_members = _count_new_members(conn, batch_id) if draft else 0
    new_cards = _count_new_cards(conn, batch_id) if draft else 0
    pending = _count_pending_cards(conn)
    uses = []
    for each in ranges:
        last = last_number(conn, f"{each.kind}/{each.prefix}")
        if each.kind is RangeKind.MEMBER:
            used, needed = max(last, _highest(conn, scheme, each.prefix)), new_members
        else:
            used = len(taken(conn, personal, each.listed)) if each.listed else last
            used, needed = used + pending, new_cards
        uses.append(each.use(used, needed))
    return uses


def raise_member_counter(conn: Connection, scheme: str, numbers: SerialRange) -> str:
    """The counter of these member numbers, moved past every number that a member has under the prefix, whatever prefix
    it was given with."""
    counter = f"{RangeKind.MEMBER}/{numbers.prefix}"
    raise_counter(conn, counter, _highest(conn, scheme, numbers.prefix))
    return counter


def _highest(conn: Connection, scheme: str, prefix: str) -> int:
    """The highest serial under the prefix that was ever given out."""
    digits = MEMBER_NUMBER - len(prefix)
    under = members.c.member_number.between(prefix + "0" * digits, prefix + "9" * digits)
    highest: str | None = conn.execute(select(func.max(members.c.member_number)).where(under)).scalar_one()
    given = [highest] if highest is not None else []
    if scheme.startswith(prefix) and scheme != prefix:
        # Before the prefix was in the profile the counter was that of the scheme.
        earlier = last_number(conn, f"{RangeKind.MEMBER}/{scheme}")
        given += [f"{scheme}{earlier:06d}"] if 0 < earlier < 10 ** (MEMBER_NUMBER - _SCHEME) else []
    return max((int(number[len(prefix) :]) for number in given), default=0)


def _count_new_members(conn: Connection, batch_id: str) -> int:
    chosen = (
        select(func.count(func.distinct(members.c.id)))
        .select_from(members.join(roster_rows))
        .where(roster_rows.c.batch_id == batch_id, roster_rows.c.verdict == "accepted")
        .where(members.c.member_number.is_(None))
    )
    return conn.execute(chosen).scalar_one()


def _count_new_cards(conn: Connection, batch_id: str) -> int:
    """Rows that take a new card number; a replacement keeps its own."""
    rows = and_(roster_rows.c.verdict == "accepted", roster_rows.c.replaces.is_(None))
    chosen = select(func.count()).select_from(roster_rows).where(roster_rows.c.batch_id == batch_id, rows)
    return conn.execute(chosen).scalar_one()


def _count_pending_cards(conn: Connection) -> int:
    """Rows of approved batches that take a new card number and have no dossier yet."""
    prepared = exists().where(
        dossiers.c.batch_id == roster_rows.c.batch_id, dossiers.c.member_id == roster_rows.c.member_id
    )
    chosen = (
        select(func.count())
        .select_from(roster_rows.join(batches, batches.c.id == roster_rows.c.batch_id))
        .where(batches.c.stage == "approved", roster_rows.c.open, roster_rows.c.replaces.is_(None), ~prepared)
    )
    return conn.execute(chosen).scalar_one()
