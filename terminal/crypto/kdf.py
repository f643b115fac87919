"""Key derivation: the counter-mode KDF of SCP03, and the application keys of EMV."""

from __future__ import annotations

import hashlib

from terminal.crypto import aes, des
from terminal.errors import CryptoError

_MOST_BITS = 0xFF * 8 * aes.BLOCK
"""As many blocks as a counter of one byte can number."""
_LETTERS_TO_DIGITS = str.maketrans("abcdef", "012345")


def cmac_counter(key: bytes, constant: int, context: bytes, bits: int) -> bytes:
    """``bits`` of output from an AES key: CMAC over label (eleven 00, constant), 00, L (2 bytes), counter, context.

    NIST SP 800-108, 5.1, as GPC 2.3.1 Amendment D 1.2, 4.1.5 fixes it. Raises CryptoError unless ``bits`` are bytes.
    """
    _whole_bytes(bits)
    return _counter_mode(key, bytes(11) + bytes((constant, 0)) + bits.to_bytes(2, "big"), context, bits)


def kdf3(master: bytes, constant: int, data: bytes, bits: int) -> bytes:
    """A static card key of ``bits`` from an AES master: CMAC over counter, label (000000, constant), 00, key data.

    NIST SP 800-108, 5.1, in the form that card makers and GlobalPlatform tools call KDF3; constants 1 ENC, 2 MAC,
    3 DEK. Raises CryptoError unless ``bits`` are bytes.
    """
    _whole_bytes(bits)
    return _counter_mode(master, b"", bytes((0, 0, 0, constant, 0)) + data, bits)


def _whole_bytes(bits: int) -> None:
    if bits <= 0 or bits % 8 or bits > _MOST_BITS:
        raise CryptoError(f"{bits} bits cannot be derived")


def _counter_mode(key: bytes, before: bytes, after: bytes, bits: int) -> bytes:
    """NIST SP 800-108, 5.1, with CMAC as its function and a counter of one byte between the two fixed parts."""
    blocks = -(-bits // (8 * aes.BLOCK))
    return b"".join(aes.cmac(key, before + bytes((i,)) + after) for i in range(1, blocks + 1))[: bits // 8]


def udk(master: bytes, pan: str, sequence: int) -> bytes:
    """The 16-byte application key of one card from a 16-byte 3DES master, parity adjusted.

    ``pan`` is decimal digits, ``sequence`` the PAN sequence number 0-99. Option A for up to 16 digits, option B for
    longer numbers. EMV 4.4 Book 2, A1.4.1 and A1.4.2. Raises CryptoError for anything else.
    """
    if len(master) != 16:
        raise CryptoError(f"an application master key has 16 bytes, not {len(master)}")
    if not (pan.isascii() and pan.isdigit()) or not 0 <= sequence <= 99:
        raise CryptoError("an application key needs a PAN of decimal digits and a sequence number from 0 to 99")
    digits = f"{pan}{sequence:02d}"
    y = bytes.fromhex(digits[-16:].zfill(16) if len(pan) <= 16 else _option_b_digits(digits))
    inverse = bytes(b ^ 0xFF for b in y)
    return des.adjust_parity(des.ecb_encrypt(master, y + inverse))


def _option_b_digits(digits: str) -> str:
    """Sixteen digits from the SHA-1 of PAN and sequence: its decimal digits first, then its letters as 0-5."""
    packed = bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2))
    # SHA-1 is what EMV prescribes here; it only mixes digits.
    figures = hashlib.sha1(packed, usedforsecurity=False).hexdigest()
    decimal = "".join(c for c in figures if c.isdigit())
    letters = "".join(c for c in figures if c.isalpha()).translate(_LETTERS_TO_DIGITS)
    return (decimal + letters)[:16]
