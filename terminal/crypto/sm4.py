"""SM4 on whole blocks: ECB, CBC and CBC-MAC, with keys of 16 bytes."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from terminal.crypto import padding
from terminal.errors import CryptoError

BLOCK = 16
KEY = 16
_ZERO = bytes(BLOCK)
_ECB = modes.ECB()  # noqa: S305 - card protocols prescribe it, for keys and single blocks


def ecb_encrypt(key: bytes, data: bytes) -> bytes:
    """Encrypt block by block. GB/T 32907; ISO/IEC 10116, ECB."""
    return Cipher(_algorithm(key), _ECB).encryptor().update(_blocks(data))


def ecb_decrypt(key: bytes, data: bytes) -> bytes:
    """Decrypt block by block. GB/T 32907; ISO/IEC 10116, ECB."""
    return Cipher(_algorithm(key), _ECB).decryptor().update(_blocks(data))


def cbc_encrypt(key: bytes, data: bytes, iv: bytes = _ZERO) -> bytes:
    """Encrypt chained blocks; the IV is 16 bytes, zero by default. ISO/IEC 10116, CBC."""
    return Cipher(_algorithm(key), modes.CBC(_iv(iv))).encryptor().update(_blocks(data))


def cbc_decrypt(key: bytes, data: bytes, iv: bytes = _ZERO) -> bytes:
    """Decrypt chained blocks; the IV is 16 bytes, zero by default. ISO/IEC 10116, CBC."""
    return Cipher(_algorithm(key), modes.CBC(_iv(iv))).decryptor().update(_blocks(data))


def mac(key: bytes, data: bytes, iv: bytes = _ZERO) -> bytes:
    """MAC of 16 bytes over data of any length: padding method 2, then the last block of CBC.

    ISO/IEC 9797-1, algorithm 1 with padding method 2; JR/T 0025 with SM4.
    """
    return cbc_encrypt(key, padding.pad2(data, BLOCK), iv)[-BLOCK:]


def cmac(key: bytes, data: bytes) -> bytes:
    """MAC of 16 bytes over data of any length. NIST SP 800-38B, with SM4."""
    mac = CMAC(_algorithm(key))
    mac.update(data)
    return mac.finalize()


def _algorithm(key: bytes) -> algorithms.SM4:
    if len(key) != KEY:
        raise CryptoError(f"an SM4 key has {KEY} bytes, not {len(key)}")
    return algorithms.SM4(key)


def _blocks(data: bytes) -> bytes:
    if len(data) % BLOCK:
        raise CryptoError(f"{len(data)} bytes are no whole number of {BLOCK}-byte blocks")
    return data


def _iv(iv: bytes) -> bytes:
    if len(iv) != BLOCK:
        raise CryptoError(f"the IV has {BLOCK} bytes, not {len(iv)}")
    return iv
