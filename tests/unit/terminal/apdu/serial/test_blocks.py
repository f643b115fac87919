from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.apdu.serial.blocks import (
    ABORT,
    IFS,
    RESPONSE,
    RESYNCH,
    WTX,
    Block,
    BlockKind,
    ErrorDetection,
    check_code,
    crc,
    decode,
    encode,
    information,
    lrc,
    ready,
)
from terminal.errors import CodecError

LRC = ErrorDetection.LRC


@pytest.mark.parametrize(
    ("raw", "block"),
    [
        ("00C101FE3E", Block(IFS, b"\xfe")),
        ("00E101FE1E", Block(IFS | RESPONSE, b"\xfe")),
        ("00C000C0", Block(RESYNCH)),
        ("00E000E0", Block(RESYNCH | RESPONSE)),
        ("00C200C2", Block(ABORT)),
        ("00C30105C7", Block(WTX, b"\x05")),
        ("0080 0080", ready(0)),
        ("009200 92", ready(1, 2)),
        ("00400500B2010C00FA", information(1, bytes.fromhex("00B2010C00"))),
        ("0020 02 A1B2 31", information(0, bytes.fromhex("A1B2"), more=True)),
    ],
)
def test_a_block_has_one_encoding(raw: str, block: Block) -> None:
    assert encode(block, LRC) == bytes.fromhex(raw)
    assert decode(bytes.fromhex(raw), LRC) == block


def test_a_block_says_what_it_is() -> None:
    assert [Block(pcb).kind for pcb in (0x00, 0x60, 0x90, 0xC1)] == [
        BlockKind.INFORMATION,
        BlockKind.INFORMATION,
        BlockKind.READY,
        BlockKind.SUPERVISORY,
    ]
    assert [Block(pcb).sequence for pcb in (0x00, 0x40, 0x80, 0x91)] == [0, 1, 0, 1]
    assert [Block(pcb).more for pcb in (0x40, 0x60)] == [False, True]


def test_the_check_codes_have_their_published_values() -> None:
    """CRC-16/IBM-SDLC (ISO/IEC 13239) of "123456789" is 906E, before its complement 6F91."""
    assert lrc(b"") == 0
    assert lrc(b"\x00\xc1\x01\xfe") == 0x3E
    assert crc(b"123456789") == 0x6F91
    assert check_code(b"123456789", ErrorDetection.CRC) == bytes.fromhex("6E90")
    assert check_code(b"123456789", ErrorDetection.CRC_PLAIN) == bytes.fromhex("6F91")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "another length"),
        ("000000", "another length"),
        ("0000020011", "another length"),
        ("00C101FE3E00", "another length"),
        ("00C101FE3F", "error detection code"),
        ("01C101FE3F", "NAD 01"),
        ("00C401FE3B", "PCB C4"),
        ("00C100C1", "PCB C1 and LEN 0"),
        ("00C001FE3F", "PCB C0 and LEN 1"),
        ("00800100 81", "PCB 80 and LEN 1"),
        ("008300 83", "PCB 83"),
        ("00A000A0", "PCB A0"),
        ("00010001", "PCB 01"),
        ("0000FF" + "00" * 255 + "FF", "another length"),
    ],
)
def test_what_is_no_block_is_refused(raw: str, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        decode(bytes.fromhex(raw), LRC)


blocks = st.one_of(
    st.builds(information, st.integers(0, 1), st.binary(max_size=254), more=st.booleans()),
    st.builds(ready, st.integers(0, 1), st.integers(0, 2)),
    st.builds(
        lambda pcb, inf: Block(pcb, inf), st.sampled_from([IFS, IFS | RESPONSE, WTX]), st.binary(min_size=1, max_size=1)
    ),
)


@given(blocks, st.sampled_from(ErrorDetection))
def test_a_block_survives_its_encoding(block: Block, detection: ErrorDetection) -> None:
    assert decode(encode(block, detection), detection) == block


@given(blocks, st.sampled_from(ErrorDetection), st.data())
def test_one_altered_byte_is_always_noticed(block: Block, detection: ErrorDetection, data: st.DataObject) -> None:
    raw = bytearray(encode(block, detection))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CodecError):
        decode(bytes(raw), detection)


@given(st.binary(max_size=40), st.sampled_from(ErrorDetection))
def test_any_bytes_are_a_block_or_refused(raw: bytes, detection: ErrorDetection) -> None:
    try:
        block = decode(raw, detection)
    except CodecError:
        return
    assert encode(block, detection) == raw
