"""Parts of foreign cards: a toy card with every kind of proof and PIN, and its issuer.

The card follows EMV 4.4 Books 1 to 3 and JR/T 0025.17 and is written apart from the program. Where the program checks a
signature with a library, the card signs with plain numbers (RSA) or with the same library (SM2); cryptograms and PINs
are checked by the issuer here with pyca's, gmssl's and psec's code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import psec
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from gmssl.sm4 import SM4_ENCRYPT, CryptSM4  # type: ignore[import-untyped]

from terminal.crypto import sm2
from terminal.crypto.pinblock import format0
from terminal.crypto.sm3 import sm3
from terminal.emv.transaction.protocols import OnlineRequest, OnlineResponse, Pin, Unable
from tests.support.cards import rsa_signer as make
from tests.support.cards.toys.emv_toy_card import (
    AAC,
    AID,
    ARQC,
    CA,
    CARD,
    ISSUER,
    PAN,
    ToyCard,
    arpc,
    cryptogram,
    objects,
)
from tests.support.cards.toys.emv_toy_card import tlv as tlv

PIN_KEY = make.key("foreign pin", 1024)
CA_SM, ISSUER_SM, CARD_SM = (sm2.generate() for _ in range(3))
PIN_ZONE = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
CHALLENGE, NUMBER = bytes.fromhex("1122334455667788"), b"\x08" + bytes(range(8))
REVOKED, OLD_CA = "0000EE", 2
"""The serial number of an issuer certificate on the revocation list, and the index of a CA key whose time is over."""
Elements = Mapping[str, str | bytes]
Make = Callable[[], ToyCard]


# -- proofs -----------------------------------------------------------------------------------------------------------


def unbent(data: bytes) -> bytes:
    return data


@dataclass(frozen=True)
class RsaProof:
    """Certificates and signatures as EMV 4.4 Book 2, 5 and 6 lay them down. ``*_head`` is format, subject, expiry and
    serial number; ``bend_*`` changes the body before it is hashed, ``seal_*`` the whole block before it is signed."""

    issuer_head: str = "02622500FF1236000001"
    icc_head: str = f"04{PAN}FFFF1236000002"
    bend_issuer: Callable[[bytes], bytes] = unbent
    seal_issuer: Callable[[bytes], bytes] = unbent
    bend_icc: Callable[[bytes], bytes] = unbent
    seal_icc: Callable[[bytes], bytes] = unbent
    static_only: bool = False
    pin_key: bool = False
    index: str = "01"

    @cache  # noqa: B019 - a handful of proofs in a test run
    def records(self, static: bytes) -> list[Elements]:
        issuer = make.certificate(CA, ISSUER, self.issuer_head, bend=self.bend_issuer, seal=self.seal_issuer)
        first: Elements = {"8F": self.index, "90": issuer.certificate, "9F32": issuer.exponent, "92": issuer.remainder}
        if self.static_only:
            return [first, {"93": make.static_signature(ISSUER, static)}]
        icc = make.certificate(ISSUER, CARD, self.icc_head, static=static, bend=self.bend_icc, seal=self.seal_icc)
        second: Elements = {"9F46": icc.certificate, "9F47": icc.exponent, "9F48": icc.remainder}
        if not self.pin_key:
            return [first, second]
        pin = make.certificate(ISSUER, PIN_KEY, f"04{PAN}FFFF1236000003")
        return [first, second, {"9F2D": pin.certificate, "9F2E": pin.exponent, "9F2F": pin.remainder}]

    def sign(self, dynamic: bytes, terminal: bytes) -> bytes:
        return make.dynamic_signature(CARD, dynamic, terminal)

    def digest(self, data: bytes) -> bytes:
        return hashlib.sha1(data).digest()  # noqa: S324


@dataclass(frozen=True)
class SmProof:
    """The same in SM2 and SM3. JR/T 0025.17: plain data with the signature behind."""

    issuer_head: str = "12622500FF1236000001"
    icc_head: str = f"14{PAN}FFFF1236000002"
    tail: str = "04001140"
    static_only: bool = False
    index: str = "01"

    @cache  # noqa: B019 - a handful of proofs in a test run
    def records(self, static: bytes) -> list[Elements]:
        issuer = bytes.fromhex(self.issuer_head + self.tail) + ISSUER_SM.public
        first: Elements = {"8F": self.index, "90": issuer + sm2.sign(CA_SM, issuer)}
        if self.static_only:
            return [first, {"93": b"\x13\xda\xc0" + sm2.sign(ISSUER_SM, b"\x13\xda\xc0" + static)}]
        icc = bytes.fromhex(self.icc_head + self.tail) + CARD_SM.public
        return [first, {"9F46": icc + sm2.sign(ISSUER_SM, icc + static)}]

    def sign(self, dynamic: bytes, terminal: bytes) -> bytes:
        plain = bytes((0x15, len(dynamic))) + dynamic
        return plain + sm2.sign(CARD_SM, plain + terminal)

    def digest(self, data: bytes) -> bytes:
        return sm3(data)


def sm4_block(key: bytes, block: bytes) -> bytes:
    """One block, by gmssl's code."""
    cipher = CryptSM4()
    cipher.set_key(key, SM4_ENCRYPT)
    return bytes(cipher.one_round(cipher.sk, block))


