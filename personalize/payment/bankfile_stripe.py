"""The stripe of a card in a bank data file of version 2: one secret under the transport key. docs/bank-file.md."""

from __future__ import annotations

from typing import Final

from personalize.errors import BankFileError
from personalize.payment.bankfile import NO_STRIPE, BankFileExchange
from terminal.errors import CustodyError
from terminal.keys import TRACKS_MARK

FIELD: Final = "stripe"


def wrapped(stripe: tuple[str, str, str], exchange: BankFileExchange, reference: str) -> bytes:
    """The tracks, each in a line, enciphered and with a MAC; empty for a card without a stripe."""
    if stripe == NO_STRIPE:
        return b""
    custody, plain = exchange.custody, TRACKS_MARK + "\n".join(stripe).encode("ascii")
    sealed = custody.seal(exchange.seal, plain, f"bank file/stripe/{reference}")
    return custody.to_transport(exchange.transport, sealed).ciphertext


def unwrapped(data: bytes, exchange: BankFileExchange, record: int) -> tuple[str, str, str]:
    """The inverse of ``wrapped``. Raises BankFileError, which shows nothing of a track."""
    if not data:
        return NO_STRIPE
    try:
        plain = exchange.custody.tracks_from_transport(exchange.transport, data).reveal()
    except CustodyError as fault:
        raise BankFileError(str(fault), record, FIELD) from None
    lines = plain.decode("ascii", "replace").split("\n")
    if len(lines) != len(NO_STRIPE):
        raise BankFileError("it is not three lines, one for each track", record, FIELD)
    return lines[0], lines[1], lines[2]
