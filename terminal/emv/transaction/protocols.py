"""Interfaces of a transaction: the cardholder, the attendant, and the host of the issuer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from terminal.errors import CodecError
from terminal.secret import Secret


class Pin(Secret):
    """The digits of a PIN as ASCII; prints masked. Raises CodecError unless they are 4 to 12. ISO 9564-1:2017, 8.1."""

    __slots__ = ()

    def __init__(self, digits: bytes) -> None:
        if not (digits.isdigit() and 4 <= len(digits) <= 12):
            raise CodecError("a PIN is 4 to 12 decimal digits")
        super().__init__(digits)


@dataclass(frozen=True, slots=True)
class Choice:
    """One application to choose from. ``label`` is what the display shows."""

    aid: bytes
    label: str


class Cardholder(Protocol):
    """The cardholder, with display and PIN pad."""

    def choose(self, candidates: Sequence[Choice]) -> int | None:
        """The position of the chosen application; one candidate alone is to be confirmed. None: cancelled.
        EMV 4.4 Book 1, 12.4."""
        ...

    def pin(self, tries_left: int | None, last_try: bool) -> Pin | None:
        """The PIN as entered; None when it was bypassed. ``tries_left`` is None where the card does not give it, or
        for an online PIN; before the last try the display must warn. EMV 4.4 Book 3, 10.5.1; Book 4, 6.3.4."""
        ...


class Attendant(Protocol):
    """The attendant at the till, who can call the issuer."""

    def referral(self, response_code: bytes) -> bool:
        """Whether the issuer, called for a referral (response code 01 or 02), approves the payment.
        EMV 4.4 Book 4, 6.5.2."""
        ...


@dataclass(frozen=True, slots=True)
class OnlineRequest:
    """The authorization request. ``data`` are the elements of field 55 by tag (the ARQC and the data it covers).

    ``pin_block`` is the enciphered PIN block, where the cardholder was verified online. EMV 4.4 Book 4, 12.1.
    """

    card_number: str = field(repr=False)
    sequence: int
    data: Mapping[int, bytes] = field(repr=False)
    pin_block: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class OnlineResponse:
    """The issuer's answer: authorization response code (8A, 2 characters), issuer authentication data (91, 8 to 16
    bytes, None for none), and the scripts as whole 71 or 72 templates, in order. EMV 4.4 Book 4, 12.1."""

    response_code: bytes
    authentication_data: bytes | None = None
    scripts: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Unable:
    """The issuer was not reached, or its answer is malformed; ``reason`` is a sentence without its full stop.

    ``sent``: the request may have reached the issuer, so that a reversal is due.
    """

    reason: str
    sent: bool = False


class OnlineHost(Protocol):
    """The connection to the issuer. Connection faults are values (``Unable``): the card still needs a final answer."""

    def authorize(self, request: OnlineRequest) -> OnlineResponse | Unable: ...
