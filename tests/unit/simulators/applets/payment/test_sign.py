"""Dynamic signature and PIN of the payment application: INTERNAL AUTHENTICATE, GET CHALLENGE, VERIFY."""

from __future__ import annotations

import hashlib
import os

import pytest

from simulators.card.memory import PowerLost, TearAt
from terminal.apdu import Command
from terminal.crypto import sm2
from tests.support.cards.applet_host import send
from tests.support.cards.payment_specimen import AFL, AIP, PIN_BLOCK, PaymentSpecimen, specimen

RSA, CHINESE = "80A800000C830A000000000012340156 00 00", "80A800000C830A000000000012340156 01 00"


@pytest.fixture(scope="module")
def card() -> PaymentSpecimen:
    return specimen()


@pytest.mark.parametrize("bits", [1024, 1152, 1984])
def test_rsa_signature(bits: int) -> None:
    """EMV 4.4 Book 2, 6.5.2, by Python's own pow."""
    card = specimen(bits, aip=b"\x7c\x00")
    host, applet = card.issued()
    assert send(applet, "0088000004112233 4400").sw == 0x6985, "processing options come first"
    send(applet, RSA)
    answer = send(applet, "00880000041122334400").data
    size = bits // 8
    assert answer[:1] == b"\x77"
    assert answer[-size - 4 : -size] == b"\x9f\x4b\x81" + bytes((size,))
    plain = pow(int.from_bytes(answer[-size:], "big"), 3, card.public.n).to_bytes(size, "big")
    assert (plain[0], plain[1], plain[2], plain[3], plain[4], plain[-1]) == (0x6A, 5, 1, 9, 8, 0xBC)
    assert plain[-21:-1] == hashlib.sha1(plain[1:-21] + bytes.fromhex("11223344")).digest()  # noqa: S324
    assert host.operations["rsa"] == 1


def test_signature_in_format_1(card: PaymentSpecimen) -> None:
    _, applet = card.having(0x9104, b"\x80\x0a" + AIP + AFL).issued()
    send(applet, RSA)
    answer = send(applet, "00880000041122334400").data
    assert answer[:3] == bytes.fromhex("808190")
    assert len(answer) == 3 + 144


def test_sm2_signature(card: PaymentSpecimen) -> None:
    """JR/T 0025.17: 15, length, dynamic data, r || s over these and the DDOL data."""
    host, applet = card.issued()
    send(applet, CHINESE)
    answer = send(applet, "00880000041122334400").data
    assert answer[:5] == bytes.fromhex("774E9F4B4B")
    signed, signature = answer[5:16], answer[16:]
    assert signed[:3] == bytes.fromhex("150908")
    assert sm2.verify(card.sm2_public, signed + bytes.fromhex("11223344"), signature)
    assert not sm2.verify(card.sm2_public, signed + bytes.fromhex("11223345"), signature)
    assert host.operations["sm2"] == 1
    assert send(applet, "00880000041122334400").data[7:16] != signed[2:], "the dynamic number is fresh"


def test_no_signature_from_a_card_that_promises_none(card: PaymentSpecimen) -> None:
    _, applet = card.having(0x9104, b"\x82\x02\x5c\x00\x94\x08" + AFL).issued()
    send(applet, RSA)
    assert send(applet, "00880000041122334400").sw == 0x6985


def test_signature_refusals(card: PaymentSpecimen) -> None:
    _, applet = card.issued()
    send(applet, RSA)
    assert send(applet, "0088000003112233").sw == 0x6700
    assert send(applet, "00880000").sw == 0x6700
    assert send(applet, "0088010004112233 44").sw == 0x6A86
    applet.select(0)
    assert send(applet, "00880000041122334400").sw == 0x6985


RIGHT, WRONG = "0020008008" + PIN_BLOCK.hex(), "0020008008249999FFFFFFFFFF"


