"""Bits of the tracks, worked out in the MSR605 Programmer's Manual, revision B, section 9."""

from __future__ import annotations

import pytest

from simulators.machines.stripe.formats import ISO_FORMATS, TrackFault, TrackUnreadable
from terminal.errors import CodecError

TRACK_1 = "1010001 1000011 0100011 1100010 1000101 0100101 1100100 1111100 0101010".replace(" ", "")
"""%ABC123? and its check character: bits 0 to 5, then odd parity."""
TRACK_2 = "11010 10000 01000 11001 00100 10101 11111 10101".replace(" ", "")
""";12345? and its check character."""


@pytest.mark.parametrize(("track", "text", "bits"), [(1, "ABC123", TRACK_1), (2, "12345", TRACK_2)])
def test_a_text_becomes_the_bits_of_the_manual_and_back(track: int, text: str, bits: str) -> None:
    assert ISO_FORMATS[track].encode(text) == bits
    assert ISO_FORMATS[track].decode("0" * 61 + bits + "0" * 30) == text


def test_track_3_has_the_characters_of_track_2_and_room_for_104() -> None:
    assert ISO_FORMATS[3].encode("12345") == TRACK_2
    assert ISO_FORMATS[3].decode(ISO_FORMATS[3].encode("7" * 104)) == "7" * 104
    with pytest.raises(CodecError, match="105 characters, and the track takes 104"):
        ISO_FORMATS[3].encode("7" * 105)


def test_an_empty_text_is_two_sentinels_and_their_check_character() -> None:
    assert ISO_FORMATS[2].encode("") == "11010" + "11111" + "00100"
    assert ISO_FORMATS[2].decode("11010" + "11111" + "00100") == ""


@pytest.mark.parametrize("text", ["12A45", "1;2", "12?", "12 3", "一"])
def test_a_character_outside_the_set_is_refused(text: str) -> None:
    with pytest.raises(CodecError):
        ISO_FORMATS[2].encode(text)


def test_the_refusal_does_not_show_the_text() -> None:
    with pytest.raises(CodecError) as refusal:
        ISO_FORMATS[2].encode("6210971300000000016X")
    assert "6210" not in str(refusal.value)


@pytest.mark.parametrize("place", range(len(TRACK_2)))
def test_each_flipped_bit_is_noticed(place: int) -> None:
    flipped = TRACK_2[:place] + ("0" if TRACK_2[place] == "1" else "1") + TRACK_2[place + 1 :]
    with pytest.raises(TrackUnreadable):
        ISO_FORMATS[2].decode(flipped)


@pytest.mark.parametrize(
    ("bits", "fault"),
    [
        (TRACK_2[:5] + "01000" + "01000" + TRACK_2[15:], TrackFault.CHECK),  # 2 instead of 1: its parity is right
        (TRACK_2[:12] + "1" + TRACK_2[13:], TrackFault.PARITY),
        (TRACK_2[:35], TrackFault.INCOMPLETE),
        (TRACK_2[:20], TrackFault.INCOMPLETE),
        ("10000" + TRACK_2[5:], TrackFault.START),
    ],
)
def test_an_unreadable_track_says_what_is_wrong(bits: str, fault: TrackFault) -> None:
    with pytest.raises(TrackUnreadable) as error:
        ISO_FORMATS[2].decode(bits)
    assert error.value.fault is fault


def test_a_track_without_a_one_is_blank() -> None:
    assert ISO_FORMATS[1].decode("0" * 500) == ""
