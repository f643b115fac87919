"""The state of a custodian as an immutable value: key records, audit entries and destroyed key versions."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, NoReturn

from terminal.crypto import kcv
from terminal.crypto.rsa import RsaPrivate
from terminal.crypto.sm2 import BITS, Sm2Private
from terminal.crypto.sm3 import sm3
from terminal.errors import CryptoError, KeyMisuse, KeyNotFound, KeystoreDamaged
from terminal.keys.custody import Algorithm, KeyInfo, KeyRef, Purpose
from terminal.secret import Secret

_AES = {Algorithm.AES128: 16, Algorithm.AES192: 24, Algorithm.AES256: 32}
KEY_BYTES: Mapping[Algorithm, int] = MappingProxyType(
    {Algorithm.TDES: 16, Algorithm.SM4: 16, Algorithm.HMAC: 32, **_AES}
)
Material = tuple[Secret, ...] | RsaPrivate | Sm2Private
"""One symmetric key, three (ENC, MAC, DEK masters of a key set), or a private key."""


def key_kcv(algorithm: Algorithm, key: bytes) -> bytes:
    """Three bytes: of 00s under 3DES and SM4, of sixteen 01 under AES, of the empty message under HMAC-SHA-256."""
    if algorithm is Algorithm.TDES:
        return kcv.des_kcv(key)
    if algorithm is Algorithm.SM4:
        return kcv.sm4_kcv(key)
    if algorithm is Algorithm.HMAC:
        return hmac.digest(key, b"", "sha256")[: kcv.LENGTH]
    return kcv.aes_kcv(key)


@dataclass(frozen=True, slots=True, repr=False)
class KeyRecord:
    """One key version: its attributes and its bytes."""

    info: KeyInfo
    material: Material

    @classmethod
    def make(
        cls,
        ref: KeyRef,
        purpose: Purpose,
        algorithm: Algorithm,
        material: Material,
        created: datetime,
        simulation: bool,
    ) -> KeyRecord:
        if isinstance(material, RsaPrivate):
            n, e = material.public
            check = hashlib.sha256(n.to_bytes(material.public.size, "big")).digest()[: kcv.LENGTH]
            bits = n.bit_length()
            return cls(KeyInfo(ref, algorithm, purpose, bits, check, created, simulation, n, e), material)
        if isinstance(material, Sm2Private):
            check = sm3(material.public)[: kcv.LENGTH]
            return cls(
                KeyInfo(ref, algorithm, purpose, BITS, check, created, simulation, point=material.public), material
            )
        first = material[0].reveal()
        check = key_kcv(algorithm, first)
        return cls(KeyInfo(ref, algorithm, purpose, 8 * len(first), check, created, simulation), material)

    @property
    def secret(self) -> bytes:
        """The bytes of a symmetric key. Raises KeyMisuse for key sets and private keys."""
        if not isinstance(self.material, tuple) or len(self.material) != 1:
            raise KeyMisuse(f"{self.info.ref} is not a single symmetric key")
        return self.material[0].reveal()

    def __repr__(self) -> str:
        return f"<KeyRecord {self.info.ref}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key record is not pickled")


@dataclass(frozen=True, slots=True)
class KeyAuditEntry:
    """One change of a key: when, by whom, which. It contains no key bytes."""

    at: datetime
    by: str
    action: str
    key: str
    detail: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class KeyTable:
    """All records by reference. ``retired`` are destroyed references, whose versions are not used again."""

    simulation: bool
    records: Mapping[KeyRef, KeyRecord] = field(default_factory=dict)
    retired: frozenset[KeyRef] = frozenset()
    audit: tuple[KeyAuditEntry, ...] = ()

    def get(self, ref: KeyRef) -> KeyRecord:
        try:
            return self.records[ref]
        except KeyError:
            absence = "was destroyed" if ref in self.retired else "is not in this custody"
            raise KeyNotFound(f"the key {ref} {absence}") from None

    def latest(self, name: str) -> KeyRef:
        """The newest version. Raises KeyNotFound."""
        versions = [ref for ref in self.records if ref.name == name]
        if not versions:
            raise KeyNotFound(f"no key named {name} is in this custody")
        return max(versions)

    def use(self, ref: KeyRef, purposes: Collection[Purpose], operation: str) -> KeyRecord:
        """The record, if its purpose is among ``purposes``. Raises KeyNotFound, KeyMisuse."""
        record = self.get(ref)
        if record.info.purpose not in purposes:
            raise KeyMisuse(f"{operation}: {ref} is a key for {record.info.purpose}, not {' or '.join(purposes)}")
        return record

    def next_ref(self, name: str) -> KeyRef:
        used = [ref.version for ref in (*self.records, *self.retired) if ref.name == name]
        return KeyRef(name, max(used, default=0) + 1)

    def with_record(self, record: KeyRecord, entry: KeyAuditEntry) -> KeyTable:
        return replace(self, records={**self.records, record.info.ref: record}, audit=(*self.audit, entry))

    def with_entry(self, entry: KeyAuditEntry) -> KeyTable:
        return replace(self, audit=(*self.audit, entry))

    def without(self, ref: KeyRef, entry: KeyAuditEntry) -> KeyTable:
        self.get(ref)
        remaining = {r: record for r, record in self.records.items() if r != ref}
        return replace(self, records=remaining, retired=self.retired | {ref}, audit=(*self.audit, entry))

    def only(self, names: Collection[str]) -> KeyTable:
        """The keys of these names without the audit list, for a worker. Raises KeyNotFound."""
        for name in names:
            self.latest(name)
        return KeyTable(self.simulation, {r: k for r, k in self.records.items() if r.name in names}, self.retired)

    def __repr__(self) -> str:
        return f"<KeyTable of {len(self.records)} keys>"


def encode(table: KeyTable) -> bytes:
    """The table as secret bytes, which callers encrypt at once."""
    keys = [_encode_record(record) for record in table.records.values()]
    audit = [[e.at.isoformat(), e.by, e.action, e.key, e.detail] for e in table.audit]
    retired = sorted([ref.name, ref.version] for ref in table.retired)
    state = {"simulation": table.simulation, "keys": keys, "retired": retired, "audit": audit}
    return json.dumps(state, ensure_ascii=False).encode()


def decode(data: bytes) -> KeyTable:
    """The inverse of ``encode``. Raises KeystoreDamaged, which shows nothing of the contents."""
    try:
        state = json.loads(data)
        simulation = bool(state["simulation"])
        records = [_decode_record(fields, simulation) for fields in state["keys"]]
        retired = frozenset(KeyRef(str(name), int(version)) for name, version in state["retired"])
        audit = tuple(
            KeyAuditEntry(datetime.fromisoformat(at), by, action, key, detail)
            for at, by, action, key, detail in state["audit"]
        )
    except (KeyError, TypeError, ValueError, IndexError, CryptoError):
        raise KeystoreDamaged("the decrypted contents of the keystore are not a list of keys") from None
    return KeyTable(simulation, {record.info.ref: record for record in records}, retired, audit)


def _encode_record(record: KeyRecord) -> dict[str, Any]:
    info, material = record.info, record.material
    parts = [part.reveal() for part in material] if isinstance(material, tuple) else [material.encode()]
    return {
        "name": info.ref.name,
        "version": info.ref.version,
        "purpose": info.purpose.value,
        "algorithm": info.algorithm.value,
        "created": info.created.isoformat(),
        "material": [part.hex() for part in parts],
    }


def _decode_record(fields: Mapping[str, Any], simulation: bool) -> KeyRecord:
    algorithm = Algorithm(fields["algorithm"])
    parts = [bytes.fromhex(part) for part in fields["material"]]
    material: Material
    match algorithm:
        case Algorithm.RSA:
            material = RsaPrivate.decode(parts[0])
        case Algorithm.SM2:
            material = Sm2Private.decode(parts[0])
        case _:
            material = tuple(Secret(part) for part in parts)
    ref = KeyRef(fields["name"], int(fields["version"]))
    created = datetime.fromisoformat(fields["created"])
    return KeyRecord.make(ref, Purpose(fields["purpose"]), algorithm, material, created, simulation)