def sm4_cryptogram(kind: int, atc: int, data: bytes) -> bytes:
    """A cryptogram as PBOC cards make it with SM4: CBC-MAC under a session key, its halves mixed. JR/T 0025.17."""
    counter = atc.to_bytes(2, "big")
    session = sm4_block(b"foreign udk sm4!", bytes(6) + counter + bytes(6) + bytes(b ^ 0xFF for b in counter))
    message, state = bytes((kind,)) + data + b"\x80", bytes(16)
    message += bytes(-len(message) % 16)
    for at in range(0, len(message), 16):
        state = sm4_block(session, bytes(a ^ b for a, b in zip(state, message[at : at + 16], strict=True)))
    return bytes(a ^ b for a, b in zip(state[:8], state[8:], strict=True))


# -- the card ---------------------------------------------------------------------------------------------------------


@dataclass
class Card(ToyCard):
    """A toy card with a choice of proof, a PIN that counts tries, a directory and several applications.

    ``aip`` gives the method: CDA (01), DDA (20), SDA (40). ``apps`` are names with the status word of their
    selection, besides which a PSE lists them where ``directory`` is set.
    """

    proof: RsaProof | SmProof = field(default_factory=RsaProof)
    pin: str = "1234"
    tries: int = 3
    apps: Mapping[bytes, str] = field(default_factory=lambda: {AID: "9000"})
    directory: bool = False
    dda_format: int = 0x77

    def __post_init__(self) -> None:
        super().__post_init__()
        signed = objects(self.data)
        static = signed + (bytes.fromhex(self.aip) if "9F4A" in self.data else b"")
        proof = self.proof.records(static)
        self.records = {(1, 1): tlv("70", signed)}
        self.records |= {
            (2, n): tlv("70", objects({tag: value for tag, value in record.items() if value}))
            for n, record in enumerate(proof, 1)
        }
        self._selected = b""
        self._challenge = b""

    def _answer(self, apdu: bytes) -> bytes:
        ins, p1, p2 = apdu[1], apdu[2], apdu[3]
        data = apdu[5 : 5 + apdu[4]] if len(apdu) > 5 else b""
        if ins == 0xA8:
            self._pdol_data = data[2:]
            afl = "08010101" + f"1001{max(n for sfi, n in self.records if sfi == 2):02X}00"
            return tlv("77", tlv("82", self.aip) + tlv("94", afl)) + b"\x90\x00"
        if ins == 0xB2 and self._selected == PSE:
            entries = b"".join(tlv("61", tlv("4F", name) + tlv("50", b"UNIONPAY DEBIT")) for name in self.apps)
            return tlv("70", entries) + b"\x90\x00" if p1 == 1 else b"\x6a\x83"
        if ins == 0x88:
            return self._internal_authenticate(data)
        if ins == 0x84:
            self._challenge = CHALLENGE
            return CHALLENGE + b"\x90\x00"
        if ins == 0x20:
            return self._verify(p2, data)
        if apdu[1:4] == b"\xca\x9f\x17" and "9F17" in self.get_data:
            return tlv("9F17", bytes((self.tries,))) + b"\x90\x00"
        return super()._answer(apdu)

    def _select(self, p2: int, data: bytes) -> bytes:
        if data == PSE and self.directory and not p2:
            self._selected = PSE
            return tlv("6F", tlv("84", PSE) + tlv("A5", tlv("88", "01"))) + b"\x90\x00"
        names = [name for name in self.apps if name.startswith(data)]
        if p2 == 0x02:
            names = names[names.index(self._selected) + 1 :] if self._selected in names else []
        if not names:
            return b"\x6a\x82"
        self._selected = names[0]
        inside = objects({"50": b"UNIONPAY DEBIT", "9F38": self.pdol, **self.fci})
        return tlv("6F", tlv("84", names[0]) + tlv("A5", inside)) + bytes.fromhex(self.apps[names[0]])

    def _internal_authenticate(self, data: bytes) -> bytes:
        signature = self.proof.sign(NUMBER, data)
        body = signature if self.dda_format == 0x80 else tlv("9F4B", signature)
        return tlv(f"{self.dda_format:02X}", body) + b"\x90\x00"

    def _verify(self, p2: int, data: bytes) -> bytes:
        """Plain (80) or enciphered (88). EMV 4.4 Book 2, 7.2; Book 3, 6.5.12."""
        if not self.tries:
            return b"\x69\x83"
        block = data
        if p2 == 0x88:
            key = PIN_KEY if isinstance(self.proof, RsaProof) and self.proof.pin_key else CARD
            plain = key.sign(data)
            if plain[:1] != b"\x7f" or plain[9:17] != self._challenge:
                return b"\x69\x84"
            block = plain[1:9]
        self._challenge = b""
        if block.hex().upper() == f"2{len(self.pin):X}{self.pin}".ljust(16, "F"):
            self.tries = 3
            return b"\x90\x00"
        self.tries -= 1
        return bytes((0x63, 0xC0 | self.tries))

    def _generate(self, p1: int, data: bytes) -> bytes:
        if not isinstance(self.proof, SmProof):
            return super()._generate(p1, data)
        self._generated += 1
        first = self._generated == 1
        kind = (self.first if first else self.second)(p1 & 0xC0)
        ac = sm4_cryptogram(kind, 7, data)
        self.arqc = ac if first else self.arqc
        self._lists += data
        cid, issuer_data = bytes((kind,)), bytes.fromhex("07010103A00000 04")
        head = tlv("9F27", cid) + tlv("9F36", "0007")
        if not p1 & 0x10 or kind == AAC:
            return tlv("77", head + tlv("9F26", ac) + tlv("9F10", issuer_data)) + b"\x90\x00"
        answer = head + tlv("9F10", issuer_data)
        dynamic = NUMBER + cid + ac + self.proof.digest(self._pdol_data + self._lists + answer)
        signature = self.proof.sign(dynamic, self._pdol_data[:4])
        return tlv("77", head + tlv("9F4B", signature) + tlv("9F10", issuer_data)) + b"\x90\x00"


