"""An application of plain records: one row of the ROM table, no class of its own."""

from __future__ import annotations

import pytest

from simulators.applets.records import RecordApplet
from simulators.applets.rom import ROM, RomApplet
from simulators.card.applet import Refuse
from simulators.card.config import CardConfig, ProductionData
from simulators.virtual_card import VirtualCard
from terminal.tlv import tlv
from tests.support.cards.applet_host import BareHost, send, store
from tests.support.cards.gp_host import GpHost

AID = bytes.fromhex("F04C4942524152590101")
LIBRARY = RomApplet(AID[:-2], AID, RecordApplet)
FCI = tlv(0xA5, [tlv(0x50, b"LIBRARY")]).encode()
RECORD = tlv(0x70, [tlv(0xDF21, bytes.fromhex("20260131"))]).encode()


def library() -> tuple[BareHost, RecordApplet]:
    host = BareHost()
    return host, RecordApplet(host, AID, b"")


def test_it_is_personalized_and_read() -> None:
    host, applet = library()
    store(applet, [(0x9102, FCI), (0x0101, RECORD), (0x0A02, RECORD)])
    assert host.personalized
    assert applet.select(0) == tlv(0x6F, tlv(0x84, AID).encode() + FCI).encode()
    assert send(applet, "00B2010C00").data == send(applet, "00B2025400").data == RECORD
    for command, sw in (
        ("00B2020C00", 0x6A83),
        ("00B2011400", 0x6A82),
        ("00B2000C00", 0x6A86),
        ("00B2010800", 0x6A86),
        ("00B2010C01AA00", 0x6700),
        ("80B2010C00", 0x6E00),
        ("0084000008", 0x6D00),
    ):
        assert send(applet, command).sw == sw, command


def test_it_answers_nothing_before() -> None:
    _, applet = library()
    assert send(applet, "00B2010C00").sw == 0x6985
    with pytest.raises(Refuse, match="6985"):
        applet.select(0)


@pytest.mark.parametrize(
    ("groups", "sw"),
    [
        ([(0x9102, FCI)], "6985"),
        ([(0x0101, RECORD)], "6985"),
        ([(0x9102, FCI[1:])], "6A80"),
        ([(0x9102, FCI), (0x0101, RECORD[2:])], "6A80"),
        ([(0x9102, FCI), (0x0100, RECORD)], "6A88"),
        ([(0x9102, FCI), (0x0B01, RECORD)], "6A88"),
        ([(0x9102, FCI), (0x0001, RECORD)], "6A88"),
    ],
)
def test_what_it_does_not_take(groups: list[tuple[int, bytes]], sw: str) -> None:
    host, applet = library()
    with pytest.raises(Refuse, match=sw):
        store(applet, groups)
    assert not host.personalized


def test_one_row_puts_it_on_every_chip() -> None:
    card = VirtualCard.create(None, CardConfig(ProductionData(9)), rom=(*ROM, LIBRARY))
    card.power_on()
    host = GpHost(card)
    host.open()
    assert host.install(LIBRARY.package, LIBRARY.module, AID).sw.ok
    host.for_personalization(AID)
    assert host.store([(0x9102, FCI), (0x0101, RECORD)], 0, last=True).sw.ok
    card.reset()
    select = bytes.fromhex("00A40400") + bytes((len(AID),)) + AID + b"\x00"
    assert FCI in card.exchange(select)
    assert card.exchange(bytes.fromhex("00B2010C00")) == RECORD + b"\x90\x00"
