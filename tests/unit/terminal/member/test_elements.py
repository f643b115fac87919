"""Every data element class carries vectors, and every vector holds both ways."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from terminal.errors import CodecError
from terminal.member import elements as e
from terminal.member.codecs import Element, luhn_valid
from terminal.member.values import Entitlement, MaskedIdentity, Period
from terminal.secret import Secret
from terminal.tlv import DolFormat


def leaves(base: type[Element[Any]]) -> Iterator[type[Element[Any]]]:
    for child in base.__subclasses__():
        yield from leaves(child)
        if "TAG" in child.__dict__:
            yield child


ALL = sorted(leaves(Element), key=lambda element: element.TAG)


@pytest.mark.parametrize("element", ALL, ids=lambda element: element.__name__)
def test_every_element_has_vectors_that_hold(element: type[Element[Any]]) -> None:
    assert "VECTORS" in element.__dict__, f"{element.__name__} has no vectors"
    assert element.VECTORS
    for encoded, value in element.VECTORS:
        assert element.encode(value) == bytes.fromhex(encoded)
        assert element.decode(bytes.fromhex(encoded)) == value


def test_every_element_is_listed_once() -> None:
    assert sorted(e.ELEMENTS, key=lambda element: element.TAG) == ALL
    assert len({element.TAG for element in ALL}) == len(ALL)
    assert all(element.NAME and element.FORMAT in DolFormat for element in ALL)


@pytest.mark.parametrize(
    "tag",
    "5A 5F20 5F24 5F25 5F34 8C 8D 8E 8F 90 92 93 9F07 9F08 9F32 9F46 9F47 9F48 9F49 9F4A 9F36 9F17 9F61 9F62 DF21 DF22 "
    "DF23 DF24 DF25 DF26 DF27 DF28 DF29 DF2A DF2B DF2C DF31 DF32".split(),
)
def test_the_tags_of_the_card_layout_are_there(tag: str) -> None:
    assert tag in {str(element.TAG) for element in ALL}


BAD_BYTES: list[tuple[type[Element[Any]], str]] = [
    (e.CardNumber, "9156130000000001235F"),
    (e.CardNumber, "915613000000000123FF"),
    (e.CardNumber, "91561300000A"),
    (e.CardNumber, "4761FFFFFFFF"),
    (e.CardNumber, "4761"),
    (e.Sequence, "0A"),
    (e.ExpiryDate, "261301"),
    (e.ExpiryDate, "260229"),
    (e.ExpiryDate, "26AB01"),
    (e.ExpiryDate, "2612"),
    (e.MemberNumber, "13000000004A"),
    (e.UnitCode, "6162"),
    (e.UnitCode, "B9A4"),
    (e.UnitName, "81"),
    (e.UnitName, "410A42"),
    (e.UnitName, "2041"),
    (e.UnitName, "B9A4" * 31),
    (e.UnitName, ""),
    (e.MemberName, "41" * 21),
    (e.MemberSex, "03"),
    (e.MemberCategory, "05"),
    (e.Entitlements, "0101"),
    (e.Entitlements, "01010C0305260101"),
    (e.Entitlements, "010A0C0304260101"),
    (e.Entitlements, "01010C0304261301"),
    (e.Identity, "31323334353637"),
    (e.Identity, "31323334FF363738"),
    (e.IdNumber, "31201A"),
    (e.IdDocument, "06"),
    (e.Mobile, "113800138000"),
    (e.Mobile, "01380013800A"),
    (e.Ddol, "9F37"),
    (e.TransactionCounter, "01"),
]


@pytest.mark.parametrize(("element", "data"), BAD_BYTES, ids=lambda x: getattr(x, "__name__", x))
def test_bytes_that_are_no_value(element: type[Element[Any]], data: str) -> None:
    with pytest.raises(CodecError) as caught:
        element.decode(bytes.fromhex(data))
    if element is not e.Ddol:
        assert element.TAG in {known.TAG for known in ALL}
        assert str(caught.value).startswith(("DF27", "DF31", f"{element.TAG} ("))


BAD_VALUES: list[tuple[type[Element[Any]], Any]] = [
    (e.CardNumber, "9156130000000001235"),
    (e.CardNumber, "٤٧٦١٧٣٩٠٠١٠١٠١١٩"),
    (e.Sequence, 100),
    (e.Quantity, 256),
    (e.Quantity, -1),
    (e.MemberNumber, "13000000004"),
    (e.MemberNumber, "13000000004x"),
    (e.UnitCode, "91130000000000001x"),
    (e.UnitCode, "A" * 19),
    (e.UnitName, ""),
    (e.UnitName, "工" * 31),
    (e.UnitName, "工会\n"),
    (e.MemberName, "\ud800"),
    (e.ValidThrough, date(2050, 1, 1)),
    (e.ValidThrough, date(1949, 12, 31)),
    (e.Identity, MaskedIdentity("123", "5678")),
    (e.IdNumber, Secret("身份".encode())),
    (e.IdNumber, Secret(b"")),
    (e.Mobile, Secret(b"1380013800")),
    (e.Mobile, Secret(b"1380013800x")),
    (e.Entitlements, (Entitlement("101", 1, 1, Period.DAY, date(2026, 1, 1)),)),
    (e.Entitlements, tuple(Entitlement("0101", 1, 1, Period.DAY, date(2026, 1, 1)) for _ in range(31))),
    (e.CvmList, b"\x00"),
]


@pytest.mark.parametrize(("element", "value"), BAD_VALUES, ids=lambda x: getattr(x, "__name__", ""))
def test_values_that_do_not_fit(element: type[Element[Any]], value: object) -> None:
    with pytest.raises(CodecError):
        element.encode(value)


def test_a_period_out_of_range_is_told_as_the_entitlements() -> None:
    with pytest.raises(CodecError, match=r"^DF28 \(entitlements\): a year outside 1950 to 2049$"):
        e.Entitlements.encode((Entitlement("0101", 1, 1, Period.DAY, date(2050, 1, 1)),))


def test_errors_do_not_echo_personal_values() -> None:
    for element, value in ((e.IdNumber, b"1301021990 0101123X"), (e.Mobile, b"13800138000123")):
        with pytest.raises(CodecError) as caught:
            element.encode(Secret(value))
        assert value.decode()[:6] not in str(caught.value)
    with pytest.raises(CodecError) as caught:
        e.CardNumber.encode("9156130000000001235")
    assert "91561" not in str(caught.value)


def test_long_names_with_four_byte_characters_fit() -> None:
    name = "𠅤" * 10 + "伟" * 10
    assert len(e.MemberName.encode(name)) == 60
    assert e.MemberName.decode(e.MemberName.encode(name)) == name


@pytest.mark.parametrize(
    ("period", "start", "last", "fresh"),
    [
        (Period.DAY, date(2026, 12, 31), date(2026, 12, 31), date(2027, 1, 1)),
        (Period.MONTH, date(2026, 1, 31), date(2026, 2, 27), date(2026, 2, 28)),
        (Period.QUARTER, date(2026, 10, 1), date(2026, 12, 31), date(2027, 1, 1)),
        (Period.YEAR, date(2028, 2, 29), date(2029, 2, 27), date(2029, 2, 28)),
    ],
)
def test_a_new_period_makes_an_entitlement_whole(period: Period, start: date, last: date, fresh: date) -> None:
    entitlement = Entitlement("0101", 4, 3, period, start)
    assert entitlement.left(last) == 1
    assert entitlement.left(fresh) == 4
    assert entitlement._replace(used=9).left(last) == 0


def test_luhn() -> None:
    assert luhn_valid("4761739001010119")
    assert not luhn_valid("4761739001010118")
    assert not luhn_valid("4761739001010191")
