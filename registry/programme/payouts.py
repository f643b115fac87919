"""Payout lists (应付清单): what the signed statements of a month come to, merchant by merchant, each statement once.

A list has what no list has had, and orders the payment of each row above zero. Of a month that was reopened and closed
again it has the difference to what was listed before. Statements of merchants that are to be paid but have no account
wait for a later list.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select

from registry.db.context import RegistryContext
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.privacy import mask_id
from registry.db.tables import merchants, payout_rows, payouts, statements
from registry.errors import NotOnRecord, RegistryConflict
from registry.paying.instructions import PaymentKind, PaymentOrder, order
from registry.programme.changes import account_of
from registry.programme.statement import Month, StatementState

_P: Final = payouts.c


@dataclass(frozen=True, slots=True)
class PayoutRow:
    """What one statement comes to. ``amount`` in fen: above zero the union pays, below zero the merchant does.
    ``account`` is masked, except in the file for the one who pays."""

    statement: int
    version: int
    digest: str
    merchant: str
    name: str
    amount: int
    account: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Payout:
    """A payout list. ``pay`` and ``collect`` in fen; ``digest`` is the SHA-256 of its rows."""

    number: int
    month: str
    at: datetime
    by: str
    rows: int
    pay: int
    collect: int
    digest: str


@dataclass(frozen=True, slots=True)
class PayoutList:
    """A list with its rows, by merchant. ``without_account``: merchants of the month that wait for an account."""

    payout: Payout
    rows: tuple[PayoutRow, ...]
    without_account: tuple[str, ...] = ()


class Payouts:
    """Repository of payout lists."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def draw_up(self, month: Month, *, by: str) -> PayoutList:
        """List what the closed statements of a month come to and no list has had.

        Raises RegistryConflict where there is nothing to list (``payout-nothing``), or only merchants without an
        account (``payout-no-account``).
        """
        with self._context.write() as conn:
            chosen, without = self._unlisted(conn, month)
            if not chosen:
                if without:
                    sentence = f"no merchant to be paid for {month} has an account on record"
                    raise RegistryConflict(sentence, reason="payout-no-account", month=str(month))
                sentence = f"no signed statement of {month} is left for a payout list"
                raise RegistryConflict(sentence, reason="payout-nothing", month=str(month))
            rows = [self._row(row, amount, account_of(self._context, row)) for row, amount in chosen]
            number = self._store(conn, month, rows, chosen, by)
            for one in rows:
                if one.amount > 0:
                    order(self._context, conn, _payment(one, month), by=by)
            payout = _payout(_on_record(conn, number))
            facts: dict[str, Any] = {"month": str(month), "rows": payout.rows, "digest": payout.digest}
            facts |= {"pay": payout.pay, "collect": payout.collect}
            self._context.audit(conn, by, "payout.draw-up", f"payout:{number}", "", **facts)
            return PayoutList(payout, tuple(_masked(one) for one in rows), without)

    def payout(self, number: int) -> PayoutList:
        """A list with masked accounts. Raises NotOnRecord."""
        with self._context.read() as conn:
            payout = _payout(_on_record(conn, number))
            rows = [self._row(row, row.amount, row.listed_account) for row in conn.execute(_rows_of(number))]
            return PayoutList(payout, tuple(rows), self._unlisted(conn, Month.parse(payout.month))[1])

    def opened(self, number: int, *, by: str) -> PayoutList:
        """A list with the accounts in clear, as on the day when it was drawn up: for whoever pays; audited. Raises
        NotOnRecord."""
        with self._context.write() as conn:
            payout = _payout(_on_record(conn, number))
            rows = [self._row(row, row.amount, self._opened(row)) for row in conn.execute(_rows_of(number))]
            self._context.audit(conn, by, "payout.file", f"payout:{number}", "", month=payout.month)
            return PayoutList(payout, tuple(rows))

    def page(self, cursor: str | None = None, limit: int = 50, *, month: Month | None = None) -> Page[Payout]:
        """Lists, the newest first. Raises BadCursor."""
        chosen = select(payouts).order_by(_P.id.desc()).limit(cut(limit) + 1)
        if month is not None:
            chosen = chosen.where(_P.month == str(month))
        if cursor is not None:
            chosen = chosen.where(_P.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _payout, lambda row: [row.id])

    def _unlisted(self, conn: Connection, month: Month) -> tuple[list[tuple[Row[Any], int]], tuple[str, ...]]:
        """Closed statements of a month that no list has had, each with what is left of it; merchants that are to be
        paid but have no account."""
        had = select(payout_rows.c.statement_id)
        chosen = (
            select(statements.c.id, statements.c.version, statements.c.digest, statements.c.due)
            .add_columns(merchants.c.number, merchants.c.name, merchants.c.account_masked)
            .add_columns(merchants.c.sealed, merchants.c.seal_key)
            .join(merchants, merchants.c.id == statements.c.merchant_id)
            .where(
                statements.c.month == str(month),
                statements.c.state == StatementState.CLOSED.value,
                statements.c.id.not_in(had),
            )
            .order_by(merchants.c.number)
        )
        listed = _listed(conn, month)
        listed_ones, without = [], []
        for row in conn.execute(chosen):
            amount = row.due - listed.get(row.number, 0)
            if amount > 0 and row.sealed is None:
                without.append(row.number)
            elif amount:
                listed_ones.append((row, amount))
        return listed_ones, tuple(without)

    def _store(
        self, conn: Connection, month: Month, rows: Sequence[PayoutRow], chosen: list[tuple[Row[Any], int]], by: str
    ) -> int:
        values = {
            "month": str(month),
            "at": self._context.clock(),
            "by": by,
            "rows": len(rows),
            "pay": sum(one.amount for one in rows if one.amount > 0),
            "collect": -sum(one.amount for one in rows if one.amount < 0),
            "digest": digest_of(str(month), rows),
        }
        number: int = conn.execute(insert(payouts).values(values).returning(_P.id)).scalar_one()
        for one, (merchant, _amount) in zip(rows, chosen, strict=True):
            account: dict[str, Any] = {"account_masked": merchant.account_masked}
            if one.account:
                key = self._context.personal.seal_key()
                place = _place(one.statement)
                sealed = self._context.personal.seal_fields(key, place, {"account": one.account})
                account |= {"sealed": sealed, "seal_key": str(key)}
            new = {"payout_id": number, "statement_id": one.statement, "amount": one.amount}
            conn.execute(insert(payout_rows).values(new | account))
        return number

    def _opened(self, row: Row[Any]) -> str:
        if row.listed_sealed is None:
            return ""
        place = _place(row.id)
        fields = self._context.personal.open_fields(row.listed_key, bytes(row.listed_sealed), place, ("account",))
        return str(fields["account"])

    @staticmethod
    def _row(row: Row[Any], amount: int, account: str) -> PayoutRow:
        return PayoutRow(row.id, row.version, row.digest, row.number, row.name, amount, account)


