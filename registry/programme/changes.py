"""Changes of a merchant that move money: requested by one person, in force once a second person approves.

They are its account, the days and benefits of its contract, its end and that it goes on, an outlet that closes or opens
again, and the rates of its settlement. The database lets none of them happen without such a change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from registry.db.actors import refuse_same_person
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.privacy import mask_id
from registry.db.tables import (
    merchant_benefits,
    merchant_changes,
    merchants,
    outlets,
    settlement_rates,
    terminals,
)
from registry.errors import NotOnRecord, RegistryConflict
from registry.programme.outlets import reopen_outlet


class MerchantChangeKind(StrEnum):
    """What changes."""

    ACCOUNT = "account"
    CONTRACT = "contract"
    """Its days, its benefits, or both."""
    END = "end"
    RESUME = "resume"
    """A merchant that has ended goes on."""
    OUTLET_CLOSE = "outlet-close"
    OUTLET_OPEN = "outlet-open"
    """A closed outlet opens again."""
    RATE = "rate"


class ChangeState(StrEnum):
    """Where a change stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    REPLACED = "replaced"
    """A later request of this kind took its place."""


Facts = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class MerchantChange:
    """A change of a merchant. ``facts`` by kind: account: was (masked); contract: from, until, benefits (with blanks
    between them), and the same before with ``was_``; outlet-close: outlet, name; outlet-open: those, and terminals
    (with blanks between them); rate: benefit, valid_from, per_unit, share. ``account`` is masked, and empty for other
    kinds."""

    number: int
    merchant: str
    name: str
    kind: MerchantChangeKind
    facts: Facts
    account: str
    at: datetime
    by: str
    reason: str
    state: ChangeState
    decided_at: datetime | None
    decided_by: str | None
    decided_reason: str


_C: Final = merchant_changes.c
_VIEW: Final[Select[Any]] = select(merchant_changes, merchants.c.number, merchants.c.name).join(
    merchants, merchants.c.id == _C.merchant_id
)
_WAITING: Final = ChangeState.WAITING.value
_SUBJECTS: Final = {
    MerchantChangeKind.OUTLET_CLOSE: ("outlet",),
    MerchantChangeKind.OUTLET_OPEN: ("outlet",),
    MerchantChangeKind.RATE: ("benefit", "valid_from"),
}


