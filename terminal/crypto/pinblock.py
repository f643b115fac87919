"""PIN blocks: formats 0, 2, 3 and 4 of ISO 9564-1, and the block of a new PIN in scripts of Visa and PBOC.

A PIN is a Secret of 4 to 12 ASCII digits; plaintext blocks are Secrets too. No message shows a PIN.
"""

from __future__ import annotations

from collections.abc import Callable

from terminal.crypto import aes
from terminal.errors import CryptoError
from terminal.secret import Secret

BLOCK = 8
EcbFunction = Callable[[bytes, bytes], bytes]
"""Key and data to data: ECB of a cipher with blocks of 16 bytes."""
_PAN_DIGITS = 12
_LETTERS = "ABCDEF"


def format0(pin: Secret, pan: str) -> Secret:
    """Eight bytes: 0, length, PIN, filled with F; XOR the PAN field. ISO 9564-1, 9.3.2. Raises CryptoError."""
    return Secret(_xor(_filled(0, pin, "F" * 14), _pan_field(pan)))


def format2(pin: Secret) -> Secret:
    """Eight bytes: 2, length, PIN, filled with F; for cards only. ISO 9564-1, 9.3.4. Raises CryptoError."""
    return Secret(_filled(2, pin, "F" * 14))


def format3(pin: Secret, pan: str, random: Callable[[int], bytes]) -> Secret:
    """Eight bytes: 3, length, PIN, filled with random A to F; XOR the PAN field. ISO 9564-1, 9.3.5."""
    fill: list[str] = []
    while len(fill) < 14:  # values from 252 would make some letters likelier than others
        fill += [_LETTERS[b % 6] for b in random(16) if b < 252]
    return Secret(_xor(_filled(3, pin, "".join(fill[:14])), _pan_field(pan)))


def encrypt_format4(
    key: bytes, pin: Secret, pan: str, random: Callable[[int], bytes], encrypt: EcbFunction = aes.ecb_encrypt
) -> bytes:
    """Sixteen bytes of ciphertext under an AES key: the PIN field encrypted, XOR the PAN field, encrypted again.

    ``encrypt`` may be that of SM4. ISO 9564-1:2017, 9.4.2. Raises CryptoError.
    """
    field = _filled(4, pin, "A" * 14) + random(8)
    return encrypt(key, _xor(encrypt(key, field), _long_pan_field(pan)))


def decrypt_format4(key: bytes, block: bytes, pan: str, decrypt: EcbFunction = aes.ecb_decrypt) -> Secret:
    """The PIN. ISO 9564-1:2017, 9.4.2. Raises CryptoError when block, key and PAN do not match."""
    if len(block) != aes.BLOCK:
        raise CryptoError(f"a PIN block of format 4 has {aes.BLOCK} bytes, not {len(block)}")
    field = decrypt(key, _xor(decrypt(key, block), _long_pan_field(pan)))
    return _pin(field[:BLOCK], 4, "A")


def read_format0(block: Secret, pan: str) -> Secret:
    """The PIN of a plain block. ISO 9564-1, 9.3.2. Raises CryptoError when block and PAN do not match."""
    return _pin(_xor(_eight(block), _pan_field(pan)), 0, "F")


def read_format2(block: Secret) -> Secret:
    """The PIN of a block for a card. ISO 9564-1, 9.3.4. Raises CryptoError for another block."""
    return _pin(_eight(block), 2, "F")


def read_format3(block: Secret, pan: str) -> Secret:
    """The PIN of a plain block. ISO 9564-1, 9.3.5. Raises CryptoError when block and PAN do not match."""
    return _pin(_xor(_eight(block), _pan_field(pan)), 3, _LETTERS)


def for_script(pin: Secret, card_key: bytes, present: Secret | None = None) -> Secret:
    """Eight bytes: 0, length, PIN, filled with F; XOR four 00 and bytes 5 to 8 of the card's cryptogram key; XOR the
    digits of the present PIN, filled with 0, if one is given.

    PIN CHANGE of Visa and JR/T 0025: P2 02 without the present PIN, 01 with it. Raises CryptoError.
    """
    block = _xor(_filled(0, pin, "F" * 14), bytes(4) + card_key[4:8])
    return Secret(block if present is None else _xor(block, bytes.fromhex(_digits(present).ljust(16, "0"))))


def _digits(pin: Secret) -> str:
    text = pin.reveal().decode("ascii", "replace")
    if not (4 <= len(text) <= 12 and text.isascii() and text.isdigit()):
        raise CryptoError("a PIN is 4 to 12 decimal digits")
    return text


def _filled(control: int, pin: Secret, fill: str) -> bytes:
    digits = _digits(pin)
    return bytes.fromhex(f"{control:X}{len(digits):X}{digits}{fill[len(digits) :]}")


def _pin(field: bytes, control: int, fill: str) -> Secret:
    text = field.hex().upper()
    length = int(text[1], 16)
    digits, rest = text[2 : 2 + length], text[2 + length :]
    if text[0] != f"{control:X}" or not 4 <= length <= 12 or not digits.isdigit() or not set(rest) <= set(fill):
        raise CryptoError(f"this is not a PIN block of format {control} for this key and PAN")
    return Secret(digits.encode())


def _pan(pan: str) -> str:
    if not (pan.isascii() and pan.isdigit() and _PAN_DIGITS <= len(pan) <= 19):
        raise CryptoError("a PIN block needs a PAN of 12 to 19 decimal digits")
    return pan


def _pan_field(pan: str) -> bytes:
    """Four 0 and the twelve digits before the check digit."""
    return bytes.fromhex(_pan(pan)[-1 - _PAN_DIGITS : -1].zfill(16))


def _long_pan_field(pan: str) -> bytes:
    """The number of digits beyond twelve, then the PAN, filled with 0."""
    return bytes.fromhex(f"{len(_pan(pan)) - _PAN_DIGITS}{pan}".ljust(32, "0"))


def _eight(block: Secret) -> bytes:
    if len(block) != BLOCK:
        raise CryptoError(f"a PIN block has {BLOCK} bytes, not {len(block)}")
    return block.reveal()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
