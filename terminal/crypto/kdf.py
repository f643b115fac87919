"""Key derivation: the counter-mode KDF of SCP03, and the application and session keys of EMV and PBOC."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

from terminal.crypto import aes, des, sm4
from terminal.errors import CryptoError

_MAX_BITS = 0xFF * 8 * aes.BLOCK
"""The largest output: a counter of one byte."""
UdkOption = Literal["A", "B"]
"""How a card key is derived from its master. EMV 4.4 Book 2, A1.4."""
_LETTERS, _DIGITS = b"abcdef", b"0123456789"
_LETTERS_TO_DIGITS = bytes.maketrans(_LETTERS, b"012345")
_INVERTED = bytes(b ^ 0xFF for b in range(256))


def cmac_counter(key: bytes, constant: int, context: bytes, bits: int) -> bytes:
    """``bits`` of output from an AES key: CMAC over label (eleven 00, constant), 00, L (2 bytes), counter, context.

    NIST SP 800-108, 5.1, as GPC 2.3.1 Amendment D 1.2, 4.1.5 specifies it. Raises CryptoError unless ``bits`` are whole
    bytes.
    """
    _whole_bytes(bits)
    return _counter_mode(key, bytes(11) + bytes((constant, 0)) + bits.to_bytes(2, "big"), context, bits)


def kdf3(master: bytes, constant: int, data: bytes, bits: int) -> bytes:
    """A static card key of ``bits`` from an AES master: CMAC over counter, label (000000, constant), 00, key data.

    NIST SP 800-108, 5.1, in the form that card manufacturers and GlobalPlatform tools call KDF3; constants 1 ENC,
    2 MAC, 3 DEK. Raises CryptoError unless ``bits`` are whole bytes.
    """
    _whole_bytes(bits)
    return _counter_mode(master, b"", bytes((0, 0, 0, constant, 0)) + data, bits)


def _whole_bytes(bits: int) -> None:
    if bits <= 0 or bits % 8 or bits > _MAX_BITS:
        raise CryptoError(f"{bits} bits cannot be derived")


def _counter_mode(key: bytes, before: bytes, after: bytes, bits: int) -> bytes:
    """NIST SP 800-108, 5.1, with CMAC as the PRF and a counter of one byte between the two fixed parts."""
    blocks = -(-bits // (8 * aes.BLOCK))
    return b"".join(aes.cmac(key, before + bytes((i,)) + after) for i in range(1, blocks + 1))[: bits // 8]


def udks(masters: Iterable[bytes], pan: str, sequence: int, option: UdkOption | None = None) -> list[bytes]:
    """The 16-byte application keys of one card from 16-byte 3DES masters, parity adjusted.

    ``pan`` is decimal digits, ``sequence`` the PAN sequence number 0-99. Option A takes the last 16 digits of both,
    option B hashes PANs of more than 16 digits first; the default is B, which equals A for PANs of up to 16 digits.
    EMV 4.4 Book 2, A1.4.1 and A1.4.2. Raises CryptoError for other masters, PANs and sequence numbers.
    """
    block = _with_inverse(_diversifier(pan, sequence, option or "B"))
    return [des.adjust_parity(des.ecb_encrypt(_master(master), block)) for master in masters]


def udks_sm4(masters: Iterable[bytes], pan: str, sequence: int) -> list[bytes]:
    """The 16-byte SM4 application keys of one card: SM4 of Y and its inverse, Y as in option A, no parity.

    JR/T 0025 with SM4. Raises CryptoError as ``udks``.
    """
    block = _with_inverse(_diversifier(pan, sequence, "A"))
    return [sm4.ecb_encrypt(_master(master), block) for master in masters]


def common_session_key(key: bytes, r: bytes) -> bytes:
    """The session key of a card key for 8 bytes R, parity adjusted: ATC and six 00 for cryptograms, ARQC for scripts.

    3DES of R with its third byte F0, then 0F. EMV 4.4 Book 2, A1.3.1. Raises CryptoError for another length.
    """
    _length(r, 8, "R")
    return des.adjust_parity(des.ecb_encrypt(key, r[:2] + b"\xf0" + r[3:] + r[:2] + b"\x0f" + r[3:]))


def atc_blocks(atc: bytes) -> bytes:
    """Sixteen bytes: six 00, the ATC (2 bytes), six 00, the inverted ATC. Raises CryptoError for another length.

    PBOC encrypts them under the card key (3DES or SM4, ECB) for a session key; Visa's scripts XOR them with it.
    """
    _length(atc, 2, "the ATC")
    return bytes(6) + atc + bytes(6) + _inverse(atc)


def _master(master: bytes) -> bytes:
    if len(master) != 16:
        raise CryptoError(f"an application master key has 16 bytes, not {len(master)}")
    return master


def _length(data: bytes, length: int, what: str) -> None:
    if len(data) != length:
        raise CryptoError(f"{what} has {length} bytes, not {len(data)}")


def _diversifier(pan: str, sequence: int, option: UdkOption) -> bytes:
    if not (pan.isascii() and pan.isdigit()) or not 0 <= sequence <= 99:
        raise CryptoError("an application key needs a PAN of decimal digits and a sequence number from 0 to 99")
    digits = f"{pan}{sequence:02d}"
    return bytes.fromhex(_option_b_digits(digits) if option == "B" and len(pan) > 16 else digits[-16:].zfill(16))


def _with_inverse(y: bytes) -> bytes:
    return y + _inverse(y)


def _inverse(data: bytes) -> bytes:
    return data.translate(_INVERTED)


def _option_b_digits(digits: str) -> str:
    """Sixteen digits from the SHA-1 of PAN and sequence: its decimal digits first, then its letters as 0-5."""
    packed = bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2))
    # EMV prescribes SHA-1 here, to mix digits only.
    digest = hashlib.sha1(packed, usedforsecurity=False).hexdigest().encode("ascii")
    digits_first = digest.translate(None, _LETTERS) + digest.translate(_LETTERS_TO_DIGITS, _DIGITS)
    return digits_first[:16].decode("ascii")
