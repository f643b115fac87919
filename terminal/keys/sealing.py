"""Sealing by AES-256-GCM under SEAL keys; and which sealed secrets a custodian opens for itself alone."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from terminal.errors import IntegrityError, KeyMisuse
from terminal.keys.custody import Algorithm, KeyRef, Purpose, Sealed, SealedKeys
from terminal.keys.table import KeyTable
from terminal.secret import Secret

_NONCE = 12
_TAG = 16
_INNER = "custody/"
"""What contexts begin with that callers neither write nor open."""
_GUESSABLE = 16
"""Bytes below which comparing tells a secret: who seals every PIN, one after another, finds the one that is alike."""


def ordinary(context: str) -> str:
    """The context, if callers may use it. Raises KeyMisuse."""
    if context.startswith(_INNER):
        raise KeyMisuse(
            f"what is sealed for {_INNER} goes to a chip or a bank, and is sealed and opened by custody alone"
        )
    return context


def of_data(context: str) -> str:
    """The context of a secret that custody made, or sealed on its way in."""
    return f"{_INNER}data/{context}"


def of_keys(algorithm: Algorithm, context: str) -> str:
    """The context of card keys: what is sealed under it is three keys of this algorithm."""
    return f"{_INNER}keys/{algorithm}/{context}"


def seal(table: KeyTable, key: KeyRef, data: Secret, context: str, random: Callable[[int], bytes]) -> Sealed:
    """Bytes under a SEAL key with a random nonce. Raises KeyNotFound, KeyMisuse."""
    record = table.use(key, (Purpose.SEAL,), "sealing")
    nonce = random(_NONCE)
    return Sealed(key, nonce + AESGCM(record.secret).encrypt(nonce, data.reveal(), context.encode()), context)


def unseal(table: KeyTable, sealed: Sealed) -> Secret:
    """The sealed bytes. Raises IntegrityError when blob or context was changed, KeyNotFound, KeyMisuse."""
    record = table.use(sealed.key, (Purpose.SEAL,), "opening sealed data")
    nonce, body = sealed.blob[:_NONCE], sealed.blob[_NONCE:]
    if len(body) < _TAG:
        raise IntegrityError(f"sealed data under {sealed.key} are cut short")
    try:
        return Secret(AESGCM(record.secret).decrypt(nonce, body, sealed.context.encode()))
    except InvalidTag:
        raise IntegrityError(f"sealed data under {sealed.key} were changed, or belong elsewhere") from None


def same_secret(table: KeyTable, one: Sealed, other: Sealed) -> bool:
    """Whether both hide the same bytes. Raises IntegrityError, KeyNotFound, KeyMisuse for what could be guessed."""
    ours, theirs = unseal(table, one), unseal(table, other)
    mixed = one.context.startswith(_INNER) is not other.context.startswith(_INNER)
    if mixed and min(len(ours), len(theirs)) < _GUESSABLE:
        raise KeyMisuse("a secret as short as a PIN is not compared with what a caller sealed: it could be guessed so")
    return ours == theirs


def unseal_keys(table: KeyTable, keys: SealedKeys) -> Secret:
    """Three card keys in a row. Raises KeyMisuse for what was not sealed as keys of this algorithm, IntegrityError."""
    if not keys.sealed.context.startswith(of_keys(keys.algorithm, "")):
        raise KeyMisuse(f"this was not sealed as card keys for {keys.algorithm}")
    return unseal(table, keys.sealed)
