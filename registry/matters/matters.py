"""Matters: opened by a clerk at a window or on the phone, handed one level up or down, noted, closed, opened again.

Each step is one row that never changes; the matter has the window that holds it. Words are sealed: they may name people
and what ails them.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from registry.db.audit_chain import Fact
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import matter_steps, matters, members, units
from registry.errors import NotOnRecord, RegistryConflict
from registry.matters.values import (
    Matter,
    MatterChannel,
    MatterFigures,
    MatterStep,
    MatterStepKind,
    NewMatter,
    WindowPlace,
)
from registry.members.views import member_row

_M: Final = matters.c
_S: Final = matter_steps.c
_HANDED: Final = (MatterStepKind.UP.value, MatterStepKind.DOWN.value)


class Matters:
    """Repository of matters."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def open(self, new: NewMatter, *, by: str) -> Matter:
        """Open a matter. Raises NotOnRecord for a member who is not on record."""
        with self._context.write() as conn:
            return self.open_within(conn, new, by=by)

    def open_within(self, conn: Connection, new: NewMatter, *, by: str) -> Matter:
        """The same in a transaction of something else, such as a loss that a caller reports."""
        if new.member is not None:
            member_row(conn, new.member)
        now = self._context.clock()
        today = self._context.day(now)
        values = {
            "member_id": new.member,
            "kind": new.kind,
            "channel": new.channel.value,
            "opened_at": now,
            "opened_by": by,
            "opened_on": today.isoformat(),
            "opened_window": new.window.code,
            "due": (today + timedelta(days=new.days)).isoformat(),
            "holder": new.window.code,
            "level": new.window.level,
            "steps": 1,
        }
        number: int = conn.execute(insert(matters).values(values).returning(_M.id)).scalar_one()
        self._step(conn, number, 1, MatterStepKind.OPEN, new.window, new.words, by)
        self._audit(conn, "matter.open", number, by, kind=new.kind, window=new.window.code)
        return _matter_of(_on_record(conn, number))

    def hand(self, number: int, holder: str, to: WindowPlace, *, by: str, reason: str, up: bool) -> Matter:
        """Hand a matter from the window that holds it to one a level above or below.

        Raises NotOnRecord, RegistryConflict for one that is closed (``matter-closed``), and where another window holds
        it (``matter-holder``).
        """
        kind = MatterStepKind.UP if up else MatterStepKind.DOWN
        action = "matter.up" if up else "matter.down"
        return self._act(number, kind, action, by, reason_given(reason), holder=holder, to=to)

    def note(self, number: int, words: str, *, by: str) -> Matter:
        """Note something about a matter; it stays where it is. Raises NotOnRecord, RegistryConflict."""
        return self._act(number, MatterStepKind.NOTE, "matter.note", by, reason_given(words))

    def close(self, number: int, result: str, *, by: str) -> Matter:
        """Close a matter with its result. Raises NotOnRecord, RegistryConflict for one that is closed."""
        return self._act(number, MatterStepKind.CLOSE, "matter.close", by, reason_given(result))

    def reopen(self, number: int, reason: str, *, by: str) -> Matter:
        """Open a closed matter again, at the window that closed it. Raises NotOnRecord, RegistryConflict for an open
        one (``matter-open``)."""
        return self._act(number, MatterStepKind.REOPEN, "matter.reopen", by, reason_given(reason))

    def matter(self, number: int) -> Matter:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return _matter_of(_on_record(conn, number))

    def opened(self, number: int, *, by: str) -> tuple[Matter, tuple[MatterStep, ...]]:
        """A matter with its words, oldest first; the audit entry is committed before. Raises NotOnRecord."""
        with self._context.write() as conn:
            row = _on_record(conn, number)
            rows = conn.execute(select(matter_steps).where(_S.matter_id == number).order_by(_S.number)).all()
            self._audit(conn, "matter.show", number, by)
        return _matter_of(row), tuple(self._opened(one) for one in rows)

    def page(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        holder: str | None = None,
        member: int | None = None,
        still_open: bool = False,
        overdue: bool = False,
    ) -> Page[Matter]:
        """Matters, the newest first: those that a window holds, those of a member, open ones, open ones whose day has
        passed. Raises BadCursor."""
        chosen = _rows().order_by(_M.id.desc()).limit(cut(limit) + 1)
        if holder is not None:
            chosen = chosen.where(_M.holder == holder)
        if member is not None:
            chosen = chosen.where(_M.member_id == member)
        if still_open or overdue:
            chosen = chosen.where(_M.closed_on.is_(None))
        if overdue:
            chosen = chosen.where(_M.due < self._context.day(self._context.clock()).isoformat())
        if cursor is not None:
            chosen = chosen.where(_M.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _matter_of, lambda row: [row.id])

    def figures(self, first: date, last: date) -> list[MatterFigures]:
        """Matters that were opened on these days, by kind and the window at which they were opened."""
        today = self._context.day(self._context.clock()).isoformat()
        handed = (
            select(func.count()).where(_S.matter_id == _M.id, _S.kind.in_(_HANDED)).correlate(matters).scalar_subquery()
        )
        columns = (_M.kind, _M.opened_window, _M.opened_on, _M.closed_on, _M.due, handed.label("handed"))
        chosen = select(*columns).where(_M.opened_on.between(first.isoformat(), last.isoformat()))
        grouped: dict[tuple[str, str], list[Any]] = {}
        with self._context.read() as conn:
            for row in conn.execute(chosen.order_by(_M.kind, _M.opened_window)):
                grouped.setdefault((row.kind, row.opened_window), []).append(row)
        return [_figures(kind, window, rows, today) for (kind, window), rows in grouped.items()]

    def _act(
        self,
        number: int,
        kind: MatterStepKind,
        action: str,
        by: str,
        words: str,
        *,
        holder: str | None = None,
        to: WindowPlace | None = None,
    ) -> Matter:
        with self._context.write() as conn:
            row = _on_record(conn, number, lock=True)
            closed = row.closed_on is not None
            if closed and kind is not MatterStepKind.REOPEN:
                sentence = f"matter {number} is closed: open it again first"
                raise RegistryConflict(sentence, reason="matter-closed", number=number)
            if not closed and kind is MatterStepKind.REOPEN:
                raise RegistryConflict(f"matter {number} is open", reason="matter-open", number=number)
            if holder is not None and row.holder != holder:
                sentence = f"window {row.holder} holds matter {number}, not {holder}"
                raise RegistryConflict(sentence, reason="matter-holder", number=number, holder=row.holder)
            place = to or WindowPlace(row.holder, row.level)
            self._step(conn, number, row.steps + 1, kind, place, words, by)
            now = self._context.clock()
            ended: dict[str, Any] = {"closed_at": None, "closed_by": None, "closed_on": None}
            if kind is MatterStepKind.CLOSE:
                ended = {"closed_at": now, "closed_by": by, "closed_on": self._context.day(now).isoformat()}
            values = {"holder": place.code, "level": place.level, "steps": row.steps + 1}
            conn.execute(update(matters).where(_M.id == number).values(**values, **ended))
            self._audit(conn, action, number, by, window=place.code)
            return _matter_of(_on_record(conn, number))

    def _step(
        self,
        conn: Connection,
        matter: int,
        number: int,
        kind: MatterStepKind,
        window: WindowPlace,
        words: str,
        by: str,
    ) -> None:
        key = self._context.personal.seal_key()
        values = {
            "matter_id": matter,
            "number": number,
            "at": self._context.clock(),
            "by": by,
            "kind": kind.value,
            "window": window.code,
            "level": window.level,
            "sealed": self._context.personal.seal_fields(key, _place(matter, number), {"words": words}),
            "seal_key": str(key),
        }
        conn.execute(insert(matter_steps).values(values))

    def _opened(self, row: Row[Any]) -> MatterStep:
        place = _place(row.matter_id, row.number)
        fields = self._context.personal.open_fields(row.seal_key, bytes(row.sealed), place, ("words",))
        window = WindowPlace(row.window, row.level)
        return MatterStep(row.number, row.at, row.by, MatterStepKind(row.kind), window, fields["words"])

    def _audit(self, conn: Connection, action: str, number: int, by: str, **facts: Fact) -> None:
        self._context.audit(conn, by, action, f"matter:{number}", "", **facts)


