"""Secure channels with the card's security domain: security levels, counters, tries, and the end of a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpKid, ScpState, StaticKeys

from simulators.applets.rom import MEMBER
from simulators.virtual_card import VirtualCard
from terminal.apdu import Command, LinkProtocol
from tests.support.cards.gp_host import TEST_KEY, GpHost
from tests.support.cards.toys.toy_applet import toy_card

LEVELS = {2: {0x15: (0, 1, 3), 0x55: (0, 1, 3), 0x75: (0, 1, 3, 0x10, 0x11, 0x13)}}
LEVELS[3] = {
    0x00: (0, 1, 3),
    0x10: (0, 1, 3),
    0x20: (0, 1, 3, 0x11, 0x13),
    0x60: (0, 1, 3, 0x11, 0x13, 0x33),
    0x70: (0, 1, 3, 0x11, 0x13, 0x33),
    0x71: (0, 1, 3, 0x11, 0x13, 0x33),
}


def combinations() -> Iterator[tuple[int, int, int, int]]:
    for scp, parameters in LEVELS.items():
        for i, levels in parameters.items():
            for size in (16, 24, 32) if scp == 3 and i >= 0x70 else (16,):
                yield from ((scp, i, size, level) for level in levels)


@pytest.mark.parametrize("protocol", [LinkProtocol.T0, LinkProtocol.T1])
@pytest.mark.parametrize(("scp", "i", "size", "level"), list(combinations()))
def test_every_level(scp: int, i: int, size: int, level: int, protocol: LinkProtocol) -> None:
    """All four command cases pass in a session of each level; the card opens it twice."""
    card = toy_card(scp=scp, i=i, key_size=size, protocol=protocol)
    host = GpHost(card, keys=((TEST_KEY * 2)[:size],) * 3)
    for aid in (b"\xf0\x01\x02\x03\x04", b"\xf0\x01\x02\x03\x05"):
        assert host.open(level) == 0x9000
        assert host.send(0x80, 0xCA, 0x9F, 0x7F, ne=256).data[3:] == card.config.chip.encode()
        assert host.send(0x80, 0xF2, 0x80, 0x02, b"\x4f\x00", 256).data.startswith(b"\xe3")
        assert host.install(MEMBER.package, MEMBER.module, aid).data == b"\x00"
        assert host.send(0x80, 0xF0, 0x40, 0x80, aid).sw == 0x9000
        assert host.send(0x80, 0xF0, 0x40, 0x80, aid).sw == 0x6985
        assert host.send(0x80, 0xFE).sw == 0x6D00
        assert host.send(0x80, 0xF2, 0x40, 0x02, b"\x4f\x00", 256).sw == 0x9000
    assert len(card.registry.instances) == 2


@pytest.mark.parametrize(
    ("scp", "i", "level"), [(2, 0x55, 0x11), (2, 0x15, 0x02), (3, 0x10, 0x11), (3, 0x20, 0x33), (3, 0x70, 0x31)]
)
def test_levels_the_card_does_not_have(scp: int, i: int, level: int) -> None:
    assert GpHost(toy_card(scp=scp, i=i)).open(level) == 0x6A86


@pytest.mark.parametrize("scp", [2, 3])
def test_pseudo_random_challenges(scp: int) -> None:
    """SCP02 counts sessions that were opened; SCP03 never gives one challenge twice."""
    card = toy_card(scp=scp)
    host = GpHost(card)
    first, second = host.initialize_update().data, host.initialize_update().data
    assert (first == second) == (scp == 2)
    assert host.authenticate(1) == 0x9000
    third = host.initialize_update().data
    counter = slice(12, 14) if scp == 2 else slice(29, 32)
    numbers = [int.from_bytes(answer[counter], "big") for answer in (first, second, third)]
    assert numbers == ([0, 0, 1] if scp == 2 else [1, 2, 3])
    card.power_off()
    card.power_on()
    assert int.from_bytes(host.initialize_update().data[counter], "big") == (1 if scp == 2 else 4)


@pytest.mark.parametrize(("scp", "i"), [(2, 0x15), (3, 0x60)])
def test_random_challenges(scp: int, i: int) -> None:
    host = GpHost(toy_card(scp=scp, i=i))
    assert host.initialize_update().data[12:] != host.initialize_update().data[12:]


@pytest.mark.parametrize("scp", [2, 3])
def test_ten_failures_block_the_keys(scp: int) -> None:
    card = toy_card(scp=scp)
    host = GpHost(card)
    for _ in range(9):
        host.initialize_update()
        assert host.authenticate(1, bytes(8)) == 0x6300
        assert host.transmit(Command(0x84, 0xF2, 0x80, 2, b"\x4f\x00")).sw == 0x6982
    assert host.open() == 0x9000  # a success gives the tries back
    for n in range(10):
        host.initialize_update()
        assert host.authenticate(1, bytes(8)) == 0x6300, n
        card.power_off()
        card.power_on()
    assert host.open() == 0x6983


def test_a_try_is_spent_before_the_cryptogram_is_looked_at() -> None:
    from simulators.card.memory import PowerLost, TearAt

    card = toy_card(i=0x60)
    host = GpHost(card)
    for _ in range(10):
        host.initialize_update()
        card.tear = TearAt(0, after=True)
        with pytest.raises(PowerLost):
            host.authenticate(1, bytes(8))
        card.tear = None
        card.power_on()
    assert host.open() == 0x6983


@pytest.mark.parametrize(("scp", "last"), [(2, "FFFF"), (3, "FFFFFF")])
def test_a_counter_does_not_begin_again(scp: int, last: str) -> None:
    card = toy_card(scp=scp)
    version = card.config.key_version
    counters = card._nvm.scope("isd")  # 65 thousand sessions would take a while
    counters[f"counters/{version:02X}"] = (int(last, 16) - 1).to_bytes(4, "big")
    host = GpHost(card)
    assert host.open() == 0x9000
    assert host.open() == 0x6985


@pytest.mark.parametrize("scp", [2, 3])
def test_handshake_out_of_order(scp: int) -> None:
    card = toy_card(scp=scp)
    host = GpHost(card)
    assert host.transmit(Command(0x84, 0x82, 1, 0, bytes(16))).sw == 0x6985
    assert host.open() == 0x9000
    assert host.transmit(Command(0x84, 0x82, 1, 0, bytes(16))).sw == 0x6985
    assert host.send(0x80, 0xF2, 0x80, 2, b"\x4f\x00", 256).sw == 0x6982
    host.initialize_update()
    assert host.transmit(Command(0x80, 0x82, 1, 0, bytes(16))).sw == 0x6E00
    host.initialize_update()
    assert host.transmit(Command(0x84, 0x82, 1, 0, bytes(17))).sw == 0x6700


@pytest.mark.parametrize("new", [0x30, 0x31])
def test_keys_replaced_between_the_halves_of_a_handshake_open_nothing(new: int) -> None:
    card = toy_card()
    assert card.exchange(bytes.fromhex("0070000001")) == b"\x01\x90\x00"
    late, other = GpHost(card), GpHost(card, channel=1)
    assert other.open() == 0x9000
    assert late.initialize_update().sw == 0x9000
    keys = (bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48)))
    assert other.put_keys(0x30, new, keys).sw == 0x9000
    assert late.authenticate(1) == 0x6985
    assert GpHost(card, keys=keys).open(1, new) == 0x9000


def test_what_ends_a_session() -> None:
    status = (0x80, 0xF2, 0x80, 2, b"\x4f\x00", 256)
    card = toy_card()
    host = GpHost(card)
    for breach in ("00A4040000", "80F28002024F0000", "80CA9F7F00", "84F28002024F0000", "8050000008010203040506070800"):
        assert host.open() == 0x9000
        assert host.send(*status).sw == 0x9000
        card.exchange(bytes.fromhex(breach))
        assert host.send(*status).sw == 0x6982, breach
    assert host.open() == 0x9000
    assert card.exchange(bytes.fromhex("00A404000AF0F0F0F0F0F0F0F0F0F0"))[-2:] == b"\x6a\x82"
    assert host.send(*status).sw == 0x9000  # a selection that failed changes nothing
    card.reset()
    assert host.send(*status).sw == 0x6982


@pytest.mark.parametrize(
    ("scp", "i", "level"), [(2, 0x55, 1), (2, 0x55, 3), (3, 0x70, 1), (3, 0x70, 0x33), (3, 0x71, 3)]
)
def test_every_changed_bit_is_refused(scp: int, i: int, level: int) -> None:
    """Every single-bit change of a wrapped command, header and length included, is refused."""
    card = toy_card(scp=scp, i=i)
    host = GpHost(card)
    host.open(level)
    host.send(0x80, 0xF2, 0x80, 0x02, b"\x4f\x00", 256)
    length = len(host.wire[-1])
    for bit in range(8 * length):
        host.open(level)
        wrapped = host.wrap_next(Command(0x80, 0xF2, 0x80, 0x02, b"\x4f\x00", 256))
        changed = bytearray(wrapped.encode())
        changed[bit // 8] ^= 0x80 >> bit % 8
        answer = card.exchange(bytes(changed))
        if bit // 8 == length - 1:  # Le is not protected
            assert answer[-2:] == b"\x90\x00" or answer[-2] in (0x61, 0x6C)
        else:
            assert answer[-2] in (0x67, 0x68, 0x69, 0x6A, 0x6D, 0x6E), bit
            assert len(answer) == 2


def test_replayed_and_swapped_commands_are_refused() -> None:
    card = toy_card()
    host = GpHost(card)
    host.open(3)
    host.send(0x80, 0xF2, 0x80, 2, b"\x4f\x00", 256)
    assert card.exchange(host.wire[-1]) == b"\x69\x88"
    host.open(3)
    first = host.wrap_next(Command(0x80, 0xF2, 0x80, 2, b"\x4f\x00", 256))
    second = host.wrap_next(Command(0x80, 0xF2, 0x40, 2, b"\x4f\x00", 256))
    assert card.exchange(second.encode()) == b"\x69\x88"
    assert card.exchange(first.encode()) == b"\x69\x82"


def test_the_scp03_host_of_yubikit() -> None:
    """An independent host: its C-MAC, C-DEC, R-MAC and R-ENC are this card's."""
    card = toy_card()

    def send_apdu(cla: int, ins: int, p1: int, p2: int, data: bytes) -> bytes:
        answer = card.exchange(Command(cla, ins, p1, p2, data, 256).encode())
        assert answer[-2:] == b"\x90\x00"
        return answer[:-2]

    params = Scp03KeyParams(KeyRef(ScpKid.SCP03, 0x30), StaticKeys(TEST_KEY, TEST_KEY, TEST_KEY))
    state, cryptogram = ScpState.scp03_init(send_apdu, params)
    header = bytes((0x84, 0x82, 0x33, 0, 16))
    send_apdu(0x84, 0x82, 0x33, 0, cryptogram + state.mac(header + cryptogram))
    for scope, wanted in ((0x80, b"\xe3"), (0x20, b"\xe3"), (0x10, b"\xe3")):
        body = state.encrypt(b"\x4f\x00")
        header = bytes((0x84, 0xF2, scope, 2, len(body) + 8))
        answer = send_apdu(0x84, 0xF2, scope, 2, body + state.mac(header + body))
        assert state.decrypt(state.unmac(answer, 0x9000)).startswith(wanted)


def test_secrets_do_not_print() -> None:
    card: VirtualCard = toy_card()
    assert TEST_KEY.hex() not in f"{card!r}{card.config!r}{card.config.stock_keys()!r}{card.key_versions}"
