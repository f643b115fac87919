"""The keystore's file format, version 1: four lines of text.

1. ``membercard-keystore 1``
2. the header, JSON: key derivation and its cost, salt, passphrase check, whether this is a simulation keystore
3. the contents: Base64 of nonce (12), AES-256-GCM ciphertext and tag; lines 1 and 2 are the associated data
4. SHA-256 of the first three lines, hex: distinguishes a damaged file from a wrong passphrase

Argon2id (RFC 9106) derives 48 bytes from passphrase and salt: the file key (32), then the passphrase check (16).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from terminal.errors import KeystoreDamaged, KeystoreLocked
from terminal.secret import Secret

_MAGIC = b"membercard-keystore 1"
_FAMILY = b"membercard-keystore "
_KEY, _CHECK, _SALT, _NONCE = 32, 16, 16, 12
_MAX_MEMORY_KIB, _MAX_ITERATIONS, _MAX_LANES = 1024 * 1024, 64, 64


@dataclass(frozen=True, slots=True)
class KdfCost:
    """The cost of one guess at the passphrase: Argon2id memory in KiB, passes and lanes. RFC 9106, 3.1."""

    memory_kib: int
    iterations: int
    lanes: int

    @property
    def supported(self) -> bool:
        """Whether Argon2id accepts this cost and a machine can bear it."""
        memory = 8 * self.lanes <= self.memory_kib <= _MAX_MEMORY_KIB
        return memory and 1 <= self.iterations <= _MAX_ITERATIONS and 1 <= self.lanes <= _MAX_LANES


STANDARD_COST = KdfCost(128 * 1024, 3, 4)
"""About 0.3 s on a desktop computer of 2024."""

CHEAP_COST = KdfCost(19 * 1024, 2, 1)
"""About 0.03 s: for simulation, whose keys protect nothing."""


@dataclass(frozen=True, slots=True)
class KeyFileHeader:
    """The part of the file that is readable without the passphrase."""

    cost: KdfCost
    salt: bytes
    check: bytes
    simulation: bool

    def encode(self) -> bytes:
        """Lines 1 and 2, the associated data of the contents."""
        fields = {
            "kdf": "argon2id",
            "memory_kib": self.cost.memory_kib,
            "iterations": self.cost.iterations,
            "lanes": self.cost.lanes,
            "salt": self.salt.hex(),
            "check": self.check.hex(),
            "cipher": "aes-256-gcm",
            "simulation": self.simulation,
        }
        return _MAGIC + b"\n" + json.dumps(fields).encode() + b"\n"


def new_header(
    passphrase: Secret, cost: KdfCost, simulation: bool, random: Callable[[int], bytes]
) -> tuple[KeyFileHeader, Secret]:
    """The header of a new file, and its file key. Raises KeystoreLocked for an empty passphrase."""
    salt = random(_SALT)
    key, check = _derive(passphrase, salt, cost)
    return KeyFileHeader(cost, salt, check, simulation), key


def unlock(header: KeyFileHeader, passphrase: Secret) -> Secret:
    """The file key. Raises KeystoreLocked for a wrong passphrase."""
    key, check = _derive(passphrase, header.salt, header.cost)
    if not hmac.compare_digest(check, header.check):
        raise KeystoreLocked("the passphrase is wrong")
    return key


def encode(header: KeyFileHeader, key: Secret, plain: bytes, random: Callable[[int], bytes]) -> bytes:
    """The bytes of the whole file."""
    lines, nonce = header.encode(), random(_NONCE)
    body = nonce + AESGCM(key.reveal()).encrypt(nonce, plain, lines)
    lines += base64.b64encode(body) + b"\n"
    return lines + hashlib.sha256(lines).hexdigest().encode() + b"\n"


def parse(data: bytes) -> tuple[KeyFileHeader, bytes]:
    """Header and encrypted contents of a file. Raises KeystoreDamaged."""
    lines = data.split(b"\n")
    if not lines[0].startswith(_FAMILY):
        raise KeystoreDamaged("the file is not a keystore")
    if lines[0] != _MAGIC:
        raise KeystoreDamaged("the keystore was written by another version of this program")
    covered = data[: data.rfind(b"\n", 0, -1) + 1]
    if len(lines) != 5 or lines[4] or hashlib.sha256(covered).hexdigest().encode() != lines[3]:
        raise KeystoreDamaged("the keystore is damaged: its checksum does not match; restore it from a copy")
    try:
        header = _decode_header(lines[1])
        body = base64.b64decode(lines[2], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise KeystoreDamaged("the keystore is damaged: its header is invalid") from None
    if not header.cost.supported or header.encode() != lines[0] + b"\n" + lines[1] + b"\n":
        raise KeystoreDamaged("the keystore is damaged: its header is invalid")
    return header, body


def decrypt(header: KeyFileHeader, key: Secret, body: bytes) -> bytes:
    """The decrypted contents. Raises KeystoreDamaged when header or contents were changed."""
    try:
        return AESGCM(key.reveal()).decrypt(body[:_NONCE], body[_NONCE:], header.encode())
    except (InvalidTag, ValueError):
        raise KeystoreDamaged("the keystore was changed by someone without its passphrase; restore a copy") from None


def _decode_header(line: bytes) -> KeyFileHeader:
    fields = json.loads(line)
    cost = KdfCost(int(fields["memory_kib"]), int(fields["iterations"]), int(fields["lanes"]))
    return KeyFileHeader(
        cost, bytes.fromhex(fields["salt"]), bytes.fromhex(fields["check"]), fields["simulation"] is True
    )


def _derive(passphrase: Secret, salt: bytes, cost: KdfCost) -> tuple[Secret, bytes]:
    if not len(passphrase):
        raise KeystoreLocked("the passphrase is empty")
    kdf = Argon2id(
        salt=salt, length=_KEY + _CHECK, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory_kib
    )
    derived = kdf.derive(passphrase.reveal())
    return Secret(derived[:_KEY]), derived[_KEY:]
