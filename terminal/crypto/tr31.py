"""TR-31 key blocks of version B (3DES) and D (AES): one symmetric key with its usage and MAC, as text.

ANSI X9.143 (formerly ANSI TR-31). Versions A and C are deprecated and refused.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from string import hexdigits
from typing import NamedTuple

from terminal.crypto import aes, des
from terminal.errors import CryptoError

_HEADER = 16
_LENGTHS = {"T": 24, "A": 32}
"""The length to which a key is padded, so that a block does not reveal its length."""
_DERIVED = {16: b"\x00\x00", 24: b"\x00\x01"}, {16: b"\x00\x02", 24: b"\x00\x03", 32: b"\x00\x04"}


class Tr31Header(NamedTuple):
    """``version`` B or D, ``usage`` as P0 (PIN encryption), ``algorithm`` T (3DES) or A (AES), ``mode`` of use.

    ANSI X9.143, 6.3.
    """

    version: str
    usage: str
    algorithm: str
    mode: str
    exportability: str = "S"


def wrap(protector: bytes, header: Tr31Header, key: bytes, random: Callable[[int], bytes]) -> str:
    """The key block. Raises CryptoError when protector, header and key do not match. ANSI X9.143, 5.3."""
    size, most = _block(header.version), _LENGTHS.get(header.algorithm, 0)
    if not 0 < len(key) <= most:
        raise CryptoError(f"a key block of algorithm {header.algorithm} holds no key of {len(key)} bytes")
    fill = most - len(key) + -(2 + most) % size
    payload = (8 * len(key)).to_bytes(2, "big") + key + random(fill)
    total = _HEADER + 2 * (len(payload) + size)
    version, usage, algorithm, mode, exportability = header
    head = f"{version}{total:04d}{usage}{algorithm}{mode}00{exportability}0000"
    encryption, authentication = _derive(header.version, protector)
    mac = _cmac(header.version, authentication, head.encode() + payload)
    cipher = des.cbc_encrypt if version == "B" else aes.cbc_encrypt
    return head + (cipher(encryption, payload, mac) + mac).hex().upper()


def unwrap(protector: bytes, key_block: str) -> tuple[Tr31Header, bytes]:
    """Header and key of a block whose MAC is right; optional blocks are covered by the MAC and ignored.

    ANSI X9.143, 5.3. Raises CryptoError, which reveals nothing about the key.
    """
    head, header = _parse(key_block)
    size = _block(header.version)
    try:
        body = bytes.fromhex(key_block[len(head) :])
    except ValueError:
        raise CryptoError("the encrypted part of a key block is hexadecimal digits") from None
    ciphertext, mac = body[:-size], body[-size:]
    if not ciphertext or len(ciphertext) % size:
        raise CryptoError("the encrypted part of the key block is no whole number of cipher blocks")
    encryption, authentication = _derive(header.version, protector)
    cipher = des.cbc_decrypt if header.version == "B" else aes.cbc_decrypt
    payload = cipher(encryption, ciphertext, mac)
    if not hmac.compare_digest(_cmac(header.version, authentication, head.encode() + payload), mac):
        raise CryptoError("the key block has a wrong MAC: it was changed, or is under another key")
    length, odd = divmod(int.from_bytes(payload[:2], "big"), 8)
    if odd or not 0 < length <= len(payload) - 2:
        raise CryptoError("the key block holds no whole key")
    return header, payload[2 : 2 + length]


def _parse(key_block: str) -> tuple[str, Tr31Header]:
    fixed = key_block[:_HEADER]
    if not key_block.isascii() or len(fixed) < _HEADER or not (fixed[1:5] + fixed[12:14]).isdigit():
        raise CryptoError("this is not a TR-31 key block")
    if int(fixed[1:5]) != len(key_block):
        raise CryptoError(f"the key block has {len(key_block)} characters, not the {int(fixed[1:5])} that it says")
    end = _HEADER
    for _ in range(int(fixed[12:14])):
        end += _optional_block_length(key_block, end)
    return key_block[:end], Tr31Header(fixed[0], fixed[5:7], fixed[7], fixed[8], fixed[11])


def _optional_block_length(key_block: str, at: int) -> int:
    """Characters of the optional block at ``at``: two of its identifier, its length, its data.

    The length counts all of them, in two hexadecimal digits; 00 says that the number of bytes of the length follows in
    two digits, and then the length. ANSI X9.143, 6.3.6.
    """
    length, start = _hexadecimal(key_block[at + 2 : at + 4], 2), at + 4
    if length == 0:
        width = 2 * (_hexadecimal(key_block[start : start + 2], 2) or 0)
        start += 2 + width
        length = _hexadecimal(key_block[start - width : start], width)
    if length is None or not start <= at + length <= len(key_block):
        raise CryptoError("an optional block of the key block has an invalid length")
    return length


def _hexadecimal(digits: str, count: int) -> int | None:
    """The number in exactly ``count`` hexadecimal digits, at least one; None for any other text."""
    return int(digits, 16) if count and len(digits) == count and set(digits) <= set(hexdigits) else None


def _block(version: str) -> int:
    if version not in ("B", "D"):
        raise CryptoError("key blocks of version B and D are read, no others")
    return des.BLOCK if version == "B" else aes.BLOCK


def _derive(version: str, protector: bytes) -> tuple[bytes, bytes]:
    """The keys that encrypt and authenticate the block: CMAC over counter, usage, 00, algorithm and length.

    ANSI X9.143, 5.3.2.1 and 5.3.2.3.
    """
    algorithm = _DERIVED[version == "D"].get(len(protector))
    if algorithm is None:
        raise CryptoError(f"a key of {len(protector)} bytes does not protect key blocks of version {version}")
    size = len(protector)
    rest = b"\x00" + algorithm + (8 * size).to_bytes(2, "big")
    encryption, authentication = (
        b"".join(_cmac(version, protector, bytes((i,)) + usage + rest) for i in range(1, 5))[:size]
        for usage in (b"\x00\x00", b"\x00\x01")
    )
    return encryption, authentication


def _cmac(version: str, key: bytes, data: bytes) -> bytes:
    return des.cmac(key, data) if version == "B" else aes.cmac(key, data)
