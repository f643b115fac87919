"""Returns of a bank: what became of the rows of a batch, booked once.

A return is checked whole before anything of it is booked: each row must be of its batch, with the instruction and the
amount that was sent, and once. The same file again is the same answer. A row that an earlier return has told otherwise
is a contradiction: nothing is paid again, and a person settles it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.privacy import scrub
from registry.db.tables import bank_batch_rows, bank_batches, bank_contradictions, bank_returns, instructions
from registry.errors import NotOnRecord, RegistryConflict
from registry.paying.batches import BankBatchState
from registry.paying.instructions import InstructionState

_R: Final = bank_batch_rows.c
_CHUNK: Final = 1000


@dataclass(frozen=True, slots=True)
class BankOutcome:
    """What a bank says of a row. ``fault`` is its reason where the row was not paid, empty where it was; ``on`` its
    day."""

    position: int
    instruction: int
    amount: int
    on: date
    fault: str = ""


@dataclass(frozen=True, slots=True)
class BankReturn:
    """A return as it was booked; amounts in fen."""

    id: int
    batch_id: int
    digest: str
    source: str
    at: datetime
    by: str
    paid: int
    paid_amount: int
    failed: int
    failed_amount: int
    contradictions: int


@dataclass(frozen=True, slots=True)
class Contradiction:
    """An instruction of which a bank has said two things; what it ``was`` holds until a person has settled it."""

    return_id: int
    instruction: int
    was: InstructionState
    now: InstructionState
    on: date
    settled_by: str | None
    reason: str


class BankReturns:
    """Repository of returns."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def known(self, digest: str) -> BankReturn | None:
        """The return that this file was booked as; None for a new one."""
        with self._context.read() as conn:
            return _known(conn, digest)

    def book(
        self, bank: str, batch_id: int, outcomes: Iterable[BankOutcome], *, digest: str, source: str, by: str
    ) -> BankReturn:
        """Book what a bank says of a batch. ``digest`` is the SHA-256 of its file, ``source`` the file's name.

        Raises NotOnRecord, and RegistryConflict, with nothing booked, for a batch of another bank, for one that was
        not released, and for a row that was not sent, or otherwise, or twice.
        """
        with self._context.write() as conn:
            batch = _released(conn, bank, batch_id)
            if (before := _known(conn, digest)) is not None:
                return before
            sent = {row.position: row for row in conn.execute(_sent(batch_id))}
            paid, failed, contradictions = self._judged(batch_id, sent, outcomes)
            values = {
                "batch_id": batch_id,
                "digest": digest,
                "source": source,
                "at": self._context.clock(),
                "by": by,
                "paid": len(paid),
                "paid_amount": sum(one.amount for one in paid),
                "failed": len(failed),
                "failed_amount": sum(one.amount for one in failed),
                "contradictions": len(contradictions),
            }
            chosen = insert(bank_returns).values(values).returning(bank_returns.c.id)
            number: int = conn.execute(chosen).scalar_one()
            _book(conn, InstructionState.PAID, paid)
            _book(conn, InstructionState.FAILED, failed)
            if contradictions:
                conn.execute(
                    insert(bank_contradictions),
                    [
                        {
                            "return_id": number,
                            "instruction_id": one.instruction,
                            "was": was,
                            "now": _state(one),
                            "outcome_on": one.on.isoformat(),
                            "reason": "",
                        }
                        for was, one in contradictions
                    ],
                )
            if batch.state == BankBatchState.RELEASED and not _open_rows(conn, batch_id):
                closed = update(bank_batches).where(bank_batches.c.id == batch_id)
                conn.execute(closed.values(state=BankBatchState.CLOSED))
            subject, facts = f"bank-batch:{batch_id}", {"paid": len(paid), "failed": len(failed)}
            self._context.audit(conn, by, "bank-return.book", subject, "", number=number, digest=digest, **facts)
            return _return(conn.execute(select(bank_returns).where(bank_returns.c.id == number)).one())

    def page(self, cursor: str | None = None, limit: int = 50, *, batch_id: int | None = None) -> Page[BankReturn]:
        """Returns, the newest first. Raises BadCursor."""
        this = bank_returns.c
        chosen = select(bank_returns).order_by(this.id.desc()).limit(cut(limit) + 1)
        if batch_id is not None:
            chosen = chosen.where(this.batch_id == batch_id)
        if cursor is not None:
            chosen = chosen.where(this.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _return, lambda row: [row.id])

    def contradictions(self, *, settled: bool = False) -> list[Contradiction]:
        """What banks have said two things of, the oldest first; only what nobody has settled, or all."""
        this = bank_contradictions.c
        chosen = select(bank_contradictions).order_by(this.return_id, this.instruction_id)
        if not settled:
            chosen = chosen.where(this.settled_at.is_(None))
        with self._context.read() as conn:
            return [_contradiction(row) for row in conn.execute(chosen)]

    def settle(self, return_id: int, instruction: int, *, by: str, reason: str) -> Contradiction:
        """Note what a person has found out about a contradiction. The instruction stays what it was: money that came
        back is not paid again but by a new decision. Raises NotOnRecord, RegistryConflict."""
        why = reason_given(reason)
        this = bank_contradictions.c
        mine = (this.return_id == return_id, this.instruction_id == instruction)
        with self._context.write() as conn:
            row = conn.execute(select(bank_contradictions).where(*mine).with_for_update()).one_or_none()
            if row is None:
                sentence = f"return {return_id} says nothing new of instruction {instruction}"
                raise NotOnRecord(sentence, reason="contradiction", number=instruction)
            if row.settled_at is not None:
                sentence = f"this contradiction was settled by {row.settled_by}"
                raise RegistryConflict(sentence, reason="contradiction-settled", by=row.settled_by)
            values = {"settled_at": self._context.clock(), "settled_by": by, "reason": why}
            conn.execute(update(bank_contradictions).where(*mine).values(values))
            self._context.audit(conn, by, "bank-return.settle", f"payment:{instruction}", why, number=return_id)
            return _contradiction(conn.execute(select(bank_contradictions).where(*mine)).one())

    @staticmethod
    def _judged(
        batch_id: int, sent: dict[int, Row[Any]], outcomes: Iterable[BankOutcome]
    ) -> tuple[list[BankOutcome], list[BankOutcome], list[tuple[str, BankOutcome]]]:
        """New payments, new failures, and contradictions with what each was. Raises RegistryConflict."""
        paid, failed, contradictions = list[BankOutcome](), list[BankOutcome](), list[tuple[str, BankOutcome]]()
        seen = set[int]()
        for one in outcomes:
            row = sent.get(one.position)
            if row is None or row.instruction_id != one.instruction:
                sentence = f"row {one.position} of the return was not sent in bank batch {batch_id}"
                raise RegistryConflict(sentence, reason="return-not-sent", row=one.position, number=one.instruction)
            if row.amount != one.amount:
                sentence = f"row {one.position} of the return has another amount than bank batch {batch_id}"
                raise RegistryConflict(sentence, reason="return-amount", row=one.position, number=one.instruction)
            if one.position in seen:
                sentence = f"row {one.position} stands twice in the return"
                raise RegistryConflict(sentence, reason="return-twice", row=one.position)
            seen.add(one.position)
            if row.state == InstructionState.BATCHED:
                (failed if one.fault else paid).append(one)
            elif row.state != _state(one):
                contradictions.append((row.state, one))
        return paid, failed, contradictions


