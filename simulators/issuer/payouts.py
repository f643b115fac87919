"""The test bank's side of payout files: it pays what a file orders, once, and says in a return what became of each row.

Written from docs/payouts.md apart from the union's side: it reads the two published forms and writes their returns.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from terminal.errors import CodecError

Mac = Callable[[bytes], bytes]
"""The MAC over a SHA-256, by the key that the bank has of the union."""
_RECORD: Final = 202
_TAIL: Final = "合计"


@dataclass(frozen=True, slots=True)
class OrderedPayment:
    """A row of a payment file, with its amount in fen."""

    position: int
    instruction: int
    account: str = field(repr=False)
    amount: int


@dataclass(frozen=True, slots=True)
class PaymentFile:
    """A file whose tail fits."""

    bank: str
    batch: int
    form: str
    rows: tuple[OrderedPayment, ...]


@dataclass
class PayoutBank:
    """A bank with balances in fen by account. ``faults`` are reasons by account for which it does not pay; ``paid`` has
    what it has paid for each instruction, and ``refused`` why it has not paid another."""

    mac: Mac
    return_mac: Mac
    faults: dict[str, str] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)
    paid: dict[int, int] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)

    def take(self, content: bytes) -> PaymentFile:
        """Read and check a payment file. Raises CodecError."""
        file = _read_csv(content, self.mac) if content.startswith(b"\xef\xbb\xbf") else _read_fixed(content, self.mac)
        if len({row.position for row in file.rows}) < len(file.rows):
            raise CodecError("a position stands twice in the file")
        return file

    def execute(self, content: bytes) -> Mapping[int, str]:
        """Decide on each instruction of a file once, however often its file comes: it is paid, or refused for the fault
        of its account. The reasons of the refused rows, by position."""
        file = self.take(content)
        for row in file.rows:
            if row.instruction in self.paid or row.instruction in self.refused:
                continue
            if row.account in self.faults:
                self.refused[row.instruction] = self.faults[row.account]
            else:
                self.paid[row.instruction] = row.amount
                self.balances[row.account] = self.balances.get(row.account, 0) + row.amount
        return {row.position: self.refused[row.instruction] for row in file.rows if row.instruction in self.refused}

    def answer(self, content: bytes, day: date, positions: range | None = None) -> bytes:
        """The return for a file that was executed, or for some of its rows."""
        file = self.take(content)
        chosen = [row for row in file.rows if positions is None or row.position in positions]
        said = [(row, self.refused.get(row.instruction, "")) for row in chosen]
        return (_csv_return if file.form == "csv" else _fixed_return)(file, said, day, self.return_mac)


def _read_fixed(content: bytes, mac: Mac) -> PaymentFile:
    records = [content[start : start + _RECORD] for start in range(0, len(content), _RECORD)]
    if any(len(record) != _RECORD or record[-2:] != b"\r\n" for record in records) or records[0][:3] != b"H01":
        raise CodecError("this is no file of the fixed-width form")
    head, *rows, tail = records
    _check(b"".join(records[:-1]), tail[25:89].decode(), tail[89:121].decode().strip(), mac)
    ordered = tuple(
        OrderedPayment(int(row[1:9]), int(row[9:21]), row[21:53].decode().strip(), int(row[113:126])) for row in rows
    )
    _sums(ordered, int(head[35:43]), int(head[43:59]))
    _sums(ordered, int(tail[1:9]), int(tail[9:25]))
    return PaymentFile(head[3:15].decode().strip(), int(head[15:27]), "fixed", ordered)


def _read_csv(content: bytes, mac: Mac) -> PaymentFile:
    lines = content.decode("utf-8").splitlines(keepends=True)
    cells = list(csv.reader(line.removeprefix("\ufeff") for line in lines))
    head, tail = cells[0], cells[-1]
    if head[:2] != ["代发", "1"] or tail[0] != _TAIL:
        raise CodecError("this is no file of the csv form")
    _check("".join(lines[:-1]).encode(), tail[3], tail[4], mac)
    ordered = tuple(OrderedPayment(int(row[0]), int(row[1]), row[2], _fen(row[4])) for row in cells[2:-1])
    _sums(ordered, int(head[5]), _fen(head[6]))
    _sums(ordered, int(tail[1]), _fen(tail[2]))
    return PaymentFile(head[2], int(head[3]), "csv", ordered)


def _check(above: bytes, digest: str, code: str, mac: Mac) -> None:
    right = hashlib.sha256(above).digest()
    if digest != right.hex().upper() or code != mac(right).hex().upper():
        raise CodecError("hash or MAC of the file is wrong")


def _sums(rows: tuple[OrderedPayment, ...], count: int, amount: int) -> None:
    if (len(rows), sum(row.amount for row in rows)) != (count, amount):
        raise CodecError("the sums of the file are not those of its rows")


def _fen(yuan: str) -> int:
    whole, _, rest = yuan.partition(".")
    return int(whole) * 100 + int(rest)


def _fixed_return(file: PaymentFile, said: list[tuple[OrderedPayment, str]], day: date, mac: Mac) -> bytes:
    def record(text: str) -> bytes:
        return text.encode("gb18030").ljust(200) + b"\r\n"

    lines = [record(f"R01{file.bank:12}{file.batch:012d}{day:%Y%m%d}")]
    for row, fault in said:
        start = f"E{row.position:08d}{row.instruction:012d}{row.amount:013d}{'F' if fault else 'P'}{day:%Y%m%d}"
        lines.append(record(start + fault))
    digest = hashlib.sha256(b"".join(lines)).digest()
    counts = "".join(f"{count:08d}{amount:016d}" for count, amount in _counted(said))
    lines.append(record(f"T{counts}{digest.hex().upper()}{mac(digest).hex().upper()}"))
    return b"".join(lines)


def _csv_return(file: PaymentFile, said: list[tuple[OrderedPayment, str]], day: date, mac: Mac) -> bytes:
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\r\n")
    table.writerow(("代发回盘", 1, file.bank, file.batch, day.isoformat()))
    table.writerow(("序号", "指令号", "金额", "结果", "日期", "原因"))
    for row, fault in said:
        outcome = "F" if fault else "P"
        table.writerow((row.position, row.instruction, _yuan(row.amount), outcome, day.isoformat(), fault))
    above = ("\ufeff" + written.getvalue()).encode()
    digest = hashlib.sha256(above).digest()
    (paid, paid_amount), (failed, failed_amount) = _counted(said)
    tail = (_TAIL, paid, _yuan(paid_amount), failed, _yuan(failed_amount))
    line = ",".join(map(str, (*tail, digest.hex().upper(), mac(digest).hex().upper())))
    return above + f"{line}\r\n".encode()


def _counted(said: list[tuple[OrderedPayment, str]]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Count and sum of the paid rows, and of the others."""
    paid = [row.amount for row, fault in said if not fault]
    failed = [row.amount for row, fault in said if fault]
    return (len(paid), sum(paid)), (len(failed), sum(failed))


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"
