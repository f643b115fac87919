"""GET STATUS and SET STATUS of the security domain: registry, card and application life cycles."""

from __future__ import annotations

import pytest

from simulators.applets.rom import DIRECTORY, MEMBER, PAYMENT, ROM
from simulators.card.content import CardLifeCycle
from tests.support.cards.gp_host import lv
from tests.support.cards.toys.toy_host import ISD, NEW, TOY, hosted, listing


def test_status_in_both_forms_and_pages() -> None:
    host, _ = hosted(0x33)
    for n in range(25):
        assert host.install(MEMBER.package, MEMBER.module, TOY + bytes((n,))).sw == 0x9000
    entries = listing(host, 0x40)
    assert [e[0x4F] for e in entries] == [TOY + bytes((n,)) for n in range(25)]
    assert entries[3] == {
        0x4F: TOY + b"\x03", 0x9F70: b"\x07", 0xC5: b"\x00\x00\x00", 0xC4: MEMBER.package, 0xCC: ISD,
    }  # fmt: skip
    assert listing(host, 0x40, b"\x4f\x0a" + TOY + b"\x07\x5c\x03\x4f\x9f\x70") == [
        {0x4F: TOY + b"\x07", 0x9F70: b"\x07"}
    ]
    assert len(listing(host, 0xF0)) == 1 + 25 + len(ROM)
    legacy = host.send(0x80, 0xF2, 0x80, 0x00, b"\x4f\x00", 256).data
    assert legacy.hex().upper() == "08A000000151000000019E"
    files = host.send(0x80, 0xF2, 0x10, 0x00, b"\x4f\x00", 256).data
    assert files == lv(MEMBER.package) + b"\x01\x00\x01" + lv(MEMBER.module) + lv(DIRECTORY.package) + (
        b"\x01\x00\x01" + lv(DIRECTORY.module) + lv(PAYMENT.package) + b"\x01\x00\x01" + lv(PAYMENT.module)
    )
    assert host.send(0x80, 0xF2, 0x20, 0x00, b"\x4f\x00", 256).data == (
        lv(MEMBER.package) + b"\x01\x00" + lv(DIRECTORY.package) + b"\x01\x00" + lv(PAYMENT.package) + b"\x01\x00"
    )


@pytest.mark.parametrize(
    ("p1", "p2", "data", "sw"),
    [
        (0x40, 2, b"\x4f\x00", 0x6A88),
        (0x80, 2, b"\x4f\x05\xf0\x01\x02\x03\x04", 0x6A88),
        (0x00, 2, b"\x4f\x00", 0x6A86),
        (0x81, 2, b"\x4f\x00", 0x6A86),
        (0x80, 4, b"\x4f\x00", 0x6A86),
        (0x80, 3, b"\x4f\x00", 0x6985),
        (0x80, 2, b"", 0x6A80),
        (0x80, 2, b"\x4f\x02\x01", 0x6A80),
        (0x80, 2, b"\x5c\x01\x4f", 0x6A80),
    ],
)
def test_status_questions_that_are_refused(p1: int, p2: int, data: bytes, sw: int) -> None:
    host, _ = hosted()
    assert host.send(0x80, 0xF2, p1, p2, data, 256).sw == sw


def test_life_cycle_of_the_card() -> None:
    host, card = hosted()

    def move(state: int) -> int:
        return host.send(0x80, 0xF0, 0x80, state, ISD).sw

    host.install(MEMBER.package, MEMBER.module, TOY)
    assert [move(s) for s in (0x01, 0x0F, 0x7F, 0x33)] == [0x6985, 0x6985, 0x6985, 0x6A86]
    assert [move(s) for s in (0x07, 0x07, 0x01, 0x0F, 0x07)] == [0x9000, 0x6985, 0x6985, 0x9000, 0x6985]
    assert listing(host, 0x80)[0][0x9F70] == b"\x0f"
    card.power_off()
    assert card.state is CardLifeCycle.SECURED
    card.power_on()
    host.open()
    assert host.send(0x80, 0xE2, 0x80, 0, b"\x42\x01\x01").sw == 0x6985
    assert card.exchange(bytes.fromhex("0070000001")) == b"\x01\x90\x00"
    assert card.exchange(bytes.fromhex("01A4040009") + TOY + b"\x00")[-2:] == b"\x90\x00"
    assert move(0x7F) == 0x9000
    assert card.exchange(bytes.fromhex("0101000000")) == b"\x6d\x00"
    assert host.install(MEMBER.package, MEMBER.module, TOY + b"\x01").sw == 0x6985
    assert host.put_keys(0, 1, NEW).sw == 0x6985
    assert host.send(0x80, 0xF0, 0x40, 0x80, TOY).sw == 0x6985
    assert card.exchange(bytes.fromhex("00A4040009") + TOY) == b"\x6a\x82"
    assert card.exchange(bytes.fromhex("00A4040000"))[-2:] == b"\x62\x83"
    host.open()
    assert move(0x0F) == 0x9000
    assert card.exchange(bytes.fromhex("00A4040009") + TOY + b"\x00")[-2:] == b"\x90\x00"
    card.exchange(bytes.fromhex("00A4040000"))
    host.open()
    assert move(0xFF) == 0x9000
    assert card.exchange(bytes.fromhex("00A4040000")) == b"\x69\x85"
    card.reset()
    assert host.initialize_update().sw == 0x6985
    assert card.exchange(bytes.fromhex("80CA9F7F00"))[-2:] == b"\x90\x00"


def test_locking_an_application() -> None:
    host, card = hosted()
    host.install(MEMBER.package, MEMBER.module, TOY)

    def lock(p2: int, aid: bytes = TOY) -> int:
        return host.send(0x80, 0xF0, 0x40, p2, aid).sw

    assert lock(0x00) == 0x6985
    assert lock(0x80) == 0x9000
    assert listing(host, 0x40)[0][0x9F70] == b"\x87"
    assert card.exchange(bytes.fromhex("00A4040009") + TOY) == b"\x6a\x82"
    assert lock(0x07) == 0x9000
    assert listing(host, 0x40)[0][0x9F70] == b"\x07"
    assert lock(0x80, TOY + b"\x01") == 0x6A88
    assert host.send(0x80, 0xF0, 0x20, 0x80, TOY).sw == 0x6A86
