"""Explanations of anything at all: they come, they are one line each, and they keep personal data masked."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from datetime import date, time
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from terminal.emv.data.conversation import Conversation
from terminal.emv.data.dictionary import STANDARD, Element, lookup
from terminal.emv.data.elements.element import Personal
from terminal.emv.data.explain import Explainer, explain, explain_data
from terminal.errors import CodecError
from terminal.tlv import Tag, Tlv, tlv

AIDS = (None, bytes.fromhex("A000000333010101"), bytes.fromhex("A0000000031010"), bytes.fromhex("A0000000041010"))
LOSSY = {"PriorityIndicator", "Number", "CompressedDigits", "Pan", "Track2Data"}
"""Codecs that give no bytes back for RFU bits, for a number's width, or for more padding than needed."""


def one_line(text: str) -> bool:
    """Whether a terminal shows it as it is; characters for private use are harmless."""
    return not any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in text)


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(st.sampled_from(STANDARD.elements), st.binary(max_size=40))
def test_what_an_element_reads_it_writes_the_same(element: Element, data: bytes) -> None:
    value: Any = None
    try:
        value = element.decode(data)
    except CodecError:
        assume(False)
    written = element.encode(value)
    assert element.decode(written) == value
    if element.codec.__name__ not in LOSSY:
        assert len(written) <= len(data)
        assert written == data or int.from_bytes(written, "big") == int.from_bytes(data, "big")


@given(st.sampled_from(STANDARD.elements), st.binary(max_size=60), st.sampled_from(AIDS), st.booleans())
def test_any_value_is_explained_on_lines(element: Element, data: bytes, aid: bytes | None, reveal: bool) -> None:
    tree = explain(element.tag, data, aid, reveal=reveal)
    for line in tree.lines():
        assert one_line(line)
    assert tree.to_json()["tag"] == str(element.tag)


@given(
    st.sampled_from([e for e in STANDARD.elements if e.personal is Personal.HIDDEN and not e.contextual]),
    st.binary(min_size=8, max_size=40),
    st.sampled_from(AIDS),
)
def test_hidden_elements_say_their_length_only(element: Element, data: bytes, aid: bytes | None) -> None:
    known = lookup(element.tag, aid)
    tree = explain(element.tag, data, aid)
    if known is None or known.personal is Personal.HIDDEN:
        assert tree.value is None
        assert tree.text == f"{len(data)} bytes, masked"
        assert tree.children == ()


_TAGS = st.sampled_from(sorted({element.tag for element in STANDARD.elements} | {Tag(0xDF7E), Tag(0xE1)}))
_OBJECTS = st.recursive(
    st.builds(tlv, _TAGS.filter(lambda tag: not tag.constructed), st.binary(max_size=20)),
    lambda inner: st.builds(tlv, _TAGS.filter(lambda tag: tag.constructed), st.lists(inner, max_size=4)),
    max_leaves=12,
)


@given(_OBJECTS, st.sampled_from(AIDS))
def test_any_data_objects_are_explained_one_line_each(item: Tlv, aid: bytes | None) -> None:
    (tree,) = explain_data(item.encode(), aid)
    assert all(one_line(line) for line in tree.lines())
    assert len(json.dumps(tree.to_json())) > 0
    card_numbers = [element.value.hex() for element in walk(item) if element.tag == 0x5A and len(element.value) > 6]
    text = "\n".join(tree.lines())
    assert not any(f"[{number}]" in text or f": {number}" in text for number in card_numbers)


def walk(item: Tlv) -> Iterator[Tlv]:
    yield item
    for child in item.children:
        yield from walk(child)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([bytes.fromhex(h) for h in ("00A40400", "80A80000", "00B2010C", "80AE8000", "00880000")]),
            st.binary(max_size=30),
            st.binary(max_size=60),
        ),
        max_size=6,
    )
)
def test_any_dialogue_is_explained(turns: list[tuple[bytes, bytes, bytes]]) -> None:
    talk = Conversation(Explainer())
    for header, sent, answer in turns:
        for tree in talk.exchange(header, sent, answer):
            assert all(one_line(line) for line in tree.lines())


@pytest.mark.parametrize("tag", [0x9F02, 0x9A, 0x9F21, 0x9F36, 0x50])
@given(data=st.data())
def test_values_round_trip(tag: int, data: st.DataObject) -> None:
    kinds: dict[int, st.SearchStrategy[Any]] = {
        0x9F02: st.integers(0, 10**12 - 1),
        0x9A: st.dates(date(1950, 1, 1), date(2049, 12, 31)),
        0x9F21: st.times().map(lambda t: time(t.hour, t.minute, t.second)),
        0x9F36: st.integers(0, 0xFFFF),
        0x50: st.text("工会会员卡𠀃AZ 09·", min_size=1, max_size=4),
    }
    element = lookup(tag)
    assert element is not None
    value = data.draw(kinds[tag])
    assert element.decode(element.encode(value)) == value
