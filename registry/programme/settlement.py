"""Settlement with merchants: a statement for each month, signed by two people, and never changed after that.

A closed statement is in force. To reopen a month is to draw up its next version, with a reason, and that is signed by
two people like the first; until then the version before stays in force. What comes late falls into the next month that
is drawn up.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from registry.db.actors import refuse_same_person
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import merchants, statement_entries, statements
from registry.errors import NotOnRecord, RegistryConflict
from registry.programme.entries import left_out, stored_entries, unsettled, wanted_entries
from registry.programme.rates import merchant_id, rate_book
from registry.programme.statement import (
    Entry,
    LeftOut,
    Month,
    Statement,
    StatementSheet,
    StatementState,
    digest_of,
    lines_of,
    totals,
)

_S: Final = statements.c
_UNFINISHED: Final = (StatementState.DRAFT.value, StatementState.SIGNED.value)
_PART: Final = 500
_VIEW: Final[Select[Any]] = select(statements, merchants.c.number, merchants.c.name, merchants.c.name_en).join(
    merchants, merchants.c.id == _S.merchant_id
)


class Settlement:
    """Repository of statements."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def draw_up(self, merchant: str, month: Month, *, by: str, reason: str = "") -> StatementSheet:
        """Draw up a merchant's statement of a month as a draft. For a month that is closed it is the next version, and
        needs a ``reason``.

        Raises NotOnRecord; RegistryConflict for a month that is not over (``settlement-month``), beside a statement
        that is not finished (``settlement-unfinished``), where an earlier month comes first
        (``settlement-earlier``) or a later one is closed (``settlement-later``), and for a closed month without a
        reason (``settlement-closed``).
        """
        now = self._context.clock()
        if month.last >= self._context.day(now):
            sentence = f"{month} is not over yet; its statement is drawn up from the first of the next month"
            raise RegistryConflict(sentence, reason="settlement-month", month=str(month))
        with self._context.write() as conn:
            owner = merchant_id(conn, merchant)
            conn.execute(select(merchants.c.id).where(merchants.c.id == owner).with_for_update())
            before = _version_before(conn, owner, month, reason)
            replaced = before.id if before is not None else 0
            version = before.version + 1 if before is not None else 1
            why = reason_given(reason) if before is not None else ""
            entries = wanted_entries(conn, owner, month, rate_book(conn, owner), replaced)
            number = self._store(
                conn,
                entries,
                left_out(conn, owner, month.last, replaced),
                {
                    "merchant_id": owner,
                    "month": str(month),
                    "version": version,
                    "state": StatementState.DRAFT.value,
                    "created_at": now,
                    "created_by": by,
                    "reason": why,
                    "digest": digest_of(merchant, str(month), version, entries),
                },
            )
            sheet = _sheet(conn, number)
            drawn = sheet.statement
            self._context.audit(
                conn,
                by,
                "settlement.draw-up",
                f"statement:{number}",
                why,
                merchant=merchant,
                month=str(month),
                version=version,
                entries=drawn.entries,
                amount=drawn.amount,
                balance=drawn.due,
            )
            return sheet

    def sign(self, number: int, digest: str, *, by: str) -> Statement:
        """Sign a statement whose ``digest`` was looked at: the first signature, or the second one, by another person,
        which closes it.

        Raises NotOnRecord; RegistryConflict for another digest (``settlement-digest``), one that is closed or discarded
        (``settlement-finished``), one whose entries would not be drawn up again as they are (``settlement-changed``),
        and, as OWN_WORK, for the person who has signed already.
        """
        now = self._context.clock()
        with self._context.write() as conn:
            row = _locked(conn, number)
            if row.digest != digest:
                sentence = "this is not the statement that was looked at; look at it again before signing"
                raise RegistryConflict(sentence, reason="settlement-digest", statement=number)
            _unchanged(conn, row)
            if row.state == StatementState.DRAFT:
                values: dict[str, Any] = {"state": "signed", "signed_at": now, "signed_by": by}
                step = "settlement.sign"
            else:
                sentence = "the second signature is that of another person than the first"
                refuse_same_person(conn, row.signed_by, by, sentence, statement=number)
                values, step = {"state": "closed", "closed_at": now, "closed_by": by}, "settlement.close"
                _end(conn, _closed(conn, row.merchant_id, row.month), now)
            conn.execute(update(statements).where(_S.id == number).values(values))
            if values["state"] == "closed":
                _put_in_force(conn, number, in_force=True)
            facts = {"merchant": row.number, "month": row.month, "balance": row.due, "digest": digest}
            self._context.audit(conn, by, step, f"statement:{number}", "", **facts)
            return _statement(_row(conn, number))

    def discard(self, number: int, *, by: str, reason: str) -> Statement:
        """Discard a statement that is not closed; its redemptions wait for the next one. Raises NotOnRecord,
        RegistryConflict (``settlement-finished``)."""
        why = reason_given(reason)
        with self._context.write() as conn:
            row = _locked(conn, number)
            values = {"state": "discarded", "ended_at": self._context.clock()}
            conn.execute(update(statements).where(_S.id == number).values(values))
            self._context.audit(
                conn, by, "settlement.discard", f"statement:{number}", why, merchant=row.number, month=row.month
            )
            return _statement(_row(conn, number))

    def drafts(self) -> int:
        """The number of statements that nobody has signed yet."""
        with self._context.read() as conn:
            chosen = select(func.count()).select_from(statements).where(_S.state == StatementState.DRAFT.value)
            return int(conn.execute(chosen).scalar_one())

    def sheet(self, number: int) -> StatementSheet:
        """A statement with all its entries. Raises NotOnRecord."""
        with self._context.read() as conn:
            return _sheet(conn, number)

    def page(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        merchant: str | None = None,
        month: Month | None = None,
        state: StatementState | None = None,
    ) -> Page[Statement]:
        """Statements, the last drawn up first. Raises BadCursor."""
        chosen = _VIEW.order_by(_S.id.desc()).limit(cut(limit) + 1)
        if merchant is not None:
            chosen = chosen.where(merchants.c.number == merchant)
        if month is not None:
            chosen = chosen.where(_S.month == str(month))
        if state is not None:
            chosen = chosen.where(_S.state == state.value)
        if cursor is not None:
            chosen = chosen.where(_S.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _statement, lambda row: [row.id])

    def _store(self, conn: Connection, entries: list[Entry], left: LeftOut, values: dict[str, Any]) -> int:
        whole = totals(entries)
        sums = {
            "entries": len(entries),
            "amount": whole.amount,
            "due": whole.due,
            "held": left.held,
            "held_amount": left.held_amount,
            "disputed": left.disputed,
            "disputed_amount": left.disputed_amount,
        }
        number: int = conn.execute(insert(statements).values(values | sums).returning(_S.id)).scalar_one()
        rows = [
            {
                "statement_id": number,
                "redemption_id": entry.redemption,
                "kind": entry.kind.value,
                "amount": entry.amount,
                "due": entry.due,
                "in_force": False,
            }
            for entry in entries
        ]
        if rows:
            conn.execute(insert(statement_entries), rows)
        return number


