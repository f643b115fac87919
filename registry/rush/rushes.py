"""Rushes on record: announced once, open and closed by the clock of the registry, closed early or cancelled.

A rush is as it was announced: a later edition of the programme changes nothing of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import rush_claims, rush_lots, rushes
from registry.errors import RegistryConflict
from registry.rush.rows import claim_view, held_rush, no_rush, positions, rush_views
from registry.rush.values import ClaimState, ClaimView, RushState, RushTerms, RushView

_R: Final = rushes.c
_C: Final = rush_claims.c
_LIVING: Final = (ClaimState.GRANTED.value, ClaimState.WAITING.value)


class Rushes:
    """Repository of rushes."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def announce(self, terms: RushTerms, *, by: str) -> RushView:
        """Put a rush on record; it opens by itself at its instant. Announced again it is the same one.

        Raises RegistryConflict for another rush under the code (``rush-changed``), and for one that is over already
        (``rush-over``).
        """
        now = self._context.clock()
        digest = _digest(terms)
        with self._context.write() as conn:
            mine = select(rushes).where(_R.programme == terms.programme, _R.code == terms.code)
            row = conn.execute(mine).one_or_none()
            if row is None:
                if now >= terms.closes:
                    sentence = f"rush {terms.code} is over by its own times; it cannot be announced"
                    raise RegistryConflict(sentence, reason="rush-over", code=terms.code)
                number = _store(conn, terms, digest, now, by)
                units = sum(lot.units for lot in terms.lots)
                self._context.audit(
                    conn, by, "rush.announce", f"rush:{number}", "", code=terms.code, units=units, digest=digest
                )
                row = conn.execute(mine).one()
            elif row.digest != digest:
                sentence = (
                    f"rush {terms.code} was announced with other terms, and members rely on them; cancel it and "
                    "announce another code"
                )
                raise RegistryConflict(sentence, reason="rush-changed", code=terms.code)
            return rush_views(conn, [row], now)[0]

    def rush(self, number: int) -> RushView:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            row = conn.execute(select(rushes).where(_R.id == number)).one_or_none()
            if row is None:
                raise no_rush(number)
            return rush_views(conn, [row], self._context.clock())[0]

    def find(self, code: str) -> RushView:
        """The newest rush of that code. Raises NotOnRecord."""
        with self._context.read() as conn:
            chosen = select(rushes).where(_R.code == code).order_by(_R.id.desc()).limit(1)
            row = conn.execute(chosen).one_or_none()
            if row is None:
                raise no_rush(code)
            return rush_views(conn, [row], self._context.clock())[0]

    def page(self, cursor: str | None = None, limit: int = 50) -> Page[RushView]:
        """All rushes, the newest first. Raises BadCursor."""
        chosen = select(rushes).order_by(_R.id.desc()).limit(cut(limit) + 1)
        if cursor is not None:
            chosen = chosen.where(_R.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            page: Page[Row[Any]] = page_of(conn.execute(chosen).all(), limit, lambda row: row, lambda row: [row.id])
            return Page(tuple(rush_views(conn, page.items, self._context.clock())), page.next)

    def close(self, number: int, *, by: str, reason: str) -> RushView:
        """Close a rush before its time: no more claims; tickets stay valid, and go back as before. Closed again it
        stays as it is. Raises NotOnRecord, RegistryConflict (``rush-ended``) for one that is cancelled."""
        why, now = reason_given(reason), self._context.clock()
        with self._context.write() as conn:
            row = held_rush(conn, number)
            if row.ended == RushState.CANCELLED:
                raise _ended(number)
            if row.ended is None:
                _end(conn, number, RushState.CLOSED, now, by, why)
                self._context.audit(conn, by, "rush.close", f"rush:{number}", why, code=row.code)
            return _fresh(conn, number, now)

    def cancel(self, number: int, *, by: str, reason: str) -> RushView:
        """Cancel a rush: its tickets and its waiting list are void. Cancelled again it stays as it is. Raises
        NotOnRecord."""
        why, now = reason_given(reason), self._context.clock()
        with self._context.write() as conn:
            row = held_rush(conn, number)
            if row.ended != RushState.CANCELLED:
                ended = {"place": None, "lot_place": None, "ended_at": now, "ended_by": by}
                living = (_C.rush_id == number, _C.state.in_(_LIVING))
                void = conn.execute(update(rush_claims).where(*living).values(state=ClaimState.VOID.value, **ended))
                _end(conn, number, RushState.CANCELLED, now, by, why)
                self._context.audit(conn, by, "rush.cancel", f"rush:{number}", why, code=row.code, claims=void.rowcount)
            return _fresh(conn, number, now)

    def claims(
        self,
        number: int,
        cursor: str | None = None,
        limit: int = 50,
        *,
        state: ClaimState | None = None,
        lot: str | None = None,
    ) -> Page[ClaimView]:
        """Claims of a rush in the order in which they came; those that wait in the order of the waiting list. Raises
        BadCursor."""
        chosen = select(rush_claims).where(_C.rush_id == number).order_by(_C.id).limit(cut(limit) + 1)
        if state is not None:
            chosen = chosen.where(_C.state == state.value)
        if lot is not None:
            chosen = chosen.where(_C.lot == lot)
        if cursor is not None:
            chosen = chosen.where(_C.id > read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            page: Page[Row[Any]] = page_of(conn.execute(chosen).all(), limit, lambda row: row, lambda row: [row.id])
            places = positions(conn, page.items)
            return Page(tuple(claim_view(row, places.get(row.id)) for row in page.items), page.next)

    def per_minute(self, number: int, minutes: int = 60) -> list[tuple[datetime, int]]:
        """Tickets of a rush by the minute in which they were given out, in the last minutes, the oldest first."""
        since = self._context.clock().replace(second=0, microsecond=0) - timedelta(minutes=minutes - 1)
        with self._context.read() as conn:
            minute: Any = (
                func.date_trunc("minute", _C.granted_at)
                if conn.dialect.name == "postgresql"
                else func.strftime("%Y-%m-%dT%H:%M:00+00:00", _C.granted_at)
            )
            chosen = (
                select(minute.label("minute"), func.count().label("tickets"))
                .where(_C.rush_id == number, _C.granted_at >= since)
                .group_by(minute)
                .order_by(minute)
            )
            return [(_instant(row.minute), row.tickets) for row in conn.execute(chosen)]


def _instant(value: datetime | str) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _digest(terms: RushTerms) -> str:
    values: Mapping[str, Any] = asdict(terms)
    compared = {name: value for name, value in values.items() if name != "edition"}
    text = json.dumps(compared, sort_keys=True, ensure_ascii=False, default=lambda at: f"{at.timestamp():.0f}")
    return hashlib.sha256(text.encode()).hexdigest()


def _store(conn: Connection, terms: RushTerms, digest: str, now: datetime, by: str) -> int:
    row = {
        "programme": terms.programme,
        "code": terms.code,
        "edition": terms.edition,
        "rules": json.dumps(terms.rules, sort_keys=True, ensure_ascii=False),
        "digest": digest,
        "opens_at": terms.opens,
        "closes_at": terms.closes,
        "returns_at": terms.returns,
        "price": terms.price,
        "most": terms.most,
        "longest": terms.longest,
        "announced_at": now,
        "announced_by": by,
    }
    number: int = conn.execute(insert(rushes).values(row).returning(_R.id)).scalar_one()
    conn.execute(insert(rush_lots), [{"rush_id": number, **asdict(lot)} for lot in terms.lots])
    return number


def _end(conn: Connection, number: int, state: RushState, now: datetime, by: str, why: str) -> None:
    values = {"ended": state.value, "ended_at": now, "ended_by": by, "reason": why}
    conn.execute(update(rushes).where(_R.id == number).values(values))


def _fresh(conn: Connection, number: int, now: datetime) -> RushView:
    return rush_views(conn, conn.execute(select(rushes).where(_R.id == number)), now)[0]


def _ended(number: int) -> RegistryConflict:
    return RegistryConflict(f"rush {number} is cancelled", reason="rush-ended", rush=number)
