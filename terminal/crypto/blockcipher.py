"""The modes of operation of a block cipher, once for AES, DES and SM4: ECB, CBC, CBC-MAC and CMAC on whole blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.cmac import CMAC

from terminal.errors import CryptoError

_ECB: Final = modes.ECB()  # noqa: S305 - card protocols prescribe it, for keys and single blocks


class BlockCipher:
    """One cipher with blocks of ``block`` bytes; ``algorithm`` takes a key and raises CryptoError for a wrong length.

    Data are whole blocks: padding is the caller's, since each protocol has its own. IVs are one block, zero where none
    is given. Every method raises CryptoError for a key, an IV or data of a wrong length.
    """

    __slots__ = ("_algorithm", "_zero", "block")

    def __init__(self, algorithm: Callable[[bytes], BlockCipherAlgorithm], block: int) -> None:
        self._algorithm = algorithm
        self._zero = bytes(block)
        self.block = block

    def ecb_encrypt(self, key: bytes, data: bytes) -> bytes:
        """Encrypt block by block. ISO/IEC 10116, ECB."""
        return Cipher(self._algorithm(key), _ECB).encryptor().update(self.whole_blocks(data))

    def ecb_decrypt(self, key: bytes, data: bytes) -> bytes:
        """Decrypt block by block. ISO/IEC 10116, ECB."""
        return Cipher(self._algorithm(key), _ECB).decryptor().update(self.whole_blocks(data))

    def cbc_encrypt(self, key: bytes, data: bytes, iv: bytes | None = None) -> bytes:
        """Encrypt chained blocks. ISO/IEC 10116, CBC."""
        return Cipher(self._algorithm(key), modes.CBC(self.iv(iv))).encryptor().update(self.whole_blocks(data))

    def cbc_decrypt(self, key: bytes, data: bytes, iv: bytes | None = None) -> bytes:
        """Decrypt chained blocks. ISO/IEC 10116, CBC."""
        return Cipher(self._algorithm(key), modes.CBC(self.iv(iv))).decryptor().update(self.whole_blocks(data))

    def cbc_mac(self, key: bytes, data: bytes, iv: bytes | None = None) -> bytes:
        """MAC of one block over padded data: the last block of CBC. ISO/IEC 9797-1, algorithm 1.

        Raises CryptoError for empty data too.
        """
        return self.cbc_encrypt(key, self.padded(data), iv)[-self.block :]

    def cmac(self, key: bytes, data: bytes) -> bytes:
        """MAC of one block over data of any length. NIST SP 800-38B."""
        mac = CMAC(self._algorithm(key))
        mac.update(data)
        return mac.finalize()

    def whole_blocks(self, data: bytes) -> bytes:
        """The same data, if they are whole blocks. Raises CryptoError."""
        if len(data) % self.block:
            raise CryptoError(f"{len(data)} bytes are no whole number of {self.block}-byte blocks")
        return data

    def padded(self, data: bytes) -> bytes:
        """The same data, if they are one block or more, as every padding method leaves them. Raises CryptoError."""
        if not data:
            raise CryptoError("a MAC needs at least one block: pad the data first")
        return self.whole_blocks(data)

    def iv(self, iv: bytes | None) -> bytes:
        """The same IV, if it is one block; zeros for None. Raises CryptoError."""
        if iv is None:
            return self._zero
        if len(iv) != self.block:
            raise CryptoError(f"the IV has {self.block} bytes, not {len(iv)}")
        return iv