def _version_before(conn: Connection, merchant: int, month: Month, reason: str) -> Row[Any] | None:
    """The closed version of the month, which the new one will replace. Raises RegistryConflict where none may be drawn
    up."""
    unfinished = select(_S.id, _S.month).where(_S.merchant_id == merchant, _S.state.in_(_UNFINISHED))
    if (other := conn.execute(unfinished).one_or_none()) is not None:
        sentence = (
            f"statement {other.id} of this merchant for {other.month} is not finished; sign it or discard it first"
        )
        raise RegistryConflict(sentence, reason="settlement-unfinished", statement=other.id, month=other.month)
    before = _closed(conn, merchant, str(month))
    if before is not None:
        if not reason.strip():
            sentence = f"{month} is closed; to reopen it needs a reason and the signatures of two people"
            raise RegistryConflict(sentence, reason="settlement-closed", month=str(month))
        return before
    newest = select(func.max(_S.month)).where(_S.merchant_id == merchant, _S.state == StatementState.CLOSED.value)
    latest: str | None = conn.execute(newest).scalar_one_or_none()
    if latest is not None and str(month) < latest:
        sentence = f"{latest} is closed; what is left of {month} falls into the next month"
        raise RegistryConflict(sentence, reason="settlement-later", month=latest)
    for row in unsettled(conn, merchant, month.last):
        first = Month.of(date.fromisoformat(row.day))
        if first < month and (latest is None or str(first) > latest):
            raise RegistryConflict(f"{first} has to be settled first", reason="settlement-earlier", month=str(first))
        if first >= month:
            break
    return None


