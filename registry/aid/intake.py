"""Rows of a list compared with what is on record: who is meant, and whether they may have the grant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from registry.aid.values import AidFinding, AidRequest, AidRule, AidTerms
from registry.batches.persons import open_person
from registry.db.context import RegistryContext
from registry.db.tables import aid_rows, cards, members
from terminal.names import same_name

_CHUNK: Final = 500
_MEMBER_NUMBER: Final = re.compile(r"[0-9]{12}")
_IDENTITY: Final = re.compile(r"[0-9]{17}[0-9X]|[0-9]{15}")


@dataclass(frozen=True, slots=True)
class TakenRow:
    """A row that is taken."""

    row: int
    member_id: int
    choice: str
    amount: int
    once_key: str | None


def judge_rows(
    context: RegistryContext, conn: Connection, terms: AidTerms, requests: Sequence[AidRequest]
) -> tuple[list[TakenRow], list[AidFinding]]:
    """Which rows are taken, and why the others are not; the first finding of a row counts."""
    taken: list[TakenRow] = []
    findings: list[AidFinding] = []
    seen: set[tuple[int, str]] = set()
    for start in range(0, len(requests), _CHUNK):
        piece = requests[start : start + _CHUNK]
        known = _members(context, conn, [_number(one.member) for one in piece])
        had = _had(conn, {row.id for row in known.values()})
        for one in piece:
            row = known.get(_number(one.member))
            verdict = _judge(context, terms, one, row, had, seen)
            if isinstance(verdict, AidRule):
                findings.append(AidFinding(one.row, verdict))
            else:
                taken.append(verdict)
    return taken, findings


def entitled_now(conn: Connection, terms: AidTerms) -> Iterator[TakenRow]:
    """A row for every member whose card is activated, who may have the grant and did not."""
    once = _once_key(terms, "")
    mine = (aid_rows.c.member_id == members.c.id, aid_rows.c.once_key == once, aid_rows.c.living)
    chosen = select(members.c.id).join(cards, cards.c.member_id == members.c.id)
    chosen = chosen.where(cards.c.state == "active", members.c.withdrawn_at.is_(None))
    chosen = chosen.where(~select(aid_rows.c.row).where(*mine).exists()).order_by(members.c.id)
    if terms.categories is not None:
        chosen = chosen.where(members.c.category.in_(terms.categories))
    for place, member in enumerate(conn.execute(chosen).scalars(), start=1):
        yield TakenRow(place, member, "", terms.amount or 0, once)


def _judge(
    context: RegistryContext,
    terms: AidTerms,
    one: AidRequest,
    row: Row[Any] | None,
    had: set[tuple[int, str]],
    seen: set[tuple[int, str]],
) -> TakenRow | AidRule:
    if not _number(one.member):
        return AidRule.NUMBER
    if row is None:
        return AidRule.MEMBER
    if not one.name.strip() or not same_name(open_person(context.personal, row).name, one.name):
        return AidRule.NAME
    if row.withdrawn_at is not None:
        return AidRule.LEFT
    if terms.categories is not None and row.category not in terms.categories:
        return AidRule.CATEGORY
    paid = _amount(terms, one)
    if isinstance(paid, AidRule):
        return paid
    choice, amount = paid
    if (row.id, choice) in seen:
        return AidRule.TWICE
    once = _once_key(terms, choice)
    if once is not None and (row.id, once) in had:
        return AidRule.ONCE
    seen.add((row.id, choice))
    return TakenRow(one.row, row.id, choice, amount, once)


def _amount(terms: AidTerms, one: AidRequest) -> tuple[str, int] | AidRule:
    """The choice and what is paid; an amount that the sheet says as well has to be the same."""
    if terms.most is not None:
        if one.choice:
            return AidRule.CHOICE
        if one.amount is None or one.amount < 1:
            return AidRule.AMOUNT
        return ("", one.amount) if one.amount <= terms.most else AidRule.MOST
    if terms.table:
        if one.choice not in terms.table:
            return AidRule.CHOICE
        choice, amount = terms.table[one.choice]
    else:
        if one.choice:
            return AidRule.CHOICE
        choice, amount = "", terms.amount or 0
    return (choice, amount) if one.amount in (None, amount) else AidRule.AMOUNT


def _once_key(terms: AidTerms, choice: str) -> str | None:
    if terms.once is None:
        return None
    return "/".join(filter(None, (terms.kind, choice, str(terms.year) if terms.once == "year" else "")))


def _members(context: RegistryContext, conn: Connection, numbers: Sequence[str]) -> Mapping[str, Row[Any]]:
    """Members by card number, member number or identity number, as each was written."""
    wanted = {number for number in numbers if number}
    known: dict[str, Row[Any]] = {}
    of_numbers = [number for number in wanted if _MEMBER_NUMBER.fullmatch(number)]
    for row in conn.execute(select(members).where(members.c.member_number.in_(of_numbers))):
        known[row.member_number] = row
    people = [number for number in wanted if _IDENTITY.fullmatch(number)]
    indexes = dict(zip(context.personal.indexes(people), people, strict=True))
    for row in conn.execute(select(members).where(members.c.id_index.in_(list(indexes)))):
        known[indexes[bytes(row.id_index)]] = row
    others = [number for number in wanted if number not in known]
    chosen = select(members, cards.c.card_number).join(cards, cards.c.member_id == members.c.id)
    for row in conn.execute(chosen.where(cards.c.card_number.in_(others))):
        known[row.card_number] = row
    return known


def _had(conn: Connection, ids: set[int]) -> set[tuple[int, str]]:
    chosen = select(aid_rows.c.member_id, aid_rows.c.once_key).where(
        aid_rows.c.member_id.in_(ids), aid_rows.c.living, aid_rows.c.once_key.is_not(None)
    )
    return {(row.member_id, row.once_key) for row in conn.execute(chosen)}


def _number(written: str) -> str:
    return re.sub(r"[\s-]", "", written).upper()
