"""The scheme CA keys that a payment terminal trusts, and the issuer certificates that are revoked.

One YAML or JSON file::

    keys:
      - {rid: A000000333, index: "02", modulus: A367…, exponent: "03", sha1: 03BB…, expires: 2030-12-31}
      - {rid: A000000333, index: "57", point: 2E5A… (X and Y), sm3: 9C41…, expires: 2035-12-31}
    revoked:
      - {rid: A000000333, index: "02", serial: 00A1B2}

The checksum of an RSA key is SHA-1 over RID, index, modulus and exponent (EMV 4.4 Book 2, 11.2.2). For SM2 none is
published: this file uses SM3 over RID, index, X and Y. Keys without an end have no ``expires``. Each fault names line
and field.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from terminal.crypto import sm2
from terminal.crypto.rsa import EXPONENTS, RsaPublic
from terminal.emv.authentication.authorities import CaKey, SmCaKey
from terminal.emv.authentication.rsa import Check, OdaFailed, Signed
from terminal.emv.transaction.yamlfile import parse_model, read_text
from terminal.errors import CryptoError

_KIND: Final = "scheme CA key file"
_SMALLEST, _LARGEST = 64, 248
"""Bytes of an RSA modulus. EMV 4.4 Book 2, B2.1; Annex D1."""


def _hex(least: int, most: int) -> StringConstraints:
    return StringConstraints(pattern=rf"^([0-9A-Fa-f]{{2}}){{{least},{most}}}$")


Rid = Annotated[str, _hex(5, 5)]
Index = Annotated[str, _hex(1, 1)]
Serial = Annotated[str, _hex(3, 3)]
Place = tuple[bytes, int]
"""RID and index."""
K = TypeVar("K", CaKey, SmCaKey)


@dataclass(frozen=True, slots=True)
class CaStore:
    """Scheme CA keys by RID and index, and revoked issuer certificates by RID, index and serial number (3 bytes)."""

    rsa: Mapping[Place, CaKey]
    sm: Mapping[Place, SmCaKey]
    revoked: frozenset[tuple[bytes, int, bytes]] = frozenset()

    def rsa_key(self, rid: bytes, index: int, on: date) -> CaKey:
        """Raises OdaFailed when there is no such key, or it has expired. EMV 4.4 Book 2, 11.2."""
        return _usable(self.rsa.get((rid, index)), rid, index, on)

    def sm_key(self, rid: bytes, index: int, on: date) -> SmCaKey:
        """Raises OdaFailed when there is no such key, or it has expired."""
        return _usable(self.sm.get((rid, index)), rid, index, on)

    def check_revocation(self, rid: bytes, index: int, serial: bytes) -> None:
        """Raises OdaFailed when the issuer certificate of that serial number is revoked.

        EMV 4.4 Book 2, 5.1.2 and 5.3, step 10.
        """
        if (rid, index, serial) in self.revoked:
            raise OdaFailed(Signed.ISSUER, Check.REVOCATION, f"serial number {serial.hex().upper()}")


def _usable(key: K | None, rid: bytes, index: int, on: date) -> K:
    name = f"{rid.hex().upper()}/{index:02X}"
    if key is None:
        raise OdaFailed(Signed.ISSUER, Check.CA_KEY, f"{name} is not known")
    if key.expires is not None and on > key.expires:
        raise OdaFailed(Signed.ISSUER, Check.CA_KEY, f"{name} was valid through {key.expires}")
    return key


class _CaFileEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _KeyEntry(_CaFileEntry):
    """A key as it stands in the file: modulus, exponent and sha1 of an RSA key, or point and sm3 of an SM2 key."""

    rid: Rid
    index: Index
    expires: date | None = None
    modulus: Annotated[str, _hex(_SMALLEST, _LARGEST)] | None = None
    exponent: Annotated[str, _hex(1, 3)] | None = None
    sha1: Annotated[str, _hex(20, 20)] | None = None
    point: Annotated[str, _hex(sm2.PUBLIC, sm2.PUBLIC)] | None = None
    sm3: Annotated[str, _hex(32, 32)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> _KeyEntry:
        present = {name for name in ("modulus", "exponent", "sha1", "point", "sm3") if getattr(self, name) is not None}
        if present not in ({"modulus", "exponent", "sha1"}, {"point", "sm3"}):
            raise ValueError("a key has modulus, exponent and sha1 (RSA), or point and sm3 (SM2)")
        key = self.key
        checksum = bytes.fromhex(self.sha1 or self.sm3 or "")
        if isinstance(key, CaKey) and (key.key.e not in EXPONENTS or key.key.size != len(self.modulus or "") // 2):
            raise ValueError("the exponent is 3 or 65537, and the modulus begins with no zero byte")
        if not hmac.compare_digest(key.checksum, checksum):
            raise ValueError(f"the checksum of key {key.name} does not match the key")
        if isinstance(key, SmCaKey):
            _on_curve(key)
        return self

    @property
    def key(self) -> CaKey | SmCaKey:
        rid, index = bytes.fromhex(self.rid), int(self.index, 16)
        if self.point is not None:
            return SmCaKey(rid, index, bytes.fromhex(self.point), self.expires)
        return CaKey(rid, index, RsaPublic(int(self.modulus or "", 16), int(self.exponent or "", 16)), self.expires)


class _RevokedEntry(_CaFileEntry):
    rid: Rid
    index: Index
    serial: Serial

    @property
    def certificate(self) -> tuple[bytes, int, bytes]:
        return bytes.fromhex(self.rid), int(self.index, 16), bytes.fromhex(self.serial)


class _File(_CaFileEntry):
    """The whole file; ``provenance`` is the source of the keys, as text."""

    provenance: str = ""
    keys: list[_KeyEntry]
    revoked: list[_RevokedEntry] = Field(default_factory=list)

    @model_validator(mode="after")
    def _distinct(self) -> _File:
        seen: set[tuple[type, str]] = set()
        for key in (entry.key for entry in self.keys):
            if (type(key), key.name) in seen:
                raise ValueError(f"key {key.name} occurs twice")
            seen.add((type(key), key.name))
        return self


def load_ca_store(path: Path) -> CaStore:
    """Read and check a key file. Raises CodecError, one line for each fault with file, line and field."""
    return parse_ca_store(read_text(path, _KIND), str(path))


def parse_ca_store(text: str, name: str = _KIND) -> CaStore:
    """Check the text of a key file, the checksum of every key included. Raises CodecError."""
    read = parse_model(_File, text, name, _KIND)
    return ca_store((entry.key for entry in read.keys), (entry.certificate for entry in read.revoked))


def ca_store(keys: Iterable[CaKey | SmCaKey], revoked: Iterable[tuple[bytes, int, bytes]] = ()) -> CaStore:
    """A store of keys in memory. An RSA and an SM2 key may share RID and index."""
    every = list(keys)
    return CaStore(
        {(key.rid, key.index): key for key in every if isinstance(key, CaKey)},
        {(key.rid, key.index): key for key in every if isinstance(key, SmCaKey)},
        frozenset(revoked),
    )


def _on_curve(key: SmCaKey) -> None:
    try:
        sm2.check_public(key.key)
    except CryptoError as fault:
        raise ValueError(str(fault)) from None
