"""PUT KEY and DELETE [key] of the security domain."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from terminal.apdu import Command
from terminal.crypto import kcv
from terminal.tlv import decode
from tests.support.cards.gp_host import TEST_KEY, GpHost, lv
from tests.support.cards.toys.toy_applet import toy_card
from tests.support.cards.toys.toy_host import NEW, hosted


@pytest.mark.parametrize(("scp", "version"), [(2, 0x20), (3, 0x31)])
def test_key_rotation(scp: int, version: int) -> None:
    host, card = hosted(3, scp=scp)
    check = kcv.des_kcv if scp == 2 else kcv.aes_kcv
    old = 0x00 if scp == 2 else 0x30
    answer = host.put_keys(old, version, NEW)
    assert answer.data == bytes((version,)) + b"".join(check(key) for key in NEW)
    assert card.key_versions == [version]
    information = host.transmit(Command(0x80, 0xCA, 0, 0xE0, ne=256))
    assert information.sw == 0x6982  # the session asks for a MAC on everything
    assert host.open(1, version=card.config.key_version) == 0x6A88
    fresh = GpHost(card, keys=NEW)
    assert fresh.open(0x03, version) == 0x9000
    keys = decode(fresh.send(0x80, 0xCA, 0, 0xE0, ne=256).data)[0].children
    kind = "8010" if scp == 2 else "8810"
    assert [item.value.hex() for item in keys] == [f"{n:02x}{version:02x}{kind}" for n in (1, 2, 3)]


def test_adding_a_key_set_keeps_the_numbered_ones() -> None:
    host, card = hosted()
    assert host.put_keys(0, 0x31, NEW).sw == 0x9000
    assert card.key_versions == [0x30, 0x31]
    assert host.put_keys(0, 0x31, NEW).sw == 0x6A80
    assert GpHost(card, keys=NEW).open(1, 0x31) == 0x9000
    assert GpHost(card).open(1) == 0x9000


@pytest.mark.parametrize("size", [24, 32])
def test_long_aes_keys(size: int) -> None:
    card = toy_card(key_size=size)
    host = GpHost(card, keys=((TEST_KEY * 2)[:size],) * 3)
    assert host.open(0x33) == 0x9000
    keys = (bytes(range(size)),) * 3
    assert host.put_keys(0x30, 0x31, keys).sw == 0x9000
    assert GpHost(card, keys=keys).open(0x33, 0x31) == 0x9000


def test_one_key_of_a_set_is_replaced() -> None:
    host, card = hosted()
    assert host.send(0x80, 0xD8, 0x30, 0x03, b"\x30" + host.key_field(NEW[2]), 256).sw == 0x9000
    assert GpHost(card, keys=(TEST_KEY, TEST_KEY, NEW[2])).open(3, 0x30) == 0x9000


def test_key_commands_that_are_refused_change_nothing() -> None:
    host, card = hosted()
    good = [host.key_field(key) for key in NEW]
    wrong_kcv = good[2][:-1] + bytes((good[2][-1] ^ 1,))
    des_type = b"\x80" + good[2][1:]
    cases: list[tuple[int, int, bytes, int]] = [
        (0x30, 0x81, b"\x31" + good[0] + good[1] + wrong_kcv, 0x9485),
        (0x30, 0x81, b"\x31" + good[0] + good[1] + des_type, 0x9484),
        (0x30, 0x81, b"\x31" + good[0] + good[1] + good[2][:-1], 0x6A80),
        (0x30, 0x81, b"\x31" + good[0] + good[1], 0x6A80),
        (0x30, 0x81, b"\x80" + b"".join(good), 0x6A80),
        (0x30, 0x81, b"\x00" + b"".join(good), 0x6A80),
        (0x30, 0x01, b"\x31" + b"".join(good), 0x6A80),
        (0x32, 0x81, b"\x31" + b"".join(good), 0x6A88),
        (0x30, 0x82, b"\x30" + b"".join(good), 0x6A88),
        (0xB0, 0x81, b"\x31" + b"".join(good), 0x6A86),
        (0x30, 0x80, b"\x31" + b"".join(good), 0x6A86),
        (0x30, 0x81, b"\x31", 0x6A80),
    ]
    for p1, p2, data, sw in cases:
        assert host.send(0x80, 0xD8, p1, p2, data, 256).sw == sw, (p1, p2, sw)
    assert card.key_versions == [0x30]
    assert host.open(0x33) == 0x9000


def bare(host: GpHost, key: bytes) -> bytes:
    """A key of whole cipher blocks without a length before it, as gpshell, pySim and yubikit send it."""
    check = kcv.des_kcv(key) if host.scp == 2 else kcv.aes_kcv(key)
    return bytes((0x80 if host.scp == 2 else 0x88,)) + lv(host.secret(key), check)


def counted(host: GpHost, key: bytes) -> bytes:
    """The same key behind a byte with its length, as GlobalPlatformPro sends it."""
    check = kcv.des_kcv(key) if host.scp == 2 else kcv.aes_kcv(key)
    body = bytes((len(key),)) + host.secret(key + bytes(-len(key) % 16))
    return bytes((0x80 if host.scp == 2 else 0x88,)) + lv(body, check)


@pytest.mark.parametrize(("scp", "size"), [(2, 16), (3, 16), (3, 32)])
@pytest.mark.parametrize("form", [bare, counted])
@pytest.mark.parametrize("replacing", [False, True])
def test_a_key_of_whole_blocks_comes_with_or_without_its_length(
    scp: int, size: int, form: Callable[[GpHost, bytes], bytes], replacing: bool
) -> None:
    """GPC 2.3.1, 11.8.2.3.1: such a key carries neither padding nor length; both are accepted."""
    host, card = hosted(scp=scp, key_version=0x30)
    old = 0x30 if replacing else 0x00
    keys = tuple(bytes((n,)) * size for n in (0x11, 0x22, 0x33))
    answer = host.send(0x80, 0xD8, old, 0x81, b"\x31" + b"".join(form(host, key) for key in keys), 256)
    assert answer.sw == 0x9000
    checks = [kcv.des_kcv(key) if scp == 2 else kcv.aes_kcv(key) for key in keys]
    assert answer.data == b"\x31" + b"".join(checks)
    assert GpHost(card, keys=(keys[0], keys[1], keys[2])).open(version=0x31) == 0x9000


def test_both_forms_in_one_command_and_the_first_keys_of_a_blank_chip() -> None:
    host, card = hosted(key_version=0xFF)
    forms = (bare, counted, bare)
    data = b"\x31" + b"".join(form(host, key) for form, key in zip(forms, NEW, strict=True))
    assert host.send(0x80, 0xD8, 0x00, 0x81, data, 256).sw == 0x9000
    assert card.key_versions == [0x31]
    assert GpHost(card, keys=NEW).open() == 0x9000


@pytest.mark.parametrize("body", ["18" + "00" * 16, "10" + "00" * 32, "18" + "00" * 24, "00" * 24, "00" * 15, "10", ""])
def test_a_key_whose_length_and_blocks_differ_is_refused(body: str) -> None:
    host, card = hosted()
    field = b"\x88" + lv(bytes.fromhex(body), b"")
    assert host.send(0x80, 0xD8, 0x00, 0x01, b"\x31" + field, 256).sw == 0x6A80
    assert card.key_versions == [0x30]


@pytest.mark.parametrize("old", [0x00, 0x30])
def test_no_key_set_is_put_that_leaves_the_card_without_a_channel(old: int) -> None:
    """Keys of three lengths make no channel: where they would be the only ones, the card refuses them."""
    host, card = hosted()
    sizes = (bytes(range(16)), bytes(range(24)), bytes(range(32)))
    assert host.put_keys(old, 0x31, sizes).sw == (0x6A80 if old else 0x9000)
    assert card.key_versions == ([0x30] if old else [0x30, 0x31])
    assert GpHost(card).open() == 0x9000


def test_delete_key() -> None:
    host, card = hosted()

    def delete(data: str) -> int:
        return host.send(0x80, 0xE4, 0, 0, bytes.fromhex(data), 256).sw

    assert delete("D20130") == 0x6985  # the last key set
    assert host.put_keys(0, 0x31, NEW).sw == 0x9000
    assert delete("D20132") == 0x6A88
    assert delete("D20130") == 0x9000
    assert delete("D00103D20131") == 0x6985
    assert card.key_versions == [0x31]
    assert GpHost(card, keys=NEW).open() == 0x9000
