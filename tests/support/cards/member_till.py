"""A terminal and an issuer for tests of redemptions: fills lists, takes answers apart, writes script commands.

Written from docs/redemption.md. Cryptograms, MACs and session keys are those of pyemv, signatures those of Python's own
power, so that nothing of the program verifies itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from pyemv import ac, kd, sm

from simulators.applets.member.applet import MemberApplet
from simulators.card.applet import Refuse
from terminal.apdu import Command, Response
from terminal.tlv import decode
from tests.support.cards import member_specimen as layout
from tests.support.cards.applet_host import BareHost, send, store
from tests.support.cards.member_specimen import MEMBER_AID, PIN_BLOCK, Specimen, record

AAC, TC, CDA = 0x00, 0x40, 0x50
CDOL1: dict[str, int] = {
    "9F02": 6, "9F1A": 2, "5F2A": 2, "9A": 3, "9F21": 3, "9C": 1, "9F37": 4, "9F1C": 8, "9F16": 15,
    "DF31": 2, "DF32": 1, "95": 5,
}  # fmt: skip
USUAL: dict[str, str] = {
    "9F02": "000000001000", "9F1A": "0156", "5F2A": "0156", "9A": "261122", "9F21": "103000", "9C": "00",
    "9F37": "A1B2C3D4", "9F1C": b"TERM0001".hex(), "9F16": b"MERCHANT0000001".hex(), "DF31": "0101", "DF32": "01",
    "95": "0000000000",
}  # fmt: skip
PDOL_VALUES = bytes.fromhex("0156 11223344")
AIP = layout.AIP
LISTS = bytes.fromhex(
    "8C21 9F0206 9F1A02 5F2A02 9A03 9F2103 9C01 9F3704 9F1C08 9F160F DF3102 DF3201 9505"
    "8D02 8A02 8E0A 00000000 00000000 1F03 9F4903 9F3704"
)
VALIDITY = bytes.fromhex("DF2703 311231 DF2903 271122 DF2601 00 DF2D03 261101")
"""Record 1.2 with category and day of activation."""
IDENTITY = layout.IDENTITY.replace(bytes.fromhex("DF260100"), b"")
ENTITLEMENTS = (
    "0101 0C 00 02 261101  0201 04 00 03 261001  0301 02 00 01 261122  0401 01 00 05 200101  0501 03 00 84 260101"
)
"""Cinema by month, check-up by quarter, pool by day, once, and by year with the PIN."""


def redeeming(card: Specimen, entitlements: str = ENTITLEMENTS) -> Specimen:
    """The specimen as cards are personalized for redemptions."""
    value = bytes.fromhex(entitlements.replace(" ", ""))
    return (
        card.having(0x0101, record(IDENTITY))
        .having(0x0102, record(VALIDITY))
        .having(0x0103, record(LISTS))
        .having(0x0301, record(b"\xdf\x28" + bytes((len(value),)) + value))
        .having(0x9200, bytes.fromhex("0701000000000000"))
    )


def request(**values: str) -> bytes:
    """The CDOL1 values, ``t9A="261122"`` in place of the usual ones."""
    chosen = USUAL | {name[1:]: value for name, value in values.items()}
    return b"".join(bytes.fromhex(chosen[tag]) for tag in CDOL1)


@dataclass(frozen=True)
class Redeemed:
    """One answer to GENERATE AC, taken apart; ``signature`` is empty without CDA, ``ac`` empty with it."""

    cid: int
    atc: int
    ac: bytes
    issuer_data: bytes
    signature: bytes
    raw: bytes

    @classmethod
    def of(cls, response: Response) -> Redeemed:
        assert response.sw.ok, response
        outer = decode(response.data)
        assert [item.tag for item in outer] == [0x77]
        inner = outer[0].children
        own = 0x9F4B if inner.find(0x9F4B) else 0x9F26
        assert [item.tag for item in inner] == [0x9F27, 0x9F36, own, 0x9F10]
        return cls(
            inner.need(0x9F27)[0],
            int.from_bytes(inner.need(0x9F36), "big"),
            inner.get(0x9F26) or b"",
            inner.need(0x9F10),
            inner.get(0x9F4B) or b"",
            response.data,
        )

    @property
    def cvr(self) -> str:
        """Bytes 2 to 4 in hex."""
        assert self.issuer_data[3] == 3
        return self.issuer_data[4:7].hex().upper()

    @property
    def count(self) -> str:
        """Used, limit and period start in hex."""
        assert self.issuer_data[8] == 5
        return self.issuer_data[9:].hex().upper()


@dataclass
class MemberTill:
    """One card in a contact reader. ``exchange`` sends one command; ``modulus`` is of the card's public key."""

    exchange: Callable[[Command], Response]
    modulus: int
    keys: bytes = layout.APPLICATION_KEYS
    sent: bytes = field(default=b"", init=False)

    def begin(self) -> None:
        """SELECT and GET PROCESSING OPTIONS."""
        selected = self.exchange(Command(0x00, 0xA4, 4, 0, MEMBER_AID, 256))
        assert int(selected.sw) in (0x9000, 0x6283), selected
        self.options()

    def options(self) -> None:
        assert self.exchange(Command(0x80, 0xA8, 0, 0, b"\x83\x06" + PDOL_VALUES, 256)).sw.ok

    def generate(self, kind: int = CDA, **values: str) -> Response:
        self.sent = request(**values)
        return self.exchange(Command(0x80, 0xAE, kind, 0, self.sent, 256))

    def redeem(self, kind: int = CDA, **values: str) -> Redeemed:
        """SELECT to GENERATE AC, with everything in the answer verified."""
        self.begin()
        return self.verified(self.generate(kind, **values))

    def verified(self, response: Response) -> Redeemed:
        """The answer, after cryptogram and signature were computed again. EMV 4.4 Book 2, 6.6 and 8.1."""
        answer = Redeemed.of(response)
        number = self.cryptogram_in(answer) if answer.signature else answer.ac
        atc = answer.atc.to_bytes(2, "big")
        key = kd.derive_common_sk(self.keys[:16], atc + bytes(6))
        assert number == ac.generate_ac(key, self.sent + AIP + atc + answer.issuer_data)
        return answer

    def cryptogram_in(self, answer: Redeemed) -> bytes:
        size = (self.modulus.bit_length() + 7) // 8
        plain = pow(int.from_bytes(answer.signature, "big"), 3, self.modulus).to_bytes(size, "big")
        assert (plain[:5], plain[-1]) == (bytes.fromhex("6A05012608"), 0xBC)
        unpredictable = self.sent[17:21]
        assert plain[-21:-1] == hashlib.sha1(plain[1:-21] + unpredictable).digest()  # noqa: S324
        objects = b"".join(item.encode() for item in decode(answer.raw)[0].children if item.tag != 0x9F4B)
        hashed = hashlib.sha1(PDOL_VALUES + self.sent + objects).digest()  # noqa: S324
        assert plain[13] == answer.cid
        assert plain[22:42] == hashed
        return plain[14:22]

    def data(self, tag: int) -> str:
        """GET DATA: the value in hex."""
        response = self.exchange(Command(0x80, 0xCA, tag >> 8, tag & 0xFF, ne=256))
        assert response.sw.ok, response
        return decode(response.data).need(tag).hex().upper()

    def record(self, sfi: int, number: int) -> Response:
        return self.exchange(Command(0x00, 0xB2, number, sfi << 3 | 4, ne=256))

    def log(self) -> list[bytes]:
        """The records of the log, the newest first."""
        records = []
        while (response := self.record(4, len(records) + 1)).sw.ok:
            records.append(response.data)
        assert response.sw == 0x6A83
        return records

    def script(self, head: str, data: str = "", pin: bytes | None = None) -> Command:
        """A script command for the card as it is now: ATC and script counter by GET DATA."""
        return script(self.keys, self.data(0x9F36), self.data(0xDF2E), head, bytes.fromhex(data), pin)

    def run(self, head: str, data: str = "", pin: bytes | None = None) -> int:
        """The status word of a script command."""
        return int(self.exchange(self.script(head, data, pin)).sw)


