"""Payment instructions: whom the union pays, how much and why, once for each reason.

A claim, a grant, a merchant's or a partner's statement orders its payment in its own transaction. The database refuses
a second instruction of the same kind and reference, and keeps payee and amount as they were ordered. One that the bank
could not pay is reissued by a person, once, as the next attempt; one that is paid is never paid again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, insert, select, update

from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.tables import instructions
from registry.errors import NotOnRecord, RegistryConflict

_I: Final = instructions.c


class PaymentKind(StrEnum):
    """What is paid."""

    CLAIM = "claim"
    GRANT = "grant"
    MERCHANT = "merchant"
    PARTNER = "partner"


class InstructionState(StrEnum):
    """``BATCHED``: in a bank batch, and the bank has not said what came of it."""

    WAITING = "waiting"
    BATCHED = "batched"
    PAID = "paid"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class PaymentOrder:
    """A payment as it is ordered. ``reference`` names the claim, grant row or statement, unique within its kind;
    ``amount`` in fen. The payee is a member, by id, or a merchant or partner, by number."""

    kind: PaymentKind
    reference: str
    amount: int
    purpose: str
    member: int | None = None
    payee: str | None = None


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction on record. ``outcome_on`` is the bank's day, ``fault`` its reason; ``reissue_of`` the failed
    instruction that this one repeats."""

    id: int
    kind: PaymentKind
    reference: str
    attempt: int
    reissue_of: int | None
    member: int | None
    payee: str | None
    amount: int
    purpose: str
    at: datetime
    by: str
    reason: str
    state: InstructionState
    outcome_on: date | None
    fault: str | None


@dataclass(frozen=True, slots=True)
class InstructionTotals:
    """How many instructions are in a state, and what they come to in fen."""

    state: InstructionState
    count: int
    amount: int


def order(context: RegistryContext, conn: Connection, wanted: PaymentOrder, *, by: str) -> int:
    """Order a payment in the transaction of what it is for: the number of the instruction. The caller audits.

    Raises RegistryConflict where that was ordered already (``payment-ordered``), or for an amount that nobody is paid.
    """
    if wanted.amount < 1:
        sentence = f"{wanted.kind} {wanted.reference} comes to nothing: there is nothing to pay"
        raise RegistryConflict(sentence, reason="payment-nothing", kind=wanted.kind.value, reference=wanted.reference)
    if _latest(conn, wanted.kind, wanted.reference) is not None:
        sentence = f"the payment for {wanted.kind} {wanted.reference} was ordered before"
        raise RegistryConflict(sentence, reason="payment-ordered", kind=wanted.kind.value, reference=wanted.reference)
    return _insert(context, conn, wanted, by)