class MerchantChanges:
    """Repository of changes."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def approve(self, number: int, *, by: str) -> MerchantChange:
        """The second person approves, and the change is in force. Raises NotOnRecord; RegistryConflict for one that
        does not wait and, as OWN_WORK, for the person who requested it."""
        now = self._context.clock()
        with self._context.write() as conn:
            row = _undecided(conn, number, by)
            decided = {"state": ChangeState.APPROVED.value, "decided_at": now, "decided_by": by}
            conn.execute(update(merchant_changes).where(_C.id == number).values(decided))
            self._apply(conn, row, by, now)
            conn.execute(update(merchant_changes).where(_C.id == number).values(applied=True))
            self._audit(conn, row, "approve", by, row.reason)
            return _change(_row(conn, number))

    def refuse(self, number: int, *, by: str, reason: str) -> MerchantChange:
        """The second person refuses. Raises NotOnRecord; RegistryConflict for one that does not wait and, as OWN_WORK,
        for the person who requested it."""
        why = reason_given(reason)
        with self._context.write() as conn:
            row = _undecided(conn, number, by)
            return self._close(conn, row, ChangeState.REFUSED, by, why, "refuse")

    def cancel(self, number: int, *, by: str, reason: str) -> MerchantChange:
        """Give up a change that waits. Raises NotOnRecord, RegistryConflict."""
        why = reason_given(reason)
        with self._context.write() as conn:
            return self._close(conn, _waiting(conn, number), ChangeState.CANCELLED, by, why, "cancel")

    def look(self, number: int, *, by: str) -> tuple[str, str]:
        """The account on record, empty where there is none, and the requested one in clear, for whoever decides; each
        look is audited. Raises NotOnRecord, RegistryConflict."""
        with self._context.write() as conn:
            row = _waiting(conn, number)
            if row.kind != MerchantChangeKind.ACCOUNT:
                raise NotOnRecord(f"change {number} has no account", reason="change-account", change=number)
            merchant = conn.execute(select(merchants).where(merchants.c.id == row.merchant_id)).one()
            accounts = account_of(self._context, merchant), self._account(row)
            self._audit(conn, row, "look", by, "")
        return accounts

    def change(self, number: int) -> MerchantChange:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return _change(_row(conn, number))

    def page(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        state: ChangeState | None = None,
        merchant: str | None = None,
    ) -> Page[MerchantChange]:
        """Changes, the newest first. Raises BadCursor."""
        chosen = _VIEW.order_by(_C.id.desc()).limit(cut(limit) + 1)
        if state is not None:
            chosen = chosen.where(_C.state == state.value)
        if merchant is not None:
            chosen = chosen.where(merchants.c.number == merchant)
        if cursor is not None:
            chosen = chosen.where(_C.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _change, lambda row: [row.id])

    def _apply(self, conn: Connection, row: Row[Any], by: str, now: datetime) -> None:
        facts = json.loads(row.facts)
        mine = update(merchants).where(merchants.c.id == row.merchant_id)
        match MerchantChangeKind(row.kind):
            case MerchantChangeKind.ACCOUNT:
                conn.execute(mine.values(sealed_account(self._context, row.number, self._account(row))))
            case MerchantChangeKind.CONTRACT:
                conn.execute(mine.values(contract_from=facts["from"], contract_until=facts["until"]))
                conn.execute(delete(merchant_benefits).where(merchant_benefits.c.merchant_id == row.merchant_id))
                agreed = [{"merchant_id": row.merchant_id, "benefit_class": one} for one in facts["benefits"].split()]
                conn.execute(insert(merchant_benefits), agreed)
            case MerchantChangeKind.END:
                conn.execute(mine.values(ended_at=now))
            case MerchantChangeKind.RESUME:
                conn.execute(mine.values(ended_at=None))
            case MerchantChangeKind.OUTLET_CLOSE:
                conn.execute(update(outlets).where(outlets.c.id == facts["outlet"]).values(closed_at=now))
                living = (terminals.c.outlet_id == facts["outlet"], terminals.c.retired_at.is_(None))
                conn.execute(update(terminals).where(*living).values(retired_at=now))
            case MerchantChangeKind.OUTLET_OPEN:
                reopen_outlet(conn, facts)
            case MerchantChangeKind.RATE:
                conn.execute(insert(settlement_rates), [_rate_row(row, facts, by, now)])

    def _account(self, row: Row[Any]) -> str:
        place = _place(row.number)
        return str(self._context.personal.open_fields(row.seal_key, bytes(row.sealed), place, ("account",))["account"])

    def _close(
        self, conn: Connection, row: Row[Any], state: ChangeState, by: str, reason: str, action: str
    ) -> MerchantChange:
        _decide(conn, row.id, state, by, reason, self._context.clock())
        self._audit(conn, row, action, by, reason)
        return _change(_row(conn, row.id))

    def _audit(self, conn: Connection, row: Row[Any], action: str, by: str, reason: str) -> None:
        facts = {"number": row.id, "change": row.kind}
        self._context.audit(conn, by, f"merchant.change-{action}", f"merchant:{row.number}", reason, **facts)


def request_change(
    conn: Connection,
    context: RegistryContext,
    merchant: Row[Any],
    kind: MerchantChangeKind,
    facts: Facts,
    *,
    by: str,
    reason: str,
    account: str = "",
) -> int:
    """Store a change that waits, in the place of another one of the same kind and subject; the number of the one that
    waits already where it is the same. ``merchant`` has id and number; the caller audits."""
    written = json.dumps(dict(facts), ensure_ascii=False, sort_keys=True)
    waiting = select(merchant_changes).where(_C.merchant_id == merchant.id, _C.kind == kind.value, _C.state == _WAITING)
    now = context.clock()
    for other in conn.execute(waiting.with_for_update()).all():
        if not _same_subject(kind, json.loads(other.facts), facts):
            continue
        if other.facts == written and (
            kind is not MerchantChangeKind.ACCOUNT or _waits(context, other, merchant, account)
        ):
            return int(other.id)
        _decide(conn, other.id, ChangeState.REPLACED, by, "", now)
    values: dict[str, Any] = {
        "merchant_id": merchant.id,
        "kind": kind.value,
        "facts": written,
        "account_masked": "",
        "at": now,
        "by": by,
        "reason": reason,
        "state": _WAITING,
    }
    if kind is MerchantChangeKind.ACCOUNT:
        key = context.personal.seal_key()
        sealed = context.personal.seal_fields(key, _place(merchant.number), {"account": account})
        values |= {"account_masked": mask_id(account), "sealed": sealed, "seal_key": str(key)}
    number: int = conn.execute(insert(merchant_changes).values(values).returning(_C.id)).scalar_one()
    return number


def change_on_record(conn: Connection, number: int) -> MerchantChange:
    """Raises NotOnRecord."""
    return _change(_row(conn, number))


def account_of(context: RegistryContext, merchant: Row[Any]) -> str:
    """The account of a merchant's row in clear; empty where none is on record."""
    if merchant.sealed is None:
        return ""
    place = account_place(merchant.number)
    fields = context.personal.open_fields(merchant.seal_key, bytes(merchant.sealed), place, ("account",))
    return str(fields["account"])


