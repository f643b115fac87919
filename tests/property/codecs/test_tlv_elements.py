"""Values of the member application's elements survive their encoding, and bytes that decode re-encode to themselves."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.emv.data.elements.element import Element
from terminal.errors import CodecError
from terminal.member import elements
from terminal.member.values import Entitlement, Period

NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=15)
DATES = st.dates(date(1950, 1, 1), date(2049, 12, 31))
ENTITLEMENTS = st.builds(
    Entitlement,
    st.from_regex(r"[0-9]{4}", fullmatch=True),
    st.integers(0, 255),
    st.integers(0, 255),
    st.sampled_from(Period),
    DATES,
)


@given(NAMES)
def test_names(name: str) -> None:
    assert elements.MEMBER_NAME.decode(elements.MEMBER_NAME.encode(name)) == name


@given(st.lists(ENTITLEMENTS, max_size=30).map(tuple))
def test_entitlements(entries: tuple[Entitlement, ...]) -> None:
    assert elements.ENTITLEMENTS.decode(elements.ENTITLEMENTS.encode(entries)) == entries


@pytest.mark.parametrize("element", elements.ELEMENTS, ids=lambda element: element.name)
@given(data=st.data())
def test_what_decodes_encodes_to_itself(element: Element[object], data: st.DataObject) -> None:
    raw = data.draw(st.binary(max_size=min(element.max, 70) + 1))
    try:
        value = element.decode(raw)
    except CodecError:
        return
    assert element.encode(value) == raw
