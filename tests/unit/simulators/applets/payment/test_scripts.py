"""Issuer scripts on the payment application, with MACs and enciphered PINs of pyemv, and of gmssl for SM4."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from gmssl import sm4 as plain_sm4
from pyemv import cvn, sm, tools

from simulators.applets.payment.state import Indicator
from simulators.card.memory import PowerLost, TearAt
from terminal.apdu import Command, StatusWord
from tests.support.cards.applet_host import BareHost, send
from tests.support.cards.member_specimen import record
from tests.support.cards.payment_specimen import KEYS, PIN_BLOCK, SM4_KEYS, PaymentSpecimen, fci, specimen
from tests.support.cards.payment_till import AAC, ARQC, TC, Given, Till

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

AC_KEY, SMI, SMC = KEYS[:16], KEYS[16:32], KEYS[32:]
BLOCK, UNBLOCK, CARD_BLOCK = (0x84, 0x1E), (0x84, 0x18), (0x84, 0x16)
NEW = "0020008008" + "251234 5FFFFFFFFF".replace(" ", "")
OLD = "0020008008" + PIN_BLOCK.hex()


@pytest.fixture(scope="module")
def card() -> PaymentSpecimen:
    return specimen()


def pboc_session(key: bytes, atc: bytes) -> bytes:
    return tools.encrypt_tdes_ecb(key, bytes(6) + atc + bytes(6) + bytes(b ^ 0xFF for b in atc))


class Issuer:
    """Sends scripts to one card after the cryptogram ``arqc``, as PBOC lays down."""

    def __init__(self, card: PaymentSpecimen, kind: int = ARQC, **values: str) -> None:
        self.host: BareHost
        self.host, applet = card.issued()
        self.till = Till(applet, **values)
        self.arqc: Given = self.till.run(kind)

    def mac(self, header: bytes, data: bytes) -> bytes:
        return sm.generate_command_mac(
            pboc_session(SMI, self.arqc.atc), header + self.arqc.atc + self.arqc.ac + data, 4
        )

    def encrypt(self, data: bytes) -> bytes:
        return sm.encrypt_command_data(pboc_session(SMC, self.arqc.atc), data, sm.EncryptionType.VISA)

    def send(self, kind: tuple[int, int], p1: int = 0, p2: int = 0, data: bytes = b"", bend: int = 0) -> StatusWord:
        header = bytes((*kind, p1, p2, len(data) + 4))
        mac = self.mac(header, data)
        return send(self.till.applet, Command(*header[:4], data + mac[:3] + bytes((mac[3] ^ bend,)))).sw

    def pin(self, block: bytes, p2: int = 2) -> StatusWord:
        return self.send((0x84, 0x24), 0, p2, self.encrypt(block))


def test_block_and_unblock(card: PaymentSpecimen) -> None:
    issuer = Issuer(card)
    applet = issuer.till.applet
    assert issuer.send(BLOCK).ok
    assert issuer.till.second(TC).kind == AAC, "at once"
    assert applet.select_status == 0x6283
    assert applet.select(0), "the FCI goes with it"
    issuer.arqc = issuer.till.run(TC)
    assert issuer.arqc.kind == AAC, "only declines"
    assert issuer.send(UNBLOCK).ok, "also after a decline"
    assert applet.select_status == 0x9000
    assert issuer.till.run(ARQC).kind == ARQC


def test_card_block(card: PaymentSpecimen) -> None:
    issuer = Issuer(card)
    assert issuer.send(CARD_BLOCK).ok
    assert issuer.host.state["blocked"] == b"\x01"


def test_a_wrong_mac_changes_nothing_but_a_mark(card: PaymentSpecimen) -> None:
    issuer = Issuer(card)
    state = issuer.till.applet.state
    assert issuer.send(BLOCK, bend=1) == 0x6988
    assert issuer.till.applet.select_status == 0x9000
    assert send(issuer.till.applet, "841E0000").sw == 0x6987
    assert state.indicators == Indicator.SCRIPT_FAILED | Indicator.ONLINE_NOT_COMPLETED
    assert state.scripts == 2
    stale = Issuer(card)
    stale.arqc = issuer.arqc
    stale.till.applet.state.atc += 1
    assert stale.till.run(ARQC).ac != issuer.arqc.ac
    assert stale.send(BLOCK) == 0x6988, "a command of another transaction"


def test_scripts_are_counted_and_reported_next_time(card: PaymentSpecimen) -> None:
    issuer = Issuer(card)
    issuer.send(UNBLOCK)
    issuer.till.second(TC)
    issuer.send(UNBLOCK)
    issuer.send(UNBLOCK, bend=1)
    issuer.arqc = issuer.till.run(TC)
    assert issuer.arqc.cvr[-2:] == "38"
    assert issuer.till.run(TC).cvr[-2:] == "38", "until a transaction is completed online"
    issuer.till.online()
    assert issuer.till.run(TC).cvr[-2:] == "00"


def test_a_failed_script_may_ask_to_go_online(card: PaymentSpecimen) -> None:
    issuer = Issuer(card.having(0x0E01, bytes.fromhex("9F52020008")))
    issuer.till.second(TC)
    issuer.send(UNBLOCK, bend=1)
    assert issuer.till.run(TC).kind == ARQC


@pytest.mark.parametrize(
    ("kind", "p1", "p2", "data", "sw"),
    [
        (BLOCK, 1, 0, "", 0x6A86),
        (UNBLOCK, 0, 1, "", 0x6A86),
        (CARD_BLOCK, 0, 0, "00", 0x6700),
        ((0x84, 0x24), 0, 3, "", 0x6A86),
        ((0x84, 0x24), 0, 0, "00", 0x6700),
        ((0x84, 0x24), 0, 2, "", 0x6A80),
        ((0x84, 0x24), 0, 2, "00" * 9, 0x6A80),
        ((0x84, 0x24), 0, 2, "00" * 16, 0x6A80),
        ((0x04, 0xDA), 0x9F, 0x58, "0102", 0x6A80),
        ((0x04, 0xDA), 0x9F, 0x54, "00000000000A", 0x6A80),
        ((0x04, 0xDA), 0x9F, 0x36, "0001", 0x6A88),
        ((0x04, 0xDA), 0x9F, 0x51, "0840", 0x6A88),
        ((0x04, 0xDA), 0x9F, 0x79, "000000000001", 0x6A88),
        ((0x04, 0xDC), 0, 0x0C, "7000", 0x6A86),
        ((0x04, 0xDC), 1, 0x0D, "7000", 0x6A86),
        ((0x04, 0xDC), 9, 0x0C, "7000", 0x6A83),
        ((0x04, 0xDC), 1, 0x6C, "7000", 0x6A82),
        ((0x04, 0xDC), 1, 0x0C, "7001", 0x6A80),
    ],
)
def test_refusals_leave_a_mark(
    card: PaymentSpecimen, kind: tuple[int, int], p1: int, p2: int, data: str, sw: int
) -> None:
    issuer = Issuer(card)
    before = issuer.host.state
    assert issuer.send(kind, p1, p2, bytes.fromhex(data)) == sw
    after = issuer.host.state
    assert {name for name in after if before.get(name) != after[name]} == {"marks", "scripts"}


def test_put_data(card: PaymentSpecimen) -> None:
    issuer = Issuer(card)
    assert issuer.send((0x04, 0xDA), 0x9F, 0x58, b"\x09").ok
    assert send(issuer.till.applet, "80CA9F5800").data == bytes.fromhex("9F580109")
    assert send(issuer.till.applet, "80DA9F580101").sw == 0x6E00


def test_update_record(card: PaymentSpecimen) -> None:
    issuer = Issuer(card)
    new = record(bytes.fromhex("5F2403 311231"))
    assert issuer.send((0x04, 0xDC), 1, 2 << 3 | 4, new).ok
    assert send(issuer.till.applet, "00B2011400").data == new


PINS: list[tuple[str | None, int]] = [(None, 2), ("246810", 1)]


@pytest.mark.parametrize(("current", "p2"), PINS)
def test_pin_change(card: PaymentSpecimen, current: str | None, p2: int) -> None:
    issuer = Issuer(card)
    applet = issuer.till.applet
    send(applet, "0020008008249999FFFFFFFFFF")
    assert issuer.pin(sm.format_vis_pin_block(AC_KEY, "12345", current), p2).ok
    assert applet.tries == 3
    assert send(applet, OLD).sw == 0x63C2
    assert send(applet, NEW).sw.ok


def test_pin_change_with_another_present_pin(card: PaymentSpecimen) -> None:
    issuer = Issuer(card)
    assert issuer.pin(sm.format_vis_pin_block(AC_KEY, "12345", "999999"), 1) == 0x6A80
    assert issuer.pin(sm.format_vis_pin_block(AC_KEY, "12345"), 1) == 0x6A80
    assert send(issuer.till.applet, OLD).sw.ok


@pytest.mark.parametrize("block", [bytes(7), bytes(9), b"\x24\x12\x3a" + b"\xff" * 5, bytes(8)])
def test_pin_change_by_no_block(card: PaymentSpecimen, block: bytes) -> None:
    issuer = Issuer(card)
    assert issuer.pin(block) == 0x6A80
    assert send(issuer.till.applet, OLD).sw.ok


def test_pin_change_by_a_block_of_format_2(card: PaymentSpecimen) -> None:
    issuer = Issuer(card)
    assert issuer.pin(sm.format_iso9564_2_pin_block("12345")).ok
    assert send(issuer.till.applet, NEW).sw.ok


def test_pin_unblock(card: PaymentSpecimen) -> None:
    issuer = Issuer(card)
    for _ in range(3):
        send(issuer.till.applet, "0020008008249999FFFFFFFFFF")
    assert send(issuer.till.applet, OLD).sw == 0x6983
    assert issuer.send((0x84, 0x24)).ok
    assert send(issuer.till.applet, OLD).sw.ok
    without = Issuer(card.without(0x8010, 0x9010))
    assert without.send((0x84, 0x24)) == 0x6985


def test_a_load_of_ecash_is_logged(card: PaymentSpecimen) -> None:
    """JR/T 0025.13: P1 and P2, old and new balance, then what DF4F says."""
    template = fci()[:-8] + bytes.fromhex("BF0C0A 9F4D020B0A DF4D020C0A".replace(" ", ""))
    template = template[:1] + bytes((len(template) - 2,)) + template[2:]
    purse = bytes.fromhex("9F7906000000000000 9F7706000000010000".replace(" ", ""))
    issuer = Issuer(card.having(0x9102, template).having(0x0E01, purse))
    applet = issuer.till.applet
    assert send(applet, "80CADF4F00").data.hex().upper() == "DF4F0E9A039F21039F1A029F4E149F3602"
    assert issuer.send((0x04, 0xDA), 0x9F, 0x79, bytes.fromhex("000000010001")) == 0x6A80, "above 9F77"
    assert issuer.send((0x04, 0xDA), 0x9F, 0x79, bytes.fromhex("000000005000")).ok
    record = send(applet, "00B2016400").data
    assert record[:20].hex() == "9f79000000000000000000005000" + "261122123456"
    assert record[-2:] == issuer.arqc.atc
    assert send(applet, "00B2026400").sw == 0x6A83
    assert send(applet, "00B2015C00").sw == 0x6A83, "the other log is empty"


@pytest.mark.parametrize("act", ["load", "pin", "block", "record"])
def test_a_torn_script_leaves_old_or_new(card: PaymentSpecimen, act: str) -> None:
    """Balance and load log, PIN and tries, and the script counter: together or not at all."""
    template = fci()[:-8] + bytes.fromhex("BF0C05 DF4D020C0A".replace(" ", ""))
    own = card.having(0x9102, template).having(0x0E01, bytes.fromhex("9F7906000000000000"))

    def perform(issuer: Issuer) -> StatusWord:
        if act == "load":
            return issuer.send((0x04, 0xDA), 0x9F, 0x79, bytes.fromhex("000000005000"))
        if act == "pin":
            return issuer.pin(sm.format_vis_pin_block(AC_KEY, "12345"))
        if act == "record":
            return issuer.send((0x04, 0xDC), 1, 2 << 3 | 4, record(bytes(200)))
        return issuer.send(BLOCK)

    whole = Issuer(own)
    before, pages = whole.host.state, whole.host.nvm.pages_written
    assert perform(whole).ok
    after, pages = whole.host.state, whole.host.nvm.pages_written - pages
    for page in range(pages):
        for late in (False, True):
            issuer = Issuer(own)
            issuer.host.nvm.tear = TearAt(page, after=late)
            with pytest.raises(PowerLost):
                perform(issuer)
            issuer.host.restart()
            assert issuer.host.state == (after if late else before)


class ChineseIssuer(Issuer):
    """The same under SM4."""

    @staticmethod
    def cipher(key: bytes, data: bytes) -> bytes:
        crypt = plain_sm4.CryptSM4()
        crypt.set_key(key, plain_sm4.SM4_ENCRYPT)
        return b"".join(bytes(crypt.one_round(crypt.sk, list(data[i : i + 16]))) for i in range(0, len(data), 16))

    def session(self, key: bytes) -> bytes:
        atc = self.arqc.atc
        return self.cipher(key, bytes(6) + atc + bytes(6) + bytes(b ^ 0xFF for b in atc))

    def mac(self, header: bytes, data: bytes) -> bytes:
        message = header + self.arqc.atc + self.arqc.ac + data + b"\x80"
        message += bytes(-len(message) % 16)
        key, block = self.session(SM4_KEYS[16:32]), bytes(16)
        for i in range(0, len(message), 16):
            block = self.cipher(key, bytes(a ^ b for a, b in zip(block, message[i : i + 16], strict=True)))
        return bytes(a ^ b for a, b in zip(block[:8], block[8:], strict=True))[:4]

    def encrypt(self, data: bytes) -> bytes:
        return self.cipher(self.session(SM4_KEYS[32:]), (bytes((len(data),)) + data + b"\x80").ljust(16, b"\x00"))


def test_scripts_under_sm4(card: PaymentSpecimen) -> None:
    issuer = ChineseIssuer(card, tDF69="01")
    assert issuer.pin(sm.format_vis_pin_block(SM4_KEYS[:16], "12345")).ok
    assert send(issuer.till.applet, NEW).sw.ok
    assert issuer.send(BLOCK, bend=1) == 0x6988
    assert issuer.send(BLOCK).ok
    assert issuer.till.applet.select_status == 0x6283


MASTERS = (bytes(range(0x01, 0x21, 2)), bytes(range(0x21, 0x41, 2)), bytes(range(0x41, 0x61, 2)))


@pytest.mark.parametrize(
    ("issuer", "data", "keyed"),
    [
        (cvn.VisaCVN10, "06010A03000000", "tag_9f36"),
        (cvn.VisaCVN18, "06011203000000", "tag_9f36"),
        (cvn.VisaCVN22, "1F2201" + "00" * 29, "tag_9f26"),
    ],
)
def test_scripts_of_other_versions(
    card: PaymentSpecimen, issuer: Callable[..., cvn.VisaCVN18], data: str, keyed: str
) -> None:
    """MACs of eight bytes, as pyemv makes them; 9201 says so to the card."""
    visa = issuer(*MASTERS, "6228480000000000", "01")
    version = int(data[4:6] if data[:2] == "06" else data[2:4], 16)
    own = card.with_keys(visa.icc_mk_ac, visa.icc_mk_smi, visa.icc_mk_smc, data)
    _, applet = own.having(0x9201, bytes((version, 0, 8))).issued()
    arqc = Till(applet).run(ARQC)
    diversification = {"tag_9f26": arqc.ac, "tag_9f36": arqc.atc}
    header = bytes.fromhex("8424000218")
    block = sm.format_vis_pin_block(visa.icc_mk_ac, "12345")
    ciphered = visa.encrypt_command_data(block, **{keyed: diversification[keyed]})
    mac = visa.generate_command_mac(header, tag_9f26=arqc.ac, tag_9f36=arqc.atc, command_data=ciphered)
    assert send(applet, Command(*header[:4], ciphered + mac)).sw.ok
    assert send(applet, NEW).sw.ok
