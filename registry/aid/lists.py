"""Lists of grants: taken in with findings, approved by a second person within the budget, paid by one instruction for
each row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from registry.aid.intake import TakenRow, entitled_now, judge_rows
from registry.aid.values import AidBudget, AidFinding, AidList, AidRequest, AidRow, AidRule, AidState, AidTerms
from registry.db.actors import refuse_same_person
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import aid_budgets, aid_findings, aid_lists, aid_rows, members, units
from registry.errors import NotOnRecord, RegistryConflict
from registry.paying.instructions import PaymentKind, PaymentOrder, order

_L: Final = aid_lists.c
_R: Final = aid_rows.c
_B: Final = aid_budgets.c


class AidLists:
    """Repository of lists of grants and of budgets."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def take_in(
        self, terms: AidTerms, requests: Sequence[AidRequest], *, source: str, digest: str, by: str
    ) -> tuple[AidList | None, list[AidFinding]]:
        """Take in a list, as a draft of the rows that stand; None where no row does, and then nothing is recorded.

        Raises RegistryConflict for the same file again (``aid-again``).
        """
        with self._context.write() as conn:
            same = (_L.kind == terms.kind, _L.digest == digest, _L.state != AidState.DISCARDED.value)
            if (known := conn.execute(select(_L.id).where(*same)).scalar()) is not None:
                raise RegistryConflict(f"this file is list {known} already", reason="aid-again", number=known)
            taken, findings = judge_rows(self._context, conn, terms, requests)
            if not taken:
                return None, findings
            return self._store(conn, terms, taken, findings, source, digest, by), findings

    def draw_up(self, terms: AidTerms, *, by: str) -> AidList | None:
        """A draft for everybody whose card is activated and who did not have the grant; None where there is nobody."""
        with self._context.write() as conn:
            taken = list(entitled_now(conn, terms))
            if not taken:
                return None
            digest = hashlib.sha256(repr([one.member_id for one in taken]).encode()).hexdigest()
            return self._store(conn, terms, taken, [], "activation", digest, by)

    def approve(self, number: int, budget: int | None, *, by: str) -> AidList:
        """Approve a list by a second person: its sum is taken from the ``budget`` of its year, in fen, and a payment is
        ordered for each row.

        Raises NotOnRecord, RegistryConflict for who took it in, for one that is not a draft, and where the budget has
        not enough left (``aid-budget``).
        """
        with self._context.write() as conn:
            row = _on_record(conn, number, lock=True)
            if row.state != AidState.DRAFTED:
                sentence = f"list {number} of grants is {row.state}: it is not approved any more"
                raise RegistryConflict(sentence, reason="aid-ended", number=number, state=row.state)
            sentence = f"who took in list {number} does not approve it; a second person does"
            refuse_same_person(conn, row.by, by, sentence, number=number)
            if budget is not None:
                _spend(conn, row, budget)
            for one in conn.execute(select(aid_rows).where(_R.list_id == number).order_by(_R.row)).all():
                reference = f"grant/{number}/{one.row}"
                wanted = PaymentOrder(PaymentKind.GRANT, reference, one.amount, row.purpose, member=one.member_id)
                order(self._context, conn, wanted, by=by)
            ended = {"state": AidState.APPROVED.value, "approved_at": self._context.clock(), "approved_by": by}
            conn.execute(update(aid_lists).where(_L.id == number).values(ended))
            self._context.audit(conn, by, "aid.approve", f"aid:{number}", "", rows=row.rows, amount=row.amount)
            return _list_of(_on_record(conn, number))

    def discard(self, number: int, *, by: str, reason: str) -> AidList:
        """Give up a draft: its members may have the grant from another list. Raises NotOnRecord, RegistryConflict."""
        why = reason_given(reason)
        with self._context.write() as conn:
            row = _on_record(conn, number, lock=True)
            if row.state != AidState.DRAFTED:
                sentence = f"list {number} of grants is {row.state}: it is not discarded any more"
                raise RegistryConflict(sentence, reason="aid-ended", number=number, state=row.state)
            conn.execute(update(aid_rows).where(_R.list_id == number).values(living=False))
            ended = {"state": AidState.DISCARDED.value, "discarded_at": self._context.clock(), "discarded_by": by}
            conn.execute(update(aid_lists).where(_L.id == number).values(**ended, reason=why))
            self._context.audit(conn, by, "aid.discard", f"aid:{number}", why)
            return _list_of(_on_record(conn, number))

    def aid_list(self, number: int) -> AidList:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return _list_of(_on_record(conn, number))

    def page(self, cursor: str | None = None, limit: int = 50) -> Page[AidList]:
        """Lists, the newest first. Raises BadCursor."""
        chosen = select(aid_lists).order_by(_L.id.desc()).limit(cut(limit) + 1)
        if cursor is not None:
            chosen = chosen.where(_L.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _list_of, lambda row: [row.id])

    def rows(self, number: int, cursor: str | None = None, limit: int = 100) -> Page[AidRow]:
        """Rows of a list with masked names, as they are in the sheet. Raises NotOnRecord, BadCursor."""
        after = 0 if cursor is None else read_cursor(cursor, int)[0]
        chosen = select(aid_rows, members.c.name_masked, units.c.name.label("unit"))
        chosen = chosen.join(members, members.c.id == _R.member_id).join(units, units.c.id == members.c.unit_id)
        chosen = chosen.where(_R.list_id == number, _R.row > after).order_by(_R.row).limit(cut(limit) + 1)
        with self._context.read() as conn:
            _on_record(conn, number)
            return page_of(conn.execute(chosen).all(), limit, _row_of, lambda row: [row.row])

    def findings(self, number: int) -> list[AidFinding]:
        """Rows that were not taken. Raises NotOnRecord."""
        chosen = select(aid_findings).where(aid_findings.c.list_id == number).order_by(aid_findings.c.row)
        with self._context.read() as conn:
            _on_record(conn, number)
            return [AidFinding(row.row, AidRule(row.rule)) for row in conn.execute(chosen)]

    def budgets(self) -> list[AidBudget]:
        """What may be granted and what was, by kind and year."""
        chosen = select(aid_budgets).order_by(_B.year.desc(), _B.kind)
        with self._context.read() as conn:
            return [AidBudget(row.kind, row.year, row.amount, row.spent) for row in conn.execute(chosen)]

    def _store(
        self,
        conn: Connection,
        terms: AidTerms,
        taken: Sequence[TakenRow],
        findings: Sequence[AidFinding],
        source: str,
        digest: str,
        by: str,
    ) -> AidList:
        whole = sum(one.amount for one in taken)
        values = {
            "kind": terms.kind,
            "year": terms.year,
            "source": source,
            "digest": digest,
            "at": self._context.clock(),
            "by": by,
            "rules": json.dumps(terms.rules, sort_keys=True, ensure_ascii=False),
            "purpose": terms.purpose,
            "state": AidState.DRAFTED.value,
            "rows": len(taken),
            "amount": whole,
            "rejected": len(findings),
            "reason": "",
        }
        number: int = conn.execute(insert(aid_lists).values(values).returning(_L.id)).scalar_one()
        rows = [
            {
                "list_id": number,
                "row": one.row,
                "member_id": one.member_id,
                "choice": one.choice,
                "amount": one.amount,
                "once_key": one.once_key,
                "living": True,
            }
            for one in taken
        ]
        conn.execute(insert(aid_rows), rows)
        if findings:
            listed = [{"list_id": number, "row": one.row, "rule": one.rule.value} for one in findings]
            conn.execute(insert(aid_findings), listed)
        sums = {"rows": len(taken), "amount": whole, "rejected": len(findings)}
        self._context.audit(conn, by, "aid.take-in", f"aid:{number}", "", kind=terms.kind, **sums)
        return _list_of(_on_record(conn, number))


