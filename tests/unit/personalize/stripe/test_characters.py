"""Characters, parity, check character and bits of the tracks, and the faults of a damaged one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalize.stripe.characters import TRACK_CODES, CharacterCode, TrackDamage, TrackDamaged
from tests.support.thorough import repeats

TRACK1, TRACK2, TRACK3 = TRACK_CODES
MANUAL = (
    (TRACK1, "ABC123", "1010001 1000011 0100011 1100010 1000101 0100101 1100100 1111100 0101010"),
    (TRACK2, "12345", "11010 10000 01000 11001 00100 10101 11111 10101"),
)
"""The worked examples of the MSR605 Programmer's Manual, revision B, section 9."""
LETTERS = {code: "".join(sorted(code.letters)) for code in TRACK_CODES}


def bits(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in text.replace(" ", ""))


@pytest.mark.parametrize(("code", "text", "expected"), MANUAL)
def test_the_bits_are_those_of_the_manual(code: CharacterCode, text: str, expected: str) -> None:
    assert code.bits_of(text) == bits(expected)
    assert code.text_of(bits("0" * 61 + expected + "0" * 30)) == text


def test_characters_have_parity_and_check_character() -> None:
    assert TRACK2.encode("12345").hex(" ") == "0b 01 02 13 04 15 1f 15"
    assert TRACK1.encode("ABC123").hex(" ") == "45 61 62 23 51 52 13 1f 2a"


def test_each_track_holds_its_length_and_no_more() -> None:
    for code, whole in zip(TRACK_CODES, (79, 40, 107), strict=True):
        assert len(code.encode("7" * code.longest)) == whole
        with pytest.raises(TrackDamaged) as caught:
            code.encode("7" * (code.longest + 1))
        assert caught.value.fault is TrackDamage.LENGTH


def test_an_empty_track_is_not_written() -> None:
    assert TRACK1.encode("") == b""
    assert TRACK3.bits_of("") == ()


@pytest.mark.parametrize(
    ("code", "text", "place"),
    [(TRACK1, "AB?", 3), (TRACK1, "zz", 1), (TRACK1, "张", 1), (TRACK2, "1;2", 2), (TRACK2, "A", 1)],
)
def test_a_character_that_the_track_does_not_have_is_refused(code: CharacterCode, text: str, place: int) -> None:
    with pytest.raises(TrackDamaged) as caught:
        code.encode(text)
    assert (caught.value.fault, caught.value.place) == (TrackDamage.CHARACTER, place)
    assert text not in str(caught.value)


@settings(max_examples=repeats(60, 2000))
@given(
    st.sampled_from(TRACK_CODES).flatmap(lambda c: st.tuples(st.just(c), st.text(LETTERS[c], min_size=1, max_size=37)))
)
def test_a_swipe_in_either_direction_gives_the_text(case: tuple[CharacterCode, str]) -> None:
    code, text = case
    swiped = (0,) * 25 + code.bits_of(text) + (0,) * 40
    assert code.text_of(swiped) == text
    assert code.text_of(swiped[::-1]) == text
    assert code.decode(code.encode(text)) == text


def test_a_track_that_can_be_read_both_ways_is_read_to_its_end() -> None:
    swiped = (0,) * 25 + TRACK2.bits_of("456=4") + (0,) * 40
    assert TRACK2._forwards(swiped[::-1]) == ""
    assert (TRACK2.text_of(swiped), TRACK2.text_of(swiped[::-1])) == ("456=4", "456=4")


@pytest.mark.parametrize(
    ("change", "fault", "place"),
    [
        (lambda c: b"", TrackDamage.NO_START, 0),
        (lambda c: c[1:], TrackDamage.NO_START, 0),
        (lambda c: bytes((c[0] ^ 0x10,)) + c[1:], TrackDamage.NO_START, 0),
        (lambda c: c[:3] + bytes((c[3] ^ 0x01,)) + c[4:], TrackDamage.PARITY, 3),
        (lambda c: c[:-2], TrackDamage.NO_END, 6),
        (lambda c: c[:-1], TrackDamage.CHECK, 7),
        (lambda c: c[:-1] + b"\x1f", TrackDamage.CHECK, 7),
        (lambda c: c[:1] + c[2:], TrackDamage.CHECK, 6),
        (lambda c: c[:-2] + b"\x01" * 40 + c[-2:], TrackDamage.NO_END, 39),
    ],
)
def test_a_damaged_track_says_where(change: Callable[[bytes], bytes], fault: TrackDamage, place: int) -> None:
    with pytest.raises(TrackDamaged) as caught:
        TRACK2.decode(change(TRACK2.encode("12345")))
    assert (caught.value.fault, caught.value.place) == (fault, place)


@pytest.mark.parametrize("place", range(40))
def test_no_flipped_bit_goes_unnoticed(place: int) -> None:
    swiped = list(TRACK2.bits_of("12345"))
    swiped[place] ^= 1
    with pytest.raises(TrackDamaged):
        TRACK2.text_of(swiped)


def test_characters_of_control_are_no_data() -> None:
    with pytest.raises(TrackDamaged) as caught:
        TRACK2.decode(bytes.fromhex("0b 1a 1f 0e"))  # ; : ?
    assert caught.value.fault in (TrackDamage.CHARACTER, TrackDamage.CHECK)
