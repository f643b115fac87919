"""One sweep over every codec: it has vectors, and they hold in both directions; then what codecs refuse."""

from __future__ import annotations

import inspect
from datetime import date, time
from typing import Any

import pytest

from terminal.emv.data.dictionary import STANDARD, lookup
from terminal.emv.data.elements import choices, codecs, iad, structures
from terminal.emv.data.elements.element import Codec, Context
from terminal.errors import CodecError

MODULES = (codecs, structures, choices, iad)
CODECS = [
    kind
    for module in MODULES
    for name, kind in vars(module).items()
    if inspect.isclass(kind)
    and issubclass(kind, Codec)
    and kind.__module__ == module.__name__
    and not name.startswith("_")
    and kind not in (choices.Chosen, codecs.Flagged, iad.IssuerData)
]


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_has_vectors_of_its_own_that_hold_both_ways(codec: type[Codec[Any]]) -> None:
    vectors = vars(codec).get("VECTORS")
    assert vectors, f"{codec.__name__} has no vectors of its own"
    for hexes, value in vectors:
        data = bytes.fromhex(hexes)
        assert codec.read(data) == value
        assert codec.write(value, len(data)) == data
        context = Context()
        assert isinstance(codec.text(value, context), str)
        assert all(part.name and isinstance(part.text, str) for part in codec.parts(value, context))


def test_every_element_has_a_codec_that_the_sweep_knows() -> None:
    assert {element.codec for element in STANDARD.elements} <= set(CODECS)


@pytest.mark.parametrize(
    ("tag", "hexes", "says"),
    [
        (0x9A, "261301", "no day of the calendar"),
        (0x9A, "26110A", "not decimal digits"),
        (0x9F21, "246000", "no time of day"),
        (0x5F2A, "1156", "more than three digits"),
        (0x5F2D, "7A6831", "two letters each"),
        (0x50, "1B5B324A", "control characters"),
        (0x50, "FF", "no GB 18030 text"),
        (0x5A, "12F4", "not decimal digits padded"),
        (0x57, "4761739001010119", "not a card number"),
        (0x5F30, "1220", "not three digits"),
        (0x95, "00", "1 bytes where 5 are possible"),
        (0x8E, "0000000000000000010203", "CVM list of 11 bytes"),
        (0x94, "08010100FF", "a multiple of 4"),
        (0x9F5B, "20000000", "five bytes a script"),
        (0x9F4D, "FF0A", "SFI from 1 to 30"),
        (0x9F3B, "015684", "two bytes a currency"),
        (0x9F4A, "9F", "ends inside a tag"),
    ],
)
def test_what_an_element_refuses(tag: int, hexes: str, says: str) -> None:
    element = lookup(tag)
    assert element is not None
    with pytest.raises(CodecError, match=says) as refused:
        element.decode(bytes.fromhex(hexes))
    assert element.name in str(refused.value)


@pytest.mark.parametrize(
    ("tag", "value", "says"),
    [
        (0x9F36, 0x10000, "3 bytes where 2"),
        (0x9F36, -1, "below zero"),
        (0x9F02, 10**12, "7 bytes where 6"),
        (0x9F02, -5, "below zero"),
        (0x9A, date(2050, 1, 1), "a year outside 1950 to 2049"),
        (0x5F2A, "1560", "three digits"),
        (0x5A, "12A4", "not decimal digits"),
        (0x9F15, "", "not decimal digits"),
        (0x50, "a\tb", "control characters"),
        (0x50, "\ud800", "control characters"),
        (0x5F2D, ("zho",), "two letters each"),
        (0x57, structures.Track2("47617390", "221", "2010", "1"), "four and three digits|not a card number|not digits"),
        (0x9F35, 0x100, "one byte"),
        (0x87, choices.Priority(16, False), "0 to 15"),
        (0x9F4D, choices.LogFile(31, 1), "SFI from 1 to 30"),
        (0x9F5B, (structures.ScriptResultField(2, 16, bytes(4)),), "two digits"),
        (0x9F10, iad.Iad(b"\x0f", 1, 0xA5, b"\x00", b""), "does not have"),
    ],
)
def test_values_that_do_not_fit_are_not_written(tag: int, value: Any, says: str) -> None:
    element = lookup(tag)
    assert element is not None
    with pytest.raises(CodecError, match=says):
        element.encode(value)


def test_values_are_python_values() -> None:
    def decoded(tag: int, hexes: str) -> Any:
        element = lookup(tag)
        assert element is not None
        return element.decode(bytes.fromhex(hexes))

    assert decoded(0x9A, "261122") == date(2026, 11, 22)
    assert decoded(0x9F21, "093005") == time(9, 30, 5)
    assert decoded(0x9F02, "000000001234") == 1234
    assert decoded(0x5F34, "01") == 1
    assert decoded(0x50, "B9A4BBE1") == "工会"
    assert "4761" not in repr(decoded(0x57, "4761739001010119D2212201114380448F"))
