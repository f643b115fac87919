"""The whole personalization of a member card, the power failing at every page of it: the chip that returns says how far
it came, and going on from there makes the same card."""

from __future__ import annotations

import pytest

from simulators.card.config import CardConfig, ProductionData
from simulators.card.content import CardLifeCycle
from simulators.card.memory import PowerLost, TearAt
from simulators.virtual_card import VirtualCard
from tests.support.cards.gp_host import MEMBER_FILE, MEMBER_MODULE, TEST_KEY, GpHost
from tests.support.cards.member_specimen import AFL, MEMBER_AID, READ_KEY_VERSION, specimen
from tests.support.cards.member_specimen import Specimen as Groups

STOCK, FINAL = 0xFF, 0x20
FINAL_KEYS = (bytes(range(0x70, 0x80)), bytes(range(0x80, 0x90)), bytes(range(0x90, 0xA0)))
DONE = {0x9000}


@pytest.fixture(scope="module")
def groups() -> Groups:
    return specimen()


def blocks(groups: Groups) -> list[tuple[bool, list[tuple[int, bytes]]]]:
    """One kind to a block, about 200 bytes of values."""
    commands: list[tuple[bool, list[tuple[int, bytes]]]] = []
    for number, value in groups.groups.items():
        secret = number in groups.secret
        if not commands or commands[-1][0] != secret or sum(len(v) + 5 for _, v in commands[-1][1]) + len(value) > 200:
            commands.append((secret, []))
        commands[-1][1].append((number, value))
    return commands


def personalize(card: VirtualCard, groups: Groups) -> None:
    """From whatever state the chip shows to the finished card."""
    version = STOCK if STOCK in card.key_versions else FINAL
    host = GpHost(card, keys=(TEST_KEY,) * 3 if version == STOCK else FINAL_KEYS)
    assert host.open(3, version) == 0x9000
    status = host.send(0x80, 0xF2, 0x40, 0x00, b"\x4f\x09" + MEMBER_AID, 256)
    if status.sw == 0x6A88:
        assert host.install(MEMBER_FILE, MEMBER_MODULE, MEMBER_AID).sw == 0x9000
    if not status.data or status.data[-2] != 0x0F:
        assert host.for_personalization(MEMBER_AID).sw == 0x9000
        todo = blocks(groups)
        for number, (secret, part) in enumerate(todo):
            assert host.store(part, number, last=number == len(todo) - 1, secret=secret).sw == 0x9000
    if version == STOCK:
        assert host.put_keys(0, FINAL, FINAL_KEYS).sw == 0x9000
    for state in (CardLifeCycle.INITIALIZED, CardLifeCycle.SECURED):
        if card.state < state:
            assert host.send(0x80, 0xF0, 0x80, state).sw == 0x9000


def expect_all_readable(card: VirtualCard, groups: Groups) -> None:
    """Read back as a counter would."""
    card.reset()
    assert card.state is CardLifeCycle.SECURED
    assert card.key_versions == [FINAL]

    def ask(apdu: str) -> bytes:
        answer = card.exchange(bytes.fromhex(apdu))
        assert answer[-2:] == b"\x90\x00"
        return answer[:-2]

    ask(f"00A4040009{MEMBER_AID.hex()}00")
    assert AFL in ask("80A8000008 8306 0156 01020304 00")
    for number in (0x0101, 0x0102, 0x0103, 0x0201, 0x0202, 0x0203, 0x0301):
        assert ask(f"00B2{number & 0xFF:02X}{number >> 8 << 3 | 4:02X}00") == groups.groups[number]
    signature = int.from_bytes(ask("00880000 04 01020304 00")[-144:], "big")
    recovered = pow(signature, groups.public.e, groups.public.n).to_bytes(144, "big")
    assert recovered[:4] == b"\x6a\x05\x01\x29"
    assert recovered[13:45] == groups.dynamic_hash
    assert ask(f"8050{READ_KEY_VERSION:02X}0008010203040506070800")[11:12] == b"\x03"


def new_card() -> VirtualCard:
    card = VirtualCard.create(None, CardConfig(ProductionData(1), scp=2))
    card.power_on()
    return card


def test_without_a_tear(groups: Groups) -> None:
    card = new_card()
    personalize(card, groups)
    expect_all_readable(card, groups)


@pytest.mark.parametrize("after", [False, True])
def test_a_tear_at_every_page(groups: Groups, after: bool) -> None:
    page = 0
    while True:
        card = new_card()
        card.tear = TearAt(page, after=after)
        try:
            personalize(card, groups)
        except PowerLost:
            card.tear = None
            card.power_on()
            personalize(card, groups)
            expect_all_readable(card, groups)
            page += 1
            continue
        break
    assert page > 40
