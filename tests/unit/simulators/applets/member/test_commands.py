"""The personalized member application: records, INTERNAL AUTHENTICATE, PIN, counters, and the contactless interface."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.applets.member.applet import MemberApplet
from simulators.applets.member.data import LOG_FORMAT
from simulators.card.applet import Refuse
from simulators.card.memory import PowerLost, TearAt
from terminal.apdu import Command
from terminal.tlv import tlv
from tests.support.cards import member_specimen as layout
from tests.support.cards.applet_host import BareHost, send, store
from tests.support.cards.member_specimen import MEMBER_AID, Specimen, record, specimen
from tests.support.thorough import repeats


@pytest.fixture(scope="module")
def card() -> Specimen:
    return specimen()


def issued(card: Specimen, *, contactless: bool = False) -> tuple[BareHost, MemberApplet]:
    host = BareHost(contactless=contactless)
    applet = MemberApplet(host, MEMBER_AID, b"")
    store(applet, card.groups.items())
    applet.select(0)
    return host, applet


GPO = "80A80000 08 8306 0156 11223344 00".replace(" ", "")


def test_selection(card: Specimen) -> None:
    _, applet = issued(card)
    assert applet.select(0) == bytes.fromhex("6F31 8409") + MEMBER_AID + layout.FCI
    assert applet.select(2) == applet.select(0), "the card decides which occurrence this is"
    for p2 in (0x04, 0x01):
        with pytest.raises(Refuse, match="6A86"):
            applet.select(p2)


def test_processing_options(card: Specimen) -> None:
    _, applet = issued(card)
    answer = send(applet, GPO)
    assert answer.sw.ok
    assert answer.data == bytes.fromhex("771A 8202 3100 9414") + layout.AFL
    for wrong, sw in (
        ("80A8000002830000", 0x6700),
        ("80A80000078305015611223300", 0x6700),
        ("80A80000088307015611223344", 0x6700),
        ("80A8000008840601561122334400", 0x6A80),
        ("80A80000", 0x6A80),
        ("80A8010008830601561122334400", 0x6A86),
    ):
        assert send(applet, wrong).sw == sw, wrong


@pytest.mark.parametrize(
    ("pdol", "right", "wrong"),
    [
        ("9F3782", "80A8000085838182" + "00" * 130, "80A80000848382" + "00" * 130),
        ("9F37FF9F1AFF", "80A80000000202838201FE" + "00" * 510, "80A8000002830000"),
    ],
)
def test_options_of_any_length(pdol: str, right: str, wrong: str) -> None:
    """The length of template 83 is BER: two bytes from 128 on, three from 256 on."""
    fci = tlv(0xA5, [tlv(0x9F38, bytes.fromhex(pdol))]).encode()
    _, applet = issued(specimen(1024).having(0x9102, fci))
    assert send(applet, wrong).sw == 0x6700
    assert send(applet, right).sw.ok


@pytest.mark.parametrize(
    ("p1", "sfi", "expected"),
    [(1, 1, 0x0101), (2, 1, 0x0102), (3, 1, 0x0103), (1, 2, 0x0201), (2, 2, 0x0202), (3, 2, 0x0203), (1, 3, 0x0301)],
)
def test_records(card: Specimen, p1: int, sfi: int, expected: int) -> None:
    _, applet = issued(card)
    command = Command(0x00, 0xB2, p1, sfi << 3 | 4, ne=256)
    for _ in range(2):
        answer = applet.process(command)
        assert answer.sw.ok
        assert answer.data == card.groups[expected]


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00B2040C00", 0x6A83),
        ("00B2021C00", 0x6A83),
        ("00B2012400", 0x6A83),  # the log is empty
        ("00B2012C00", 0x6982),  # protected
        ("00B2013400", 0x6A82),  # SFI 6
        ("00B2010400", 0x6A82),  # SFI 0
        ("00B2000C00", 0x6A86),
        ("00B2010D00", 0x6A86),
        ("00B2010C01AA00", 0x6700),
        ("80B2010C00", 0x6E00),
        ("00AE800000", 0x6E00),
        ("80AE800000", 0x6A86),
        ("80AE400000", 0x6985),  # no GET PROCESSING OPTIONS yet
        ("8418000000", 0x6987),
        ("8416000000", 0x6D00),
        ("00A8000000", 0x6E00),
    ],
)
def test_refusals(card: Specimen, command: str, sw: int) -> None:
    _, applet = issued(card)
    assert send(applet, command).sw == sw


def recover(card: Specimen, signature: bytes) -> bytes:
    """The plain power, by Python's own pow."""
    size = (card.public.n.bit_length() + 7) // 8
    return pow(int.from_bytes(signature, "big"), card.public.e, card.public.n).to_bytes(size, "big")


