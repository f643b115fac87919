"""Key management: generating, importing, rotating, exporting and destroying keys. Every change is audited."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations, starmap
from types import MappingProxyType
from typing import NoReturn

import gmpy2

from terminal.crypto import des, rsa, sm2
from terminal.errors import CryptoError, KeyMisuse, KeyRefused
from terminal.keys.custody import Algorithm, KeyInfo, KeyRef, Purpose, Sealed
from terminal.keys.published import is_published
from terminal.keys.table import KEY_BYTES, KeyAuditEntry, KeyRecord, KeyTable, Material, key_kcv
from terminal.names import fold, same_name
from terminal.secret import Secret

_OPENED = re.compile("([0-9]+) PINs of (.*?), second person .*")
_CARD = frozenset({Algorithm.TDES, Algorithm.AES128, Algorithm.AES192, Algorithm.AES256})
_APPLICATION = frozenset({Algorithm.TDES, Algorithm.SM4})
_SIGN = frozenset({Algorithm.RSA, Algorithm.SM2})
ALGORITHMS: Mapping[Purpose, frozenset[Algorithm]] = MappingProxyType(
    {
        Purpose.KMC: _CARD,
        Purpose.CARD: _CARD,
        Purpose.READ: _CARD,
        Purpose.AC: _APPLICATION,
        Purpose.SMI: _APPLICATION,
        Purpose.SMC: _APPLICATION,
        Purpose.SIGN_CA: _SIGN,
        Purpose.SIGN_ISSUER: _SIGN,
        Purpose.SIGN_LIST: frozenset({Algorithm.RSA}),
        Purpose.SEAL: frozenset({Algorithm.AES256}),
        Purpose.INDEX: frozenset({Algorithm.HMAC}),
        Purpose.PIN: _CARD | {Algorithm.SM4},
        Purpose.CVK: frozenset({Algorithm.TDES}),
        Purpose.TRANSPORT: _CARD | {Algorithm.SM4},
    }
)
"""The algorithms that a purpose allows."""

_NOT_ROTATED = MappingProxyType(
    {
        Purpose.KMC: "it belongs to the card supplier: import the next version",
        Purpose.INDEX: "every stored blind index depends on it, and members would no longer be recognized",
    }
)


@dataclass(frozen=True, slots=True)
class KeyComponent:
    """One component of a key, entered by one person; the key is the XOR of all components."""

    value: Secret
    by: str

    def kcv(self, algorithm: Algorithm) -> bytes:
        """Check value of this component, three bytes, as printed on its envelope. Raises KeyRefused."""
        return key_kcv(algorithm, _right_length(algorithm, self.value).reveal())


def utc_now() -> datetime:
    return datetime.now(UTC)


class KeyManagement:
    """The key management of a custodian; subclasses store the table in ``_change``."""

    def __init__(
        self,
        table: KeyTable,
        random: Callable[[int], bytes] = secrets.token_bytes,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._table = table
        self._random = random
        self._clock = clock
        self._mutex = threading.RLock()

    @property
    def simulation(self) -> bool:
        """Whether published test keys are accepted. Fixed when the custody is created."""
        return self._table.simulation

    def keys(self) -> Sequence[KeyInfo]:
        """All key versions, by name and version."""
        return [self._table.records[ref].info for ref in sorted(self._table.records)]

    def info(self, ref: KeyRef) -> KeyInfo:
        """Attributes of one key. Raises KeyNotFound."""
        return self._table.get(ref).info

    def latest(self, name: str) -> KeyRef:
        """The newest version of the key of that name. Raises KeyNotFound."""
        return self._table.latest(name)

    def audit(self) -> Sequence[KeyAuditEntry]:
        """Every change of a key since the custody was created, oldest first."""
        return self._table.audit

    def generate(
        self, name: str, purpose: Purpose, algorithm: Algorithm, *, by: str, bits: int = 2048, exponent: int = 3
    ) -> KeyInfo:
        """Generate a key; ``bits`` and ``exponent`` are for RSA only. Raises KeyRefused when the name is in use."""
        _check_purpose(name, purpose, algorithm)
        material = self._new_material(algorithm, bits, exponent)

        def edit(table: KeyTable) -> tuple[KeyTable, KeyInfo]:
            if any(ref.name == name for ref in table.records):
                raise KeyRefused(f"a key named {name} exists already: rotate it to make a new version")
            return self._add(table, name, purpose, algorithm, material, by, "generate")

        return self._change(edit)

    def import_key(
        self, name: str, purpose: Purpose, algorithm: Algorithm, key: Secret, *, by: str, kcv: bytes | None = None
    ) -> KeyInfo:
        """Import a key: symmetric bytes, or the encoding of ``RsaPrivate.encode`` or ``Sm2Private.encode``.

        An existing name gets a new version. Raises KeyRefused for a published test key outside simulation, a wrong
        length or another check value than ``kcv``; KeyMisuse when purpose or algorithm differ from those of earlier
        versions.
        """
        _check_purpose(name, purpose, algorithm)
        return self._import(name, purpose, algorithm, _material(algorithm, key), by, "import", kcv)

    def import_key_set(
        self, name: str, purpose: Purpose, algorithm: Algorithm, keys: tuple[Secret, Secret, Secret], *, by: str
    ) -> KeyInfo:
        """Import separate ENC, MAC and DEK masters as one key; its check value is that of ENC. See ``import_key``."""
        _check_purpose(name, purpose, algorithm)
        if purpose not in (Purpose.KMC, Purpose.CARD, Purpose.READ):
            raise KeyMisuse(f"importing {name}: a key for {purpose} is not a set of ENC, MAC and DEK")
        material = tuple(_right_length(algorithm, key) for key in keys)
        return self._import(name, purpose, algorithm, material, by, "import key set", None)

    def import_components(
        self,
        name: str,
        purpose: Purpose,
        algorithm: Algorithm,
        components: Sequence[KeyComponent],
        *,
        kcv: bytes | None = None,
    ) -> KeyInfo:
        """Import a key from two or three components, entered by different people. Audited with their check values.

        Raises KeyRefused when one person entered two components, and what ``import_key`` raises.
        """
        _check_purpose(name, purpose, algorithm)
        people = [component.by for component in components]
        if len(people) not in (2, 3) or not all(map(fold, people)) or any(starmap(same_name, combinations(people, 2))):
            raise KeyRefused(f"importing {name}: two or three components, each entered by another named person")
        if algorithm not in KEY_BYTES:
            raise KeyMisuse(f"importing {name}: a private key has no components")
        parts = [_right_length(algorithm, component.value).reveal() for component in components]
        joined = 0
        for part in parts:
            joined ^= int.from_bytes(part, "big")
        key = Secret(joined.to_bytes(len(parts[0]), "big"))
        detail = ", ".join(f"{c.by} KCV {c.kcv(algorithm).hex().upper()}" for c in components)
        by = " and ".join(component.by for component in components)
        return self._import(name, purpose, algorithm, (key,), by, f"import components ({detail})", kcv)

    def rotate(self, name: str, *, by: str) -> KeyInfo:
        """Generate the next version with the attributes of the latest, which stays usable.

        Raises KeyNotFound, and KeyMisuse for KMC and INDEX keys.
        """

        def edit(table: KeyTable) -> tuple[KeyTable, KeyInfo]:
            # Inside the edit, from the present table: another process may have rotated the key meanwhile.
            old = table.get(table.latest(name)).info
            if old.purpose in _NOT_ROTATED:
                raise KeyMisuse(f"{name} is not rotated: {_NOT_ROTATED[old.purpose]}")
            material = self._new_material(old.algorithm, old.bits, old.exponent or 3)
            return self._add(table, name, old.purpose, old.algorithm, material, by, "rotate")

        return self._change(edit)

    def destroy(self, ref: KeyRef, *, by: str) -> None:
        """Delete one key version for good; its number is not used again. Raises KeyNotFound."""

        def edit(table: KeyTable) -> tuple[KeyTable, KeyInfo]:
            info = table.get(ref).info
            detail = f"{info.algorithm} for {info.purpose}, KCV {info.kcv.hex().upper()}"
            return table.without(ref, KeyAuditEntry(self._clock(), by, "destroy", str(ref), detail)), info

        self._change(edit)

    def _export(self, ref: KeyRef, by: str, transport: KeyRef, block: str) -> str:
        """The key block, once its export is in the audit list."""

        def edit(table: KeyTable) -> tuple[KeyTable, KeyInfo]:
            info = table.get(ref).info
            detail = f"under {transport}, KCV {info.kcv.hex().upper()}"
            return table.with_entry(KeyAuditEntry(self._clock(), by, "export", str(ref), detail)), info

        self._change(edit)
        return block

    def _note_opening(self, pins: Sequence[Sealed], purpose: str, by: str, second: str) -> None:
        """Note in the audit list that PINs are opened, once for each key that sealed some of them."""
        for ref in sorted({sealed.key for sealed in pins}):
            count = sum(sealed.key == ref for sealed in pins)
            detail = f"{count} PINs of {purpose}, second person {second}"
            self._note(KeyAuditEntry(self._clock(), by, "open-pins", str(ref), detail), ref)

    def pins_opened(self, purpose: str) -> int:
        """How many PINs were ever opened for this purpose, by the audit list."""
        entries = (_OPENED.fullmatch(entry.detail) for entry in self._table.audit if entry.action == "open-pins")
        return sum(int(entry[1]) for entry in entries if entry is not None and entry[2] == purpose)

    def _note(self, entry: KeyAuditEntry, ref: KeyRef) -> None:
        self._change(lambda table: (table.with_entry(entry), table.get(ref).info))

    def _change(self, edit: Callable[[KeyTable], tuple[KeyTable, KeyInfo]]) -> KeyInfo:
        """Replace the table by the edited one, atomically."""
        with self._mutex:
            self._table, info = edit(self._table)
            return info

    def _import(
        self,
        name: str,
        purpose: Purpose,
        algorithm: Algorithm,
        material: Material,
        by: str,
        action: str,
        kcv: bytes | None,
    ) -> KeyInfo:
        symmetric = material if isinstance(material, tuple) else ()
        if not self.simulation and any(is_published(part.reveal()) for part in symmetric):
            raise KeyRefused(f"importing {name}: this is a published test key or a weak one, for simulation only")

        def edit(table: KeyTable) -> tuple[KeyTable, KeyInfo]:
            for old in (record.info for ref, record in table.records.items() if ref.name == name):
                if (old.purpose, old.algorithm) != (purpose, algorithm):
                    raise KeyMisuse(f"importing {name}: {old.ref} is {old.algorithm} for {old.purpose}")
            new, info = self._add(table, name, purpose, algorithm, material, by, action)
            if kcv is not None and kcv != info.kcv:
                actual, expected = info.kcv.hex().upper(), kcv.hex().upper()
                raise KeyRefused(f"importing {name}: the key has check value {actual}, not {expected}")
            return new, info

        return self._change(edit)

    def _add(
        self,
        table: KeyTable,
        name: str,
        purpose: Purpose,
        algorithm: Algorithm,
        material: Material,
        by: str,
        action: str,
    ) -> tuple[KeyTable, KeyInfo]:
        now = self._clock()
        record = KeyRecord.make(table.next_ref(name), purpose, algorithm, material, now, table.simulation)
        info = record.info
        detail = f"{algorithm}, {info.bits} bits, for {purpose}, KCV {info.kcv.hex().upper()}"
        return table.with_record(record, KeyAuditEntry(now, by, action, str(info.ref), detail)), info

    def _new_material(self, algorithm: Algorithm, bits: int, exponent: int) -> Material:
        if algorithm is Algorithm.RSA:
            return rsa.generate(bits, exponent)
        if algorithm is Algorithm.SM2:
            return sm2.generate()
        key = self._random(KEY_BYTES[algorithm])
        return (Secret(des.adjust_parity(key) if algorithm is Algorithm.TDES else key),)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._table.records)} keys{', simulation' if self.simulation else ''}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a custodian is not pickled: give workers a snapshot")


def _check_purpose(name: str, purpose: Purpose, algorithm: Algorithm) -> None:
    if algorithm not in ALGORITHMS[purpose]:
        raise KeyMisuse(f"{name}: a key for {purpose} is {' or '.join(sorted(ALGORITHMS[purpose]))}, not {algorithm}")
    if not name or not all(c.isascii() and (c.isalnum() or c in "-_.") for c in name):
        raise KeyRefused("a key name is letters, digits, hyphens, dots and underscores")


def _right_length(algorithm: Algorithm, key: Secret) -> Secret:
    if algorithm not in KEY_BYTES or len(key) != KEY_BYTES[algorithm]:
        raise KeyRefused(f"a key of {len(key)} bytes is no {algorithm} key")
    return key


def _material(algorithm: Algorithm, key: Secret) -> Material:
    if algorithm is Algorithm.RSA:
        return _rsa_material(key)
    if algorithm is not Algorithm.SM2:
        return (_right_length(algorithm, key),)
    try:
        return sm2.Sm2Private.decode(key.reveal())
    except CryptoError as fault:
        raise KeyRefused(str(fault)) from None


def _rsa_material(key: Secret) -> rsa.RsaPrivate:
    try:
        private = rsa.RsaPrivate.decode(key.reveal())
    except CryptoError as fault:
        raise KeyRefused(str(fault)) from None
    if private.n.bit_length() < 1024 or not (gmpy2.is_prime(private.p) and gmpy2.is_prime(private.q)):
        raise KeyRefused("an RSA key has two primes and at least 1024 bits")
    return private
