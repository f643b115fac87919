"""STORE DATA through the security domain: block order, DGIs across blocks, secret DGIs, and a new start."""

from __future__ import annotations

import pytest

from simulators.virtual_card import VirtualCard
from terminal.tlv import dgi
from tests.support.cards.gp_host import MEMBER_FILE, MEMBER_MODULE, GpHost
from tests.support.cards.toys.toy_applet import toy_card

TOY = MEMBER_MODULE


def ready(level: int = 3, **config: object) -> tuple[GpHost, VirtualCard]:
    card = toy_card(**config)
    host = GpHost(card)
    assert host.open(level) == 0x9000
    assert host.install(MEMBER_FILE, MEMBER_MODULE, TOY).sw == 0x9000
    assert host.for_personalization(TOY).data == b"\x00"
    return host, card


def stored(card: VirtualCard) -> dict[str, bytes]:
    return dict(card._nvm.scope(f"app/{TOY.hex()}"))


def personalized(card: VirtualCard) -> bool:
    return card.registry.instances[0].state == 0x0F


def raw(host: GpHost, p1: int, block: int, data: bytes) -> int:
    return host.send(0x80, 0xE2, p1, block, data).sw


@pytest.mark.parametrize(("scp", "level"), [(2, 1), (2, 3), (3, 1), (3, 0x33)])
def test_plain_and_secret_groups(scp: int, level: int) -> None:
    host, card = ready(level, scp=scp)
    secret = bytes(range(48))
    assert host.store([(0x0101, b"one"), (0x0102, b"two")], 0).sw == 0x9000
    assert host.store([(0x8000, secret), (0x8010, secret[:16])], 1, secret=True).sw == 0x9000
    assert not personalized(card)
    assert host.store([(0x9000, b"kcv")], 2, last=True).sw == 0x9000
    assert personalized(card)
    assert stored(card) == {"0101": b"one", "0102": b"two", "8000": secret, "8010": secret[:16], "9000": b"kcv"}
    assert secret.hex() not in "".join(sent.hex() for sent in host.wire)
    assert host.for_personalization(TOY).sw == 0x6985


def test_groups_run_over_blocks_and_block_numbers_over_255() -> None:
    host, card = ready(1)
    groups = [(0x0100 + n, bytes((n & 0xFF,)) * (n * 37 % 400)) for n in range(1, 60)]
    data = dgi.encode(groups)
    blocks = [data[at : at + 31] for at in range(0, len(data), 31)]
    assert len(blocks) > 300
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1
        assert raw(host, 0x88 if last else 0x08, number & 0xFF, block) == 0x9000, number
    assert stored(card) == {f"{number:04X}": value for number, value in groups}
    assert personalized(card)


def test_secret_group_over_blocks() -> None:
    host, card = ready(1)
    data = dgi.encode([(0x8000, host.secret(bytes(48)))])
    assert raw(host, 0x68, 0, data[:20]) == 0x9000
    assert raw(host, 0xE8, 1, data[20:]) == 0x9000
    assert stored(card) == {"8000": bytes(48)}


@pytest.mark.parametrize("p1", [0x10, 0x90, 0x18, 0x20, 0x28, 0x40, 0x48, 0x0C, 0x0A, 0x04])
def test_wrong_p1(p1: int) -> None:
    host, card = ready(1)
    assert raw(host, p1, 0, dgi.encode([(1, b"x")])) == 0x6A86
    assert stored(card) == {}
    assert host.store([(1, b"x")], 0, last=True).sw == 0x9000