def test_plain_pin(card: PaymentSpecimen) -> None:
    host, applet = card.issued()
    assert [send(applet, c).sw for c in (WRONG, RIGHT, WRONG, WRONG)] == [0x63C2, 0x9000, 0x63C2, 0x63C1]
    assert send(applet, "80CA9F1700").data == bytes.fromhex("9F170101")
    host.restart()
    assert [send(applet, c).sw for c in (WRONG, RIGHT, WRONG)] == [0x63C0, 0x6983, 0x6983]


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00200080", 0x6700),
        ("0020008008" + "3412FFFFFFFFFFFF", 0x6A80),
        ("0020008108" + PIN_BLOCK.hex(), 0x6A86),
        ("0020018008" + PIN_BLOCK.hex(), 0x6A86),
        ("0020008880" + "00" * 128, 0x6985),
    ],
)
def test_pin_commands_that_cost_no_try(card: PaymentSpecimen, command: str, sw: int) -> None:
    _, applet = card.issued()
    assert send(applet, command).sw == sw
    assert applet.tries == 3


def test_no_pin_on_the_card_and_none_without_contact(card: PaymentSpecimen) -> None:
    for _, applet in (card.without(0x8010, 0x9010).issued(), card.issued(contactless=True)):
        assert send(applet, RIGHT).sw == 0x6985


def enciphered(card: PaymentSpecimen, block: bytes, challenge: bytes, head: int = 0x7F) -> Command:
    """EMV 4.4 Book 2, 7.2, by Python's own pow."""
    public = card.pin_public
    size = (public.n.bit_length() + 7) // 8
    plain = bytes((head,)) + block + challenge + os.urandom(size - 17)
    return Command(0, 0x20, 0, 0x88, pow(int.from_bytes(plain, "big"), public.e, public.n).to_bytes(size, "big"))


def test_enciphered_pin(card: PaymentSpecimen) -> None:
    host, applet = card.issued()

    def challenge() -> bytes:
        return send(applet, "0084000000").data

    assert send(applet, enciphered(card, PIN_BLOCK, challenge())).sw.ok
    assert host.operations["rsa"] == 1
    assert send(applet, enciphered(card, PIN_BLOCK, bytes(8))).sw == 0x6985, "a challenge serves once"
    given = challenge()
    send(applet, "80CA9F1700")
    assert send(applet, enciphered(card, PIN_BLOCK, given)).sw == 0x6985, "and for the very next command"
    assert applet.tries == 3
    assert send(applet, enciphered(card, PIN_BLOCK, challenge(), head=0x6F)).sw == 0x63C2
    assert send(applet, enciphered(card, b"\x24\x11\x11" + b"\xff" * 5, challenge())).sw == 0x63C1
    challenge()
    assert send(applet, enciphered(card, PIN_BLOCK, bytes(8))).sw == 0x63C0, "another challenge"
    challenge()
    assert send(applet, enciphered(card, PIN_BLOCK, challenge())).sw == 0x6983


def test_enciphered_pin_under_the_card_key(card: PaymentSpecimen) -> None:
    """Without a PIN key of its own the ICC key serves. EMV 4.4 Book 2, 7.1."""
    without = card.without(*range(0x8301, 0x8306))
    _, applet = without.issued()
    given = send(applet, "0084000000").data
    size = (card.public.n.bit_length() + 7) // 8
    plain = int.from_bytes(b"\x7f" + PIN_BLOCK + given + bytes(size - 17), "big")
    data = pow(plain, 3, card.public.n).to_bytes(size, "big")
    assert send(applet, Command(0, 0x20, 0, 0x88, data)).sw.ok
    send(applet, "0084000000")
    assert send(applet, Command(0, 0x20, 0, 0x88, data[1:])).sw == 0x6700
    send(applet, "0084000000")
    assert send(applet, Command(0, 0x20, 0, 0x88, b"\xff" * size)).sw == 0x63C2, "no number below the modulus"


def test_a_power_cut_wins_no_try(card: PaymentSpecimen) -> None:
    for command, page, left in ((WRONG, 0, 2), (RIGHT, 0, 2), (RIGHT, 1, 3)):
        host, applet = card.issued()
        host.nvm.tear = TearAt(page, after=True)
        with pytest.raises(PowerLost):
            send(applet, command)
        host.restart()
        assert applet.tries == left
