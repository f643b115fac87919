"""Data groupings of a made-up member card, built from the card layout by hand, for tests of the card itself.

Certificates are filler: the card does not look into them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

MEMBER_AID = bytes.fromhex("F04D454D4245520101")
APPLICATION_KEYS = bytes(range(0x10, 0x40))
READ_KEYS = bytes(range(0x60, 0x90))
READ_KEY_VERSION = 0x40
PIN_BLOCK = bytes.fromhex("26246810FFFFFFFF")

IDENTITY = bytes.fromhex(
    "5A0A 9156 1300 0000 0000 123F 5F3401 01 5F2403 361231 5F2503 261122 9F0702 FFC0 9F0802 0101"
    "DF2106 130000000042 DF2212 393133303130303030303030303030303158 DF2304 B9A4BBE1 DF2404 D5C5C8FD"
    "DF2501 01 DF2601 00 DF2A03 130000 DF2B08 3132333435363738"
)
VALIDITY = bytes.fromhex("DF2703 311231 DF2903 271122")
LISTS = bytes.fromhex("8C03 9F0206 8D02 8A02 8E0A 00000000 00000000 1F03 9F4903 9F3704")
ENTITLEMENTS = bytes.fromhex("DF2810 0101 0C 00 03 261101 0201 04 00 03 261101".replace(" ", ""))
PROTECTED = bytes.fromhex("9F6112 313330313032313939303031303131323358 9F6201 00 DF2C06 013800138000")
PDOL = bytes.fromhex("9F1A02 9F3704")
FCI = bytes.fromhex(
    "A524 500C 554E494F4E204D454D424552 9F3806 9F1A029F3704 5F2D02 7A68 BF0C05 9F4D02 040A".replace(" ", "")
)
AFL = bytes.fromhex("08010101 08020200 08030301 10010300 18010100")
AIP = bytes.fromhex("3100")


def record(content: bytes) -> bytes:
    """A 70 template."""
    return b"\x70" + (bytes((len(content),)) if len(content) < 128 else bytes((0x81, len(content)))) + content


def padded(value: bytes, block: int = 8) -> bytes:
    """Padding method 2."""
    return value + b"\x80" + bytes(-(len(value) + 1) % block)


def _blocks(algorithm: TripleDES | algorithms.AES, block: bytes) -> bytes:
    return Cipher(algorithm, modes.ECB()).encryptor().update(block)[:3]  # noqa: S305  a key check value is one block


def des_checks(keys: bytes) -> bytes:
    return b"".join(_blocks(TripleDES(keys[i : i + 16] + keys[i : i + 8]), bytes(8)) for i in (0, 16, 32))


def aes_checks(keys: bytes) -> bytes:
    return b"".join(_blocks(algorithms.AES(keys[i : i + 16]), b"\x01" * 16) for i in (0, 16, 32))


@dataclass(frozen=True)
class Specimen:
    """All groupings in the order in which a personalizer sends them; ``secret`` ones go encrypted."""

    groups: dict[int, bytes]
    public: rsa.RSAPublicNumbers
    secret: frozenset[int] = field(
        default=frozenset({0x0501, 0x8000, 0x8030, 0x8010, 0x8201, 0x8202, 0x8203, 0x8204, 0x8205})
    )

    def without(self, *numbers: int) -> Specimen:
        return replace(self, groups={n: v for n, v in self.groups.items() if n not in numbers})

    def having(self, number: int, value: bytes) -> Specimen:
        return replace(self, groups={**self.groups, number: value})

    @property
    def dynamic_hash(self) -> bytes:
        """SHA-256 over the records that no signature covers: SFI 1 record 2, SFI 3 record 1."""
        return hashlib.sha256(VALIDITY + ENTITLEMENTS).digest()


def specimen(bits: int = 1152) -> Specimen:
    """A specimen with a fresh card key of ``bits`` and exponent 3."""
    numbers = rsa.generate_private_key(public_exponent=3, key_size=bits).private_numbers()
    half = bits // 16
    p, q = max(numbers.p, numbers.q), min(numbers.p, numbers.q)
    crt = [pow(q, -1, p), numbers.d % (q - 1), numbers.d % (p - 1), q, p]
    return Specimen(
        groups={
            0x0101: record(IDENTITY),
            0x0102: record(VALIDITY),
            0x0103: record(LISTS),
            0x0201: record(b"\x90\x81\xf8" + bytes(248)),
            0x0202: record(b"\x9f\x46\x81\xb0" + bytes(176) + bytes.fromhex("9F470103")),
            0x0203: record(bytes.fromhex("8F0101 9F320103 9F4A0182")),
            0x0301: record(ENTITLEMENTS),
            0x9102: FCI,
            0x9104: b"\x82\x02" + AIP + b"\x94\x14" + AFL,
            0x9200: bytes.fromhex("0701010300000001"),
            0x0501: padded(record(PROTECTED)),
            0x8000: APPLICATION_KEYS,
            0x9000: des_checks(APPLICATION_KEYS),
            0x8030: READ_KEYS,
            0x9030: bytes((READ_KEY_VERSION,)) + aes_checks(READ_KEYS),
            **{0x8201 + i: padded(value.to_bytes(half, "big")) for i, value in enumerate(crt)},
            0x8010: padded(PIN_BLOCK),
            0x9010: bytes((3, 3)),
        },
        public=numbers.public_numbers,
    )
