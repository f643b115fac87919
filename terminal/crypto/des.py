"""DES and triple DES on whole blocks: ECB, CBC, the two MACs of the card world, and key parity.

Keys are 8 bytes (single DES, run as K|K|K), 16 (two-key) or 24 (three-key) bytes. Data are multiples of 8 bytes:
padding is the caller's (``terminal.crypto.padding``), since each protocol has its own.
"""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.cmac import CMAC

from terminal.errors import CryptoError

BLOCK = 8
_ZERO = bytes(BLOCK)
_ECB = modes.ECB()  # noqa: S305 - card protocols prescribe it, for keys and single blocks
# Odd parity in bit 1 of each byte. FIPS 46-3.
_ODD = bytes(b & 0xFE | (b >> 1).bit_count() & 1 ^ 1 for b in range(256))


def ecb_encrypt(key: bytes, data: bytes) -> bytes:
    """Encrypt block by block. ISO/IEC 10116, ECB."""
    return Cipher(_algorithm(key), _ECB).encryptor().update(_blocks(data))


def ecb_decrypt(key: bytes, data: bytes) -> bytes:
    """Decrypt block by block. ISO/IEC 10116, ECB."""
    return Cipher(_algorithm(key), _ECB).decryptor().update(_blocks(data))


def cbc_encrypt(key: bytes, data: bytes, iv: bytes = _ZERO) -> bytes:
    """Encrypt chained blocks; the IV is 8 bytes, zero by default. ISO/IEC 10116, CBC."""
    return Cipher(_algorithm(key), modes.CBC(_iv(iv))).encryptor().update(_blocks(data))


def cbc_decrypt(key: bytes, data: bytes, iv: bytes = _ZERO) -> bytes:
    """Decrypt chained blocks; the IV is 8 bytes, zero by default. ISO/IEC 10116, CBC."""
    return Cipher(_algorithm(key), modes.CBC(_iv(iv))).decryptor().update(_blocks(data))


def cbc_mac(key: bytes, data: bytes, iv: bytes = _ZERO) -> bytes:
    """MAC of 8 bytes over padded data: the last block of CBC. With a 16-byte key this is the "full triple DES MAC".

    ISO/IEC 9797-1, algorithm 1; GPC 2.3.1, B.1.2.1. Raises CryptoError for empty data.
    """
    return cbc_encrypt(key, _some(data), iv)[-BLOCK:]


def retail_mac(key: bytes, data: bytes, iv: bytes = _ZERO) -> bytes:
    """MAC of 8 bytes over padded data with a 16-byte key: single DES chaining, triple DES on the last block.

    ISO/IEC 9797-1, algorithm 3; GPC 2.3.1, B.1.2.2. Raises CryptoError for empty data or another key length.
    """
    if len(key) != 16:
        raise CryptoError(f"the retail MAC needs a key of 16 bytes, not {len(key)}")
    # E(K1) D(K2) E(K1) of the last chained block is triple DES of it: two cipher calls, however long the data.
    body, last = _some(data)[:-BLOCK], data[-BLOCK:]
    chained = cbc_encrypt(key[:8], body, iv)[-BLOCK:] if body else _iv(iv)
    mixed = int.from_bytes(chained, "big") ^ int.from_bytes(last, "big")
    return ecb_encrypt(key, mixed.to_bytes(BLOCK, "big"))


def cmac(key: bytes, data: bytes) -> bytes:
    """MAC of 8 bytes over data of any length. NIST SP 800-38B."""
    mac = CMAC(_algorithm(key))
    mac.update(data)
    return mac.finalize()


def adjust_parity(key: bytes) -> bytes:
    """The same key with odd parity in every byte. FIPS 46-3; EMV 4.4 Book 2, A1.4."""
    return key.translate(_ODD)


def _algorithm(key: bytes) -> TripleDES:
    if len(key) == 16:
        return TripleDES(key + key[:8])
    if len(key) == 8:
        return TripleDES(key * 3)
    if len(key) == 24:
        return TripleDES(key)
    raise CryptoError(f"a DES key has 8, 16 or 24 bytes, not {len(key)}")


def _blocks(data: bytes) -> bytes:
    if len(data) % BLOCK:
        raise CryptoError(f"{len(data)} bytes are no whole number of 8-byte blocks")
    return data


def _some(data: bytes) -> bytes:
    if not data:
        raise CryptoError("a MAC needs at least one block: pad the data first")
    return _blocks(data)


def _iv(iv: bytes) -> bytes:
    if len(iv) != BLOCK:
        raise CryptoError(f"the IV has 8 bytes, not {len(iv)}")
    return iv
