"""The dictionary against the tags of EMV 4.4 Book 3, Annex A2, and the meanings that depend on the application."""

from __future__ import annotations

import pytest

from terminal.emv.data.dictionary import STANDARD, Dictionary, Element, lookup
from terminal.emv.data.elements.annex_a import ANNEX_A
from terminal.emv.data.elements.codecs import Count, Raw
from terminal.emv.data.elements.codes import (
    amount_text,
    application_text,
    country,
    country_text,
    currency,
    currency_text,
    price,
)
from terminal.emv.data.elements.element import Personal, Source
from terminal.tlv import DolFormat, Tag

PBOC = bytes.fromhex("A000000333010101")
MASTERCARD = bytes.fromhex("A0000000041010")
ANNEX_A2 = """
42 4F 50 57 5A 5F20 5F24 5F25 5F28 5F2A 5F2D 5F30 5F34 5F36 5F50 5F53 5F54 5F55 5F56 5F57 61 6F 70 71 72 73 77 7F60 80
81 82 83 84 86 87 88 89 8A 8C 8D 8E 8F 90 91 92 93 94 95 97 98 99 9A 9B 9C 9D 9F01 9F02 9F03 9F04 9F05 9F06 9F07 9F08
9F09 9F0A 9F0B 9F0C 9F0D 9F0E 9F0F 9F10 9F11 9F12 9F13 9F14 9F15 9F16 9F17 9F18 9F19 9F1A 9F1B 9F1C 9F1D 9F1E 9F1F 9F20
9F21 9F22 9F23 9F24 9F25 9F26 9F27 9F2D 9F2E 9F2F 9F30 9F31 9F32 9F33 9F34 9F35 9F36 9F37 9F38 9F39 9F3A 9F3B 9F3C 9F3D
9F40 9F41 9F42 9F43 9F44 9F45 9F46 9F47 9F48 9F49 9F4A 9F4B 9F4C 9F4D 9F4E 9F4F A1 A5 BF0C BF4A BF4B BF4C BF4D BF4E
DF50 DF51 DF52 DF53 DF54
""".split()


def test_every_tag_of_annex_a_is_there() -> None:
    assert sorted({str(element.tag) for element in ANNEX_A}) == sorted({*ANNEX_A2, "9F5B"})


def test_no_two_elements_of_a_scheme_stand_in_one_place() -> None:
    places = [(e.scheme, e.tag, template) for e in STANDARD.elements for template in (e.template or (None,))]
    assert len(places) == len(set(places))


def test_every_template_is_an_element_itself() -> None:
    for element in STANDARD.elements:
        for template in element.template:
            assert lookup(template) is not None


@pytest.mark.parametrize("element", STANDARD.elements, ids=lambda e: f"{e.scheme}-{e.tag}")
def test_rows_are_sane(element: Element) -> None:
    assert element.min <= element.max
    assert element.name.strip() == element.name != ""
    assert element.format is not DolFormat.N or element.codec is not Count


def test_a_tag_means_what_the_application_says() -> None:
    unions = lookup(0x9F61, PBOC)
    masters = lookup(0x9F61, MASTERCARD)
    assert unions is not None
    assert masters is not None
    assert "ID Number" in unions.name
    assert "CVC3" in masters.name
    assert lookup(0x9F61) is None
    assert lookup(0x9F79, MASTERCARD) is None
    assert {element.scheme for element in STANDARD.elsewhere(0x9F61)} == {"PBOC", "Mastercard"}


def test_the_scheme_goes_before_emv_and_emv_before_nothing() -> None:
    assert lookup(0x9F10, PBOC) != lookup(0x9F10)
    assert lookup(0x9F02, PBOC) == lookup(0x9F02)
    assert lookup(0x9F02, bytes.fromhex("F000000001")) == lookup(0x9F02)


def test_a_biometric_meaning_counts_in_its_template_only() -> None:
    inside = lookup(0x82, template=0xA1)
    outside = lookup(0x82, template=0x77)
    assert inside is not None
    assert outside is not None
    assert inside.name == "Biometric Subtype"
    assert outside.name == "Application Interchange Profile"
    assert lookup(0xDF50) is None
    names = [element.name for t in (0xBF4C, 0xBF4D, 0xBF4E) if (element := lookup(0xDF50, template=t)) is not None]
    assert names == ["Facial Try Counter", "Preferred Facial Attempts", "Enciphered Biometric Key Seed"]


def test_personal_data_are_marked() -> None:
    marked = {str(e.tag) for e in STANDARD.elements if e.personal is not Personal.NO}
    assert marked >= {"5A", "57", "5F20", "9F0B", "9F1F", "9F20", "9F61", "56", "99"}


def test_another_room_joins_its_own_application() -> None:
    own = Element(Tag(0xDF21), "member number", DolFormat.N, 6, 6, Source.CARD, (0x70,), Raw, "member")
    joined = STANDARD.joined([own], {b"\xf0MEMB": "member"})
    assert isinstance(joined, Dictionary)
    assert joined.lookup(0xDF21, b"\xf0MEMBER") is own
    assert joined.lookup(0xDF21, PBOC) is None
    assert joined.lookup(0x9F79, PBOC) == lookup(0x9F79, PBOC)
    assert STANDARD.lookup(0xDF21, b"\xf0MEMBER") is None


def test_formats_for_data_object_lists() -> None:
    formats = STANDARD.known().formats
    assert (formats[0x9F02], formats[0x5A], formats[0x95], formats[0x9F1C]) == (
        *(DolFormat.N, DolFormat.CN, DolFormat.B, DolFormat.AN),
    )


def test_countries_and_currencies() -> None:
    assert country_text("156") == "China (156, CN)"
    assert country_text("CHN") == "China (156, CN)"
    assert country_text("999").startswith("999, no country")
    assert currency_text("156") == "Yuan Renminbi (156, CNY)"
    assert currency_text("000").startswith("000, no currency")
    assert sum(country(f"{n:03}") is not None for n in range(1000)) == 249
    assert sum(currency(f"{n:03}") is not None for n in range(1000)) == 178


@pytest.mark.parametrize(
    ("minor", "code", "text"),
    [
        (1234, "156", "CNY 12.34"),
        (5, "156", "CNY 0.05"),
        (1234, "392", "JPY 1,234"),
        (1234, "048", "BHD 1.234"),
        (1234, "959", "1234 (smallest units)"),
        (1234, None, "1234 (smallest units)"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(minor: int, code: str | None, text: str) -> None:
    assert amount_text(minor, code) == text


@pytest.mark.parametrize(
    ("code", "exponent", "text"),
    [("0156", 2, "CNY 61,234.00"), ("156", 0, "CNY 6,123,400"), ("0156", 9, "CNY 0.006123400"), ("0999", 2, "XXX")],
)
def test_a_price_has_the_decimals_that_the_terminal_tells(code: str, exponent: int, text: str) -> None:
    assert price(6_123_400, code, exponent).startswith(text)


def test_a_price_in_no_known_currency_has_its_code() -> None:
    assert price(5, "0001", 2) == "0001 0.05"


def test_known_applications_have_names() -> None:
    assert application_text(PBOC) == "UnionPay / PBOC debit"
    assert application_text(bytes.fromhex("A00000033399")) == "UnionPay / PBOC"
    assert application_text(b"2PAY.SYS.DDF01").startswith("Proximity")
    assert application_text(bytes.fromhex("F012345678")) == ""
