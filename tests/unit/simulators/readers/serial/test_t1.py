"""The card's blocks at T=1: chains both ways, retransmission, waiting time extension, supervision."""

from __future__ import annotations

from functools import reduce
from operator import xor

import pytest

from simulators.readers.serial.t1 import BlockCard, crc, lrc

COMMAND = bytes.fromhex("00B0000010")
R0, R1 = 0x80, 0x90
RESYNCH, IFS, ABORT, WTX = 0xC0, 0xC1, 0xC2, 0xC3
LOST = 0x81


def block(pcb: int, inf: bytes | str = b"") -> bytes:
    raw = bytes((0, pcb, len(inf := bytes.fromhex(inf) if isinstance(inf, str) else inf))) + inf
    return raw + bytes((reduce(xor, raw),))


class Card:
    """A card that answers these responses, and its commands."""

    def __init__(self, *responses: bytes, **how: int | bool) -> None:
        self.commands: list[bytes] = []
        self._responses = list(responses)
        self._blocks = BlockCard(self._exchange, **how)  # type: ignore[arg-type]

    def _exchange(self, apdu: bytes) -> bytes:
        self.commands.append(apdu)
        return self._responses.pop(0)

    def send(self, raw: bytes) -> bytes:
        return b"".join(self._blocks.receive(character) for character in raw)


def test_check_bytes() -> None:
    assert lrc(bytes.fromhex("00C101FE")) == bytes.fromhex("3E")
    # check value of CRC-16/ISO-HDLC (X.25), ITU-T V.42: 906E, least significant byte first
    assert crc(b"123456789") == bytes.fromhex("6E90")


def test_commands_follow_with_numbers_in_turn() -> None:
    card = Card(b"\x01\x90\x00", b"\x02\x90\x00", b"\x03\x90\x00")
    assert card.send(block(0x00, COMMAND)) == block(0x00, "019000")
    assert card.send(block(0x40, COMMAND)) == block(0x40, "029000")
    assert card.send(block(0x00, COMMAND)) == block(0x00, "039000")
    assert card.commands == [COMMAND] * 3


def test_chains_both_ways() -> None:
    card = Card(bytes(range(40)) + b"\x90\x00")
    assert card.send(block(IFS, "10")) == block(IFS | 0x20, "10")
    assert card.send(block(0x20, COMMAND)) == block(R1)
    assert card.send(block(0x60, "AA")) == block(R0)
    assert card.send(block(0x00, "BB")) == block(0x20, bytes(range(16)))
    assert card.send(block(R1)) == block(0x60, bytes(range(16, 32)))
    assert card.send(block(R0)) == block(0x00, bytes(range(32, 40)) + b"\x90\x00")
    assert card.commands == [COMMAND + b"\xaa\xbb"]


def test_a_damaged_block_is_requested_again_and_the_command_runs_once() -> None:
    card = Card(b"\x90\x00")
    raw = bytearray(block(0x00, COMMAND))
    raw[5] ^= 0x04
    assert card.send(bytes(raw)) == block(R0 | 1)
    assert card.send(block(0x00, COMMAND)) == block(0x00, "9000")
    assert card.commands == [COMMAND]


def test_a_lost_answer_is_sent_again_without_the_command_being_run_again() -> None:
    card = Card(b"\x01\x90\x00", b"\x02\x90\x00")
    card.send(block(0x00, COMMAND))
    assert card.send(block(LOST)) == block(0x00, "019000")
    assert card.send(block(0x80 | 2)) == block(0x00, "019000")
    assert card.send(block(0x40, COMMAND)) == block(0x40, "029000")
    assert card.commands == [COMMAND] * 2


def test_a_lost_acknowledgement_within_a_chain_is_sent_again() -> None:
    card = Card(b"\x90\x00")
    assert card.send(block(0x20, COMMAND)) == block(R1)
    assert card.send(block(LOST)) == block(R1)
    assert card.send(block(0x40, "AA")) == block(0x00, "9000")