def script(keys: bytes, atc: str, counter: str, head: str, data: bytes = b"", pin: bytes | None = None) -> Command:
    """A script command with its MAC, computed by pyemv; ``pin`` is enciphered. ``head`` is CLA INS P1 P2 in hex."""
    header = bytes.fromhex(head)
    r = bytes.fromhex(atc + "00" + counter) + bytes(3)
    if pin is not None:
        data = sm.encrypt_command_data(kd.derive_common_sk(keys[32:], r), pin, sm.EncryptionType.EMV)
    covered = header + bytes((len(data) + 8,)) + bytes.fromhex(atc + counter) + data
    mac = sm.generate_command_mac(kd.derive_common_sk(keys[16:32], r), covered)
    return Command(*header, data + mac)


PUT, BLOCK, UNBLOCK = "04DA", "841E0000", "84180000"
RESET_TRIES, CHANGE_PIN = "84240000", "84240002"
VERIFY, WRONG_PIN = "0020008008" + PIN_BLOCK.hex(), "0020008008249999FFFFFFFFFF"


class BareCard:
    """The applet on a bare host, which ``restart`` powers on again after a tear."""

    def __init__(self, card: Specimen, *, contactless: bool = False) -> None:
        self.host = BareHost(contactless=contactless)
        store(MemberApplet(self.host, MEMBER_AID, b""), card.groups.items())
        self.applet = MemberApplet(self.host, MEMBER_AID, b"")
        self.till = MemberTill(self.exchange, card.public.n)

    def exchange(self, command: Command) -> Response:
        """One command, SELECT as the operating system has it."""
        if command.ins != 0xA4 or command.cla:
            return send(self.applet, command)
        try:
            return Response(self.applet.select(command.p2), self.applet.select_status)
        except Refuse as refusal:
            return Response(b"", refusal.sw)

    def send(self, command: str) -> int:
        return int(self.exchange(Command.decode(bytes.fromhex(command))).sw)

    def restart(self) -> None:
        self.host.restart()
        self.applet = MemberApplet(self.host, MEMBER_AID, b"")