def _figures(kind: str, window: str, rows: list[Any], today: str) -> MatterFigures:
    closed = [row for row in rows if row.closed_on is not None]
    days = [(date.fromisoformat(row.closed_on) - date.fromisoformat(row.opened_on)).days for row in closed]
    return MatterFigures(
        kind=kind,
        window=window,
        opened=len(rows),
        closed=len(closed),
        late=sum((row.closed_on or today) > row.due for row in rows),
        handed=sum(row.handed for row in rows),
        days=sum(days) / len(days) if days else None,
    )


def _rows() -> Select[Any]:
    chosen = select(matters, members.c.name_masked, units.c.name.label("unit"))
    chosen = chosen.join(members, members.c.id == _M.member_id, isouter=True)
    return chosen.join(units, units.c.id == members.c.unit_id, isouter=True)


def _matter_of(row: Row[Any]) -> Matter:
    return Matter(
        number=row.id,
        member_id=row.member_id,
        name_masked=row.name_masked,
        unit=row.unit,
        kind=row.kind,
        channel=MatterChannel(row.channel),
        opened_at=row.opened_at,
        opened_by=row.opened_by,
        opened_window=row.opened_window,
        holder=WindowPlace(row.holder, row.level),
        due=date.fromisoformat(row.due),
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        steps=row.steps,
    )


def _on_record(conn: Connection, number: int, *, lock: bool = False) -> Row[Any]:
    if lock:
        conn.execute(select(matters.c.id).where(_M.id == number).with_for_update())
    row = conn.execute(_rows().where(_M.id == number)).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no matter {number}", reason="matter", number=number)
    return row


def _place(matter: int, number: int) -> str:
    return f"matter_steps.sealed/{matter}/{number}"
