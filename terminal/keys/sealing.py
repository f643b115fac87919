"""Sealing by AES-256-GCM under SEAL keys, and the contexts whose secrets only a custodian opens."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from terminal.crypto import pinblock
from terminal.errors import CryptoError, IntegrityError, KeyMisuse
from terminal.keys.custody import Algorithm, KeyRef, Purpose, Sealed, SealedKeys
from terminal.keys.table import KeyTable
from terminal.secret import Secret

_NONCE = 12
_TAG = 16
_CUSTODY = "custody/"
"""Prefix of contexts that callers may neither seal nor open."""
_PIN_END = "/8010"
"""End of the contexts of PINs: their data grouping. EMV CPS 1.1, annex A."""
_GUESSABLE = 16
"""Shorter secrets are not compared with those of callers: a caller could find a PIN by sealing every one of them."""


def caller_context(context: str) -> str:
    """The context, if callers may use it. Raises KeyMisuse."""
    if context.startswith(_CUSTODY):
        raise KeyMisuse(
            f"what is sealed for {_CUSTODY} goes to a chip or a bank, and is sealed and opened by custody alone"
        )
    return context


def data_context(context: str) -> str:
    """The context of a secret that custody generated or imported."""
    return f"{_CUSTODY}data/{context}"


def keys_context(algorithm: Algorithm, context: str) -> str:
    """The context of three card keys of this algorithm."""
    return f"{_CUSTODY}keys/{algorithm}/{context}"


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


def unseal_pin(table: KeyTable, sealed: Sealed) -> Secret:
    """The ASCII digits of a PIN that custody drew or imported for DGI 8010. Raises IntegrityError, KeyNotFound, and
    KeyMisuse for anything else."""
    if not (sealed.context.startswith(data_context("")) and sealed.context.endswith(_PIN_END)):
        raise KeyMisuse("this was not sealed as the PIN of a card")
    try:
        return pinblock.read_format2(unseal(table, sealed))
    except CryptoError as e:
        raise KeyMisuse(f"opening a PIN: {e}") from None


def same_secret(table: KeyTable, one: Sealed, other: Sealed) -> bool:
    """Whether both are the same bytes. Raises IntegrityError, KeyNotFound, KeyMisuse for what could be guessed."""
    first, second = unseal(table, one), unseal(table, other)
    mixed = one.context.startswith(_CUSTODY) is not other.context.startswith(_CUSTODY)
    if mixed and min(len(first), len(second)) < _GUESSABLE:
        raise KeyMisuse("a secret as short as a PIN is not compared with what a caller sealed: it could be guessed so")
    return first == second


def unseal_keys(table: KeyTable, keys: SealedKeys) -> Secret:
    """Three concatenated card keys. Raises KeyMisuse unless sealed as keys of this algorithm, IntegrityError."""
    if not keys.sealed.context.startswith(keys_context(keys.algorithm, "")):
        raise KeyMisuse(f"this was not sealed as card keys for {keys.algorithm}")
    return unseal(table, keys.sealed)
