"""A small payment card with real RSA keys, and an issuer for it: enough of EMV for the terminal's half.

Written from the books, not from the program: it signs with ``rsa_signer`` and takes commands apart by hand. Its
cryptograms are a keyed hash, because the terminal never checks one; the issuer here does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from terminal.apdu import LinkProtocol
from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication.authorities import CaKey
from terminal.emv.authentication.cakeys import CaStore, ca_store
from terminal.emv.transaction.protocols import OnlineRequest, OnlineResponse, Unable
from terminal.errors import CardGone
from tests.support.cards import rsa_signer as make

AID = bytes.fromhex("A000000333010101")
PAN = "6225000000000006"
CA, ISSUER, CARD = make.key("toy ca", 1152), make.key("toy issuer", 1152), make.key("toy card", 1024)
SECRET = b"toy master key"
AAC, TC, ARQC = 0x00, 0x40, 0x80


def tlv(tag: str, value: bytes | str) -> bytes:
    value = bytes.fromhex(value) if isinstance(value, str) else value
    size = len(value)
    length = bytes((size,)) if size < 0x80 else bytes((0x81, size))
    return bytes.fromhex(tag) + length + value


def objects(values: Mapping[str, str | bytes]) -> bytes:
    return b"".join(tlv(tag, value) for tag, value in values.items())


def toy_keys() -> CaStore:
    """The scheme CA key that the toy cards are certified under."""
    return ca_store([CaKey(AID[:5], 1, RsaPublic(CA.n, CA.e))])


@cache
def certificates(static: bytes) -> tuple[make.Certified, make.Certified]:
    """The issuer's and a card's, over these static data; two slow signatures, so made once for each."""
    issuer = make.certificate(CA, ISSUER, "02622500FF1236000001")
    return issuer, make.certificate(ISSUER, CARD, f"04{PAN}FFFF1236000002", static=static)


DATA: dict[str, str | bytes] = {
    "5A": PAN,
    "5F34": "01",
    "5F24": "361231",
    "5F25": "200101",
    "5F28": "0156",
    "9F07": "FF00",
    "9F08": "0030",
    "9F0D": "D84000A800",
    "9F0E": "0010000000",
    "9F0F": "D84004F800",
    "8C": "9F02069F03069F1A0295055F2A029A039C019F37049F2103",
    "8D": "8A02910A95059F3704",
    "8E": "00000000000000001F00",
    "9F4A": "82",
}


def cryptogram(kind: int, atc: int, data: bytes) -> bytes:
    return hashlib.sha256(SECRET + bytes((kind,)) + atc.to_bytes(2, "big") + data).digest()[:8]


def arpc(arqc: bytes, code: bytes) -> bytes:
    return hashlib.sha256(SECRET + b"arpc" + arqc + code).digest()[:8] + code


@dataclass
class ToyCard:
    """One card as a transport. ``decide`` turns what the terminal asks for (AAC, TC, ARQC) into what the card answers,
    for the first and the second GENERATE AC. ``bend`` changes an answer on its way: (turn, command, answer)."""

    aip: str = "3D00"
    data: Mapping[str, str | bytes] = field(default_factory=lambda: dict(DATA))
    pdol: str = "9F37049F0206"
    fci: Mapping[str, str | bytes] = field(default_factory=dict)
    get_data: Mapping[str, str] = field(default_factory=lambda: {"9F36": "0007", "9F13": "0005", "9F17": "03"})
    first: Callable[[int], int] = lambda kind: kind
    second: Callable[[int], int] = lambda kind: kind
    cid_extra: int = 0
    format_1: bool = False
    second_atc: int = 7
    script_status: Mapping[str, str] = field(default_factory=dict)
    status: Mapping[str, str] = field(default_factory=dict)
    logs: Mapping[int, list[str]] = field(default_factory=dict)
    bend: Callable[[int, bytes, bytes], bytes] = lambda turn, command, answer: answer
    gone_at: str | None = None
    seen: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pdol_data = b""
        self._lists = b""
        self._generated = 0
        self.arqc = b""
        self.issuer_known = False
        signed = objects(self.data)
        static = signed + (bytes.fromhex(self.aip) if self.data.get("9F4A") else b"")
        issuer, card = certificates(static)
        self.records = {
            (1, 1): tlv("70", signed),
            (2, 1): tlv("70", objects({"8F": "01", "90": issuer.certificate, "9F32": issuer.exponent})),
            (2, 2): tlv("70", objects({"9F46": card.certificate, "9F47": card.exponent})),
        }
        if issuer.remainder:
            self.records[2, 1] = tlv("70", self.records[2, 1][3:] + tlv("92", issuer.remainder))
        if card.remainder:
            self.records[2, 2] = tlv("70", self.records[2, 2][3:] + tlv("9F48", card.remainder))

    atr = bytes.fromhex("3B6500002063CB6800")
    protocol = LinkProtocol.T1
    extended_length = False

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        return None

    def exchange(self, apdu: bytes) -> bytes:
        turn = len(self.seen)
        self.seen.append(apdu)
        name = apdu[1:2].hex().upper()
        if name == self.gone_at or f"{name}{self._generated}" == self.gone_at:
            raise CardGone("the card was pulled")
        answer = bytes.fromhex(self.status[name]) if name in self.status else self._answer(apdu)
        return self.bend(turn, apdu, answer)

    def _answer(self, apdu: bytes) -> bytes:
        ins, p1, p2 = apdu[1], apdu[2], apdu[3]
        data = apdu[5 : 5 + apdu[4]] if len(apdu) > 5 else b""
        if apdu[:4].hex().upper() in self.script_status:
            return bytes.fromhex(self.script_status[apdu[:4].hex().upper()])
        if ins == 0xA4:
            return self._select(p2, data)
        if ins == 0xA8:
            self._pdol_data = data[2:]
            afl = "08010101" + "10010200"
            return tlv("77", tlv("82", self.aip) + tlv("94", afl)) + b"\x90\x00"
        if ins == 0xB2:
            return self._record(p1, p2 >> 3)
        if ins == 0xCA:
            tag = f"{p1:02X}{p2:02X}"
            return tlv(tag, self.get_data[tag]) + b"\x90\x00" if tag in self.get_data else b"\x6a\x88"
        if ins == 0x82:
            self.issuer_known = data == arpc(self.arqc, data[8:])
            return b"\x90\x00" if self.issuer_known else b"\x63\x00"
        return self._generate(p1, data) if ins == 0xAE else b"\x6d\x00"

    def _select(self, p2: int, data: bytes) -> bytes:
        if not AID.startswith(data) or p2 == 0x02:
            return b"\x6a\x82"
        inside = objects({"50": b"UNIONPAY DEBIT", "9F38": self.pdol, **self.fci})
        return tlv("6F", tlv("84", AID) + tlv("A5", inside)) + b"\x90\x00"

    def _record(self, number: int, sfi: int) -> bytes:
        if sfi in self.logs:
            log = self.logs[sfi]
            return bytes.fromhex(log[number - 1]) + b"\x90\x00" if number <= len(log) else b"\x6a\x83"
        record = self.records.get((sfi, number))
        return b"\x6a\x83" if record is None else record + b"\x90\x00"

    def _generate(self, p1: int, data: bytes) -> bytes:
        self._generated += 1
        first = self._generated == 1
        kind = (self.first if first else self.second)(p1 & 0xC0)
        atc = 7 if first else self.second_atc
        ac = cryptogram(kind, atc, data)
        if first:
            self.arqc = ac
        self._lists += data
        cid, issuer_data = bytes((kind | self.cid_extra,)), bytes.fromhex("07010103A00000")
        if self.format_1:
            return tlv("80", cid + atc.to_bytes(2, "big") + ac + issuer_data) + b"\x90\x00"
        head = tlv("9F27", cid) + tlv("9F36", atc.to_bytes(2, "big"))
        if not p1 & 0x10 or kind == AAC:
            return tlv("77", head + tlv("9F26", ac) + tlv("9F10", issuer_data)) + b"\x90\x00"
        answer = head + tlv("9F10", issuer_data)
        hashed = hashlib.sha1(self._pdol_data + self._lists + answer).digest()  # noqa: S324
        dynamic = b"\x08" + bytes(range(8)) + cid + ac + hashed
        signature = make.dynamic_signature(CARD, dynamic, self._pdol_data[:4])
        return tlv("77", head + tlv("9F4B", signature) + tlv("9F10", issuer_data)) + b"\x90\x00"


@dataclass
class ToyHost:
    """The issuer. It checks the request cryptogram against the card's own, and answers with ``code``."""

    card: ToyCard
    code: bytes = b"00"
    scripts: tuple[bytes, ...] = ()
    unable: Unable | None = None
    fault: Exception | None = None
    authenticate: bool = True
    data: bytes | None = None
    requests: list[OnlineRequest] = field(default_factory=list)

    def authorize(self, request: OnlineRequest) -> OnlineResponse | Unable:
        self.requests.append(request)
        if self.fault is not None:
            raise self.fault
        if self.unable is not None:
            return self.unable
        honest = request.data.get(0x9F26) == self.card.arqc and request.data.get(0x9F36) == b"\x00\x07"
        code = self.code if honest else b"05"
        authentication_data = arpc(self.card.arqc, code) if self.authenticate else None
        return OnlineResponse(code, self.data or authentication_data, self.scripts)
