"""A host on a powered card with the toy application, its session open."""

from __future__ import annotations

from simulators.virtual_card import VirtualCard
from terminal.tlv import decode
from tests.support.cards.gp_host import GpHost
from tests.support.cards.toys.toy_applet import toy_card

ISD = bytes.fromhex("A000000151000000")
TOY = bytes.fromhex("F04D454D4245520101")
NEW = tuple(bytes((n,)) * 16 for n in (0x11, 0x22, 0x33))


def hosted(level: int = 1, **config: object) -> tuple[GpHost, VirtualCard]:
    card = toy_card(**config)
    host = GpHost(card)
    assert host.open(level) == 0x9000
    return host, card


def listing(host: GpHost, scope: int, data: bytes = b"\x4f\x00") -> list[dict[int, bytes]]:
    """GET STATUS in TLV form, as often as the card says there is more."""
    response = host.send(0x80, 0xF2, scope, 0x02, data, 256)
    entries = response.data
    while response.sw == 0x6310:
        response = host.send(0x80, 0xF2, scope, 0x03, data, 256)
        entries += response.data
    assert response.sw == 0x9000
    return [{int(item.tag): item.value for item in entry.children} for entry in decode(entries)]
