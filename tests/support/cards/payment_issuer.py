"""A scheme, an issuer and a card that prove themselves with RSA or SM2, built from the tables byte by byte.

``RsaIssue`` and ``SmIssue`` give the card's data elements and sign what a terminal challenges; every field may be bent.
Written from EMV 4.4 Book 2 and JR/T 0025.17, not from the program.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from terminal.crypto import sm2
from terminal.crypto.rsa import RsaPublic
from terminal.crypto.sm3 import sm3
from terminal.emv.authentication.authorities import CaKey, SmCaKey
from terminal.emv.authentication.cakeys import CaStore, ca_store
from tests.support.cards import rsa_signer as make

RID = bytes.fromhex("A000000333")
INDEX = 0x57
PAN = "6222020000000000012"
SERIAL = "0000A1"
CA, ISSUER, CARD, PIN = (
    make.key(f"pay {n}", bits) for n, bits in (("ca", 1408), ("iss", 1152), ("icc", 1024), ("pin", 1024))
)
CA_SM, ISSUER_SM, CARD_SM = (sm2.generate() for _ in range(3))


def rsa_store(*, revoked: bool = False) -> CaStore:
    key = CaKey(RID, INDEX, RsaPublic(CA.n, CA.e))
    return ca_store([key], [(RID, INDEX, bytes.fromhex(SERIAL))] if revoked else [])


def sm_store(*, revoked: bool = False) -> CaStore:
    return ca_store([SmCaKey(RID, INDEX, CA_SM.public)], [(RID, INDEX, bytes.fromhex(SERIAL))] if revoked else [])


@dataclass
class RsaIssue:
    """An RSA card. ``static`` are the static data that its certificate and its static signature are over."""

    static: bytes = b""
    issuer_head: str = "02" + "622202FF" + "1230" + SERIAL
    icc_head: str = "04" + PAN + "F" + "1230" + "000002"
    algorithm: str = "RSA"
    hash_size: int = 20

    def elements(self) -> dict[int, bytes]:
        issuer = make.certificate(CA, ISSUER, self.issuer_head)
        icc = make.certificate(ISSUER, CARD, self.icc_head, static=self.static)
        return {
            0x8F: bytes((INDEX,)),
            0x90: issuer.certificate,
            0x92: issuer.remainder,
            0x9F32: issuer.exponent,
            0x93: make.static_signature(ISSUER, self.static),
            0x9F46: icc.certificate,
            0x9F47: icc.exponent,
            0x9F48: icc.remainder,
        }

    def pin_elements(self) -> dict[int, bytes]:
        pin = make.certificate(ISSUER, PIN, self.icc_head)
        return {0x9F2D: pin.certificate, 0x9F2E: pin.exponent, 0x9F2F: pin.remainder}

    def sign(self, dynamic: bytes, terminal: bytes) -> bytes:
        return make.dynamic_signature(CARD, dynamic, terminal)

    def hash(self, data: bytes) -> bytes:
        return hashlib.sha1(data).digest()  # noqa: S324


@dataclass
class SmIssue:
    """An SM2 card, alike. ``tail`` is what stands between serial number and key in a certificate."""

    static: bytes = b""
    issuer_head: str = "12" + "622202FF" + "1230" + SERIAL
    icc_head: str = "14" + PAN + "F" + "1230" + "000002"
    tail: str = "04001140"
    algorithm: str = "SM2"
    hash_size: int = 32
    card: sm2.Sm2Private = field(default_factory=lambda: CARD_SM)

    def elements(self) -> dict[int, bytes]:
        issuer = bytes.fromhex(self.issuer_head + self.tail) + ISSUER_SM.public
        icc = bytes.fromhex(self.icc_head + self.tail) + self.card.public
        return {
            0x8F: bytes((INDEX,)),
            0x90: issuer + sm2.sign(CA_SM, issuer),
            0x93: b"\x13\xda\xc0" + sm2.sign(ISSUER_SM, b"\x13\xda\xc0" + self.static),
            0x9F46: icc + sm2.sign(ISSUER_SM, icc + self.static),
        }

    def sign(self, dynamic: bytes, terminal: bytes) -> bytes:
        plain = bytes((0x15, len(dynamic))) + dynamic
        return plain + sm2.sign(self.card, plain + terminal)

    def hash(self, data: bytes) -> bytes:
        return sm3(data)


Issue = RsaIssue | SmIssue