def _payment(row: PayoutRow, month: Month) -> PaymentOrder:
    """What a merchant is paid for a statement."""
    purpose = f"{month} 结算"
    return PaymentOrder(PaymentKind.MERCHANT, f"statement/{row.statement}", row.amount, purpose, payee=row.merchant)


def digest_of(month: str, rows: Sequence[PayoutRow]) -> str:
    """SHA-256 over month, and of each row merchant, statement with its digest, account and amount."""
    listed = [[one.merchant, one.statement, one.digest, one.account, one.amount] for one in rows]
    return hashlib.sha256(json.dumps([month, listed], separators=(",", ":")).encode()).hexdigest()


def _listed(conn: Connection, month: Month) -> dict[str, int]:
    """What earlier lists had of a month, by merchant."""
    chosen = (
        select(merchants.c.number, func.sum(payout_rows.c.amount))
        .select_from(payout_rows)
        .join(statements, statements.c.id == payout_rows.c.statement_id)
        .join(merchants, merchants.c.id == statements.c.merchant_id)
        .where(statements.c.month == str(month))
        .group_by(merchants.c.number)
    )
    return {number: int(amount) for number, amount in conn.execute(chosen).all()}


def _rows_of(number: int) -> Any:
    row = payout_rows.c
    return (
        select(statements.c.id, statements.c.version, statements.c.digest, merchants.c.number, merchants.c.name)
        .add_columns(row.amount, row.account_masked.label("listed_account"))
        .add_columns(row.sealed.label("listed_sealed"), row.seal_key.label("listed_key"))
        .select_from(payout_rows)
        .join(statements, statements.c.id == row.statement_id)
        .join(merchants, merchants.c.id == statements.c.merchant_id)
        .where(row.payout_id == number)
        .order_by(merchants.c.number)
    )


def _on_record(conn: Connection, number: int) -> Row[Any]:
    row = conn.execute(select(payouts).where(_P.id == number)).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no payout list {number}", reason="payout", payout=number)
    return row


def _payout(row: Row[Any]) -> Payout:
    return Payout(row.id, row.month, row.at, row.by, row.rows, row.pay, row.collect, row.digest)


def _masked(row: PayoutRow) -> PayoutRow:
    masked = mask_id(row.account) if row.account else ""
    return PayoutRow(row.statement, row.version, row.digest, row.merchant, row.name, row.amount, masked)


def _place(statement: int) -> str:
    return f"payout_rows.sealed/{statement}"
