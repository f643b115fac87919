"""Data groupings of a made-up payment card and what its issuer and terminal know, for tests of the card itself.

Certificates are filler: the card does not look into them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa

from simulators.applets.payment.applet import PaymentApplet
from terminal.crypto import sm2, sm4
from tests.support.cards.applet_host import BareHost, store
from tests.support.cards.member_specimen import des_checks, padded, record

AID = bytes.fromhex("A000000333010101")
KEYS = bytes.fromhex(
    "0123456789ABCDEFFEDCBA9876543210 1111111111111111 2222222222222222 3333333333333333 4545454545454545"
)
SM4_KEYS = bytes(range(0x90, 0xC0))
PIN_BLOCK = bytes.fromhex("26246810FFFFFFFF")

PDOL = bytes.fromhex("9F7A01 9F0206 5F2A02 DF6901")
CDOL1 = bytes.fromhex("9F0206 9F0306 9F1A02 9505 5F2A02 9A03 9C01 9F3704 9F2103 9F4E14")
CDOL2 = bytes.fromhex("8A02 9F0206 9F0306 9F1A02 9505 5F2A02 9A03 9C01 9F3704")
CDOL2_WITH_ARPC = bytes.fromhex("910A") + CDOL2
DDOL = bytes.fromhex("9F3704")
AIP = bytes.fromhex("7D00")
"""SDA, DDA, cardholder verification, terminal risk management, EXTERNAL AUTHENTICATE, CDA."""
AFL = bytes.fromhex("08010100 10010201")
SM_AFL = bytes.fromhex("08010100 18010101")
INTERNAL = bytes.fromhex(
    "9F510201569F570201569F52020000 9F5301029F720102 9F5406000000010000 9F5C06000000020000 9F580103 9F590105 9F560100"
)

TRANSACTION = {
    0x9F02: "000000001234",
    0x9F03: "000000000000",
    0x9F1A: "0156",
    0x95: "0000000000",
    0x5F2A: "0156",
    0x9A: "261122",
    0x9C: "00",
    0x9F37: "DEADBEEF",
    0x9F21: "123456",
    0x9F4E: "53484F50".ljust(40, "0"),
    0x8A: "3030",
    0x91: "00" * 10,
    0x9F7A: "00",
    0xDF69: "00",
}


def fci(pdol: bytes = PDOL, log: bytes = b"\x0b\x0a") -> bytes:
    inner = b"\x50\x0aPBOC DEBIT" + b"\x87\x01\x01" + b"\x9f\x38" + bytes((len(pdol),)) + pdol
    inner += (
        b"\xbf\x0c" + bytes((len(log) + 3 if log else 0,)) + (b"\x9f\x4d" + bytes((len(log),)) + log if log else b"")
    )
    return b"\xa5" + bytes((len(inner),)) + inner


def lists(cdol1: bytes = CDOL1, cdol2: bytes = CDOL2) -> bytes:
    parts = ((b"\x8c", cdol1), (b"\x8d", cdol2), (b"\x9f\x49", DDOL), (b"\x5a", bytes.fromhex("6228480000000000")))
    return record(b"".join(tag + bytes((len(value),)) + value for tag, value in parts))


def options(aip: bytes = AIP, afl: bytes = AFL) -> bytes:
    return b"\x82\x02" + aip + b"\x94" + bytes((len(afl),)) + afl


@dataclass(frozen=True)
class PaymentSpecimen:
    """All groupings in the order in which a personalizer sends them, and the card's public keys."""

    groups: dict[int, bytes]
    public: rsa.RSAPublicNumbers
    sm2_public: bytes
    pin_public: rsa.RSAPublicNumbers
    secret: frozenset[int] = field(
        default=frozenset({0x8000, 0x8020, 0x8104, 0x8010, *range(0x8201, 0x8206), *range(0x8301, 0x8306)})
    )

    def without(self, *numbers: int) -> PaymentSpecimen:
        return replace(self, groups={n: v for n, v in self.groups.items() if n not in numbers})

    def having(self, number: int, value: bytes) -> PaymentSpecimen:
        return replace(self, groups={**self.groups, number: value})

    def with_keys(self, ac: bytes, smi: bytes, smc: bytes, issuer_data: str) -> PaymentSpecimen:
        """The same card under other 3DES keys, with this issuer application data."""
        keys = ac + smi + smc
        changed = {0x8000: keys, 0x9000: des_checks(keys), 0x9200: bytes.fromhex(issuer_data)}
        return replace(self, groups={**self.groups, **changed})

    def issued(self, *, contactless: bool = False, seed: int = 1) -> tuple[BareHost, PaymentApplet]:
        """A personalized card, selected."""
        host = BareHost(contactless=contactless, seed=seed)
        applet = PaymentApplet(host, AID, b"")
        store(applet, self.groups.items())
        applet.select(0)
        return host, applet


@cache
def _rsa(bits: int, name: str) -> rsa.RSAPrivateNumbers:
    return rsa.generate_private_key(public_exponent=3, key_size=bits).private_numbers()


def _crt(first: int, numbers: rsa.RSAPrivateNumbers, bits: int) -> dict[int, bytes]:
    p, q = max(numbers.p, numbers.q), min(numbers.p, numbers.q)
    parts = [pow(q, -1, p), numbers.d % (q - 1), numbers.d % (p - 1), q, p]
    return {first + i: padded(value.to_bytes(bits // 16, "big")) for i, value in enumerate(parts)}


def specimen(bits: int = 1152, aip: bytes = AIP) -> PaymentSpecimen:
    """A card with both algorithms, a PIN key of its own, and no limits but those of ``INTERNAL``."""
    key, pin, chinese = _rsa(bits, "icc"), _rsa(1024, "pin"), sm2.generate()
    kcvs = b"".join(sm4.ecb_encrypt(SM4_KEYS[i : i + 16], bytes(16))[:3] for i in (0, 16, 32))
    return PaymentSpecimen(
        groups={
            0x0101: lists(),
            0x0201: record(b"\x90\x81\xb0" + bytes(176)),
            0x0202: record(b"\x9f\x46\x81\x90" + bytes(144) + bytes.fromhex("9F470103")),
            0x0301: record(b"\x9f\x46\x81\x94" + bytes(148)),
            0x0D01: INTERNAL,
            0x9102: fci(),
            0x9104: options(aip),
            0x9106: options(aip, SM_AFL),
            0x9200: bytes.fromhex("0701010300000001"),
            0x8000: KEYS,
            0x9000: des_checks(KEYS),
            0x8020: SM4_KEYS,
            0x9020: kcvs,
            **_crt(0x8201, key, bits),
            **_crt(0x8301, pin, 1024),
            0x8104: padded(chinese.encode()),
            0x8010: padded(PIN_BLOCK),
            0x9010: bytes((3, 3)),
        },
        public=key.public_numbers,
        sm2_public=chinese.public,
        pin_public=pin.public_numbers,
    )