@pytest.mark.parametrize("bits", [1024, 1152, 1408, 1984])
def test_dynamic_signature(bits: int) -> None:
    """EMV 4.4 Book 2, 6.5.2, step by step, with the dynamic data of the card layout."""
    card = specimen(bits)
    host, applet = issued(card)
    assert send(applet, "008800000411223344").sw == 0x6985, "processing options come first"
    send(applet, GPO)
    answer = send(applet, "00880000041122334400")
    assert answer.sw.ok
    signature = answer.data[-bits // 8 :]
    assert answer.data == b"\x77\x81" + bytes((4 + bits // 8, 0x9F, 0x4B, 0x81, bits // 8)) + signature
    plain = recover(card, signature)
    assert (plain[0], plain[1], plain[2], plain[3], plain[-1]) == (0x6A, 0x05, 0x01, 41, 0xBC)
    assert plain[4] == 8
    assert plain[13:45] == card.dynamic_hash
    assert set(plain[45:-21]) == {0xBB}
    assert plain[-21:-1] == hashlib.sha1(plain[1:-21] + bytes.fromhex("11223344")).digest()  # noqa: S324
    assert host.operations["rsa"] == 1
    again = recover(card, send(applet, "00880000041122334400").data[-bits // 8 :])
    assert again[5:13] != plain[5:13], "the dynamic number is fresh"


def test_dynamic_signature_refusals(card: Specimen) -> None:
    _, applet = issued(card)
    send(applet, GPO)
    assert send(applet, "008800000311223300").sw == 0x6700
    assert send(applet, "00880000").sw == 0x6700
    assert send(applet, "00880100041122334400").sw == 0x6A86
    applet.select(0)
    assert send(applet, "00880000041122334400").sw == 0x6985


RIGHT, WRONG = "0020008008" + layout.PIN_BLOCK.hex(), "0020008008249999FFFFFFFFFF"


def test_pin(card: Specimen) -> None:
    host, applet = issued(card)
    assert [send(applet, c).sw for c in (WRONG, RIGHT, WRONG, WRONG)] == [0x63C2, 0x9000, 0x63C2, 0x63C1]
    assert send(applet, "80CA9F1700").data == bytes.fromhex("9F170101")
    host.restart()
    applet = MemberApplet(host, MEMBER_AID, b"")
    assert [send(applet, c).sw for c in (WRONG, RIGHT, WRONG)] == [0x63C0, 0x6983, 0x6983]


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00200080", 0x6700),
        ("0020008007" + "24123456FFFFFF", 0x6700),
        ("0020008008" + "3412FFFFFFFFFFFF", 0x6A80),
        ("0020008108" + "2412FFFFFFFFFFFF", 0x6A86),
        ("0020018008" + "2412FFFFFFFFFFFF", 0x6A86),
    ],
)
def test_pin_commands_that_cost_no_try(card: Specimen, command: str, sw: int) -> None:
    _, applet = issued(card)
    assert send(applet, command).sw == sw
    assert send(applet, "80CA9F1700").data[-1] == 3


def test_no_pin_on_the_card() -> None:
    _, applet = issued(specimen(1024).without(0x8010, 0x9010))
    assert send(applet, RIGHT).sw == 0x6985
    assert send(applet, "80CA9F1700").sw == 0x6A88


def test_a_power_cut_wins_no_try(card: Specimen) -> None:
    """Whatever write of a wrong VERIFY is cut, the try is spent; a right one may cost one, never win one."""
    for command, page, left in ((WRONG, 0, 2), (RIGHT, 0, 2), (RIGHT, 1, 3)):
        host, applet = issued(card)
        host.nvm.tear = TearAt(page, after=True)
        with pytest.raises(PowerLost):
            send(applet, command)
        host.restart()
        assert host.memory["9010"] == bytes((left, 3))


def test_counters_and_readable_data(card: Specimen) -> None:
    _, applet = issued(card)
    assert send(applet, "80CA9F3600").data == bytes.fromhex("9F36020000")
    assert send(applet, "80CA9F1300").data == bytes.fromhex("9F13020000")
    assert send(applet, "80CA9F4F00").data == bytes.fromhex("9F4F1D") + LOG_FORMAT
    assert send(applet, "80CADF2700").data == bytes.fromhex("DF2703311231")
    assert send(applet, "80CADF2800").data == layout.ENTITLEMENTS
    assert send(applet, "80CADF2900").data == bytes.fromhex("DF2903271122")
    for tag in ("005A", "DF24", "9F61", "DF2C", "8000"):
        assert send(applet, f"80CA{tag}00").sw == 0x6A88
    challenges = {send(applet, "0084000000").data for _ in range(20)}
    assert {len(c) for c in challenges} == {8}
    assert len(challenges) == 20


def test_contactless_shows_validity_and_the_masked_identity_only(card: Specimen) -> None:
    _, applet = issued(card, contactless=True)
    assert send(applet, GPO).data == bytes.fromhex("770A 8202 3100 9404 08020200")
    assert send(applet, "00B2020C00").data == record(layout.VALIDITY)
    for command in ("00B2010C00", "00B2030C00", "00B2012400", "00B2012C00"):
        assert send(applet, command).sw == 0x6982
    assert send(applet, "80CADF2B00").data == bytes.fromhex("DF2B08") + b"12345678"
    assert send(applet, "80CADF2800").sw == 0x6A88
    assert send(applet, RIGHT).sw == 0x6985
    plain = recover(card, send(applet, "00880000041122334400").data[-144:])
    assert plain[13:45] == hashlib.sha256(layout.VALIDITY).digest()


MAY_WRITE = {(0x00, 0x20)}


@pytest.fixture(scope="module")
def shared(card: Specimen) -> tuple[BareHost, MemberApplet]:
    return issued(card)


@given(raw=st.binary(min_size=4, max_size=40))
@settings(max_examples=repeats(100, 4000), deadline=None)
def test_random_commands_neither_crash_nor_write(shared: tuple[BareHost, MemberApplet], raw: bytes) -> None:
    host, applet = shared
    try:
        command = Command.decode(raw)
    except ValueError:
        return
    before = host.state
    send(applet, command)
    if (command.cla, command.ins) not in MAY_WRITE:
        assert host.state == before


@given(
    cla=st.sampled_from([0x00, 0x80, 0x84, 0x04]),
    ins=st.sampled_from([0xB2, 0xA8, 0x88, 0x84, 0xCA, 0x50, 0x82, 0xAE, 0xDA]),
    p1=st.integers(0, 255),
    p2=st.integers(0, 255),
    data=st.binary(max_size=24),
)
@settings(max_examples=repeats(150, 6000), deadline=None)
def test_near_commands_neither_crash_nor_write(
    shared: tuple[BareHost, MemberApplet], cla: int, ins: int, p1: int, p2: int, data: bytes
) -> None:
    """But that a script command with a wrong MAC came, which the card notes."""
    host, applet = shared
    before = host.state
    refused = send(applet, Command(cla, ins, p1, p2, data, 256)).sw == 0x6988
    assert host.state == before | ({"script mac failed": b"\x01"} if refused else {})