def sealed_account(context: RegistryContext, number: str, account: str) -> dict[str, Any]:
    """The columns of an account in a merchant's row."""
    key = context.personal.seal_key()
    sealed = context.personal.seal_fields(key, account_place(number), {"account": account})
    return {"account_masked": mask_id(account), "sealed": sealed, "seal_key": str(key)}


def account_place(number: str) -> str:
    """Where the account of a merchant is sealed."""
    return f"merchants.sealed/{number}"


def _place(number: str) -> str:
    return f"merchant_changes.sealed/{number}"


def _same_subject(kind: MerchantChangeKind, one: Facts, other: Facts) -> bool:
    """Whether a later change takes the place of an earlier one: rates and outlets have subjects of their own."""
    return all(one[name] == other[name] for name in _SUBJECTS.get(kind, ()))


def _waits(context: RegistryContext, change: Row[Any], merchant: Row[Any], account: str) -> bool:
    place = _place(merchant.number)
    fields = context.personal.open_fields(change.seal_key, bytes(change.sealed), place, ("account",))
    return str(fields["account"]) == account


def _rate_row(row: Row[Any], facts: Facts, by: str, now: datetime) -> dict[str, Any]:
    return {
        "merchant_id": row.merchant_id,
        "benefit_class": facts["benefit"],
        "valid_from": date.fromisoformat(str(facts["valid_from"])).isoformat(),
        "per_unit": facts["per_unit"],
        "share": facts["share"],
        "at": now,
        "by": row.by,
        "reason": row.reason,
        "approved_by": by,
    }


def _decide(conn: Connection, number: int, state: ChangeState, by: str, reason: str, now: datetime) -> None:
    values = {"state": state.value, "decided_at": now, "decided_by": by, "decided_reason": reason}
    conn.execute(update(merchant_changes).where(_C.id == number).values(values))


def _undecided(conn: Connection, number: int, by: str) -> Row[Any]:
    """The locked row, for a second person. Raises NotOnRecord, RegistryConflict."""
    row = _waiting(conn, number)
    sentence = f"{row.by} requested change {number}, in person or by a token; a second person decides it"
    refuse_same_person(conn, row.by, by, sentence, change=number)
    return row


def _waiting(conn: Connection, number: int) -> Row[Any]:
    """The locked row of a change that waits. Raises NotOnRecord, RegistryConflict."""
    conn.execute(select(_C.id).where(_C.id == number).with_for_update())
    row = _row(conn, number)
    if row.state != _WAITING:
        raise RegistryConflict(f"change {number} was decided already", reason="change-over", change=number)
    return row


def _row(conn: Connection, number: int) -> Row[Any]:
    row = conn.execute(_VIEW.where(_C.id == number)).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no change {number} of a merchant", reason="change", change=number)
    return row


def _change(row: Row[Any]) -> MerchantChange:
    return MerchantChange(
        number=row.id,
        merchant=row.number,
        name=row.name,
        kind=MerchantChangeKind(row.kind),
        facts=json.loads(row.facts),
        account=row.account_masked,
        at=row.at,
        by=row.by,
        reason=row.reason,
        state=ChangeState(row.state),
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        decided_reason=row.decided_reason,
    )
