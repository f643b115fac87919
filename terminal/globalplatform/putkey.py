"""PUT KEY: a whole key set, encrypted by custody, and the check of the card's confirmation. GPC 2.3.1, 11.8."""

from __future__ import annotations

from collections.abc import Sequence

from terminal.apdu import Command
from terminal.errors import CardMalformed, SecureChannelError
from terminal.keys.custody import Algorithm, WrappedSecret
from terminal.tlv import encode_length

INITIAL = 0xFF
"""Version of the initial keys of a chip."""
_MULTIPLE = 0x80
_TDES, _AES = 0x80, 0x88
_BYTES = {Algorithm.AES128: 16, Algorithm.AES192: 24, Algorithm.AES256: 32}


def put_key(version: int, replaces: int, first: int, algorithm: Algorithm, keys: Sequence[WrappedSecret]) -> Command:
    """Add a key set of ``version`` (``replaces`` = 0) or replace another one by it.

    ``keys`` get the identifiers ``first`` and up (1 ENC, 2 MAC, 3 DEK). 3DES keys have type 80 and no length; AES
    keys have type 88 and their length before the ciphertext. GPC 2.3.1, Table 11-68; Amendment D 1.2, 7.2.
    Replacing the initial keys (FF) means adding: P1 cannot name FF, and the card drops them with the first key set.
    Raises SecureChannelError for versions, identifiers or algorithms that PUT KEY cannot carry.
    """
    replaces = 0 if replaces == INITIAL else replaces
    if not 1 <= version <= 0x7F or not 0 <= replaces <= 0x7F or not 1 <= first <= 0x7F:
        raise SecureChannelError(f"PUT KEY: version {version:02X} for {replaces:02X}, identifier {first:02X}: 01 to 7F")
    if algorithm is not Algorithm.TDES and algorithm not in _BYTES:
        raise SecureChannelError(f"PUT KEY: a security domain has no {algorithm} keys")
    fields = b"".join(_field(algorithm, key) for key in keys)
    many = _MULTIPLE if len(keys) > 1 else 0
    return Command(0x80, 0xD8, replaces, first | many, bytes((version,)) + fields, ne=256)


def _field(algorithm: Algorithm, key: WrappedSecret) -> bytes:
    if len(key.kcvs) != 1:
        raise SecureChannelError(f"PUT KEY: {len(key.kcvs)} check values where one key was wrapped")
    kind, body = _TDES, key.ciphertext
    if algorithm is not Algorithm.TDES:
        kind, body = _AES, bytes((_BYTES[algorithm],)) + key.ciphertext
    return bytes((kind,)) + encode_length(len(body)) + body + bytes((len(key.kcvs[0]),)) + key.kcvs[0]


def check_answer(data: bytes, version: int, keys: Sequence[WrappedSecret]) -> None:
    """Raises CardMalformed unless the card confirms version and check values (which it may omit). 11.8.3.1."""
    if not data or data[0] != version:
        raise CardMalformed(f"PUT KEY: the card does not confirm key version {version:02X}")
    confirmed = data[1:]
    expected = b"".join(key.kcvs[0] for key in keys)
    if confirmed and confirmed != expected:
        raise CardMalformed(
            f"PUT KEY: the card confirms check values {confirmed.hex().upper()} instead of {expected.hex().upper()}"
        )
