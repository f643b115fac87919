"""Card verification values of a stripe: CVV and CVC, and with service code 999 the iCVV of a chip."""

from __future__ import annotations

from typing import Final

from terminal.crypto import des
from terminal.errors import CryptoError

LENGTH: Final = 3


def card_verification_value(key: bytes, pan: str, expiry: str, service_code: str) -> str:
    """Three digits, from CVK A || CVK B (16 bytes), a number of up to 19 digits, expiry (YYMM) and service code.

    Visa Payment Technology Standards Manual, CVV; the same as Mastercard's CVC 1. Raises CryptoError, which shows no
    number.
    """
    parts = ((pan, range(1, 20)), (expiry, (4,)), (service_code, (3,)))
    if not all(len(part) in lengths and part.isascii() and part.isdecimal() for part, lengths in parts):
        raise CryptoError("a verification value is of 1 to 19 digits of number, 4 of expiry and 3 of service code")
    if len(key) != 16:
        raise CryptoError(f"a card verification key has 16 bytes, not {len(key)}")
    data = bytes.fromhex(f"{pan}{expiry}{service_code}".ljust(32, "0"))
    first = des.ecb_encrypt(key[:8], data[:8])
    mixed = bytes(a ^ b for a, b in zip(first, data[8:], strict=True))
    digits = des.ecb_encrypt(key, mixed).hex()
    decimal = [digit for digit in digits if digit.isdecimal()]
    letters = [str(int(digit, 16) - 10) for digit in digits if not digit.isdecimal()]
    return "".join([*decimal, *letters])[:LENGTH]
