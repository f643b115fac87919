"""Random bytes as commands to an issued card: it responds, and writes memory only where a command may."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.card.config import CardConfig, ProductionData
from simulators.card.memory import RamImage
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol
from tests.support.cards import member_specimen
from tests.support.foreign import host as foreign_host
from tests.support.thorough import repeats

MAY_WRITE = {0x20, 0x50, 0x82, 0xD8, 0xE2, 0xE4, 0xE6, 0xE8, 0xF0}
"""VERIFY, and the commands of the security domain (session counters and tries included)."""

INSTRUCTIONS = [
    0x20,
    0x50,
    0x70,
    0x82,
    0x84,
    0x88,
    0xA4,
    0xA8,
    0xB2,
    0xC0,
    0xCA,
    0xD8,
    0xE2,
    0xE4,
    0xE6,
    0xE8,
    0xF0,
    0xF2,
]
AIDS = [member_specimen.MEMBER_AID, foreign_host.ISD_AID, b"", b"1PAY.SYS.DDF01"]


class Watched(RamImage):
    """A memory image that counts its changes."""

    changes = 0

    def append(self, data: bytes) -> None:
        self.changes += 1
        super().append(data)

    def replace(self, data: bytes) -> None:
        self.changes += 1
        super().replace(data)


def issued(protocol: LinkProtocol) -> tuple[Watched, VirtualCard]:
    blank = VirtualCard.create(None, CardConfig(ProductionData(1), protocol=protocol))
    transport = SimCard(blank, protocol)
    foreign_host.issue(transport, member_specimen.specimen(1024))
    transport.close()
    image = Watched(blank._nvm._image.read())
    card = VirtualCard(image)
    card.power_on()
    return image, card


@pytest.fixture(scope="module", params=[LinkProtocol.T0, LinkProtocol.T1], ids=str)
def watched(request: pytest.FixtureRequest) -> tuple[Watched, VirtualCard]:
    return issued(request.param)


@st.composite
def likely(draw: st.DrawFn) -> bytes:
    """A command that looks like one."""
    cla = draw(st.sampled_from([0x00, 0x80, 0x84, 0x04, 0x01, 0x10, 0x90]))
    head = bytes((cla, draw(st.sampled_from(INSTRUCTIONS)), draw(st.integers(0, 255)), draw(st.integers(0, 255))))
    data = draw(st.one_of(st.just(b""), st.binary(max_size=40), st.sampled_from(AIDS)))
    body = bytes((len(data),)) + data if data else b""
    return head + body + draw(st.sampled_from([b"", b"\x00", b"\x08"]))


@given(
    commands=st.lists(st.one_of(st.binary(max_size=300), likely()), min_size=1, max_size=12), aid=st.sampled_from(AIDS)
)
@settings(max_examples=repeats(100, 3000), deadline=None)
def test_any_bytes(watched: tuple[Watched, VirtualCard], commands: list[bytes], aid: bytes) -> None:
    image, card = watched
    card.reset()
    card.exchange(bytes.fromhex("00A40400") + bytes((len(aid),)) + aid)
    for command in commands:
        before = image.changes
        answer = card.exchange(command)
        assert len(answer) >= 2
        assert answer[-2] & 0xF0 in (0x60, 0x90)
        assert answer[-2] != 0x60
        if len(command) < 2 or command[1] not in MAY_WRITE:
            assert image.changes == before, command.hex()