def test_a_lost_part_of_a_chain_is_sent_again() -> None:
    card = Card(bytes(50) + b"\x90\x00")
    first = card.send(block(0x00, COMMAND))
    assert card.send(block(LOST)) == first == block(0x20, bytes(32))
    assert card.send(block(R1)) == block(0x40, bytes(18) + b"\x90\x00")
    assert card.send(block(0x91)) == block(0x40, bytes(18) + b"\x90\x00")


def test_the_last_request_for_a_block_is_repeated_not_an_earlier_answer() -> None:
    card = Card(b"\x01\x90\x00", b"\x02\x90\x00")
    card.send(block(0x00, COMMAND))
    raw = bytearray(block(0x40, COMMAND))
    raw[-1] ^= 1
    assert card.send(bytes(raw)) == block(R1 | 1)
    assert card.send(block(0x90 | 1)) == block(R1 | 1)
    assert card.send(block(0x40, COMMAND)) == block(0x40, "029000")


IMPOSSIBLE = {
    "wrong number": block(0x40, COMMAND),
    "reserved bit": block(0x01, COMMAND),
    "no such R": block(0x8F),
    "no such S": block(0xC5),
    "too long": block(IFS, "FF"),
    "without length": block(IFS),
    "extension not wanted": block(0xE3, "01"),
}


@pytest.mark.parametrize("raw", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_block_that_cannot_be_is_refused(raw: bytes) -> None:
    card = Card(b"\x90\x00")
    assert card.send(raw) == block(0x82)
    assert card.send(block(0x00, COMMAND)) == block(0x00, "9000")


def test_a_block_for_another_node_or_over_the_field_size_is_refused() -> None:
    card = Card(b"\x90\x00", ifsc=4)
    other = bytes((0x12, 0, 1, 0, 0x13))
    assert card.send(other) == block(0x82)
    assert card.send(block(0x00, COMMAND)) == block(0x82)
    assert card.commands == []


def test_a_card_stays_silent_after_three_refusals() -> None:
    card = Card(b"\x90\x00")
    assert [card.send(block(0x40, COMMAND)) for _ in range(4)] == [block(0x82)] * 3 + [b""]
    assert card.send(block(RESYNCH)) == block(RESYNCH | 0x20)
    assert card.send(block(0x00, COMMAND)) == block(0x00, "9000")


def test_resynchronization_begins_anew_with_numbers_and_sizes() -> None:
    card = Card(b"\x90\x00", bytes(40) + b"\x90\x00")
    card.send(block(IFS, "FE"))
    card.send(block(0x00, COMMAND))
    assert card.send(block(RESYNCH)) == block(RESYNCH | 0x20)
    assert card.send(block(0x00, COMMAND)) == block(0x20, bytes(32))


def test_an_aborted_chain_leaves_nothing() -> None:
    card = Card(b"\x90\x00")
    card.send(block(0x20, "AABB"))
    assert card.send(block(ABORT)) == block(ABORT | 0x20)
    assert card.send(block(0x40, COMMAND)) == block(0x00, "9000")
    assert card.commands == [COMMAND]


def test_more_time_is_requested_before_the_command_runs() -> None:
    card = Card(b"\x90\x00", extend=5)
    assert card.send(block(0x00, COMMAND)) == block(WTX, "05")
    assert card.commands == []
    assert card.send(block(LOST)) == block(WTX, "05")
    assert card.send(block(0xE3, "05")) == block(0x00, "9000")
    assert card.commands == [COMMAND]


def test_blocks_with_a_cyclic_code() -> None:
    card = Card(b"\x90\x00", by_crc=True)
    raw = bytes((0, 0, 5)) + COMMAND
    assert card.send(raw + crc(raw)) == bytes.fromhex("0000029000") + crc(bytes.fromhex("0000029000"))
    assert card.send(raw + crc(raw)[::-1]) == bytes.fromhex("009100") + crc(bytes.fromhex("009100"))
