"""DES and triple DES on whole blocks: ECB, CBC, the three MACs of card protocols, and key parity.

Keys are 8 bytes (single DES, run as K|K|K), 16 (two-key) or 24 (three-key) bytes. Data are multiples of 8 bytes:
padding is the caller's (``terminal.crypto.padding``), since each protocol has its own.
"""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES

from terminal.crypto.blockcipher import BlockCipher
from terminal.errors import CryptoError

BLOCK = 8
# Odd parity in bit 1 of each byte. FIPS 46-3.
_ODD = bytes(b & 0xFE | (b >> 1).bit_count() & 1 ^ 1 for b in range(256))


def _algorithm(key: bytes) -> TripleDES:
    if len(key) == 16:
        return TripleDES(key + key[:8])
    if len(key) == 8:
        return TripleDES(key * 3)
    if len(key) == 24:
        return TripleDES(key)
    raise CryptoError(f"a DES key has 8, 16 or 24 bytes, not {len(key)}")


_DES = BlockCipher(_algorithm, BLOCK)

ecb_encrypt = _DES.ecb_encrypt
"""Encrypt block by block. ISO/IEC 10116, ECB."""

ecb_decrypt = _DES.ecb_decrypt
"""Decrypt block by block. ISO/IEC 10116, ECB."""

cbc_encrypt = _DES.cbc_encrypt
"""Encrypt chained blocks; the IV is 8 bytes, zero by default. ISO/IEC 10116, CBC."""

cbc_decrypt = _DES.cbc_decrypt
"""Decrypt chained blocks; the IV is 8 bytes, zero by default. ISO/IEC 10116, CBC."""

cbc_mac = _DES.cbc_mac
"""MAC of 8 bytes over padded data: the last block of CBC. With a 16-byte key this is the "full triple DES MAC".

ISO/IEC 9797-1, algorithm 1; GPC 2.3.1, B.1.2.1. Raises CryptoError for empty data.
"""

cmac = _DES.cmac
"""MAC of 8 bytes over data of any length. NIST SP 800-38B."""


def retail_mac(key: bytes, data: bytes, iv: bytes | None = None) -> bytes:
    """MAC of 8 bytes over padded data with a 16-byte key: single DES chaining, triple DES on the last block.

    The IV is 8 bytes, zero by default. ISO/IEC 9797-1, algorithm 3; GPC 2.3.1, B.1.2.2. Raises CryptoError for empty
    data or another key length.
    """
    if len(key) != 16:
        raise CryptoError(f"the retail MAC needs a key of 16 bytes, not {len(key)}")
    # E(K1) D(K2) E(K1) of the last chained block is triple DES of it: two cipher calls, however long the data.
    body, last = _DES.padded(data)[:-BLOCK], data[-BLOCK:]
    chained = cbc_encrypt(key[:8], body, iv)[-BLOCK:] if body else _DES.iv(iv)
    mixed = int.from_bytes(chained, "big") ^ int.from_bytes(last, "big")
    return ecb_encrypt(key, mixed.to_bytes(BLOCK, "big"))


def adjust_parity(key: bytes) -> bytes:
    """The same key with odd parity in every byte. FIPS 46-3; EMV 4.4 Book 2, A1.4."""
    return key.translate(_ODD)
