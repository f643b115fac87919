"""AES on whole blocks: ECB, CBC and CMAC, with keys of 16, 24 or 32 bytes."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from terminal.errors import CryptoError

BLOCK = 16
_ZERO = bytes(BLOCK)
_ECB = modes.ECB()  # noqa: S305 - card protocols prescribe it, for keys and single blocks


def ecb_encrypt(key: bytes, data: bytes) -> bytes:
    """Encrypt block by block. FIPS 197; NIST SP 800-38A, 6.1."""
    return Cipher(_algorithm(key), _ECB).encryptor().update(_blocks(data))


def ecb_decrypt(key: bytes, data: bytes) -> bytes:
    """Decrypt block by block. FIPS 197; NIST SP 800-38A, 6.1."""
    return Cipher(_algorithm(key), _ECB).decryptor().update(_blocks(data))


def cbc_encrypt(key: bytes, data: bytes, iv: bytes = _ZERO) -> bytes:
    """Encrypt chained blocks; the IV is 16 bytes, zero by default. NIST SP 800-38A, 6.2."""
    return Cipher(_algorithm(key), modes.CBC(_iv(iv))).encryptor().update(_blocks(data))


def cbc_decrypt(key: bytes, data: bytes, iv: bytes = _ZERO) -> bytes:
    """Decrypt chained blocks; the IV is 16 bytes, zero by default. NIST SP 800-38A, 6.2."""
    return Cipher(_algorithm(key), modes.CBC(_iv(iv))).decryptor().update(_blocks(data))


def cmac(key: bytes, data: bytes) -> bytes:
    """MAC of 16 bytes over data of any length. NIST SP 800-38B; RFC 4493."""
    mac = CMAC(_algorithm(key))
    mac.update(data)
    return mac.finalize()


def _algorithm(key: bytes) -> algorithms.AES:
    if len(key) not in (16, 24, 32):
        raise CryptoError(f"an AES key has 16, 24 or 32 bytes, not {len(key)}")
    return algorithms.AES(key)


def _blocks(data: bytes) -> bytes:
    if len(data) % BLOCK:
        raise CryptoError(f"{len(data)} bytes are no whole number of 16-byte blocks")
    return data


def _iv(iv: bytes) -> bytes:
    if len(iv) != BLOCK:
        raise CryptoError(f"the IV has 16 bytes, not {len(iv)}")
    return iv
