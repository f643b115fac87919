"""Enciphered PIN blocks and the PIN in them. ISO 9564-1:2017, 9.3 and 9.4."""

from __future__ import annotations

import re

from terminal.crypto import aes, des
from terminal.errors import CodecError
from terminal.secret import Secret


def read_pin(block: bytes, pan: str, *, tdes: Secret | None, aes_key: Secret | None) -> Secret:
    """The PIN's ASCII digits from a block of 8 bytes under triple DES (format 0 or 3) or of 16 under AES (format 4).

    Raises CodecError, which discloses nothing of the content, when the block is not of this card or these keys.
    """
    if len(block) == des.BLOCK and tdes is not None:
        return _digits(_formats_0_and_3(des.ecb_decrypt(tdes.reveal(), block), pan))
    if len(block) == aes.BLOCK and aes_key is not None:
        return _digits(_format_4(aes_key.reveal(), block, pan))
    raise CodecError(f"a PIN block of {len(block)} bytes, for which this issuer has no key")


def _formats_0_and_3(clear: bytes, pan: str) -> str:
    """The PIN; the fill is F in format 0, random A to F in format 3."""
    part = bytes.fromhex("0000" + pan[:-1][-12:].zfill(12))
    field = bytes(a ^ b for a, b in zip(clear, part, strict=True)).hex()
    fill = {"0": "f*", "3": "[a-f]*"}.get(field[0])
    return _field(field, fill)


def _format_4(key: bytes, block: bytes, pan: str) -> str:
    """The PIN; two encryptions with the card number field in between, fill of A, then random digits."""
    length = max(0, len(pan) - 12)
    number = bytes.fromhex(f"{length}{pan.zfill(12)}".ljust(32, "0"))
    middle = aes.ecb_decrypt(key, block)
    clear = aes.ecb_decrypt(key, bytes(a ^ b for a, b in zip(middle, number, strict=True)))
    text = clear.hex()
    return _field(text[:16], "a*" if text[0] == "4" else None)


def _field(field: str, fill: str | None) -> str:
    """The PIN digits of a field of 16: format, length, digits, fill. Raises CodecError."""
    length = int(field[1], 16)
    if fill is None or not 4 <= length <= 12:
        raise CodecError("the PIN block does not decipher to a PIN of this card")
    digits, rest = field[2 : 2 + length], field[2 + length : 16]
    if not re.fullmatch("[0-9]+", digits) or not re.fullmatch(fill, rest):
        raise CodecError("the PIN block does not decipher to a PIN of this card")
    return digits


def _digits(digits: str) -> Secret:
    return Secret(digits.encode("ascii"))
