"""The transaction data of the till: amounts, type, date. EMV 4.4 Book 3, Annex A."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

from terminal.emv.data.tags import (
    TAG_9A_TRANSACTION_DATE,
    TAG_9C_TRANSACTION_TYPE,
    TAG_9F02_AMOUNT,
    TAG_9F03_AMOUNT_OTHER,
    TAG_9F04_AMOUNT_OTHER_BINARY,
    TAG_9F21_TRANSACTION_TIME,
    TAG_9F37_UNPREDICTABLE_NUMBER,
    TAG_9F41_SEQUENCE_COUNTER,
    TAG_81_AMOUNT_BINARY,
)
from terminal.errors import CodecError

_MOST: Final = 999_999_999_999
_DIGITS: Final = tuple([int(f"{number:02d}", 16) for number in range(100)])
"""Two digits in one byte (n)."""


class TransactionKind(IntEnum):
    """Transaction type, tag 9C: the first two digits of the processing code. ISO 8583:1987, field 3."""

    PURCHASE = 0x00
    CASH = 0x01
    CASHBACK = 0x09
    REFUND = 0x20
    INQUIRY = 0x31


@dataclass(frozen=True, slots=True)
class Transaction:
    """One payment. Amounts are in the smallest unit of the currency; ``amount`` includes ``other`` (cashback).

    ``at`` is local time. ``force_online``: the merchant forces it online; ``sequence`` the transaction sequence
    counter. Raises CodecError for amounts that 12 digits cannot hold, or a cashback over the amount.
    """

    amount: int
    at: datetime
    other: int = 0
    kind: TransactionKind = TransactionKind.PURCHASE
    force_online: bool = False
    sequence: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.other <= self.amount <= _MOST:
            raise CodecError("an amount is 0 to 999999999999, and a cashback is part of it")
        if not 1 <= self.sequence <= 99_999_999:
            raise CodecError("a transaction sequence counter is 1 to 99999999")

    def data(self, unpredictable: bytes) -> dict[int, bytes]:
        """The transaction's data elements by tag; ``unpredictable`` is 4 bytes."""
        at = self.at
        elements = {
            TAG_9F02_AMOUNT: bytes.fromhex(f"{self.amount:012d}"),
            TAG_9F03_AMOUNT_OTHER: bytes.fromhex(f"{self.other:012d}"),
            TAG_9A_TRANSACTION_DATE: bytes((_DIGITS[at.year % 100], _DIGITS[at.month], _DIGITS[at.day])),
            TAG_9F21_TRANSACTION_TIME: bytes((_DIGITS[at.hour], _DIGITS[at.minute], _DIGITS[at.second])),
            TAG_9C_TRANSACTION_TYPE: bytes((self.kind,)),
            TAG_9F37_UNPREDICTABLE_NUMBER: unpredictable,
            TAG_9F41_SEQUENCE_COUNTER: bytes.fromhex(f"{self.sequence:08d}"),
        }
        # The binary forms have 4 bytes; an amount beyond them exists in digits only.
        for tag, value in ((TAG_81_AMOUNT_BINARY, self.amount), (TAG_9F04_AMOUNT_OTHER_BINARY, self.other)):
            if value <= 0xFFFFFFFF:
                elements[tag] = value.to_bytes(4, "big")
        return elements