class Instructions:
    """Repository of payment instructions."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def instruction(self, number: int) -> Instruction:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return instruction_of(_on_record(conn, number))

    def of(self, kind: PaymentKind | str, reference: str) -> Instruction | None:
        """The last attempt to pay for something; None where nothing was ordered."""
        with self._context.read() as conn:
            row = _latest(conn, PaymentKind(kind), reference)
            return None if row is None else instruction_of(row)

    def page(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        state: InstructionState | None = None,
        kind: PaymentKind | None = None,
        member: int | None = None,
    ) -> Page[Instruction]:
        """Instructions, the newest first. Raises BadCursor."""
        chosen = select(instructions).order_by(_I.id.desc()).limit(cut(limit) + 1)
        for column, value in ((_I.state, state), (_I.kind, kind), (_I.member_id, member)):
            if value is not None:
                chosen = chosen.where(column == value)
        if cursor is not None:
            chosen = chosen.where(_I.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, instruction_of, lambda row: [row.id])

    def totals(self) -> list[InstructionTotals]:
        """Count and sum of each state that has instructions."""
        chosen: Select[Any] = select(_I.state, func.count(), func.sum(_I.amount)).group_by(_I.state).order_by(_I.state)
        with self._context.read() as conn:
            return [
                InstructionTotals(InstructionState(state), count, int(amount))
                for state, count, amount in conn.execute(chosen).all()
            ]

    def reissue(self, number: int, *, by: str, reason: str) -> Instruction:
        """Pay again what the bank could not pay, to the account that the payee has then.

        Raises NotOnRecord, and RegistryConflict without a reason, for an instruction that did not fail, and for one
        that was reissued before.
        """
        why = reason_given(reason)
        with self._context.write() as conn:
            row = _on_record(conn, number, lock=True)
            if row.state != InstructionState.FAILED:
                sentence = f"instruction {number} is {row.state}: only what the bank could not pay is paid again"
                raise RegistryConflict(sentence, reason="payment-not-failed", number=number, state=row.state)
            if conn.execute(select(_I.id).where(_I.reissue_of == number)).first() is not None:
                sentence = f"instruction {number} was reissued before"
                raise RegistryConflict(sentence, reason="payment-reissued", number=number)
            wanted = PaymentOrder(
                PaymentKind(row.kind), row.reference, row.amount, row.purpose, row.member_id, row.payee
            )
            new = _insert(self._context, conn, wanted, by, attempt=row.attempt + 1, reissue_of=number, reason=why)
            self._context.audit(conn, by, "payment.reissue", f"payment:{new}", why, reissue_of=number)
            return instruction_of(_on_record(conn, new))

    def withdraw(self, number: int, *, by: str, reason: str) -> Instruction:
        """Take back an instruction that is in no batch; it is not ordered again. Raises NotOnRecord,
        RegistryConflict."""
        why = reason_given(reason)
        with self._context.write() as conn:
            row = _on_record(conn, number, lock=True)
            if row.state != InstructionState.WAITING:
                sentence = f"instruction {number} is {row.state}: only one that waits for a batch is withdrawn"
                raise RegistryConflict(sentence, reason="payment-not-waiting", number=number, state=row.state)
            values = {"state": InstructionState.WITHDRAWN, "reason": why}
            conn.execute(update(instructions).where(_I.id == number).values(values))
            self._context.audit(conn, by, "payment.withdraw", f"payment:{number}", why)
            return instruction_of(_on_record(conn, number))


def instruction_of(row: Row[Any]) -> Instruction:
    """The value of a row of ``instructions``."""
    return Instruction(
        row.id,
        PaymentKind(row.kind),
        row.reference,
        row.attempt,
        row.reissue_of,
        row.member_id,
        row.payee,
        row.amount,
        row.purpose,
        row.at,
        row.by,
        row.reason,
        InstructionState(row.state),
        None if row.outcome_on is None else date.fromisoformat(row.outcome_on),
        row.fault,
    )


def _insert(
    context: RegistryContext,
    conn: Connection,
    wanted: PaymentOrder,
    by: str,
    *,
    attempt: int = 1,
    reissue_of: int | None = None,
    reason: str = "",
) -> int:
    values = {
        "kind": wanted.kind,
        "reference": wanted.reference,
        "attempt": attempt,
        "reissue_of": reissue_of,
        "member_id": wanted.member,
        "payee": wanted.payee,
        "amount": wanted.amount,
        "purpose": wanted.purpose,
        "at": context.clock(),
        "by": by,
        "reason": reason,
        "state": InstructionState.WAITING,
    }
    number: int = conn.execute(insert(instructions).values(values).returning(_I.id)).scalar_one()
    return number


def _latest(conn: Connection, kind: PaymentKind, reference: str) -> Row[Any] | None:
    chosen = select(instructions).where(_I.kind == kind, _I.reference == reference)
    return conn.execute(chosen.order_by(_I.attempt.desc()).limit(1)).one_or_none()


def _on_record(conn: Connection, number: int, *, lock: bool = False) -> Row[Any]:
    chosen = select(instructions).where(_I.id == number)
    row = conn.execute(chosen.with_for_update() if lock else chosen).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no payment instruction {number}", reason="payment", number=number)
    return row
