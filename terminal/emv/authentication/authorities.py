"""Scheme CA public keys, the roots of payment and member cards: RSA and SM2.

EMV 4.4 Book 2, 11.2 (keys at the terminal); JR/T 0025.17. The file of a payment terminal is ``cakeys``, that of a
counter for member cards ``terminal.member.trust``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from terminal.crypto.rsa import EXPONENTS, RsaPublic
from terminal.crypto.sm3 import sm3
from terminal.errors import CodecError, IntegrityError


@dataclass(frozen=True, slots=True)
class CaKey:
    """One scheme CA public key: RID (5 bytes), index, key, and the last day it may be used (None: no end).

    ``checksum`` is SHA-1 over RID, index, modulus and exponent. EMV 4.4 Book 2, 11.2.2.
    """

    rid: bytes
    index: int
    key: RsaPublic
    expires: date | None = None

    @property
    def checksum(self) -> bytes:
        exponent = self.key.e.to_bytes((self.key.e.bit_length() + 7) // 8, "big")
        modulus = self.key.n.to_bytes(self.key.size, "big")
        return hashlib.sha1(self.rid + bytes((self.index,)) + modulus + exponent, usedforsecurity=False).digest()

    @property
    def name(self) -> str:
        return f"{self.rid.hex().upper()}/{self.index:02X}"

    def to_json(self) -> dict[str, str | None]:
        """The entry of a key file, as ``from_json`` reads it."""
        return {
            "rid": self.rid.hex().upper(),
            "index": f"{self.index:02X}",
            "modulus": self.key.n.to_bytes(self.key.size, "big").hex(),
            "exponent": f"{self.key.e:06x}" if self.key.e > 0xFF else f"{self.key.e:02x}",
            "sha1": self.checksum.hex(),
            "expires": self.expires.isoformat() if self.expires else None,
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> CaKey:
        """Raises CodecError for an entry that cannot be read, IntegrityError for a checksum of another key."""
        try:
            rid, index = bytes.fromhex(entry["rid"]), int(entry["index"], 16)
            modulus, exponent = bytes.fromhex(entry["modulus"]), bytes.fromhex(entry["exponent"])
            key = RsaPublic(int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big"))
            end = entry.get("expires")
            ca_key = cls(rid, index, key, date.fromisoformat(end) if end else None)
            checksum = bytes.fromhex(entry["sha1"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CodecError(f"a scheme CA key entry that cannot be read: {type(error).__name__}") from error
        if len(rid) != 5 or not 0 <= index <= 0xFF or key.e not in EXPONENTS or not 64 <= key.size <= 248:
            raise CodecError(f"scheme CA key {ca_key.name}: RID, index, exponent or length is out of range")
        if not hmac.compare_digest(ca_key.checksum, checksum):
            raise IntegrityError(f"scheme CA key {ca_key.name}: the checksum does not match the key")
        return ca_key


@dataclass(frozen=True, slots=True)
class SmCaKey:
    """One scheme CA public key for SM2: X || Y, 64 bytes, and the last day it may be used (None: no end)."""

    rid: bytes
    index: int
    key: bytes
    expires: date | None = None

    @property
    def checksum(self) -> bytes:
        """SM3 over RID, index, X and Y."""
        return sm3(self.rid + bytes((self.index,)) + self.key)

    @property
    def name(self) -> str:
        return f"{self.rid.hex().upper()}/{self.index:02X}"


def by_index(keys: Iterable[CaKey]) -> dict[tuple[bytes, int], CaKey]:
    """Scheme CA keys by RID and index. Raises CodecError when two keys share both."""
    by_number: dict[tuple[bytes, int], CaKey] = {}
    for key in keys:
        if by_number.setdefault((key.rid, key.index), key) is not key:
            raise CodecError(f"scheme CA key {key.name} occurs twice")
    return by_number
