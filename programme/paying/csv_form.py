"""The csv form: UTF-8 with a byte order mark, so that spreadsheets show Chinese; amounts in yuan. docs/payouts.md."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import date
from typing import BinaryIO, Final

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

_BOM: Final = "\ufeff"
_COLUMNS: Final = ("序号", "指令号", "账号", "户名", "金额", "用途")
_YUAN: Final = re.compile(r"[0-9]{1,11}\.[0-9]{2}")
_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_LONGEST: Final = 4096
"""Bytes of a line of a return."""


class CsvForm:
    """Payments and returns as tables that a person can read."""

    suffix = ".csv"

    def write(self, head: PaymentHead, rows: Iterable[PaymentRow], mac: Mac) -> Iterator[bytes]:
        """See ``BankForm.write``."""
        sums = Sums()
        first = ("代发", "1", head.bank, head.batch, head.day.isoformat(), head.rows, _yuan(head.amount))
        yield sums.add((_BOM + _line(first)).encode())
        yield sums.add(_line(_COLUMNS).encode())
        for row in rows:
            sums.count(row.amount)
            cells = (row.position, row.instruction, row.account, row.name, _yuan(row.amount), row.purpose)
            yield sums.add(_line(cells).encode())
        refuse_other_rows(head, sums)
        yield _line(("合计", sums.rows, _yuan(sums.amount), *proof(sums, mac))).encode()

    def read_return(self, file: BinaryIO, mac: Mac) -> ReturnFile:
        """See ``BankForm.read_return``."""
        sums, rows, head = Sums(), list[ReturnRow](), None
        for line, (read, cells) in enumerate(_lines(file), 1):
            if head is None:
                if len(cells) != 5 or cells[:2] != ["代发回盘", "1"]:
                    raise ReturnRefused("this is no return of the csv form: its first cells are not 代发回盘 and 1")
                head = ReturnHead(cells[2], _number(line, cells[3]), _day(line, cells[4]))
            elif cells[0] == "合计":
                if len(cells) != 7:
                    raise ReturnRefused(f"line {line}: the tail has seven cells")
                counts = (_number(line, cells[1]), _fen(line, cells[2]), _number(line, cells[3]), _fen(line, cells[4]))
                refuse_unproven(sums, counts, cells[5], cells[6], mac)
                if file.read(1):
                    raise ReturnRefused(f"line {line + 1}: something stands below the tail")
                return ReturnFile(head, tuple(rows))
            elif line > 2:
                if len(cells) != 6:
                    raise ReturnRefused(f"line {line}: a row has six cells")
                amount, fault = _fen(line, cells[2]), fault_of(line, cells[3], cells[5])
                position, instruction = _number(line, cells[0]), _number(line, cells[1])
                rows.append(ReturnRow(position, instruction, amount, _day(line, cells[4]), fault))
                sums.count(amount, paid=not fault)
            sums.add(read)
        raise ReturnRefused("the return is cut: it has no tail")


def _line(cells: Iterable[object]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow(" ".join(str(cell).split()) for cell in cells)
    return written.getvalue()


def _lines(file: BinaryIO) -> Iterator[tuple[bytes, list[str]]]:
    """Each line with its cells. Raises ReturnRefused."""
    size, line = 0, 0
    while read := file.readline(_LONGEST):
        size, line = size + len(read), line + 1
        if size > LARGEST:
            raise ReturnRefused("the return is too large")
        if not read.endswith(b"\r\n"):
            raise ReturnRefused(f"line {line}: it has no line end: the file is cut or of another form")
        try:
            text = read.decode("utf-8")
            cells = next(csv.reader([text.removeprefix(_BOM)], strict=True))
        except (UnicodeDecodeError, csv.Error, StopIteration):
            raise ReturnRefused(f"line {line}: this is no line of a csv file in UTF-8") from None
        yield read, cells or [""]


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _fen(line: int, yuan: str) -> int:
    if not _YUAN.fullmatch(yuan):
        raise ReturnRefused(f"line {line}: {yuan!r} is no amount in yuan, with two decimals")
    return int(yuan.replace(".", ""))


def _number(line: int, digits: str) -> int:
    if not _NUMBER.fullmatch(digits):
        raise ReturnRefused(f"line {line}: {digits!r} is no number")
    return int(digits)


def _day(line: int, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ReturnRefused(f"line {line}: {text!r} is no day") from None
