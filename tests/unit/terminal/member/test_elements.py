"""Every data element class carries vectors, and every vector holds both ways."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from terminal.emv.data.cvm_list import CvmList
from terminal.emv.data.elements.element import Codec, Context, Element
from terminal.errors import CodecError
from terminal.member import codecs, elements
from terminal.member.codecs import luhn_valid
from terminal.member.values import Entitlement, MaskedIdentity, Period
from terminal.secret import Secret
from terminal.tlv import DolFormat

ALL = sorted((row for row in vars(elements).values() if isinstance(row, Element)), key=lambda element: element.tag)
CODECS = [
    kind
    for kind in vars(codecs).values()
    if isinstance(kind, type)
    and issubclass(kind, Codec)
    and kind.__module__ == codecs.__name__
    and kind is not codecs.EnumByte
]


@pytest.mark.parametrize("element", ALL, ids=lambda element: element.name)
def test_every_element_has_vectors_that_hold(element: Element[Any]) -> None:
    own = element.codec.__module__ == codecs.__name__
    assert (element in elements.VECTORS) is not own, (
        f"{element.name}: vectors stand with its own codec, else in the table"
    )
    for encoded, value in elements.VECTORS.get(element, element.codec.VECTORS):
        assert element.encode(value) == bytes.fromhex(encoded)
        assert element.decode(bytes.fromhex(encoded)) == value


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_has_vectors_of_its_own(codec: type[Codec[Any]]) -> None:
    assert vars(codec).get("VECTORS"), f"{codec.__name__} has no vectors of its own"
    assert all("\n" not in codec.text(value, Context()) for _, value in codec.VECTORS)


def test_every_element_is_listed_once() -> None:
    assert sorted(elements.ELEMENTS, key=lambda element: element.tag) == ALL
    assert len({element.tag for element in ALL}) == len(ALL)
    assert all(element.name and element.format in DolFormat for element in ALL)


@pytest.mark.parametrize(
    "tag",
    "5A 5F20 5F24 5F25 5F34 8C 8D 8E 8F 90 92 93 9F07 9F08 9F32 9F46 9F47 9F48 9F49 9F4A 9F36 9F17 9F61 9F62 DF21 DF22 "
    "DF23 DF24 DF25 DF26 DF27 DF28 DF29 DF2A DF2B DF2C DF2D DF2E DF2F DF33 DF31 DF32 9F10 9F4F".split(),
)
def test_the_tags_of_the_card_layout_are_there(tag: str) -> None:
    assert tag in {str(element.tag) for element in ALL}


BAD_BYTES: list[tuple[Element[Any], str]] = [
    (elements.CARD_NUMBER, "9156130000000001235F"),
    (elements.CARD_NUMBER, "915613000000000123FF"),
    (elements.CARD_NUMBER, "91561300000A"),
    (elements.CARD_NUMBER, "4761FFFFFFFF"),
    (elements.CARD_NUMBER, "4761"),
    (elements.SEQUENCE, "0A"),
    (elements.EXPIRY_DATE, "261301"),
    (elements.EXPIRY_DATE, "260229"),
    (elements.EXPIRY_DATE, "26AB01"),
    (elements.EXPIRY_DATE, "2612"),
    (elements.MEMBER_NUMBER, "13000000004A"),
    (elements.UNIT_CODE, "6162"),
    (elements.UNIT_CODE, "B9A4"),
    (elements.UNIT_NAME, "81"),
    (elements.UNIT_NAME, "410A42"),
    (elements.UNIT_NAME, "2041"),
    (elements.UNIT_NAME, "B9A4" * 31),
    (elements.UNIT_NAME, ""),
    (elements.MEMBER_NAME, "41" * 21),
    (elements.SEX, "03"),
    (elements.CATEGORY, "05"),
    (elements.ENTITLEMENTS, "0101"),
    (elements.ENTITLEMENTS, "01010C0306260101"),
    (elements.ENTITLEMENTS, "01010C0314260101"),
    (elements.ENTITLEMENTS, "010A0C0304260101"),
    (elements.ENTITLEMENTS, "01010C0304261301"),
    (elements.MASKED_IDENTITY, "31323334353637"),
    (elements.MASKED_IDENTITY, "31323334FF363738"),
    (elements.ID_NUMBER, "31201A"),
    (elements.ID_TYPE, "06"),
    (elements.MOBILE, "113800138000"),
    (elements.MOBILE, "01380013800A"),
    (elements.DDOL, "9F37"),
    (elements.TRANSACTION_COUNTER, "01"),
]


@pytest.mark.parametrize(("element", "data"), BAD_BYTES, ids=lambda x: getattr(x, "name", x))
def test_bytes_that_are_no_value(element: Element[Any], data: str) -> None:
    with pytest.raises(CodecError) as caught:
        element.decode(bytes.fromhex(data))
    if element is not elements.DDOL:
        assert element.tag in {known.tag for known in ALL}
        assert str(caught.value).startswith(("DF27", "DF31", f"{element.tag} ("))


BAD_VALUES: list[tuple[Element[Any], Any]] = [
    (elements.CARD_NUMBER, "9156130000000001235"),
    (elements.CARD_NUMBER, "٤٧٦١٧٣٩٠٠١٠١٠١١٩"),
    (elements.SEQUENCE, 100),
    (elements.QUANTITY, 256),
    (elements.QUANTITY, -1),
    (elements.MEMBER_NUMBER, "13000000004"),
    (elements.MEMBER_NUMBER, "13000000004x"),
    (elements.UNIT_CODE, "91130000000000001x"),
    (elements.UNIT_CODE, "A" * 19),
    (elements.UNIT_NAME, ""),
    (elements.UNIT_NAME, "工" * 31),
    (elements.UNIT_NAME, "工会\n"),
    (elements.MEMBER_NAME, "\ud800"),
    (elements.VALID_THROUGH, date(2050, 1, 1)),
    (elements.VALID_THROUGH, date(1949, 12, 31)),
    (elements.MASKED_IDENTITY, MaskedIdentity("123", "5678")),
    (elements.ID_NUMBER, Secret("身份".encode())),
    (elements.ID_NUMBER, Secret(b"")),
    (elements.MOBILE, Secret(b"1380013800")),
    (elements.MOBILE, Secret(b"1380013800x")),
    (elements.ENTITLEMENTS, (Entitlement("101", 1, 1, Period.DAY, date(2026, 1, 1)),)),
    (elements.ENTITLEMENTS, tuple(Entitlement("0101", 1, 1, Period.DAY, date(2026, 1, 1)) for _ in range(31))),
    (elements.CVM_LIST, CvmList(1 << 32, 0, ())),
]


@pytest.mark.parametrize(("element", "value"), BAD_VALUES, ids=lambda x: getattr(x, "name", ""))
def test_values_that_do_not_fit(element: Element[Any], value: object) -> None:
    with pytest.raises(CodecError):
        element.encode(value)


def test_a_period_out_of_range_is_a_fault_of_the_entitlements() -> None:
    with pytest.raises(CodecError, match=r"^DF28 \(entitlements\): a year outside 1950 to 2049$"):
        elements.ENTITLEMENTS.encode((Entitlement("0101", 1, 1, Period.DAY, date(2050, 1, 1)),))


def test_errors_do_not_echo_personal_values() -> None:
    for element, value in ((elements.ID_NUMBER, b"1301021990 0101123X"), (elements.MOBILE, b"13800138000123")):
        with pytest.raises(CodecError) as caught:
            element.encode(Secret(value))
        assert value.decode()[:6] not in str(caught.value)
    with pytest.raises(CodecError) as caught:
        elements.CARD_NUMBER.encode("9156130000000001235")
    assert "91561" not in str(caught.value)


def test_long_names_with_four_byte_characters_fit() -> None:
    name = "𠅤" * 10 + "伟" * 10
    assert len(elements.MEMBER_NAME.encode(name)) == 60
    assert elements.MEMBER_NAME.decode(elements.MEMBER_NAME.encode(name)) == name


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


@pytest.mark.parametrize(
    ("period", "start", "day", "begins", "renewed"),
    [
        (Period.DAY, date(2026, 1, 1), date(2026, 5, 9), date(2026, 5, 9), date(2026, 5, 10)),
        (Period.MONTH, date(2026, 1, 31), date(2026, 3, 27), date(2026, 2, 28), date(2026, 3, 28)),
        (Period.MONTH, date(2026, 1, 31), date(2026, 3, 28), date(2026, 3, 28), date(2026, 4, 28)),
        (Period.QUARTER, date(2025, 11, 30), date(2026, 9, 1), date(2026, 8, 28), date(2026, 11, 28)),
        (Period.YEAR, date(2024, 2, 29), date(2028, 2, 28), date(2028, 2, 28), date(2029, 2, 28)),
        (Period.ONCE, date(2026, 1, 1), date(2049, 12, 31), date(2026, 1, 1), None),
    ],
)
def test_the_period_of_a_day_and_the_day_when_it_is_whole_again(
    period: Period, start: date, day: date, begins: date, renewed: date | None
) -> None:
    entitlement = Entitlement("0101", 4, 3, period, start)
    current = entitlement.on(day)
    assert (current.start, current.used) == (begins, 3 if begins == start else 0)
    assert entitlement.renewed(day) == renewed


def test_nothing_is_left_before_the_first_period() -> None:
    entitlement = Entitlement("0101", 4, 3, Period.ONCE, date(2026, 12, 15))
    assert (entitlement.left(date(2026, 12, 14)), entitlement.left(date(2026, 12, 15))) == (0, 1)
    assert entitlement.renewed(date(2026, 12, 14)) == date(2026, 12, 15)


def test_luhn() -> None:
    assert luhn_valid("4761739001010119")
    assert not luhn_valid("4761739001010118")
    assert not luhn_valid("4761739001010191")
