"""Tracks as values: their text, what they refuse, and what developers see of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize.errors import StripeError
from personalize.stripe.tracks import NO_NAME, StripeTrack1, StripeTrack2, StripeTrack3, masked, read_track
from tests.support.thorough import repeats

PAN = "6210971300000000016"
PUBLISHED = (
    (
        StripeTrack1("5350290149345177", "FATEHI/SUALEH", "1604", "201", "0000000000000000000000000000567001000"),
        "B5350290149345177^FATEHI/SUALEH^16042010000000000000000000000000000567001000",
    ),
    (StripeTrack2("5350290149345177", "1604", "201", "0000056700100"), "5350290149345177=16042010000056700100"),
)
"""The example of magnetictrackparser (README), an independent program."""


@pytest.mark.parametrize(("track", "text"), PUBLISHED)
def test_a_published_track_is_read_and_written(track: StripeTrack1 | StripeTrack2, text: str) -> None:
    assert track.text == text
    assert type(track).read(text) == track


def test_fields_may_be_absent() -> None:
    assert StripeTrack1(PAN, NO_NAME, "", "", "12").text == f"B{PAN}^ /^^^12"
    assert StripeTrack2(PAN, "", "").text == f"{PAN}==="
    assert StripeTrack2.read(f"{PAN}===9") == StripeTrack2(PAN, "", "", "9")
    assert StripeTrack1.read(f"B{PAN}^ /^^220") == StripeTrack1(PAN, " /", "", "220")


def test_track_3_has_every_field_in_its_place() -> None:
    values = ("1" * 19, "01", "", "156", "2", "3456", "4567", "6301", "11", "3", "", "1", "22", "33", "44", "3611")
    track = StripeTrack3(*values, "1", "", "5555", "", "0", "", "987")
    fields = f"01{'1' * 19}= = 156 2 3456 4567 6301 11 3 = 1 22 33 44 3611 1 = 5555= = 0 = 987"
    assert track.text == fields.replace(" ", "")
    assert StripeTrack3.read(track.text) == track
    assert StripeTrack3.read(StripeTrack3().text) == StripeTrack3()


@settings(max_examples=repeats(60, 2000))
@given(
    st.from_regex(r"[0-9]{1,19}", fullmatch=True),
    st.sampled_from(["", "3601", "9912"]),
    st.sampled_from(["", "220"]),
    st.from_regex(r"[0-9]{0,8}", fullmatch=True),
    st.from_regex(r"[A-Z][A-Z ./-]{1,25}", fullmatch=True),
)
def test_what_is_written_is_read(pan: str, expiry: str, service: str, rest: str, name: str) -> None:
    for track in (
        StripeTrack1(pan, name, expiry, service, rest),
        StripeTrack2(pan, expiry, service, rest),
        StripeTrack3(pan, expiry=expiry, discretionary=rest),
    ):
        assert type(track).read(track.text) == track


@pytest.mark.parametrize(
    "track",
    [
        StripeTrack2("", "3611", "220"),
        StripeTrack2("1" * 20, "3611", "220"),
        StripeTrack2(PAN, "3613", "220"),
        StripeTrack2(PAN, "361", "220"),
        StripeTrack2(PAN, "3611", "22"),
        StripeTrack2(PAN, "3611", "220", "12=4"),
        StripeTrack2(PAN, "3611", "220", "0" * 11),
        StripeTrack1(PAN, "A", "3611", "220"),
        StripeTrack1(PAN, "A" * 27, "3611", "220"),
        StripeTrack1(PAN, "LI^NA", "3611", "220"),
        StripeTrack1(PAN, "li/na", "3611", "220"),
        StripeTrack1(PAN, "张三", "3611", "220"),
        StripeTrack1(PAN, "LI/NA", "3611", "220", "0" * 43),
        StripeTrack3(PAN, currency="15"),
        StripeTrack3(PAN, security_number="1"),
        StripeTrack3(PAN, check_digits="1"),
        StripeTrack3("12A"),
        StripeTrack3(PAN, discretionary="1" * 80),
    ],
)
def test_what_a_track_cannot_hold_is_refused_and_not_shown(track: StripeTrack1 | StripeTrack2 | StripeTrack3) -> None:
    with pytest.raises(StripeError) as caught:
        _ = track.text
    assert PAN not in str(caught.value)
    assert PAN not in repr(track)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, f"A{PAN}^ /^3611220"),
        (1, f"B{PAN}^ /"),
        (1, f"B{PAN}^ /^36"),
        (1, f"B{PAN}^A^3611220"),
        (1, f"B{PAN}^LI/NA^3611220^1"),
        (2, PAN),
        (2, f"{PAN}=36112"),
        (2, f"{PAN}=3611220=1"),
        (2, "=3611220"),
        (2, f"{PAN}=3613220"),
        (3, "0"),
        (3, f"01{PAN}="),
        (3, f"01{PAN}==156"),
    ],
)
def test_a_text_that_is_no_track_is_refused_and_not_shown(number: int, text: str) -> None:
    with pytest.raises(StripeError) as caught:
        read_track(number, text)
    assert PAN not in str(caught.value)


def test_developers_see_neither_number_nor_check_value() -> None:
    texts = (
        StripeTrack1(PAN, "LI/NA", "3611", "220", "00000123").text,
        StripeTrack2(PAN, "3611", "220", "00000123").text,
        StripeTrack3(PAN, discretionary="123").text,
    )
    shown = masked(texts)
    assert shown[0] == "%B621097*********0016^*****^3611220********?"
    assert shown[1] == ";621097*********0016=3611220********?"
    assert shown[2].startswith(";01621097*********0016=***")
    assert not any("123" in one for one in shown)
    assert masked((f"{PAN}", "", "12=")) == ("(19 characters)", "", "(3 characters)")