@pytest.mark.parametrize("p1", [0x00, 0x01, 0x08, 0x09])
@pytest.mark.parametrize("ne", [None, 256])
def test_groups_without_a_structure_and_with_a_response_in_p1(p1: int, ne: int | None) -> None:
    """80E20000 0C 910209…: no structure named (b5-b4 = 00); b1: data may be returned. GPC 2.3.1, 11.11.2.1."""
    host, card = ready(1)
    first, rest = bytes.fromhex("910209A1"), bytes.fromhex("A2A3A4A5A6A7A8A9")
    answer = host.send(0x80, 0xE2, p1, 0, first, ne)
    assert (answer.sw, answer.data) == (0x9000, b"")
    assert host.send(0x80, 0xE2, p1, 1, rest, ne).sw == 0x9000
    secret = dgi.encode([(0x8000, host.secret(bytes(48)))])
    assert host.send(0x80, 0xE2, 0xE0 | p1, 2, secret, ne).sw == 0x9000
    assert stored(card) == {"9102": first[3:] + rest, "8000": bytes(48)}
    assert personalized(card)


def test_wrong_block_order_needs_a_new_start() -> None:
    host, card = ready(1)
    assert host.store([(1, b"x")], 1).sw == 0x6985
    assert host.store([(1, b"x")], 0).sw == 0x9000
    assert host.store([(2, b"x")], 2).sw == 0x6985
    assert host.store([(2, b"x")], 1).sw == 0x6985
    assert host.store([(3, b"y")], 0, last=True).sw == 0x9000
    assert stored(card) == {"0003": b"y"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((0x08, "000103AA"), (0x68, "BBCC")),  # a change of kind inside a group
        ((0x08, "000101AA"), (0x88, "000203AA")),  # the last block ends inside a group
        ((0x08, "000101AA"), (0x68, "8000030102 03".replace(" ", ""))),  # no whole cipher blocks
        ((0x08, "000101AA"), (0x68, "800000")),
        ((0x08, "000101AA"), (0x08, "0002FF000102")),  # a length not in its shortest form
    ],
)
def test_broken_groups(first: tuple[int, str], second: tuple[int, str]) -> None:
    host, card = ready(1)
    assert raw(host, first[0], 0, bytes.fromhex(first[1])) == 0x9000
    before = stored(card)
    assert raw(host, second[0], 1, bytes.fromhex(second[1])) == 0x6A80
    assert stored(card) == before
    assert raw(host, 0x08, 2, b"\x00\x05\x00") == 0x6985
    assert host.store([(9, b"z")], 0, last=True).sw == 0x9000
    assert stored(card) == {"0009": b"z"}


def test_a_refusal_of_the_application_takes_the_block_back() -> None:
    host, card = ready(1)
    assert host.store([(1, b"x")], 0).sw == 0x9000
    assert host.store([(2, b"x"), (0xDEAD, b"x")], 1, last=True).sw == 0x6A88
    assert stored(card) == {"0001": b"x"}
    assert not personalized(card)
    assert host.store([(2, b"x")], 1).sw == 0x6985


def test_a_new_session_starts_over() -> None:
    host, card = ready(1)
    assert host.store([(1, b"x")], 0).sw == 0x9000
    card.reset()
    assert host.open(3) == 0x9000
    assert host.for_personalization(TOY).sw == 0x9000
    assert host.store([(2, b"y")], 1).sw == 0x6985
    assert host.store([(2, b"y")], 0).sw == 0x9000
    assert stored(card) == {"0002": b"y"}


def test_without_install_for_personalization_data_are_the_domains_own() -> None:
    host, card = ready(1)
    assert host.store([(1, b"x")], 0, last=True).sw == 0x9000
    assert host.open() == 0x9000
    assert host.store([(1, b"x")], 0, last=True).sw == 0x6A88
    assert stored(card) == {"0001": b"x"}


def test_an_instance_locked_meanwhile_stays_locked() -> None:
    host, card = ready(1)
    assert host.store([(1, b"x")], 0).sw == 0x9000
    assert host.send(0x80, 0xF0, 0x40, 0x80, TOY).sw == 0x9000
    assert host.store([(2, b"y")], 1, last=True).sw == 0x6985
    assert card.registry.instances[0].state == 0x87
    assert stored(card) == {"0001": b"x"}


def test_a_deleted_instance_is_no_longer_personalized() -> None:
    host, _ = ready(1)
    assert host.send(0x80, 0xE4, 0, 0, b"\x4f\x09" + TOY, 256).sw == 0x9000
    assert host.store([(1, b"x")], 0).sw == 0x6A88
