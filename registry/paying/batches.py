"""Bank batches: instructions on their way to a bank, frozen under two signatures before a file of them is made.

States: ``drafted -> signed -> released -> closed``, and ``discarded`` before it is released. A batch is closed by the
return that says what became of its last row. Until it is released nobody outside has seen it; from then on only the
bank's return says what became of its instructions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from registry.db.actors import refuse_same_person
from registry.db.context import RegistryContext, reason_given
from registry.db.paging import Page, cut, page_of, read_cursor
from registry.db.privacy import mask_id
from registry.db.tables import bank_batch_rows, bank_batches, instructions
from registry.errors import NotOnRecord, RegistryConflict
from registry.paying.instructions import InstructionState
from registry.paying.payees import payees_of

_B: Final = bank_batches.c
_R: Final = bank_batch_rows.c
_CHUNK: Final = 500


class BankBatchState(StrEnum):
    DRAFTED = "drafted"
    SIGNED = "signed"
    RELEASED = "released"
    CLOSED = "closed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class BankBatch:
    """A batch. ``bank`` is the bank's code in the programme file and ``form`` the form of its files; ``amount`` in fen;
    ``digest`` is the SHA-256 over its rows with their accounts."""

    id: int
    bank: str
    form: str
    at: datetime
    by: str
    state: BankBatchState
    rows: int
    amount: int
    digest: str
    signed_at: datetime | None
    signed_by: str | None
    released_at: datetime | None
    released_by: str | None
    discarded_at: datetime | None
    discarded_by: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class BankBatchRow:
    """A row of a batch: position from 1 on, instruction, amount in fen, account and name of the payee. Account and name
    are masked, except in the file for the bank."""

    position: int
    instruction: int
    amount: int
    purpose: str
    state: InstructionState
    account: str = field(repr=False)
    name: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class BatchDraft:
    """A new batch. ``without_account``: instructions that wait because their payee has no account now; ``elsewhere``:
    how many accounts belong to other banks."""

    batch: BankBatch
    without_account: tuple[int, ...]
    elsewhere: int


class BankBatches:
    """Repository of bank batches."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    def draw_up(self, bank: str, form: str, accepts: Callable[[str], bool], *, by: str) -> BatchDraft:
        """Put every waiting instruction whose account this bank ``accepts`` into a new batch, in their order.

        Raises RegistryConflict where there is none (``batch-nothing``).
        """
        with self._context.write() as conn:
            chosen, without, elsewhere = [], list[int](), 0
            for row, payee in self._waiting(conn):
                if payee is None:
                    without.append(row.id)
                elif accepts(payee.account):
                    chosen.append((row.id, row.amount, payee))
                else:
                    elsewhere += 1
            if not chosen:
                sentence = f"no instruction waits for bank {bank}; {len(without)} wait for an account of their payee"
                raise RegistryConflict(sentence, reason="batch-nothing", bank=bank, without=len(without))
            digest = hashlib.sha256()
            for position, (number, amount, payee) in enumerate(chosen, 1):
                digest.update(_line(position, number, amount, payee.account, payee.name))
            values = {
                "bank": bank,
                "form": form,
                "at": self._context.clock(),
                "by": by,
                "state": BankBatchState.DRAFTED,
                "rows": len(chosen),
                "amount": sum(amount for _, amount, _ in chosen),
                "digest": digest.hexdigest(),
                "reason": "",
            }
            batch_id: int = conn.execute(insert(bank_batches).values(values).returning(_B.id)).scalar_one()
            self._store(conn, batch_id, chosen)
            batch = _batch(_on_record(conn, batch_id))
            subject, sums = f"bank-batch:{batch_id}", {"rows": batch.rows, "amount": batch.amount}
            self._context.audit(conn, by, "bank-batch.draw-up", subject, "", bank=bank, digest=batch.digest, **sums)
            return BatchDraft(batch, tuple(without), elsewhere)

    def sign(self, number: int, digest: str, *, by: str) -> BankBatch:
        """Sign a batch with this digest. The second signature, of another person, releases it to the bank.

        Raises NotOnRecord, RegistryConflict for another digest, for a batch that is released or discarded, and for the
        person who has signed before.
        """
        with self._context.write() as conn:
            row = _on_record(conn, number, lock=True)
            if row.digest != digest:
                sentence = f"bank batch {number} is not the one that was signed: its digest is {row.digest[:8]}"
                raise RegistryConflict(sentence, reason="batch-other-digest", number=number)
            if row.state == BankBatchState.DRAFTED:
                values = {"state": BankBatchState.SIGNED, "signed_at": self._context.clock(), "signed_by": by}
                action = "bank-batch.sign"
            elif row.state == BankBatchState.SIGNED:
                sentence = f"bank batch {number} needs the signatures of two people"
                refuse_same_person(conn, row.signed_by, by, sentence, number=number)
                values = {"state": BankBatchState.RELEASED, "released_at": self._context.clock(), "released_by": by}
                action = "bank-batch.release"
            else:
                sentence = f"bank batch {number} is {row.state}: there is nothing to sign"
                raise RegistryConflict(sentence, reason="batch-not-open", number=number, state=row.state)
            conn.execute(update(bank_batches).where(_B.id == number).values(values))
            self._context.audit(conn, by, action, f"bank-batch:{number}", "", digest=digest)
            return _batch(_on_record(conn, number))

    def discard(self, number: int, *, by: str, reason: str) -> BankBatch:
        """Give the instructions of a batch that is not released back. Raises NotOnRecord, RegistryConflict."""
        why = reason_given(reason)
        with self._context.write() as conn:
            row = _on_record(conn, number, lock=True)
            if row.state not in (BankBatchState.DRAFTED, BankBatchState.SIGNED):
                sentence = f"bank batch {number} is {row.state}: only the bank's return ends it"
                raise RegistryConflict(sentence, reason="batch-released", number=number, state=row.state)
            mine = select(_R.instruction_id).where(_R.batch_id == number)
            waiting = {"state": InstructionState.WAITING}
            conn.execute(update(instructions).where(instructions.c.id.in_(mine)).values(waiting))
            conn.execute(update(bank_batch_rows).where(_R.batch_id == number).values(living=False))
            values = {"state": BankBatchState.DISCARDED, "discarded_at": self._context.clock(), "discarded_by": by}
            conn.execute(update(bank_batches).where(_B.id == number).values(values | {"reason": why}))
            self._context.audit(conn, by, "bank-batch.discard", f"bank-batch:{number}", why)
            return _batch(_on_record(conn, number))

    def batch(self, number: int) -> BankBatch:
        """Raises NotOnRecord."""
        with self._context.read() as conn:
            return _batch(_on_record(conn, number))

    def page(self, cursor: str | None = None, limit: int = 50, *, bank: str | None = None) -> Page[BankBatch]:
        """Batches, the newest first. Raises BadCursor."""
        chosen = select(bank_batches).order_by(_B.id.desc()).limit(cut(limit) + 1)
        if bank is not None:
            chosen = chosen.where(_B.bank == bank)
        if cursor is not None:
            chosen = chosen.where(_B.id < read_cursor(cursor, int)[0])
        with self._context.read() as conn:
            return page_of(conn.execute(chosen).all(), limit, _batch, lambda row: [row.id])

    def rows(self, number: int, cursor: str | None = None, limit: int = 100) -> Page[BankBatchRow]:
        """Rows of a batch with masked accounts, by position. Raises NotOnRecord, BadCursor."""
        after = 0 if cursor is None else read_cursor(cursor, int)[0]
        chosen = _rows_of(number).where(_R.position > after).limit(cut(limit) + 1)
        with self._context.read() as conn:
            _on_record(conn, number)
            return page_of(conn.execute(chosen).all(), limit, _masked, lambda row: [row.position])

    def opened(self, number: int, *, by: str) -> Iterator[BankBatchRow]:
        """The rows of a released batch with account and name in clear, for the bank's file; audited before the first.
        They come in pieces, so that a batch may have any number of them.

        Raises NotOnRecord, RegistryConflict for a batch without two signatures.
        """
        with self._context.write() as conn:
            row = _on_record(conn, number)
            if row.state not in (BankBatchState.RELEASED, BankBatchState.CLOSED):
                sentence = f"bank batch {number} is {row.state}: a file is made once two people have signed it"
                raise RegistryConflict(sentence, reason="batch-not-released", number=number, state=row.state)
            self._context.audit(conn, by, "bank-batch.file", f"bank-batch:{number}", "", rows=row.rows)
        return self._pieces(number)

    def _pieces(self, number: int) -> Iterator[BankBatchRow]:
        after = 0
        while True:
            with (
                self._context.read() as conn
            ):  # a range, so that a database without statistics looks up these rows alone
                rows = conn.execute(_rows_of(number).where(_R.position.between(after + 1, after + _CHUNK))).all()
            if not rows:
                return
            yield from (self._open(row) for row in rows)
            after += _CHUNK

    def _open(self, row: Row[Any]) -> BankBatchRow:
        fields = self._context.personal.open_fields(
            row.seal_key, bytes(row.sealed), _place(row.batch_id, row.position), ("account", "name")
        )
        state = InstructionState(row.state)
        return BankBatchRow(
            row.position, row.instruction_id, row.amount, row.purpose, state, fields["account"], fields["name"]
        )

    def _waiting(self, conn: Connection) -> Iterator[tuple[Row[Any], Any]]:
        """Waiting instructions, each with its payee; they are locked, so that no other batch takes them."""
        after, this = 0, instructions.c
        while True:
            chosen = select(instructions).where(this.state == InstructionState.WAITING, this.id > after)
            rows = conn.execute(chosen.order_by(this.id).limit(_CHUNK).with_for_update()).all()
            if not rows:
                return
            payees = payees_of(self._context, conn, rows)
            yield from ((row, payees.get(row.id)) for row in rows)
            after = rows[-1].id

    def _store(self, conn: Connection, batch_id: int, chosen: Sequence[tuple[int, int, Any]]) -> None:
        key = self._context.personal.seal_key()
        for start in range(0, len(chosen), _CHUNK):
            piece = list(enumerate(chosen[start : start + _CHUNK], start + 1))
            conn.execute(
                insert(bank_batch_rows),
                [
                    {
                        "batch_id": batch_id,
                        "position": position,
                        "instruction_id": number,
                        "amount": amount,
                        "account_masked": mask_id(payee.account),
                        "sealed": self._context.personal.seal_fields(
                            key, _place(batch_id, position), {"account": payee.account, "name": payee.name}
                        ),
                        "seal_key": str(key),
                        "living": True,
                    }
                    for position, (number, amount, payee) in piece
                ],
            )
            numbers = [number for _, (number, _, _) in piece]
            batched = {"state": InstructionState.BATCHED}
            conn.execute(update(instructions).where(instructions.c.id.in_(numbers)).values(batched))


