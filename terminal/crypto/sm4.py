"""SM4 on whole blocks: ECB, CBC, CBC-MAC and CMAC, with keys of 16 bytes."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import algorithms

from terminal.crypto import padding
from terminal.crypto.blockcipher import BlockCipher
from terminal.errors import CryptoError

BLOCK = 16
KEY = 16


def _algorithm(key: bytes) -> algorithms.SM4:
    if len(key) != KEY:
        raise CryptoError(f"an SM4 key has {KEY} bytes, not {len(key)}")
    return algorithms.SM4(key)


_SM4 = BlockCipher(_algorithm, BLOCK)

ecb_encrypt = _SM4.ecb_encrypt
"""Encrypt block by block. GB/T 32907; ISO/IEC 10116, ECB."""

ecb_decrypt = _SM4.ecb_decrypt
"""Decrypt block by block. GB/T 32907; ISO/IEC 10116, ECB."""

cbc_encrypt = _SM4.cbc_encrypt
"""Encrypt chained blocks; the IV is 16 bytes, zero by default. ISO/IEC 10116, CBC."""

cbc_decrypt = _SM4.cbc_decrypt
"""Decrypt chained blocks; the IV is 16 bytes, zero by default. ISO/IEC 10116, CBC."""

cmac = _SM4.cmac
"""MAC of 16 bytes over data of any length. NIST SP 800-38B, with SM4."""


def mac(key: bytes, data: bytes, iv: bytes | None = None) -> bytes:
    """MAC of 16 bytes over data of any length: padding method 2, then the last block of CBC.

    The IV is 16 bytes, zero by default. ISO/IEC 9797-1, algorithm 1 with padding method 2; JR/T 0025 with SM4.
    """
    return _SM4.cbc_mac(key, padding.pad2(data, BLOCK), iv)
