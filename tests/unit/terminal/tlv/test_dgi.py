"""Data grouping identifiers: both length forms, and DGIs that run over several blocks."""

from __future__ import annotations

import pytest
from osmocom.tlv import dgi_encode_len, dgi_encode_tag

from terminal.errors import TlvError
from terminal.tlv import dgi


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 65535])
def test_lengths_round_trip_and_agree_with_osmocom(size: int) -> None:
    value = b"\x5a" * size
    raw = dgi.encode([(0x8201, value)])
    assert raw == dgi_encode_tag(0x8201) + dgi_encode_len(size) + value
    assert dgi.decode(raw) == [(0x8201, value)]


@pytest.mark.parametrize(("number", "size"), [(-1, 0), (0x10000, 0), (0x0101, 65536)])
def test_what_does_not_fit(number: int, size: int) -> None:
    with pytest.raises(TlvError):
        dgi.encode([(number, bytes(size))])


@pytest.mark.parametrize(
    ("data", "offset"), [("01", 0), ("0101", 0), ("010102AA", 0), ("010101AA0102FF00", 4), ("010101AA0102FF0010", 6)]
)
def test_faults_have_an_offset(data: str, offset: int) -> None:
    with pytest.raises(TlvError) as caught:
        dgi.decode(bytes.fromhex(data))
    assert caught.value.offset == offset


def test_a_group_over_three_blocks() -> None:
    raw = dgi.encode([(0x0101, b"a" * 400), (0x9200, b"b")])
    stream = dgi.Stream()
    assert not stream.pending
    assert stream.feed(raw[:200]) == []
    assert stream.pending
    assert stream.feed(raw[200:404]) == []
    assert stream.feed(raw[404:]) == [(0x0101, b"a" * 400), (0x9200, b"b")]
    assert not stream.pending
    stream.finish()


def test_offsets_count_from_the_first_block() -> None:
    stream = dgi.Stream()
    stream.feed(bytes.fromhex("010101AA01"))
    with pytest.raises(TlvError) as caught:
        stream.feed(bytes.fromhex("02FF0010"))
    assert caught.value.offset == 6


def test_finish_wants_the_rest() -> None:
    stream = dgi.Stream()
    stream.feed(b"\x01\x01")
    with pytest.raises(TlvError, match="truncated"):
        stream.finish()


def test_repr_holds_no_value() -> None:
    assert repr(dgi.Dgi(0x8000, bytes(48))) == "<Dgi 8000, 48 bytes>"
