"""What a counter asks of a card in a redemption: one use of a benefit, as values of CDOL1. docs/redemption.md."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Final, Self

from terminal.emv.data.elements.codecs import Clock, Day, Digits, Number
from terminal.emv.data.tags import (
    TAG_5F2A_CURRENCY,
    TAG_9A_TRANSACTION_DATE,
    TAG_9C_TRANSACTION_TYPE,
    TAG_9F02_AMOUNT,
    TAG_9F1A_TERMINAL_COUNTRY,
    TAG_9F1C_TERMINAL_IDENTIFICATION,
    TAG_9F16_MERCHANT_IDENTIFIER,
    TAG_9F21_TRANSACTION_TIME,
    TAG_9F37_UNPREDICTABLE_NUMBER,
    TAG_95_TVR,
)
from terminal.errors import CodecError, TlvError
from terminal.member import elements
from terminal.tlv import Dol, decode, encode, tlv

CHINA: Final = "0156"
"""Numeric code of the country; that of its currency is 0156 too. ISO 3166-1, ISO 4217."""
_VERSION: Final = 1
_MERCHANT, _TERMINAL, _UNPREDICTABLE, _TVR = 15, 8, 4, 5
"""Bytes of 9F16, 9F1C, 9F37 and 95."""
_LARGEST_AMOUNT: Final = 10**12 - 1
_YEARS: Final = range(2000, 2050)


def fresh_number() -> bytes:
    """An unpredictable number of four bytes, from the system."""
    return secrets.token_bytes(_UNPREDICTABLE)


@dataclass(frozen=True, slots=True)
class RedemptionRequest:
    """One use of a benefit.

    ``benefit_class`` are four digits, ``quantity`` 1 to 255, ``amount`` fen that the member pays. ``day`` and ``clock``
    are the local date (2000 to 2049) and time of the counter, to the second. ``merchant`` is the merchant identifier
    (1 to 15 printable ASCII characters), ``terminal`` the terminal identification (8 letters and digits).
    ``unpredictable`` is drawn for each request: it binds the answer to it, and finds it in the card's log.

    Raises CodecError for a value out of form.
    """

    benefit_class: str
    quantity: int
    amount: int
    day: date
    clock: time
    merchant: str
    terminal: str
    unpredictable: bytes = field(default_factory=fresh_number)
    country: str = CHINA
    currency: str = CHINA
    transaction_type: str = "00"
    results: bytes = bytes(_TVR)
    """Terminal verification results, tag 95."""

    def __post_init__(self) -> None:
        _check(len(self.benefit_class) == 4 and _digits(self.benefit_class), "a benefit class is four digits")
        _check(1 <= self.quantity <= 0xFF, "a quantity is 1 to 255")
        _check(0 <= self.amount <= _LARGEST_AMOUNT, "an amount is 0 to 999999999999 fen")
        _check(self.day.year in _YEARS and not isinstance(self.day, datetime), "a date of a redemption is in 2000-2049")
        _check(
            self.clock.tzinfo is None and not self.clock.microsecond, "a time of a redemption is local, to the second"
        )
        merchant = self.merchant
        _check(
            1 <= len(merchant) <= _MERCHANT and merchant.isascii() and merchant.isprintable(),
            "a merchant identifier is 1 to 15 printable ASCII characters",
        )
        _check(merchant == merchant.strip(), "a merchant identifier has no blanks around it")
        _check(
            len(self.terminal) == _TERMINAL and self.terminal.isascii() and self.terminal.isalnum(),
            "a terminal identification is 8 letters and digits",
        )
        _check(len(self.unpredictable) == _UNPREDICTABLE, "an unpredictable number has 4 bytes")
        _check(all(len(code) == 4 and _digits(code) for code in (self.country, self.currency)), "a code is four digits")
        _check(len(self.transaction_type) == 2 and _digits(self.transaction_type), "a transaction type is two digits")
        _check(len(self.results) == _TVR, "terminal verification results have 5 bytes")

    @property
    def values(self) -> Mapping[int, bytes]:
        """The terminal's values by tag, in the order of docs/redemption.md."""
        return {
            TAG_9F02_AMOUNT: Number.write(self.amount, 6),
            TAG_9F1A_TERMINAL_COUNTRY: Digits.write(self.country, 2),
            TAG_5F2A_CURRENCY: Digits.write(self.currency, 2),
            TAG_9A_TRANSACTION_DATE: Day.write(self.day, 3),
            TAG_9F21_TRANSACTION_TIME: Clock.write(self.clock, 3),
            TAG_9C_TRANSACTION_TYPE: Digits.write(self.transaction_type, 1),
            TAG_9F37_UNPREDICTABLE_NUMBER: self.unpredictable,
            TAG_9F1C_TERMINAL_IDENTIFICATION: self.terminal.encode("ascii"),
            TAG_9F16_MERCHANT_IDENTIFIER: self.merchant.ljust(_MERCHANT).encode("ascii"),
            elements.BENEFIT_CLASS.tag: elements.BENEFIT_CLASS.encode(self.benefit_class),
            elements.QUANTITY.tag: elements.QUANTITY.encode(self.quantity),
            TAG_95_TVR: self.results,
        }

    def fill(self, wanted: Dol) -> bytes:
        """The data of GENERATE AC for the card's CDOL1; a tag that no redemption has is zeros. EMV 4.4 Book 3, 5.4."""
        return wanted.fill(self.values, elements.FORMATS)

    def encode(self) -> bytes:
        """For a journal, before anything is sent: version 01, then every value as a data object."""
        return bytes((_VERSION,)) + encode([tlv(tag, value) for tag, value in self.values.items()])

    @classmethod
    def of(cls, values: Mapping[int, bytes]) -> Self:
        """The request with these values by tag. Raises CodecError where one is missing or out of form."""
        try:
            return cls(
                benefit_class=elements.BENEFIT_CLASS.decode(values[elements.BENEFIT_CLASS.tag]),
                quantity=elements.QUANTITY.decode(values[elements.QUANTITY.tag]),
                amount=Number.read(values[TAG_9F02_AMOUNT]),
                day=Day.read(values[TAG_9A_TRANSACTION_DATE]),
                clock=Clock.read(values[TAG_9F21_TRANSACTION_TIME]),
                merchant=values[TAG_9F16_MERCHANT_IDENTIFIER].decode("ascii").rstrip(" "),
                terminal=values[TAG_9F1C_TERMINAL_IDENTIFICATION].decode("ascii"),
                unpredictable=values[TAG_9F37_UNPREDICTABLE_NUMBER],
                country=Digits.read(values[TAG_9F1A_TERMINAL_COUNTRY]),
                currency=Digits.read(values[TAG_5F2A_CURRENCY]),
                transaction_type=Digits.read(values[TAG_9C_TRANSACTION_TYPE]),
                results=values[TAG_95_TVR],
            )
        except (KeyError, UnicodeDecodeError) as error:
            raise CodecError("these values are not those of a redemption") from error

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """What ``encode`` wrote, and nothing else. Raises CodecError."""
        if data[:1] != bytes((_VERSION,)):
            raise CodecError(f"a redemption request of version {data[:1].hex() or 'none'}; version 01 is read", 0)
        try:
            items = decode(data[1:], padding="reject")
        except TlvError as error:
            raise CodecError("this is not a redemption request") from error
        request = cls.of({int(item.tag): item.value for item in items})
        if request.encode() != data:
            raise CodecError("a redemption request with other data objects, or in another order")
        return request


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _check(condition: bool, rule: str) -> None:
    if not condition:
        raise CodecError(rule)
