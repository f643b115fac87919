"""GET DATA and STORE DATA of the security domain itself."""

from __future__ import annotations

import pytest

from terminal.apdu import Command, Response
from terminal.tlv import dgi, tlv
from tests.support.cards.toy_host import hosted


def test_card_data() -> None:
    host, card = hosted(scp=2)
    host.card.reset()

    def get(tag: int) -> Response:
        return host.transmit(Command(0x80, 0xCA, tag >> 8, tag & 0xFF, ne=256))

    assert get(0x9F7F).data == b"\x9f\x7f\x2a" + card.config.chip.encode()
    assert "2A864886FC6B040255" in get(0x66).data.hex().upper()
    assert get(0xCF).data == b"\xcf\x0a" + card.config.chip.key_data
    assert get(0xC1).data.hex() == "c1020001"
    assert get(0x67).data.hex() == "6708a006800102810155"
    assert get(0x42).sw == 0x6A88
    assert get(0xE0).data.hex().startswith("e012c00401ff8010")


@pytest.mark.parametrize("p1", [0x80, 0x90, 0x88])
def test_issuer_and_card_numbers(p1: int) -> None:
    host, _ = hosted()
    objects = tlv(0x42, b"\x62\x12").encode() + tlv(0x45, b"\x01\x02\x03").encode()
    data = dgi.encode([(0x0070, objects)]) if p1 == 0x88 else objects
    assert host.send(0x80, 0xE2, p1, 0, data).sw == 0x9000
    assert host.send(0x80, 0xCA, 0, 0x42, ne=256).data == b"\x42\x02\x62\x12"
    assert host.send(0x80, 0xCA, 0, 0x45, ne=256).data == b"\x45\x03\x01\x02\x03"


@pytest.mark.parametrize(
    ("p1", "data", "sw"),
    [
        (0x10, "420162", 0x6A86),
        (0xF0, "420162", 0x6A86),
        (0x90, "4202", 0x6A80),
        (0x90, "", 0x6A80),
        (0x90, "4200", 0x6A80),
        (0x90, "430101", 0x6A88),
        (0x88, "007103420162", 0x6A88),
        (0x88, "007004420162", 0x6A80),
    ],
)
def test_store_data_that_is_refused(p1: int, data: str, sw: int) -> None:
    host, _ = hosted()
    assert host.send(0x80, 0xE2, p1, 0, bytes.fromhex(data)).sw == sw
    assert host.send(0x80, 0xCA, 0, 0x42, ne=256).sw == 0x6A88
