"""Whom an instruction pays on which account, at the moment in which a bank batch is drawn up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from registry.batches.pans import pans_of_cards
from registry.batches.persons import open_person
from registry.claims.rows import heirs_account
from registry.db.context import RegistryContext
from registry.db.tables import LIVING, cards, claims_filed, members, merchants
from registry.programme.changes import account_of

_CHUNK: Final = 500
"""Instructions whose payees are looked up at once."""


@dataclass(frozen=True, slots=True)
class Payee:
    """Account and name of whom an instruction pays, in clear."""

    account: str = field(repr=False)
    name: str = field(repr=False)


def payees_of(context: RegistryContext, conn: Connection, rows: Sequence[Row[Any]]) -> dict[int, Payee]:
    """The payees of some instructions by their numbers, left out where there is no account: a member without a card of
    the bank in use, a merchant without an account on record."""
    known: dict[int, Payee] = {}
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        known |= _members(context, conn, [row for row in chunk if row.member_id is not None])
        known |= _merchants(context, conn, [row for row in chunk if row.kind == "merchant"])
        known |= _heirs(context, conn, [row for row in chunk if row.kind == "claim" and row.payee is not None])
    return known


def _members(context: RegistryContext, conn: Connection, rows: Sequence[Row[Any]]) -> dict[int, Payee]:
    ids = {row.member_id for row in rows}
    if not ids:
        return {}
    chosen = select(members, cards.c.card_number).join(cards, cards.c.member_id == members.c.id)
    chosen = chosen.where(members.c.id.in_(ids), cards.c.state.in_(LIVING)).order_by(cards.c.verified_at)
    newest = {row.id: row for row in conn.execute(chosen)}
    pans = pans_of_cards(conn, context.personal, [row.card_number for row in newest.values()])
    payees = {
        member: Payee(pans[row.card_number], open_person(context.personal, row).name)
        for member, row in newest.items()
        if row.card_number in pans
    }
    return {row.id: payees[row.member_id] for row in rows if row.member_id in payees}


def _merchants(context: RegistryContext, conn: Connection, rows: Sequence[Row[Any]]) -> dict[int, Payee]:
    numbers = {row.payee for row in rows}
    if not numbers:
        return {}
    on_record = conn.execute(select(merchants).where(merchants.c.number.in_(numbers)))
    payees = {row.number: Payee(account_of(context, row), row.name) for row in on_record if row.sealed is not None}
    return {row.id: payees[row.payee] for row in rows if row.payee in payees}


def _heirs(context: RegistryContext, conn: Connection, rows: Sequence[Row[Any]]) -> dict[int, Payee]:
    """Who claimed for members who have died, by the numbers of their claims."""
    numbers = {int(row.payee) for row in rows}
    if not numbers:
        return {}
    on_record = conn.execute(select(claims_filed).where(claims_filed.c.id.in_(numbers)))
    payees = {str(row.id): Payee(*heirs_account(context.personal, row)) for row in on_record}
    return {row.id: payees[row.payee] for row in rows if row.payee in payees}