PSE = b"1PAY.SYS.DDF01"


# -- the issuer -------------------------------------------------------------------------------------------------------


@dataclass
class Bank:
    """The issuer. It computes the request cryptogram from the data of the request and answers 05 where they differ;
    a PIN that comes along is deciphered, and answered with 55 where it is wrong."""

    code: bytes = b"00"
    scripts: tuple[bytes, ...] = ()
    wrong: bool = False
    silent: bool = False
    sm: bool = False
    answer: Unable | OnlineResponse | None = None
    fault: Exception | None = None
    pin: str = "1234"
    requests: list[OnlineRequest] = field(default_factory=list)

    def authorize(self, request: OnlineRequest) -> OnlineResponse | Unable:
        self.requests.append(request)
        if self.fault is not None:
            raise self.fault
        if self.answer is not None:
            return self.answer
        data, atc = request.data, int.from_bytes(request.data[0x9F36], "big")
        given = b"".join(data[tag] for tag in (0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37, 0x9F21))
        code = self.code
        if (sm4_cryptogram if self.sm else cryptogram)(ARQC, atc, given) != data[0x9F26]:
            code = b"05"
        elif request.pin_block is not None and deciphered(request.pin_block, request.card_number) != self.pin:
            code = b"55"
        proof = bytes(10) if self.wrong else arpc(data[0x9F26], code)
        return OnlineResponse(code, None if self.silent else proof, self.scripts)


def _zone() -> Cipher[modes.ECB]:
    return Cipher(TripleDES(PIN_ZONE + PIN_ZONE[:8]), modes.ECB())  # noqa: S305 - one block


def enciphered(pin: Pin, pan: str) -> bytes:
    """The PIN pad: a block of format 0 under the zone's key."""
    encryptor = _zone().encryptor()
    return encryptor.update(format0(pin, pan).reveal()) + encryptor.finalize()


def deciphered(block: bytes, pan: str) -> str:
    decryptor = _zone().decryptor()
    return psec.pinblock.decode_pinblock_iso_0(decryptor.update(block) + decryptor.finalize(), pan)


def script(template: str, *commands: str, identifier: str | None = "A1B2C3D4") -> bytes:
    body = tlv("9F18", identifier) if identifier is not None else b""
    return tlv(template, body + b"".join(tlv("86", command) for command in commands))
