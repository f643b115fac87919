"""PIN blocks: format 2 for the card, formats 0, 3 and 4 for the issuer. ISO 9564-1:2017, 9.3 and 9.4.

The blocks of formats 0, 2 and 3 are clear and eight bytes long; who enciphers them is the caller's business. Format 4
is a way to encipher, so ``format_4`` asks for the cipher.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from terminal.crypto.rsa import RsaPublic, public
from terminal.emv.seams import Pin
from terminal.errors import CodecError
from terminal.secret import Secret

Random = Callable[[int], bytes]
_HEADER: Final = b"\x7f"
"""First byte of the data that a PIN is enciphered in. EMV 4.4 Book 2, 7.2, table 25."""
_FILL_FROM: Final = 0xA
"""Format 3 fills with A to F, format 4 with A."""


def format_0(pin: Pin, pan: str) -> Secret:
    """PIN and card number, 8 bytes. ``pan`` are its digits. ISO 9564-1:2017, 9.3.2."""
    return _with_pan(_field(0, pin, "F" * 12), pan)


def format_2(pin: Pin) -> Secret:
    """The PIN alone, 8 bytes, as a card takes it. ISO 9564-1:2017, 9.3.4; EMV 4.4 Book 3, 6.5.12, table 25."""
    return Secret(bytes.fromhex(_field(2, pin, "F" * 12)))


def format_3(pin: Pin, pan: str, random: Random = secrets.token_bytes) -> Secret:
    """PIN, random fill and card number, 8 bytes. ISO 9564-1:2017, 9.3.5."""
    # Bytes of 252 and above are drawn again, so that each of the six digits is as likely as the others.
    fill = ""
    while len(fill) < 12:
        fill += "".join(f"{_FILL_FROM + byte % 6:X}" for byte in random(12) if byte < 252)
    return _with_pan(_field(3, pin, fill[:12]), pan)


def format_4(pin: Pin, pan: str, encipher: Callable[[bytes], bytes], random: Random = secrets.token_bytes) -> bytes:
    """The enciphered block of 16 bytes. ``encipher`` is AES on one block under the PIN key. ISO 9564-1:2017, 9.4."""
    plain = bytes.fromhex(_field(4, pin, "A" * 12)) + random(8)
    account = bytes.fromhex((f"{max(len(pan) - 12, 0)}" + pan.rjust(12, "0")).ljust(32, "0"))
    first = encipher(plain)
    return encipher(_xor(first, account))


def encipher_for_card(pin: Pin, key: RsaPublic, challenge: bytes, random: Random = secrets.token_bytes) -> bytes:
    """What VERIFY carries when the PIN is enciphered, as long as the modulus. ``challenge`` are the card's 8 bytes.

    Raises CryptoError when the key is too small for it. EMV 4.4 Book 2, 7.2.
    """
    plain = _HEADER + format_2(pin).reveal() + challenge
    return public(key, plain + random(max(0, key.size - len(plain))))


def _field(control: int, pin: Pin, fill: str) -> str:
    """Control, length, PIN and fill: 16 hexadecimal digits."""
    digits = pin.reveal().decode("ascii")
    return f"{control:X}{len(digits):X}{digits}{fill}"[:16]


def _with_pan(field: str, pan: str) -> Secret:
    """The field mixed with the twelve rightmost digits of the card number, its check digit left out."""
    if not pan.isdigit() or len(pan) < 2:
        raise CodecError("a PIN block needs the digits of a card number")
    account = pan[:-1][-12:].rjust(16, "0")
    return Secret(_xor(bytes.fromhex(field), bytes.fromhex(account)))


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
