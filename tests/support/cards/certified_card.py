"""A payment card with certificates that hold, and the way to it without a chip: for whole transactions of the kernel.

The card's data are written from the books, byte by byte, not by data preparation.
"""

from __future__ import annotations

from collections.abc import Sequence

from terminal.apdu import Command, Response, StatusWord
from terminal.crypto import sm2, sm4
from terminal.tlv import tlv
from tests.support.cards import rsa_signer as make
from tests.support.cards.applet_host import send
from tests.support.cards.member_specimen import record
from tests.support.cards.payment_issuer import CA, CA_SM, INDEX, ISSUER, ISSUER_SM
from tests.support.cards.payment_specimen import AID, AIP, CDOL1, CDOL2, PaymentSpecimen, options, specimen

PAN = "6228480000000000"


class Wire:
    """A sender to one applet that is not on a chip: SELECT by its name, everything else straight to it."""

    def __init__(self, card: PaymentSpecimen) -> None:
        _, self.applet = card.issued()

    def send(self, command: Command) -> Response:
        if command.ins != 0xA4:
            return send(self.applet, command)
        if not AID.startswith(command.data) or command.p2:
            return Response(b"", StatusWord(0x6A82))
        return Response(self.applet.select(0), self.applet.select_status)


def _items(values: dict[int, bytes]) -> bytes:
    return b"".join(tlv(tag, value).encode() for tag, value in values.items())


def certified(
    issuer_data: str,
    tdes: Sequence[bytes],
    chinese: Sequence[bytes] | None = None,
    *,
    aip: bytes = AIP,
    cdol2: bytes = CDOL2,
    rules: str = "1F00",
) -> PaymentSpecimen:
    """A card with both algorithms, certified by the scheme's RSA and SM2 keys; ``rules`` are its CVM list."""
    blank = specimen(aip=aip)
    texts = {0x5F24: "361231", 0x5F34: "01", 0x9F07: "FF00", 0x9F08: "0030", 0x9F4A: "82", 0x9F49: "9F3704"}
    texts |= {0x9F0D: "FC4000A800", 0x9F0E: "0010000000", 0x9F0F: "FC4004F800", 0x8E: "0000000000000000" + rules}
    signed = _items(
        {0x5A: bytes.fromhex(PAN), 0x8C: CDOL1, 0x8D: cdol2} | {tag: bytes.fromhex(v) for tag, v in texts.items()}
    )
    static = signed + aip
    key = make.Key(blank.public.n, 0, blank.public.e)
    issuer = make.certificate(CA, ISSUER, "02622848FF12360000A1")
    icc = make.certificate(ISSUER, key, f"04{PAN}FFFF1236000002", static=static)
    pin_key = make.Key(blank.pin_public.n, 0, blank.pin_public.e)
    pin = make.certificate(ISSUER, pin_key, f"04{PAN}FFFF1236000003")
    sm_issuer = bytes.fromhex("12622848FF12360000A104001140") + ISSUER_SM.public
    sm_icc = bytes.fromhex(f"14{PAN}FFFF123600000204001140") + blank.sm2_public
    chip = {
        0x0101: record(signed),
        0x0201: record(
            _items({0x8F: bytes((INDEX,)), 0x90: issuer.certificate, 0x92: issuer.remainder, 0x9F32: issuer.exponent})
        ),
        0x0202: record(_items({0x9F46: icc.certificate, 0x9F47: icc.exponent, 0x9F48: icc.remainder})),
        0x0203: record(_items({0x9F2D: pin.certificate, 0x9F2E: pin.exponent, 0x9F2F: pin.remainder})),
        0x0301: record(_items({0x8F: bytes((INDEX,)), 0x90: sm_issuer + sm2.sign(CA_SM, sm_issuer)})),
        0x0302: record(_items({0x9F46: sm_icc + sm2.sign(ISSUER_SM, sm_icc + static)})),
        0x9104: options(aip, bytes.fromhex("08010101 10010300")),
        0x9106: options(aip, bytes.fromhex("08010101 18010200")),
    }
    certified_card = blank.with_keys(*tdes, issuer_data)
    if chinese is not None:
        chip[0x8020] = b"".join(chinese)
        chip[0x9020] = b"".join(sm4.ecb_encrypt(key, bytes(16))[:3] for key in chinese)
    for number, value in sorted(chip.items()):
        certified_card = certified_card.having(number, value)
    return certified_card
