"""Who is covered: a member's covers on a day, and every day of one cover."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, select

from registry.covers.coverage import Holding, covered_spans, explain
from registry.covers.lists import cover_list_of
from registry.covers.values import ChangeReason, CoverDay, CoverList, CoverSpan, Departure
from registry.db.context import RegistryContext
from registry.db.tables import cover_entries, cover_holders, cover_lists, departures, member_events
from registry.members.views import view

_H: Final = cover_holders.c


class MemberCovers:
    """Repository of what members are covered by."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def spans(self, cover: str, member_id: int) -> list[CoverSpan]:
        """Every day on which a member is covered, a span for each term. Raises NotOnRecord."""
        with self._context.read() as conn:
            view(conn, member_id)
            return covered_spans(_released(conn, cover), *_history(conn, cover, member_id))

    def on(self, cover: str, member_id: int, day: date) -> CoverDay:
        """Whether a member is covered on a day, and why. Raises NotOnRecord."""
        with self._context.read() as conn:
            view(conn, member_id)
            return cover_on(conn, cover, member_id, day)

    def covers_of(self, member_id: int, day: date) -> dict[str, CoverDay]:
        """Every cover that ever had a list, with whether the member is in it on that day. Raises NotOnRecord."""
        named = select(cover_lists.c.cover).distinct().order_by(cover_lists.c.cover)
        with self._context.read() as conn:
            view(conn, member_id)
            return {name: cover_on(conn, name, member_id, day) for name in conn.execute(named).scalars()}


def cover_on(conn: Connection, cover: str, member_id: int, day: date) -> CoverDay:
    """Whether a member is covered on a day, and why."""
    return explain(day, _released(conn, cover), *_history(conn, cover, member_id))


def died_on(conn: Connection, member_id: int) -> date | None:
    """The day on which a member died, as it was recorded last."""
    of_member = (member_events.c.member_id == member_id, departures.c.kind == Departure.DIED.value)
    chosen = select(departures.c.left_on).join(member_events, member_events.c.id == departures.c.event_id)
    day = conn.execute(chosen.where(*of_member).order_by(departures.c.event_id.desc()).limit(1)).scalar()
    return None if day is None else date.fromisoformat(day)


def _released(conn: Connection, cover: str) -> list[CoverList]:
    chosen = select(cover_lists).where(cover_lists.c.cover == cover, cover_lists.c.released_at.is_not(None))
    return [cover_list_of(row) for row in conn.execute(chosen.order_by(cover_lists.c.id))]


def _history(conn: Connection, cover: str, member_id: int) -> tuple[list[Holding], date | None]:
    entry: Any = cover_entries.alias()
    chosen = select(cover_holders, entry.c.reason).join(
        entry, (entry.c.list_id == _H.left_list) & (entry.c.member_id == _H.member_id), isouter=True
    )
    rows = conn.execute(chosen.where(_H.cover == cover, _H.member_id == member_id).order_by(_H.entered_list)).all()
    lists = {one.id: one for one in _released(conn, cover)} if rows else {}
    holdings = [
        Holding(
            lists[row.entered_list],
            None if row.left_list is None else lists[row.left_list],
            None if row.reason is None else ChangeReason(row.reason),
        )
        for row in rows
    ]
    return holdings, died_on(conn, member_id)
