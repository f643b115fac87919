"""Cryptograms, ARPCs and script protection under the key of one card, on bytes: used inside custodians only."""

from __future__ import annotations

from terminal.crypto import des, kdf, padding, sm4
from terminal.errors import CryptoError
from terminal.keys.schemes import CryptogramScheme

LENGTH = 8
_MAX_AUTHENTICATION_DATA = 8


def cryptogram(scheme: CryptogramScheme, udk: bytes, atc: bytes, data: bytes) -> bytes:
    """The application cryptogram, 8 bytes. EMV 4.4 Book 2, 8.1.2; JR/T 0025. Raises CryptoError."""
    return _mac(scheme, _session(scheme, udk, atc), data, scheme.padding)


def arpc(scheme: CryptogramScheme, udk: bytes, atc: bytes, arqc: bytes, response: bytes, method: int) -> bytes:
    """The issuer's ARPC: 8 bytes by method 1 over the response code (2 bytes); 4 bytes by method 2 over CSU (4) and
    proprietary authentication data (0 to 8).

    Under SM4 the block of method 1 is padded with 00, and results are folded like cryptograms.
    EMV 4.4 Book 2, 8.2.1 and 8.2.2. Raises CryptoError.
    """
    _check_length(arqc, LENGTH, "an ARQC")
    key = _session(scheme, udk, atc)
    if method == 1:
        _check_length(response, 2, "the response code of method 1")
        block = _xor(arqc, response + bytes(LENGTH - 2))
        if scheme.mac == "sm4":
            return _fold(scheme, sm4.ecb_encrypt(key, block + bytes(sm4.BLOCK - LENGTH)))
        return des.ecb_encrypt(key, block)
    if method != 2:
        raise CryptoError(f"an ARPC is computed by method 1 or 2, not {method}")
    if not 4 <= len(response) <= 4 + _MAX_AUTHENTICATION_DATA:
        raise CryptoError(f"method 2 takes a CSU of 4 bytes and up to 8 bytes after it, not {len(response)} in all")
    return _mac(scheme, key, arqc + response, 2)[:4]


def script_mac(scheme: CryptogramScheme, udk: bytes, atc: bytes, arqc: bytes, message: bytes) -> bytes:
    """The MAC of a script command, 8 bytes; a card may use the first 4 only. EMV 4.4 Book 2, 9.2.3."""
    return _mac(scheme, _script_session(scheme, udk, atc, arqc), message, 2)


def script_encrypt(scheme: CryptogramScheme, udk: bytes, atc: bytes, arqc: bytes, data: bytes) -> bytes:
    """The enciphered data of a script command. EMV 4.4 Book 2, 9.3; JR/T 0025. Raises CryptoError."""
    key = _script_session(scheme, udk, atc, arqc)
    block = sm4.BLOCK if scheme.mac == "sm4" else des.BLOCK
    if scheme.encryption == "emv":
        padded = padding.pad2(data, block)
        return sm4.cbc_encrypt(key, padded) if scheme.mac == "sm4" else des.cbc_encrypt(key, padded)
    if len(data) > 0xFF:
        raise CryptoError(f"{len(data)} bytes of script data have no length byte")
    plain = bytes((len(data),)) + data
    if scheme.encryption == "length" or len(plain) % block:
        plain = padding.pad2(plain, block)
    return sm4.ecb_encrypt(key, plain) if scheme.mac == "sm4" else des.ecb_encrypt(key, plain)


def _session(scheme: CryptogramScheme, udk: bytes, atc: bytes) -> bytes:
    _check_length(atc, 2, "the ATC")
    if scheme.session == "csk":
        return kdf.common_session_key(udk, atc + bytes(6))
    return _atc_session_key(scheme, udk, atc) if scheme.session == "atc" else udk


def _script_session(scheme: CryptogramScheme, udk: bytes, atc: bytes, arqc: bytes) -> bytes:
    _check_length(atc, 2, "the ATC")
    _check_length(arqc, LENGTH, "an ARQC")
    if scheme.scripts == "csk":
        return kdf.common_session_key(udk, arqc)
    if scheme.scripts == "xor":
        return des.adjust_parity(_xor(udk, kdf.atc_blocks(atc)))
    return _atc_session_key(scheme, udk, atc)


def _atc_session_key(scheme: CryptogramScheme, udk: bytes, atc: bytes) -> bytes:
    blocks = kdf.atc_blocks(atc)
    return sm4.ecb_encrypt(udk, blocks) if scheme.mac == "sm4" else des.ecb_encrypt(udk, blocks)


def _mac(scheme: CryptogramScheme, key: bytes, data: bytes, method: int) -> bytes:
    pad = padding.pad2 if method == 2 else padding.pad1
    if scheme.mac == "sm4":
        return _fold(scheme, sm4.cbc_encrypt(key, pad(data, sm4.BLOCK))[-sm4.BLOCK :])
    return des.retail_mac(key, pad(data, des.BLOCK))


def _fold(scheme: CryptogramScheme, block: bytes) -> bytes:
    left, right = block[:LENGTH], block[LENGTH:]
    return _xor(left, right) if scheme.fold == "xor" else left


def _check_length(data: bytes, length: int, what: str) -> None:
    if len(data) != length:
        raise CryptoError(f"{what} has {length} bytes, not {len(data)}")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
