"""The fixed-width form: records of 200 bytes in GB 18030, each with CR LF. docs/payouts.md has them byte by byte."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import BinaryIO, Final

from programme.errors import ProgrammeError
from programme.paying.form import (
    LARGEST,
    Mac,
    PaymentHead,
    PaymentRow,
    ReturnFile,
    ReturnHead,
    ReturnRefused,
    ReturnRow,
    Sums,
    fault_of,
    proof,
    refuse_other_rows,
    refuse_unproven,
)

_WIDTH: Final = 200
_END: Final = b"\r\n"
_CODING: Final = "gb18030"
_BANK, _NUMBER, _POSITION, _AMOUNT, _SUM, _ACCOUNT, _NAME, _PURPOSE, _FAULT = 12, 12, 8, 13, 16, 32, 60, 40, 60


class FixedForm:
    """Payments: H, D and T records; returns: R, E and T records."""

    suffix = ".txt"

    def write(self, head: PaymentHead, rows: Iterable[PaymentRow], mac: Mac) -> Iterator[bytes]:
        """See ``BankForm.write``."""
        sums = Sums()
        yield sums.add(
            _record(
                _text("H01", 3),
                _text(head.bank, _BANK),
                _digits(head.batch, _NUMBER),
                _text(f"{head.day:%Y%m%d}", 8),
                _digits(head.rows, _POSITION),
                _digits(head.amount, _SUM),
            )
        )
        for row in rows:
            sums.count(row.amount)
            yield sums.add(
                _record(
                    _text("D", 1),
                    _digits(row.position, _POSITION),
                    _digits(row.instruction, _NUMBER),
                    _text(row.account, _ACCOUNT),
                    _text(row.name, _NAME),
                    _digits(row.amount, _AMOUNT),
                    _text(row.purpose, _PURPOSE),
                )
            )
        refuse_other_rows(head, sums)
        tail = (_digits(sums.rows, _POSITION), _digits(sums.amount, _SUM))
        digest, code = proof(sums, mac)
        yield _record(_text("T", 1), *tail, _text(digest, 64), _text(code, 32))

    def read_return(self, file: BinaryIO, mac: Mac) -> ReturnFile:
        """See ``BankForm.read_return``."""
        sums, rows, head = Sums(), list[ReturnRow](), None
        for line, record in _records(file):
            fields = _Fields(record, line)
            kind = fields.text(1)
            if head is None:
                if kind != "R" or fields.text(2) != "01":
                    raise ReturnRefused("this is no return of the fixed-width form: it does not begin with R01")
                head = ReturnHead(fields.text(_BANK), fields.number(_NUMBER), fields.day())
            elif kind == "E":
                position, instruction, amount = (fields.number(width) for width in (_POSITION, _NUMBER, _AMOUNT))
                outcome, day, fault = fields.text(1), fields.day(), fields.text(_FAULT)
                rows.append(ReturnRow(position, instruction, amount, day, fault_of(line, outcome, fault)))
                sums.count(amount, paid=outcome == "P")
            elif kind == "T":
                counts = tuple(fields.number(width) for width in (_POSITION, _SUM, _POSITION, _SUM))
                refuse_unproven(sums, counts, fields.text(64), fields.text(32), mac)
                if fields.text(_WIDTH):
                    raise ReturnRefused(f"line {line}: something stands behind the MAC")
                if file.read(1):
                    raise ReturnRefused(f"line {line + 1}: something stands below the tail")
                return ReturnFile(head, tuple(rows))
            else:
                raise ReturnRefused(f"line {line}: a record of kind {kind!r} is unknown")
            sums.add(record + _END)
        raise ReturnRefused("the return is cut: it has no tail")


def _record(*fields: bytes) -> bytes:
    return b"".join(fields).ljust(_WIDTH) + _END


def _text(value: str, width: int) -> bytes:
    """Left-justified, filled with blanks. Raises ProgrammeError for a text that is too long, or has a line break."""
    coded = " ".join(value.split()).encode(_CODING)
    if len(coded) > width:
        raise ProgrammeError(f"a text of {len(coded)} bytes does not fit into {width} of the bank's form")
    return coded.ljust(width)


def _digits(value: int, width: int) -> bytes:
    digits = f"{value:0{width}d}"
    if len(digits) > width:
        raise ProgrammeError(f"the number {value} does not fit into {width} digits of the bank's form")
    return digits.encode()


def _records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The records with their line numbers. Raises ReturnRefused for a line of another length, and for a large file."""
    for line in range(1, LARGEST // _WIDTH):
        read = file.read(_WIDTH + len(_END))
        if not read:
            return
        if len(read) != _WIDTH + len(_END) or not read.endswith(_END):
            raise ReturnRefused(f"line {line}: a record has {_WIDTH} bytes; the file is cut or of another form")
        yield line, read[:_WIDTH]
    raise ReturnRefused("the return is too large")


class _Fields:
    """The fields of a record, one after another."""

    def __init__(self, record: bytes, line: int) -> None:
        self._record, self._line, self._place = record, line, 0

    def text(self, width: int) -> str:
        taken = self._record[self._place : self._place + width]
        self._place += width
        try:
            return taken.decode(_CODING).rstrip(" ")
        except UnicodeDecodeError:
            raise ReturnRefused(f"line {self._line}: a field is no text in GB 18030") from None

    def number(self, width: int) -> int:
        digits = self.text(width)
        if len(digits) != width or not (digits.isascii() and digits.isdigit()):
            raise ReturnRefused(f"line {self._line}: {digits!r} is no number of {width} digits")
        return int(digits)

    def day(self) -> date:
        digits = self.text(8)
        try:
            return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        except ValueError:
            raise ReturnRefused(f"line {self._line}: {digits!r} is no day") from None
