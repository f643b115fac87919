"""The payment directories: personalized through STORE DATA, then read as a terminal does."""

from __future__ import annotations

import pytest

from simulators.applets.pse import PPSE, PSE, DirectoryApplet
from simulators.card.applet import Refuse
from tests.support.cards.applet_host import BareHost, send, store

ENTRY = bytes.fromhex("611C 4F09 F04D454D4245520101 500C 554E494F4E204D454D424552 870101")
SECOND = bytes.fromhex("6116 4F08 A000000333010101 5007 50424F43204331 870102".replace("20", "20"))
RECORD = b"\x70" + bytes((len(ENTRY),)) + ENTRY
PSE_FCI = bytes.fromhex("A508 880101 5F2D02 7A68")
PPSE_FCI = b"\xa5" + bytes((3 + len(ENTRY),)) + b"\xbf\x0c" + bytes((len(ENTRY),)) + ENTRY


def directory(aid: bytes = PSE) -> tuple[BareHost, DirectoryApplet]:
    host = BareHost()
    return host, DirectoryApplet(host, aid, b"")


def test_pse() -> None:
    host, pse = directory()
    store(pse, [(0x0101, RECORD), (0x9102, PSE_FCI)])
    assert host.personalized
    assert pse.select(0) == bytes.fromhex("6F1A 840E") + PSE + PSE_FCI
    assert send(pse, "00B2010C00").data == RECORD
    for command, sw in (
        ("00B2020C00", 0x6A83),
        ("00B2011400", 0x6A82),
        ("00B2000C00", 0x6A86),
        ("00B2010800", 0x6A86),
        ("00B2010C01AA00", 0x6700),
        ("80B2010C00", 0x6E00),
        ("00A8000000", 0x6D00),
    ):
        assert send(pse, command).sw == sw, command
    with pytest.raises(Refuse, match="6A86"):
        pse.select(0x01)


def test_ppse() -> None:
    host, ppse = directory(PPSE)
    store(ppse, [(0x9102, PPSE_FCI)])
    assert host.personalized
    assert ppse.select(0) == bytes((0x6F, 16 + len(PPSE_FCI), 0x84, 0x0E)) + PPSE + PPSE_FCI
    assert send(ppse, "00B2010C00").sw == 0x6A82


def test_a_pse_may_carry_data_of_the_issuer() -> None:
    """EMV 4.4 Book 1, table 8: BF0C of a PSE is the issuer's; only in a PPSE does it list applications."""
    host, pse = directory()
    fci = bytes.fromhex("A50A 880101 BF0C04 DF010158")
    store(pse, [(0x0101, RECORD), (0x9102, fci)])
    assert host.personalized
    assert pse.select(0).endswith(fci)
    assert send(pse, "00B2010C00").data == RECORD


def test_nothing_before_personalization() -> None:
    _, pse = directory()
    with pytest.raises(Refuse, match="6985"):
        pse.select(0)
    assert send(pse, "00B2010C00").sw == 0x6985


@pytest.mark.parametrize(
    ("groups", "sw"),
    [
        ([(0x0101, RECORD)], "6985"),
        ([(0x9102, PSE_FCI)], "6985"),  # a directory file without records
        ([(0x9102, PSE_FCI), (0x0201, RECORD)], "6A80"),  # records in another file than the FCI names
        ([(0x9102, PPSE_FCI), (0x0101, RECORD)], "6A80"),
        ([(0x9102, bytes.fromhex("A505 5F2D02 7A68"))], "6A80"),  # neither file nor list
        ([(0x9102, bytes.fromhex("A503 88010B"))], "6A80"),
        ([(0x9102, bytes.fromhex("A503 BF0C00"))], "6A80"),
        ([(0x9102, b"\xa5" + bytes((len(PPSE_FCI),)) + b"\x88\x00" + PPSE_FCI[2:])], "6A80"),
        ([(0x9102, bytes.fromhex("A50B BF0C08 6106 4F04 01020304"))], "6A80"),  # a name of four bytes
        ([(0x0101, bytes.fromhex("7000"))], "6A80"),
        ([(0x0101, RECORD[:-1])], "6A80"),
        ([(0x0101, bytes.fromhex("7005 5003 414243"))], "6A80"),
        ([(0x9104, b"")], "6A88"),
        ([(0x0B01, RECORD)], "6A88"),
        ([(0x0100, RECORD)], "6A88"),
    ],
)
def test_refusals(groups: list[tuple[int, bytes]], sw: str) -> None:
    host, pse = directory()
    with pytest.raises(Refuse, match=sw):
        store(pse, groups)
    assert not host.personalized
    assert dict(host.memory) == {}
