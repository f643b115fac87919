"""Built objects decode to themselves; arbitrary bytes are either decoded without loss or raise TlvError."""

from __future__ import annotations

import pyemv.tlv
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from terminal.errors import TlvError
from terminal.tlv import Dol, DolFormat, Tag, Tlv, Tlvs, decode, dgi, encode, tlv

ONE = st.integers(1, 0xFE).filter(lambda b: b & 0x1F != 0x1F)
LEAD = st.integers(0, 0x6).map(lambda b: b << 5 | 0x1F)
TWO = st.builds(lambda a, b: a << 8 | b, LEAD, st.integers(1, 0x7F))
THREE = st.builds(lambda a, b, c: a << 16 | b << 8 | c, LEAD, st.integers(0x81, 0xFF), st.integers(0, 0x7F))
TAGS = st.one_of(ONE, TWO, THREE).map(Tag)
PADDING = st.lists(st.sampled_from([b"\x00", b"\xff"]), max_size=3).map(b"".join)
LEAVES = st.builds(tlv, TAGS.filter(lambda tag: not tag.constructed), st.binary(max_size=300))


def templates(children: st.SearchStrategy[Tlv]) -> st.SearchStrategy[Tlv]:
    return st.builds(tlv, TAGS.filter(lambda tag: tag.constructed), st.lists(children, max_size=4))


OBJECTS = st.recursive(LEAVES, templates, max_leaves=12)


@given(st.lists(OBJECTS, max_size=5))
def test_built_objects_are_read_back(objects: list[Tlv]) -> None:
    raw = encode(objects)
    for padding in ("emv", "reject"):
        reread = decode(raw, padding=padding)
        assert list(reread) == objects
        assert reread.encode() == raw


@given(st.lists(st.tuples(PADDING, OBJECTS), max_size=5), PADDING)
def test_padding_between_objects_is_preserved(parts: list[tuple[bytes, Tlv]], end: bytes) -> None:
    raw = b"".join(pad + item.encode() for pad, item in parts) + end
    reread = decode(raw)
    assert reread.encode() == raw
    assert list(reread) == [item for _, item in parts]


def decoded(raw: bytes) -> Tlvs | TlvError:
    try:
        return decode(raw)
    except TlvError as error:
        return error


@given(st.binary(max_size=200))
@example(b"\x70\x02\x5a\x80")
def test_any_bytes_are_lossless_or_refused(raw: bytes) -> None:
    reread = decoded(raw)
    if isinstance(reread, TlvError):
        assert reread.offset is not None
        assert 0 <= reread.offset < len(raw)
        return
    assert reread.encode() == raw

    def rebuilt(objects: Tlvs) -> list[Tlv]:
        return [tlv(o.tag, rebuilt(o.children) if o.tag.constructed else o.value) for o in objects]

    again = encode(rebuilt(reread))
    assert [(o.tag, o.tag.constructed or o.value) for o in decode(again, padding="reject").walk()] == [
        (o.tag, o.tag.constructed or o.value) for o in reread.walk()
    ]


@given(st.lists(OBJECTS, max_size=4), st.data())
def test_no_prefix_of_an_object_passes(objects: list[Tlv], data: st.DataObject) -> None:
    item = data.draw(OBJECTS)
    raw = encode(objects) + item.encode()
    cut = data.draw(st.integers(len(raw) - len(item.encode()) + 1, len(raw) - 1))
    with pytest.raises(TlvError):
        decode(raw[:cut])


@given(st.dictionaries(TAGS.filter(lambda tag: not tag.constructed), st.binary(max_size=200), max_size=8))
def test_pyemv_reads_what_we_write(values: dict[Tag, bytes]) -> None:
    raw = encode([tlv(tag, value) for tag, value in values.items()])
    assert pyemv.tlv.decode(raw) == {str(tag): value for tag, value in values.items()}


@given(st.lists(st.tuples(TAGS, st.integers(0, 255)), max_size=12))
def test_dol_round_trip(entries: list[tuple[Tag, int]]) -> None:
    dol = Dol.of(*entries)
    assert Dol.parse(dol.encode()) == dol
    values = {tag: bytes(range(tag & 0x3F)) for tag, _ in entries}
    filled = dol.fill(values, {tag: list(DolFormat)[tag % 6] for tag, _ in entries})
    assert len(filled) == dol.length
    assert set(dol.split(filled)) == {tag for tag, _ in entries}


@given(
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=600)), max_size=5),
    st.lists(st.integers(0, 4000), max_size=10),
)
def test_dgis_survive_any_cutting(groups: list[tuple[int, bytes]], cuts: list[int]) -> None:
    raw = dgi.encode(groups)
    assert dgi.decode(raw) == groups
    stream, reread, at = dgi.Stream(), [], 0
    for cut in [*sorted(cut for cut in cuts if cut < len(raw)), len(raw)]:
        reread += stream.feed(raw[at:cut])
        at = cut
    stream.finish()
    assert reread == groups
