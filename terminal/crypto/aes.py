"""AES on whole blocks: ECB, CBC and CMAC, with keys of 16, 24 or 32 bytes."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import algorithms

from terminal.crypto.blockcipher import BlockCipher
from terminal.errors import CryptoError

BLOCK = 16


def _algorithm(key: bytes) -> algorithms.AES:
    if len(key) not in (16, 24, 32):
        raise CryptoError(f"an AES key has 16, 24 or 32 bytes, not {len(key)}")
    return algorithms.AES(key)


_AES = BlockCipher(_algorithm, BLOCK)

ecb_encrypt = _AES.ecb_encrypt
"""Encrypt block by block. FIPS 197; NIST SP 800-38A, 6.1."""

ecb_decrypt = _AES.ecb_decrypt
"""Decrypt block by block. FIPS 197; NIST SP 800-38A, 6.1."""

cbc_encrypt = _AES.cbc_encrypt
"""Encrypt chained blocks; the IV is 16 bytes, zero by default. NIST SP 800-38A, 6.2."""

cbc_decrypt = _AES.cbc_decrypt
"""Decrypt chained blocks; the IV is 16 bytes, zero by default. NIST SP 800-38A, 6.2."""

cmac = _AES.cmac
"""MAC of 16 bytes over data of any length. NIST SP 800-38B; RFC 4493."""
