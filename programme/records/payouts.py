"""Bank files of the registry's payouts: made of a released batch, and taken back as a return."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import PurePath

from programme.errors import NotInProgramme
from programme.paying.form import Mac, PaymentHead, PaymentRow, ReturnRefused, bank_form
from programme.programme import Programme
from programme.sections.payouts import PayingBank
from registry.paying.batches import BatchDraft
from registry.paying.returns import BankOutcome, BankReturn
from registry.store import Registry
from terminal.keys.custody import KeyCustody

_TO_BANK, _FROM_BANK = b"payments", b"return"


@dataclass(frozen=True, slots=True)
class TakenReturn:
    """A return, and whether it was booked before: then nothing was booked now."""

    booked: BankReturn
    again: bool


def paying_bank(programme: Programme, code: str) -> PayingBank:
    """A bank of the programme. Raises NotInProgramme."""
    banks = {} if programme.payouts is None else programme.payouts.banks
    if code not in banks:
        raise NotInProgramme(f"the programme has no bank {code}; it has {', '.join(banks) or '-'}")
    return banks[code]


def draw_up(registry: Registry, programme: Programme, code: str, *, by: str) -> BatchDraft:
    """Put what waits for a bank into a batch. Raises NotInProgramme, RegistryConflict."""
    bank = paying_bank(programme, code)
    return registry.bank_batches.draw_up(code, bank.form, bank.accepts, by=by)


def payment_file(
    registry: Registry, custody: KeyCustody, programme: Programme, number: int, *, zone: tzinfo, by: str
) -> Iterator[bytes]:
    """The file of a released batch, in pieces, dated by its release: the same bytes each time.

    Raises NotOnRecord, RegistryConflict for a batch without two signatures, NotInProgramme, ProgrammeError.
    """
    batch = registry.bank_batches.batch(number)
    bank = paying_bank(programme, batch.bank)
    rows = registry.bank_batches.opened(number, by=by)
    released = (batch.released_at or batch.at).astimezone(zone).date()
    head = PaymentHead(batch.bank, number, released, batch.rows, batch.amount)
    return bank_form(batch.form).write(
        head,
        (PaymentRow(row.position, row.instruction, row.account, row.name, row.amount, row.purpose) for row in rows),
        _mac(custody, bank, batch.bank, _TO_BANK),
    )


def file_name(registry: Registry, number: int) -> str:
    """How the file of a batch is named. Raises NotOnRecord."""
    batch = registry.bank_batches.batch(number)
    return f"{batch.bank}-{number}{bank_form(batch.form).suffix}"


def take_return(
    registry: Registry, custody: KeyCustody, programme: Programme, code: str, content: bytes, source: str, *, by: str
) -> TakenReturn:
    """Book a return of a bank. The same file again changes nothing.

    Raises NotInProgramme, ReturnRefused for a file that is cut, altered, or of another bank, NotOnRecord and
    RegistryConflict for rows that were not sent so: nothing is booked then.
    """
    bank = paying_bank(programme, code)
    file = bank_form(bank.form).read_return(io.BytesIO(content), _mac(custody, bank, code, _FROM_BANK))
    if file.head.bank != code:
        raise ReturnRefused(f"this is a return of bank {file.head.bank}, not of {code}")
    digest = hashlib.sha256(content).hexdigest()
    again = registry.bank_returns.known(digest) is not None
    outcomes = (BankOutcome(row.position, row.instruction, row.amount, row.day, row.fault) for row in file.rows)
    booked = registry.bank_returns.book(
        code, file.head.batch, outcomes, digest=digest, source=PurePath(source).name, by=by
    )
    return TakenReturn(booked, again)


def _mac(custody: KeyCustody, bank: PayingBank, code: str, direction: bytes) -> Mac:
    """The MAC by this bank's key; that of payments never passes as one of a return."""
    key = custody.latest(bank.mac_key)
    context = direction + b"/" + code.encode()
    return lambda digest: custody.transport_mac(key, context, digest)
