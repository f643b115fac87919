"""What the files of all banks have in common: a head, rows, and a tail with counts, sums, a hash and a MAC.

A bank's own form is one class of ``BankForm``, named in the entry point group ``membercard.bank_forms``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import entry_points
from typing import BinaryIO, Final, Protocol

from programme.errors import ProgrammeError

GROUP: Final = "membercard.bank_forms"
Mac = Callable[[bytes], bytes]
"""The MAC over the SHA-256 of everything above the tail, by a key that only this bank and the union have."""
LARGEST: Final = 200_000_000
"""Bytes of a return file."""


class ReturnRefused(ProgrammeError):
    """A return file that is not taken: nothing of it is booked."""


@dataclass(frozen=True, slots=True)
class PaymentHead:
    """The head of a file: the bank's code, the number of the batch, the day on which the file was made, and what the
    rows come to, in fen."""

    bank: str
    batch: int
    day: date
    rows: int
    amount: int


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A row for the bank: position in the file, number of the instruction, account and name of the payee, fen."""

    position: int
    instruction: int
    account: str = field(repr=False)
    name: str = field(repr=False)
    amount: int
    purpose: str


@dataclass(frozen=True, slots=True)
class ReturnHead:
    """The head of a return."""

    bank: str
    batch: int
    day: date


@dataclass(frozen=True, slots=True)
class ReturnRow:
    """What the bank says of a row; ``fault`` is its reason, empty where it has paid."""

    position: int
    instruction: int
    amount: int
    day: date
    fault: str


@dataclass(frozen=True, slots=True)
class ReturnFile:
    """A return whose tail fits what stands above it."""

    head: ReturnHead
    rows: tuple[ReturnRow, ...]


class BankForm(Protocol):
    """The files of a bank: how payments are written for it, and how its returns are read."""

    suffix: str
    """How the names of its files end, such as ``.csv``."""

    def write(self, head: PaymentHead, rows: Iterable[PaymentRow], mac: Mac) -> Iterator[bytes]:
        """The file in pieces. Raises ProgrammeError for a row that the form cannot hold."""

    def read_return(self, file: BinaryIO, mac: Mac) -> ReturnFile:
        """Raises ReturnRefused for a file that is cut, altered, of another form, or whose sums do not fit."""


def bank_forms() -> dict[str, BankForm]:
    """The forms by name: those of this program and of installed packages."""
    return {point.name: point.load()() for point in entry_points(group=GROUP)}


def bank_form(name: str) -> BankForm:
    """Raises ProgrammeError."""
    forms = bank_forms()
    if name not in forms:
        raise ProgrammeError(f"there is no form {name} of bank files; there are {', '.join(sorted(forms))}")
    return forms[name]


class Sums:
    """Counts and sums of rows, and the hash of everything that was written or read so far."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.rows, self.amount, self.paid, self.paid_amount = 0, 0, 0, 0

    def add(self, line: bytes) -> bytes:
        """Note a line; the line."""
        self._hash.update(line)
        return line

    def count(self, amount: int, *, paid: bool = True) -> None:
        """Note a row of so many fen."""
        self.rows, self.amount = self.rows + 1, self.amount + amount
        if paid:
            self.paid, self.paid_amount = self.paid + 1, self.paid_amount + amount

    @property
    def digest(self) -> bytes:
        """SHA-256 of the lines so far."""
        return self._hash.digest()


def fault_of(line: int, outcome: str, fault: str) -> str:
    """The fault of a row, empty where it was paid. Raises ReturnRefused for another outcome than P and F, a failure
    without a reason, and a payment with one."""
    if outcome not in ("P", "F") or (outcome == "F") != bool(fault):
        raise ReturnRefused(f"line {line}: an outcome is P, or F with the bank's reason")
    return fault


def refuse_other_rows(head: PaymentHead, sums: Sums) -> None:
    """Raises ProgrammeError where the rows of a file are not those that its head announces."""
    if (head.rows, head.amount) != (sums.rows, sums.amount):
        raise ProgrammeError(f"bank batch {head.batch} has other rows than it was signed with")


def proof(sums: Sums, mac: Mac) -> tuple[str, str]:
    """Hash and MAC of a tail, in hexadecimal digits."""
    return sums.digest.hex().upper(), mac(sums.digest).hex().upper()


def refuse_unproven(sums: Sums, counts: tuple[int, ...], digest: str, code: str, mac: Mac) -> None:
    """Raises ReturnRefused where the tail of a return, with its counts and sums of paid and failed rows, does not fit
    what stands above it."""
    failed, failed_amount = sums.rows - sums.paid, sums.amount - sums.paid_amount
    if counts != (sums.paid, sums.paid_amount, failed, failed_amount):
        raise ReturnRefused("the counts or sums of the tail are not those of the rows: the file is cut or altered")
    right = proof(sums, mac)
    if digest != right[0]:
        raise ReturnRefused("the hash of the tail is not that of the file: it was altered")
    if not hmac.compare_digest(code.encode(), right[1].encode()):
        raise ReturnRefused("the MAC of the tail is wrong: the file is not from this bank, or was altered")