def _unchanged(conn: Connection, row: Row[Any]) -> None:
    """Raises RegistryConflict where an entry would not be drawn up again as it is. What came since is for the next
    month."""
    month = Month.parse(row.month)
    before = _closed(conn, row.merchant_id, row.month)
    now = wanted_entries(
        conn, row.merchant_id, month, rate_book(conn, row.merchant_id), before.id if before is not None else 0
    )
    listed = {entry.key for entry in stored_entries(conn, row.id, month)}
    wanted = {entry.key for entry in now}
    settled = {number for number, *_ in listed}
    undone = {key for key in wanted - listed if key[1] == "taken-back" and key[0] in settled}
    if listed - wanted or undone:
        sentence = "redemptions of it were disputed, refused or reversed, or a rate changed: discard it and begin again"
        raise RegistryConflict(sentence, reason="settlement-changed", statement=row.id)


def _closed(conn: Connection, merchant: int, month: str) -> Row[Any] | None:
    chosen = select(statements).where(_S.merchant_id == merchant, _S.month == month)
    return conn.execute(chosen.where(_S.state == StatementState.CLOSED.value)).one_or_none()


def _end(conn: Connection, before: Row[Any] | None, now: Any) -> None:
    """A version that is replaced is not in force any more."""
    if before is not None:
        conn.execute(update(statements).where(_S.id == before.id).values(state="superseded", ended_at=now))
        _put_in_force(conn, before.id, in_force=False)


def _put_in_force(conn: Connection, number: int, *, in_force: bool) -> None:
    mine = statement_entries.c.statement_id == number
    conn.execute(update(statement_entries).where(mine).values(in_force=in_force))


def _locked(conn: Connection, number: int) -> Row[Any]:
    """A statement that is not finished, held until the end of the transaction. Raises NotOnRecord, RegistryConflict."""
    conn.execute(select(_S.id).where(_S.id == number).with_for_update())
    row = _row(conn, number)
    if row.state not in _UNFINISHED:
        sentence = f"statement {number} is {row.state} already"
        raise RegistryConflict(sentence, reason="settlement-finished", statement=number)
    return row


def _row(conn: Connection, number: int) -> Row[Any]:
    row = conn.execute(_VIEW.where(_S.id == number)).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no statement {number}", reason="statement", statement=number)
    return row


def _sheet(conn: Connection, number: int) -> StatementSheet:
    statement = _statement(_row(conn, number))
    entries = tuple(stored_entries(conn, number, Month.parse(statement.month)))
    return StatementSheet(statement, lines_of(entries), entries)


def _statement(row: Row[Any]) -> Statement:
    return Statement(
        number=row.id,
        merchant=row.number,
        name=row.name,
        name_en=row.name_en,
        month=row.month,
        version=row.version,
        state=StatementState(row.state),
        created_at=row.created_at,
        created_by=row.created_by,
        reason=row.reason,
        entries=row.entries,
        amount=row.amount,
        due=row.due,
        left_out=LeftOut(row.held, row.held_amount, row.disputed, row.disputed_amount),
        digest=row.digest,
        signed_at=row.signed_at,
        signed_by=row.signed_by,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        ended_at=row.ended_at,
    )
