"""A member card that redeems and takes scripts, as docs/redemption.md says, for tests of the terminal's half.

Written from the page with pyemv for its cryptograms, not from the program and not from the simulator. It counts one
class and knows no periods: what a card decides is the simulator's business, and here the test says it (``refuses``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from pyemv import kd, sm
from pyemv.ac import generate_ac

from terminal.errors import CardGone
from tests.support.cards import rsa_signer as make
from tests.support.cards.member_issuer import CARD, LISTS, NUMBER, Issue, ScriptedCard, objects, tlv

CDOL1 = "9F02069F1A025F2A029A039F21039C019F37049F1C089F160FDF3102DF32019505"
LOG_FORMAT = "9F36029A039F21039F160FDF3102DF32019F27019F37049F26089F100E"
MASTERS = {"AC": bytes(range(16)), "SMI": bytes(range(16, 32)), "SMC": bytes(range(32, 48))}
OK = b"\x90\x00"


@cache
def key(name: str) -> bytes:
    """A key of the card with this number, sequence number 01."""
    return kd.derive_icc_mk_b(MASTERS[name], NUMBER, "01")


def issue(cdol1: str = CDOL1, aip: str = "3100") -> Issue:
    return replace(Issue(), lists={**LISTS, "8C": cdol1}, aip=aip)


def split(dol: str, data: bytes) -> dict[str, bytes]:
    """Values by tag in hex, of a list of tags of one and two bytes."""
    raw, values, at = bytes.fromhex(dol), {}, 0
    while raw:
        width = 2 if raw[0] & 0x1F == 0x1F else 1
        values[raw[:width].hex().upper()] = data[at : at + raw[width]]
        at, raw = at + raw[width], raw[width + 1 :]
    return values


class RedeemingCard(ScriptedCard):
    """``refuses`` are the three bytes of the CVR behind its length for an AAC. ``lost`` are places in the dialogue
    whose command is carried out and whose answer never comes."""

    def __init__(self, card: Issue | None = None, *, limit: int = 12, used: int = 3) -> None:
        super().__init__(card or issue())
        self.limit, self.used = limit, used
        self.atc, self.scripts = 0x0041, 0
        self.refuses = b""
        self.lost: set[int] = set()
        self.log_records: list[bytes] = []
        self.last: tuple[bytes, bytes, bytes, bytes] | None = None
        self.related = b""
        self.changes: list[tuple[str, bytes]] = []
        self.set_back = ""
        """DF33, of an application that has it."""
        self.spent = False
        self._count()

    @property
    def signs(self) -> bytes:
        return bytes(range(8))

    def exchange(self, apdu: bytes) -> bytes:
        answer = super().exchange(apdu)
        if len(self.log) - 1 in self.lost:
            raise CardGone("the card was pulled")
        return answer

    def _answer(self, apdu: bytes) -> bytes:
        data = apdu[5 : 5 + apdu[4]] if len(apdu) > 5 else b""
        match apdu[1]:
            case 0xA8:
                self.related, self.spent = data[2:], False
            case 0xAE:
                return self._generate(apdu[2], data)
            case 0xCA:
                return self._data(apdu[2:4].hex().upper())
            case 0xB2 if apdu[3] >> 3 == 4:
                number = apdu[2]
                return self.log_records[number - 1] + OK if number <= len(self.log_records) else b"\x6a\x83"
            case 0xDA | 0x24 | 0x1E | 0x18:
                return self._script(apdu[:5], data)
        return super()._answer(apdu)

    def _generate(self, p1: int, data: bytes) -> bytes:
        if self.spent:
            return b"\x69\x85"
        self.spent = True
        if self.last is not None and self.last[0] == data:
            return self._signed(data, *self.last[1:])
        values = split(self.issue.lists["8C"], data)  # type: ignore[arg-type]
        if self.refuses:
            return self._declined(data)
        self.atc += 1
        self.used += values["DF32"][0]
        self._count()
        atc = self.atc.to_bytes(2, "big")
        results = bytes((0x03, 0x40, 0x00, self.scripts & 0x0F))
        own = b"\x07\x01\x00" + results + b"\x00\x05" + bytes((self.used, self.limit)) + bytes.fromhex("260101")
        cryptogram = self.cryptogram(data, atc, own)
        self.last = (data, atc, own, cryptogram)
        self.log_records.insert(0, self.record({**values, "9F36": atc, "9F10": own, "9F26": cryptogram}))
        del self.log_records[10:]
        return self._signed(data, atc, own, cryptogram)

    def record(self, values: Mapping[str, bytes]) -> bytes:
        """A record of the log with these values."""
        named = split(LOG_FORMAT, bytes(53))
        return b"".join({**named, "9F27": b"\x40", **{t: v for t, v in values.items() if t in named}}.values())

    def cryptogram(self, data: bytes, atc: bytes, own: bytes) -> bytes:
        session = kd.derive_common_sk(key("AC"), atc + bytes(6))
        return generate_ac(session, data + bytes.fromhex(self.issue.aip) + atc + own)

    def _signed(self, data: bytes, atc: bytes, own: bytes, cryptogram: bytes) -> bytes:
        inside = objects({"9F27": b"\x40", "9F36": atc, "9F10": own})
        hashed = hashlib.sha1(self.related + data + inside).digest()  # noqa: S324
        dynamic = b"\x08" + self.signs + b"\x40" + cryptogram + hashed
        number = split(self.issue.lists["8C"], data)["9F37"]  # type: ignore[arg-type]
        signature = make.dynamic_signature(CARD, dynamic, number)
        return tlv("77", objects({"9F27": b"\x40", "9F36": atc, "9F4B": signature, "9F10": own})) + OK

    def _declined(self, data: bytes) -> bytes:
        atc = self.atc.to_bytes(2, "big")
        own = b"\x07\x01\x00\x03" + self.refuses + b"\x00\x05" + bytes((self.used, self.limit)) + b"\x26\x01\x01"
        cryptogram = self.cryptogram(data, atc, own)
        return tlv("77", objects({"9F27": b"\x00", "9F36": atc, "9F26": cryptogram, "9F10": own})) + OK

    def _data(self, tag: str) -> bytes:
        values = {
            "9F36": self.atc.to_bytes(2, "big"),
            "DF2E": self.scripts.to_bytes(2, "big"),
            "9F4F": bytes.fromhex(LOG_FORMAT),
            **({"DF33": bytes.fromhex(self.set_back)} if self.set_back else {}),
        }
        return tlv(tag, values[tag]) + OK if tag in values else b"\x6a\x88"

    def _script(self, header: bytes, data: bytes) -> bytes:
        if len(data) < 8:
            return b"\x69\x87"
        atc, counter = self.atc.to_bytes(2, "big"), self.scripts.to_bytes(2, "big")
        r = atc + b"\x00" + counter + bytes(3)
        session = kd.derive_common_sk(key("SMI"), r)
        if sm.generate_command_mac(session, header + atc + counter + data[:-8]) != data[-8:]:
            return b"\x69\x88"
        self.scripts += 1
        self.changes.append((header[:4].hex().upper(), data[:-8]))
        return OK

    def _count(self) -> None:
        entitlement = bytes.fromhex("0101") + bytes((self.limit, self.used, 4)) + bytes.fromhex("260101")
        self.contents[3, 1] = objects({"DF28": entitlement})
