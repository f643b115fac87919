"""Data object lists: parsing, and fitting values by their format. EMV 4.4 Book 3, 5.4."""

from __future__ import annotations

import pytest

from terminal.errors import TlvError
from terminal.tlv import Dol, DolFormat, fit

PDOL = bytes.fromhex("9F1A029F3704")


def test_parse_and_encode() -> None:
    dol = Dol.parse(PDOL)
    assert [(str(tag), length) for tag, length in dol] == [("9F1A", 2), ("9F37", 4)]
    assert dol.encode() == PDOL
    assert dol.length == 6
    assert Dol.of((0x9F1A, 2), (0x9F37, 4)) == dol


@pytest.mark.parametrize(("data", "offset"), [("9F", 0), ("9F1A", 0), ("9F1A029F37", 3), ("00", 0), ("9F1A02FF02", 3)])
def test_faults_have_an_offset(data: str, offset: int) -> None:
    with pytest.raises(TlvError) as caught:
        Dol.parse(bytes.fromhex(data))
    assert caught.value.offset == offset


def test_lengths_over_a_byte_are_refused() -> None:
    with pytest.raises(TlvError, match="256 bytes of 9F37"):
        Dol.of((0x9F37, 256))


@pytest.mark.parametrize(
    ("form", "value", "length", "fitted"),
    [
        (DolFormat.N, "0156", 2, "0156"),
        (DolFormat.N, "0156", 3, "000156"),
        (DolFormat.N, "000156", 2, "0156"),
        (DolFormat.CN, "6229", 4, "6229FFFF"),
        (DolFormat.CN, "62290001", 2, "6229"),
        (DolFormat.B, "A1", 3, "A10000"),
        (DolFormat.B, "A1B2C3", 2, "A1B2"),
        (DolFormat.AN, "4142", 3, "414200"),
        (DolFormat.ANS, "414243", 1, "41"),
        (DolFormat.A, "41", 0, ""),
        (DolFormat.N, "41", 0, ""),
    ],
)
def test_values_are_fitted_by_format(form: DolFormat, value: str, length: int, fitted: str) -> None:
    assert fit(bytes.fromhex(value), length, form).hex().upper() == fitted


def test_fill_uses_zeros_for_unknown_and_constructed_tags() -> None:
    dol = Dol.of((0x9F1A, 3), (0xDF7F, 2), (0x70, 2), (0x9F37, 4))
    values = {0x9F1A: b"\x01\x56", 0x70: b"\xaa\xaa", 0x9F37: b"\x01\x02\x03\x04"}
    assert dol.fill(values, {0x9F1A: DolFormat.N}).hex() == "000156" + "0000" + "0000" + "01020304"


def test_fill_without_formats_treats_values_as_binary() -> None:
    assert Dol.of((0x9F1A, 3)).fill({0x9F1A: b"\x01\x56"}) == b"\x01\x56\x00"


def test_split_is_the_cards_half() -> None:
    dol = Dol.parse(PDOL)
    assert dol.split(bytes.fromhex("015601020304")) == {0x9F1A: b"\x01\x56", 0x9F37: b"\x01\x02\x03\x04"}
    with pytest.raises(TlvError, match="5 bytes for a data object list of 6"):
        dol.split(bytes(5))