def _state(one: BankOutcome) -> InstructionState:
    return InstructionState.FAILED if one.fault else InstructionState.PAID


def _released(conn: Connection, bank: str, batch_id: int) -> Row[Any]:
    chosen = select(bank_batches).where(bank_batches.c.id == batch_id).with_for_update()
    batch = conn.execute(chosen).one_or_none()
    if batch is None:
        raise NotOnRecord(f"there is no bank batch {batch_id}", reason="bank-batch", number=batch_id)
    if batch.bank != bank:
        sentence = f"bank batch {batch_id} went to bank {batch.bank}, and the return is of bank {bank}"
        raise RegistryConflict(sentence, reason="return-other-bank", number=batch_id, bank=bank)
    if batch.state not in (BankBatchState.RELEASED, BankBatchState.CLOSED):
        sentence = f"bank batch {batch_id} is {batch.state}: it was not sent, and nothing can come back for it"
        raise RegistryConflict(sentence, reason="batch-not-released", number=batch_id, state=batch.state)
    return batch


def _sent(batch_id: int) -> Any:
    chosen = select(_R.position, _R.instruction_id, _R.amount, instructions.c.state)
    return chosen.join(instructions, instructions.c.id == _R.instruction_id).where(_R.batch_id == batch_id)


def _open_rows(conn: Connection, batch_id: int) -> int:
    counted = select(func.count()).select_from(bank_batch_rows)
    counted = counted.join(instructions, instructions.c.id == _R.instruction_id)
    mine = (_R.batch_id == batch_id, instructions.c.state == InstructionState.BATCHED)
    count: int = conn.execute(counted.where(*mine)).scalar_one()
    return count


def _book(conn: Connection, state: InstructionState, outcomes: Sequence[BankOutcome]) -> None:
    """Set the state of instructions: those of one day and fault at once."""
    alike: dict[tuple[str, str | None], list[int]] = {}
    for one in outcomes:
        alike.setdefault((one.on.isoformat(), scrub(one.fault) or None), []).append(one.instruction)
    for (on, fault), numbers in alike.items():
        values = {"state": state, "outcome_on": on, "fault": fault}
        for start in range(0, len(numbers), _CHUNK):
            mine = instructions.c.id.in_(numbers[start : start + _CHUNK])
            conn.execute(update(instructions).where(mine).values(values))


def _known(conn: Connection, digest: str) -> BankReturn | None:
    row = conn.execute(select(bank_returns).where(bank_returns.c.digest == digest)).one_or_none()
    return None if row is None else _return(row)


def _return(row: Row[Any]) -> BankReturn:
    return BankReturn(**{name: getattr(row, name) for name in BankReturn.__slots__})


def _contradiction(row: Row[Any]) -> Contradiction:
    was, now, on = InstructionState(row.was), InstructionState(row.now), date.fromisoformat(row.outcome_on)
    return Contradiction(row.return_id, row.instruction_id, was, now, on, row.settled_by, row.reason)
