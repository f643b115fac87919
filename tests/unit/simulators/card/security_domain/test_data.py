"""GET DATA and STORE DATA of the security domain itself."""

from __future__ import annotations

import pytest

from terminal.apdu import Command, Response
from terminal.tlv import dgi, tlv
from tests.support.cards.toys.toy_host import hosted


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


@pytest.mark.parametrize("p1", [0x80, 0x90, 0x88, 0x81, 0x91, 0x89])
def test_issuer_and_card_numbers(p1: int) -> None:
    host, _ = hosted()
    objects = tlv(0x42, b"\x62\x12").encode() + tlv(0x45, b"\x01\x02\x03").encode()
    data = dgi.encode([(0x0070, objects)]) if p1 & 0x08 else objects
    assert host.send(0x80, 0xE2, p1, 0, data).sw == 0x9000
    assert host.send(0x80, 0xCA, 0, 0x42, ne=256).data == b"\x42\x02\x62\x12"
    assert host.send(0x80, 0xCA, 0, 0x45, ne=256).data == b"\x45\x03\x01\x02\x03"


@pytest.mark.parametrize(
    ("p1", "data", "sw"),
    [
        (0xF0, "420162", 0x6A86),
        (0xB0, "420162", 0x6A86),
        (0xD0, "420162", 0x6A86),
        (0x98, "420162", 0x6A86),
        (0x82, "420162", 0x6A86),
        (0x84, "420162", 0x6A86),
        (0x10, "430101", 0x6A88),
        (0x08, "0071", 0x6A88),
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


@pytest.mark.parametrize("response", [0, 1])
@pytest.mark.parametrize("ne", [None, 256])
def test_a_number_is_stored_as_foreign_hosts_send_it(response: int, ne: int | None) -> None:
    """80E28100 05 4203123456, with and without Le: P1 b1 only says that data may be returned."""
    host, _ = hosted()
    answer = host.send(0x80, 0xE2, 0x80 | response, 0, bytes.fromhex("4203123456"), ne)
    assert (answer.sw, answer.data) == (0x9000, b"")
    assert host.send(0x80, 0xCA, 0, 0x42, ne=256).data.hex() == "4203123456"


@pytest.mark.parametrize("p1", [0x00, 0x01, 0x10])
def test_numbers_in_several_blocks_are_stored_with_the_last(p1: int) -> None:
    host, _ = hosted()
    assert host.send(0x80, 0xE2, p1, 0, bytes.fromhex("420312")).sw == 0x9000
    assert host.send(0x80, 0xE2, p1, 1, bytes.fromhex("345645")).sw == 0x9000
    assert host.send(0x80, 0xCA, 0, 0x42, ne=256).sw == 0x6A88
    assert host.send(0x80, 0xE2, p1 | 0x80, 2, bytes.fromhex("0101")).sw == 0x9000
    assert host.send(0x80, 0xCA, 0, 0x42, ne=256).data.hex() == "4203123456"
    assert host.send(0x80, 0xCA, 0, 0x45, ne=256).data.hex() == "450101"


@pytest.mark.parametrize(
    ("p1", "block", "data", "sw"),
    [
        (0x80, 2, "45", 0x6985),
        (0x80, 3, "45", 0x6985),
        (0x90, 1, "123456", 0x6A80),  # another structure than the block before
        (0x80, 1, "1234", 0x6A80),
        (0x00, 1, "00" * 240, 0x9000),
    ],
)
def test_a_broken_run_of_blocks_stores_nothing(p1: int, block: int, data: str, sw: int) -> None:
    host, _ = hosted()
    assert host.send(0x80, 0xE2, 0x00, 0, bytes.fromhex("4203")).sw == 0x9000
    assert host.send(0x80, 0xE2, p1, block, bytes.fromhex(data)).sw == sw
    assert host.open() == 0x9000
    assert host.send(0x80, 0xE2, 0x80, 1, bytes.fromhex("123456")).sw == 0x6985
    assert host.send(0x80, 0xCA, 0, 0x42, ne=256).sw == 0x6A88


def test_blocks_end_at_the_limit_of_the_memory() -> None:
    host, _ = hosted()
    answers = [host.send(0x80, 0xE2, 0x00, n, b"\x42" + bytes(199)).sw for n in range(21)]
    assert answers == [0x9000] * 20 + [0x6A84]
