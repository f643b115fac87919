"""A PIN enciphered for the card. Its blocks, and those for the issuer, are in ``terminal.crypto.pinblock``."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from terminal.crypto.pinblock import format2
from terminal.crypto.rsa import RsaPublic, public
from terminal.emv.transaction.protocols import Pin

Random = Callable[[int], bytes]
_HEADER: Final = b"\x7f"
"""First byte of the data that a PIN is enciphered in. EMV 4.4 Book 2, 7.2, table 25."""


def encipher_for_card(pin: Pin, key: RsaPublic, challenge: bytes, random: Random = secrets.token_bytes) -> bytes:
    """What VERIFY carries when the PIN is enciphered, as long as the modulus. ``challenge`` are the card's 8 bytes.

    Raises CryptoError when the key is too small for it. EMV 4.4 Book 2, 7.2.
    """
    plain = _HEADER + format2(pin).reveal() + challenge
    return public(key, plain + random(max(0, key.size - len(plain))))
