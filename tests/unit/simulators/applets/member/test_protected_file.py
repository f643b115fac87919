"""The protected file is readable by a foreign SCP03 host (yubikit) with the read key set, and not otherwise."""

from __future__ import annotations

import pytest
from yubikit.core import TRANSPORT
from yubikit.core.smartcard import (
    ApduError,
    ScpProcessor,
    ShortApduFormatter,
    SmartCardConnection,
    SmartCardProtocol,
)
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpKid, ScpState, StaticKeys

from simulators.applets.member.applet import MemberApplet
from terminal.apdu import Command
from tests.support.cards import member_specimen as layout
from tests.support.cards.applet_host import BareHost, send, store
from tests.support.cards.member_specimen import MEMBER_AID, Specimen, specimen

KEYS = StaticKeys(layout.READ_KEYS[:16], layout.READ_KEYS[16:32], layout.READ_KEYS[32:])
READ = (0x00, 0xB2, 1, 5 << 3 | 4)


class AppletConnection(SmartCardConnection):
    """yubikit's connection, straight to one application; remembers the ``commands``, can ``flip`` a bit of them."""

    def __init__(self, applet: MemberApplet) -> None:
        self.applet = applet
        self.commands: list[bytes] = []
        self.flip: int | None = None

    @property
    def transport(self) -> TRANSPORT:
        return TRANSPORT.USB

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        self.commands.append(apdu)
        if self.flip is not None:
            changed = bytearray(apdu)
            changed[self.flip // 8] ^= 0x80 >> self.flip % 8
            apdu = bytes(changed)
        answer = send(self.applet, Command.decode(apdu))
        return answer.data, int(answer.sw)

    def close(self) -> None:
        self.applet.deselect()


@pytest.fixture(scope="module")
def card() -> Specimen:
    return specimen(1024)


def issued(card: Specimen, *, contactless: bool = False) -> tuple[BareHost, MemberApplet]:
    host = BareHost(contactless=contactless)
    applet = MemberApplet(host, MEMBER_AID, b"")
    store(applet, card.groups.items())
    applet.select(0)
    return host, applet


def open_channel(applet: MemberApplet, keys: StaticKeys = KEYS, version: int = 0x40) -> SmartCardProtocol:
    protocol = SmartCardProtocol(AppletConnection(applet))
    protocol.init_scp(Scp03KeyParams(KeyRef(ScpKid.SCP03, version), keys))
    return protocol


@pytest.mark.parametrize("version", [0x40, 0x00])
def test_the_read_key_set_opens_it(card: Specimen, version: int) -> None:
    _, applet = issued(card)
    protocol = open_channel(applet, version=version)
    assert protocol.send_apdu(*READ) == layout.record(layout.PROTECTED)
    assert protocol.send_apdu(0x00, 0xB2, 2, 0x0C) == card.groups[0x0102]


def test_the_answer_names_the_card(card: Specimen) -> None:
    _, applet = issued(card)
    answer = send(applet, "80500000080102030405060708")
    assert answer.data[:10] == bytes.fromhex("9156130000000000123F")
    assert answer.data[10:13] == bytes((0x40, 3, 0x70))
    assert answer.data[-3:] == bytes(3)


def test_challenges_move_on_with_each_open_session(card: Specimen) -> None:
    host, applet = issued(card)
    update = "80500000080102030405060708"
    first = send(applet, update).data
    assert send(applet, update).data == first, "a session that nobody opened counts for nothing"
    open_channel(applet)
    second = send(applet, update).data
    assert second[-3:] == b"\x00\x00\x01"
    assert second[13:21] != first[13:21]
    host.memory["read sessions"] = b"\xff\xff\xff"
    assert send(applet, update).sw == 0x6985


def test_a_session_that_was_refused_is_none(card: Specimen) -> None:
    """INITIALIZE UPDATE ends what was open, whatever comes of it; what follows a refused one is out of order."""
    _, applet = issued(card)
    protocol = open_channel(applet)
    assert send(applet, "80500000070102030405060700").sw == 0x6700
    assert send(applet, "8482330010" + "00" * 16).sw == 0x6985
    with pytest.raises(ApduError):
        protocol.send_apdu(*READ)
    assert send(applet, "00B2012C00").sw == 0x6982


def test_other_keys_do_not(card: Specimen) -> None:
    _, applet = issued(card)
    with pytest.raises(ValueError, match="SCP"):
        open_channel(applet, StaticKeys(KEYS.key_mac, KEYS.key_enc, KEYS.key_dek))
    assert send(applet, "00B2012C00").sw == 0x6982
    with pytest.raises(ValueError, match="SCP"):
        open_channel(applet, version=0x41)


@pytest.mark.parametrize("level", [0x00, 0x01, 0x03, 0x11, 0x13])
def test_no_lower_level_does(card: Specimen, level: int) -> None:
    _, applet = issued(card)
    protocol = SmartCardProtocol(AppletConnection(applet))
    state, cryptogram = ScpState.scp03_init(protocol.send_apdu, Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x40), KEYS))
    secured = ScpProcessor(protocol._processor, ShortApduFormatter(), state)
    assert secured.send_apdu(0x84, 0x82, level, 0, cryptogram, 0, encrypt=False)[1] == 0x9000
    if level:
        assert secured.send_apdu(*READ, b"", 0, encrypt=bool(level & 0x02)) == (b"", 0x6982)
    assert send(applet, "00B2012C00").sw == 0x6982


@pytest.mark.parametrize("level", [0x02, 0x10, 0x23, 0x30, 0x31, 0x32, 0x37, 0x3F, 0xFF])
def test_levels_that_do_not_exist(card: Specimen, level: int) -> None:
    _, applet = issued(card)
    protocol = SmartCardProtocol(AppletConnection(applet))
    state, cryptogram = ScpState.scp03_init(protocol.send_apdu, Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x40), KEYS))
    secured = ScpProcessor(protocol._processor, ShortApduFormatter(), state)
    assert secured.send_apdu(0x84, 0x82, level, 0, cryptogram, 0, encrypt=False)[1] == 0x6A86


def test_a_plain_command_ends_the_channel(card: Specimen) -> None:
    _, applet = issued(card)
    protocol = open_channel(applet)
    assert send(applet, "00B2010C00").sw == 0x6982
    with pytest.raises(ApduError):
        protocol.send_apdu(*READ)
    assert send(applet, "00B2010C00").sw.ok


def test_every_changed_bit_ends_the_channel(card: Specimen) -> None:
    _, applet = issued(card)
    protocol = open_channel(applet)
    assert isinstance(protocol.connection, AppletConnection)
    protocol.send_apdu(*READ)
    for bit in range(8 * len(protocol.connection.commands[-1])):
        protocol = open_channel(applet)
        assert isinstance(protocol.connection, AppletConnection)
        protocol.connection.flip = bit
        with pytest.raises((ApduError, ValueError)):
            protocol.send_apdu(*READ)
        assert send(applet, "00B2012C00").sw == 0x6982


def test_selection_ends_the_channel_and_contactless_has_none(card: Specimen) -> None:
    _, applet = issued(card)
    protocol = open_channel(applet)
    applet.select(0)
    with pytest.raises(ApduError):
        protocol.send_apdu(*READ)
    _, applet = issued(card, contactless=True)
    assert send(applet, "80500000080102030405060708").sw == 0x6982