def _spend(conn: Connection, row: Row[Any], budget: int) -> None:
    """Take the sum of a list from the budget of its year. Raises RegistryConflict (``aid-budget``)."""
    mine = (_B.kind == row.kind, _B.year == row.year)
    known = conn.execute(select(aid_budgets).where(*mine).with_for_update()).one_or_none()
    spent = 0 if known is None else known.spent
    if spent + row.amount > budget:
        left = max(0, budget - spent)
        sentence = f"the budget of {row.kind} for {row.year} has {left} fen left, and the list comes to {row.amount}"
        raise RegistryConflict(sentence, reason="aid-budget", kind=row.kind, year=row.year, left=left, sum=row.amount)
    if known is None:
        values = {"kind": row.kind, "year": row.year, "amount": budget, "spent": row.amount}
        conn.execute(insert(aid_budgets).values(values))
    else:
        conn.execute(update(aid_budgets).where(*mine).values(amount=budget, spent=_B.spent + row.amount))


def _list_of(row: Row[Any]) -> AidList:
    fields = {name: getattr(row, name) for name in AidList.__slots__}
    return AidList(**{**fields, "rules": json.loads(row.rules), "state": AidState(row.state)})


def _row_of(row: Row[Any]) -> AidRow:
    return AidRow(row.row, row.member_id, row.name_masked, row.unit, row.choice, row.amount)


def _on_record(conn: Connection, number: int, *, lock: bool = False) -> Row[Any]:
    chosen = select(aid_lists).where(_L.id == number)
    row = conn.execute(chosen.with_for_update() if lock else chosen).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no list {number} of grants", reason="aid-list", number=number)
    return row
