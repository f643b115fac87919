"""A terminal of a hundred lines for tests of the payment application: fills lists, sends, takes answers apart."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from simulators.applets.payment.applet import PaymentApplet
from simulators.applets.payment.data import PaymentOptions
from terminal.apdu import Command, Response
from terminal.crypto.sm3 import sm3
from terminal.tlv import Dol, Tlvs, decode, tlv
from tests.support.cards.applet_host import send
from tests.support.cards.payment_specimen import PDOL, TRANSACTION

AAC, TC, ARQC = 0x00, 0x40, 0x80


@dataclass(frozen=True)
class Given:
    """One answer to GENERATE AC, in whatever format."""

    cid: int
    atc: bytes
    ac: bytes
    issuer_data: bytes
    signature: bytes
    raw: bytes

    @property
    def kind(self) -> int:
        return self.cid & 0xC0

    @property
    def cvr(self) -> str:
        return self.issuer_data[3:7].hex().upper()


class Till:
    """One card, one transaction at a time. ``values`` are what the terminal knows, by tag, in hex."""

    def __init__(self, applet: PaymentApplet, pdol: bytes = PDOL, **values: str) -> None:
        self.applet, self.pdol = applet, Dol.parse(pdol)
        self.values = {**TRANSACTION, **{int(tag[1:], 16): value for tag, value in values.items()}}
        self.sent = b""

    def fill(self, dol: Dol) -> bytes:
        return dol.fill({tag: bytes.fromhex(value) for tag, value in self.values.items()})

    def begin(self, **values: str) -> Response:
        """SELECT and GET PROCESSING OPTIONS."""
        self.values |= {int(tag[1:], 16): value for tag, value in values.items()}
        self.applet.select(0)
        self.sent = self.fill(self.pdol)
        return send(self.applet, Command(0x80, 0xA8, 0, 0, tlv(0x83, self.sent).encode(), 256))

    @property
    def options(self) -> PaymentOptions:
        assert self.applet.transaction is not None
        return self.applet.transaction.options

    def generate(self, kind: int, *, second: bool = False, **values: str) -> Response:
        self.values |= {int(tag[1:], 16): value for tag, value in values.items()}
        data = self.fill(self.options.cdol2 if second else self.options.cdol1)
        self.sent += data
        return send(self.applet, Command(0x80, 0xAE, kind, 0, data, 256))

    def first(self, kind: int, **values: str) -> Given:
        return given(self.generate(kind, **values))

    def second(self, kind: int, **values: str) -> Given:
        return given(self.generate(kind, second=True, **values))

    def run(self, kind: int = TC, **values: str) -> Given:
        """A transaction up to its first cryptogram."""
        assert self.begin(**values).sw.ok
        return self.first(kind)

    def online(self, issuer_data: bytes = b"", **values: str) -> Given:
        """A whole transaction that the issuer approves, with or without its answer."""
        assert self.run(ARQC, **values).kind == ARQC
        if issuer_data:
            assert send(self.applet, Command(0, 0x82, 0, 0, issuer_data)).sw.ok
        return self.second(TC)

    def covered(self, answer: Given, own: bytes) -> bytes:
        """What a cryptogram of version 01, 10 or 18 covers. EMV 4.4 Book 2, 8.1.1."""
        tags = (0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37)
        return b"".join(bytes.fromhex(self.values[tag]) for tag in tags) + self.options.aip + answer.atc + own

    def data_hash(self, answer: Given, *, chinese: bool) -> bytes:
        """The transaction data hash code of a combined signature. EMV 4.4 Book 2, 6.6.1."""
        response_data = b"".join(item.encode() for item in decode(answer.raw)[0].children if item.tag != 0x9F4B)
        data = self.sent + response_data
        return sm3(data) if chinese else hashlib.sha1(data).digest()  # noqa: S324


def given(response: Response) -> Given:
    assert response.sw.ok, response
    outer = decode(response.data)[0]
    if outer.tag == 0x80:
        value = outer.value
        return Given(value[0], value[1:3], value[3:11], value[11:], b"", response.data)
    inner: Tlvs = outer.children
    return Given(
        inner.need(0x9F27)[0],
        inner.need(0x9F36),
        inner.get(0x9F26) or b"",
        inner.need(0x9F10),
        inner.get(0x9F4B) or b"",
        response.data,
    )