def _line(position: int, number: int, amount: int, account: str, name: str) -> bytes:
    """A row as the digest has it."""
    return json.dumps([position, number, amount, account, name], separators=(",", ":")).encode() + b"\n"


def _rows_of(number: int) -> Any:
    chosen = select(bank_batch_rows, instructions.c.purpose, instructions.c.state)
    chosen = chosen.join(instructions, instructions.c.id == _R.instruction_id)
    return chosen.where(_R.batch_id == number).order_by(_R.position)


def _masked(row: Row[Any]) -> BankBatchRow:
    state = InstructionState(row.state)
    return BankBatchRow(row.position, row.instruction_id, row.amount, row.purpose, state, row.account_masked)


def _on_record(conn: Connection, number: int, *, lock: bool = False) -> Row[Any]:
    chosen = select(bank_batches).where(_B.id == number)
    row = conn.execute(chosen.with_for_update() if lock else chosen).one_or_none()
    if row is None:
        raise NotOnRecord(f"there is no bank batch {number}", reason="bank-batch", number=number)
    return row


def _batch(row: Row[Any]) -> BankBatch:
    fields = {name: getattr(row, name) for name in BankBatch.__slots__}
    return BankBatch(**{**fields, "state": BankBatchState(row.state)})


def _place(batch_id: int, position: int) -> str:
    return f"bank_batch_rows.sealed/{batch_id}/{position}"
