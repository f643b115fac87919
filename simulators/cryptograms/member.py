"""Cryptogram of a redemption, script MAC and script encipherment of the member application. docs/redemption.md.

All keys are triple DES keys of 16 bytes of one card; session keys are the common ones of EMV 4.4 Book 2, A1.3.1.
"""

from __future__ import annotations

from simulators.cryptograms.algorithms import session_key
from simulators.cryptograms.schemes import Cipher, SessionKeyMethod
from terminal.crypto import des, padding


def redemption_cryptogram(ac_key: bytes, atc: bytes, data: bytes) -> bytes:
    """TC or AAC, eight bytes: MAC algorithm 3, padding method 2. EMV 4.4 Book 2, 8.1.2. Raises CodecError."""
    return _mac(_session_key(ac_key, atc, bytes(6)), data)


def redemption_script_mac(smi_key: bytes, atc: bytes, counter: bytes, header: bytes, data: bytes) -> bytes:
    """MAC of a script command, eight bytes; ``header`` has five, with the Lc that counts the MAC.

    It covers ATC and script counter, so that a command runs once and on one state. Raises CodecError.
    """
    return _mac(_script_key(smi_key, atc, counter), header + atc + counter + data)


def decipher_script(smc_key: bytes, atc: bytes, counter: bytes, data: bytes) -> bytes:
    """Confidential script data without their padding (method 2). Raises CodecError, and CryptoError for data that were
    not enciphered so."""
    return padding.unpad2(des.cbc_decrypt(_script_key(smc_key, atc, counter), data), des.BLOCK)


def _script_key(key: bytes, atc: bytes, counter: bytes) -> bytes:
    return _session_key(key, atc, b"\x00" + counter + bytes(3))


def _session_key(key: bytes, atc: bytes, rest: bytes) -> bytes:
    return session_key(SessionKeyMethod.COMMON, Cipher.TDES, key, atc, atc + rest)


def _mac(key: bytes, data: bytes) -> bytes:
    return des.retail_mac(key, padding.pad2(data, des.BLOCK))
