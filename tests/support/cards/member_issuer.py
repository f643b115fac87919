"""A federation that issues member cards for tests, and the card it issues as a scripted transport.

``Issue`` holds everything that may be bent before or after signing; ``ScriptedCard`` answers from it and can be
tampered with in transit. Written from the card layout, not from the program.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from terminal.apdu import LinkProtocol
from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication.authorities import CaKey
from terminal.errors import CardGone
from terminal.member.hotlist import HotCard, Hotlist
from terminal.member.signed import Issue as ListIssue
from terminal.member.trust import TrustList
from tests.support.cards import rsa_signer as make
from tests.support.cards.rsa_signer import Key

AID = bytes.fromhex("F04D454D4245520101")
RID = AID[:5]
NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
CA, ISSUER, CARD = make.key("ca", 1152), make.key("issuer", 1152), make.key("card", 1024)
NUMBER = "9156130000000001234"
UNPREDICTABLE = bytes.fromhex("A1B2C3D4")


def tlv(tag: str, value: bytes) -> bytes:
    size = len(value)
    length = bytes((size,)) if size < 0x80 else bytes((0x81, size))
    return bytes.fromhex(tag) + length + value


def objects(values: Mapping[str, str | bytes]) -> bytes:
    return b"".join(tlv(t, v if isinstance(v, bytes) else bytes.fromhex(v.replace(" ", ""))) for t, v in values.items())


IDENTITY = {
    "5A": NUMBER + "F",
    "5F34": "01",
    "5F24": "361231",
    "5F25": "261101",
    "9F07": "FFC0",
    "9F08": "0101",
    "DF21": "130000000042",
    "DF22": b"91130000000000001X",
    "DF23": "省直机关工会".encode("gb18030"),
    "DF24": "张伟".encode("gb18030"),
    "DF25": "01",
    "DF26": "00",
    "DF2A": "130000",
    "DF2B": b"123X8000",
}
VALIDITY = {"DF27": "311231", "DF29": "271122"}
LISTS = {"8C": "9F0206", "8D": "8A02", "8E": "00000000000000001F03", "9F49": "9F3704"}
ENTITLEMENTS = {"DF28": "0101 0C 03 04 260101 0201 04 04 02 260101"}


@dataclass(frozen=True)
class Issue:
    """What the federation signs and puts on the card; replace() a part of it to issue a bad card."""

    identity: Mapping[str, str | bytes] = field(default_factory=lambda: dict(IDENTITY))
    validity: Mapping[str, str | bytes] = field(default_factory=lambda: dict(VALIDITY))
    lists: Mapping[str, str | bytes] = field(default_factory=lambda: dict(LISTS))
    ca: Key = CA
    ca_index: str = "01"
    aip: str = "2100"
    afl: str = "08010101 08020200 08030301 10010300 18010100"
    issuer_head: str = "02 91561300 1230 000001"
    icc_head: str = "04 9156130000000001234F 1230 000002"
    tag_list: str | None = "82"
    static_signature: bool = False

    def dates(self, **values: str) -> Issue:
        """The same with other dates: ``dates(DF27="251231")``."""
        changed = {
            part: {t: values.get(t, v) for t, v in getattr(self, part).items()} for part in ("identity", "validity")
        }
        return replace(self, **changed)  # type: ignore[arg-type]

    def card(self) -> ScriptedCard:
        return ScriptedCard(self)

    @property
    def static(self) -> bytes:
        tail = bytes.fromhex(self.aip) if self.tag_list else b""
        return objects(self.identity) + objects(self.lists) + tail

    def records(self) -> dict[tuple[int, int], bytes]:
        """Contents of the 70 templates by SFI and record number."""
        issuer = make.certificate(self.ca, ISSUER, self.issuer_head.replace(" ", ""))
        icc = make.certificate(ISSUER, CARD, self.icc_head.replace(" ", ""), static=self.static)
        shared: dict[str, str | bytes] = {"8F": self.ca_index, "92": issuer.remainder, "9F32": issuer.exponent}
        if self.tag_list is not None:
            shared["9F4A"] = self.tag_list
        records = {
            (1, 1): objects(self.identity),
            (1, 2): objects(self.validity),
            (1, 3): objects(self.lists),
            (2, 1): objects({"90": issuer.certificate}),
            (2, 2): objects({"9F46": icc.certificate, "9F47": icc.exponent, "9F48": icc.remainder}),
            (2, 3): objects({tag: value for tag, value in shared.items() if value}),
            (3, 1): objects(ENTITLEMENTS),
        }
        if self.static_signature:
            records[2, 4] = objects({"93": make.static_signature(ISSUER, self.static)})
        return records


class ScriptedCard:
    """A transport that answers as the card would. ``answers`` overrides whole responses by command header (hex) or
    instruction; ``tamper`` changes responses on their way; ``vanish_at`` pulls the card at that command."""

    atr = bytes.fromhex("3B00")
    protocol = LinkProtocol.T1
    extended_length = False

    def __init__(self, issue: Issue) -> None:
        self.issue = issue
        self.contents = issue.records()
        self.log: list[str] = []
        self.answers: dict[str, bytes] = {}
        self.tamper: Callable[[bytes, bytes], bytes] = lambda command, answer: answer
        self.vanish_at: int | None = None
        self.dynamic: Callable[[bytes], bytes] | None = None

    def exchange(self, apdu: bytes) -> bytes:
        if self.vanish_at == len(self.log):
            raise CardGone("the card was pulled")
        self.log.append(apdu.hex().upper())
        header = apdu[:4].hex().upper()
        fixed = self.answers.get(header, self.answers.get(header[2:4]))
        return self.tamper(apdu, fixed if fixed is not None else self._answer(apdu))

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        self.vanish_at = 0

    def _answer(self, apdu: bytes) -> bytes:
        ok = b"\x90\x00"
        match apdu[1]:
            case 0xA4:
                proprietary = tlv("A5", objects({"50": b"UNION MEMBER", "9F38": "9F1A02 9F3704", "5F2D": b"zh"}))
                return tlv("6F", tlv("84", AID) + proprietary) + ok
            case 0xA8:
                return tlv("77", objects({"82": self.issue.aip, "94": self.issue.afl})) + ok
            case 0xB2:
                content = self.contents.get((apdu[3] >> 3, apdu[2]))
                return b"\x6a\x83" if content is None else tlv("70", content) + ok
            case 0x88:
                return tlv("77", tlv("9F4B", self.sign(apdu[5:-1]))) + ok
        return b"\x6d\x00"

    def sign(self, terminal: bytes) -> bytes:
        if self.dynamic is not None:
            return self.dynamic(terminal)
        unsigned = self.contents.get((1, 2), b"") + self.contents.get((3, 1), b"")
        dynamic = b"\x08" + bytes(range(8)) + hashlib.sha256(unsigned).digest()
        return make.dynamic_signature(CARD, dynamic, terminal)


LIST_ISSUE = ListIssue(3, NOW - timedelta(days=1), NOW + timedelta(days=30))
TRUST = TrustList.of([CaKey(RID, 1, RsaPublic(CA.n, CA.e), date(2035, 12, 31))], LIST_ISSUE)


def hotlist(*cards: HotCard) -> Hotlist:
    return Hotlist.of(cards, LIST_ISSUE)
