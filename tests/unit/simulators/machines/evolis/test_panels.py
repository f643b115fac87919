"""Panels decoded to dots: byte strings worked out by hand from pages 5 and 14 of the programming guide A5013."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.machines.evolis.panels import DOTS, LINES, decode, decode_compressed, size
from terminal.errors import CodecError

WHITE_LINE = bytes(81)


def inked(dots: np.ndarray) -> list[tuple[int, int, int]]:
    """Each dot that is not white: x from the left, y from the top, value."""
    return [(int(x), int(y), int(dots[y, x])) for y, x in np.argwhere(dots)]


@pytest.mark.parametrize(("levels", "length"), [(2, 82_296), (32, 411_480), (64, 493_776), (128, 576_072)])
def test_a_panel_has_the_size_of_its_levels(levels: int, length: int) -> None:
    assert size(levels) == length
    assert decode(levels, bytes(length)).shape == (DOTS, LINES) == (648, 1016)
    for wrong in (length - 1, length + 1):
        with pytest.raises(CodecError, match=f"has {length} bytes, not {wrong}"):
            decode(levels, bytes(wrong))


@pytest.mark.parametrize(
    ("place", "byte", "x", "y"),
    [
        (0, 0x80, 0, 647),  # the first dot: bottom left
        (0, 0x01, 0, 640),  # the eighth
        (80, 0x01, 0, 0),  # the last of the first line: top left
        (81, 0x80, 1, 647),  # the first of the second line
        (82_295, 0x01, 1015, 0),  # the last of all: top right
        (81 * 1015, 0x80, 1015, 647),
    ],
)
def test_lines_go_from_the_left_and_dots_from_the_bottom(place: int, byte: int, x: int, y: int) -> None:
    data = bytearray(size(2))
    data[place] = byte
    assert inked(decode(2, bytes(data))) == [(x, y, 1)]


@pytest.mark.parametrize(
    ("levels", "eight"),
    [
        (32, "08 86 42 98 E8"),  # 00001 00010 00011 00100 00101 00110 00111 01000
        (64, "04 20 C4 14 61 C8"),  # 000001 000010 000011 000100 000101 000110 000111 001000
        (128, "02 08 18 40 A1 83 88"),  # 0000001 0000010 0000011 0000100 0000101 0000110 0000111 0001000
    ],
)
def test_levels_follow_each_other_without_a_gap_highest_bit_first(levels: int, eight: str) -> None:
    data = bytes.fromhex(eight)
    dots = decode(levels, data + bytes(size(levels) - len(data)))
    assert list(dots[647:639:-1, 0]) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert int(dots.sum()) == 36
    full = decode(levels, b"\xff" * size(levels))
    assert (int(full.min()), int(full.max())) == (levels - 1, levels - 1)


def test_a_compressed_line_is_white_black_or_its_useful_bytes() -> None:
    data = b"\x00" + b"\xff" + b"\x02\x80\x01" + b"\x51" + bytes(80) + b"\x01" + b"\x00" * 1012
    dots = decode_compressed("k", 2, data)
    lines = WHITE_LINE + b"\xff" * 81 + b"\x80\x01" + bytes(79) + bytes(80) + b"\x01" + bytes(81 * 1012)
    assert (dots == decode(2, lines)).all()
    assert (decode_compressed("o", 2, b"\xff" * 1016) == 1).all()


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"\x00" * 1015, "end before line 1016"),
        (b"\x00" * 1017, "1 bytes follow"),
        (b"\x52" + bytes(82) + b"\x00" * 1015, "line 1 announces 82 bytes"),
        (b"\x00" * 1015 + b"\x03\x01\x02", "line 1016 announces 3 bytes"),
        (b"", "end before line 1 "),
    ],
)
def test_compressed_data_that_are_no_panel_are_refused(data: bytes, fault: str) -> None:
    with pytest.raises(CodecError, match=fault):
        decode_compressed("k", 2, data)


@pytest.mark.parametrize(
    ("levels", "line", "values"),
    [
        (128, "05 FF 02 80 00", [5, 127, 127]),
        (128, "80 FF 80 FF 81 8A", [0] * 510 + [1] * 138),
        (64, "05 BF 02 C1 90 80 00", [5, 63, 63] + [1] * 400),
        (32, "05 9F 02 E1 85", [5, 31, 31] + [1] * 645),
        (32, "A1 00 C2 01 80 00", [1] * 256 + [2] * 257),
    ],
)
def test_a_compressed_dye_is_a_dot_or_a_run(levels: int, line: str, values: list[int]) -> None:
    dots = decode_compressed("m", levels, bytes.fromhex(line) + b"\x80\x00" * 1015)
    assert [int(value) for value in dots[::-1, 0]] == values + [0] * (648 - len(values))
    assert not dots[:, 1:].any()


@pytest.mark.parametrize(
    ("levels", "data", "fault"),
    [
        (64, b"\x40", "above level 63"),
        (32, b"\x20", "above level 31"),
        (128, b"\xff", "in the middle of a run"),
        (128, b"\x81\xff\x81\xff\x81\x8b", "beyond its end"),
        (128, b"\x80\x00" * 1015, "657720 dots of 658368"),
        (128, b"\x80\x00" * 1017, "659016 dots of 658368"),
        (2, b"\x00" * 1016, "32, 64 or 128 levels"),
    ],
)
def test_compressed_dyes_that_are_no_panel_are_refused(levels: int, data: bytes, fault: str) -> None:
    with pytest.raises(CodecError, match=fault):
        decode_compressed("y", levels, data)


def test_black_has_two_levels() -> None:
    with pytest.raises(CodecError, match="two levels"):
        decode_compressed("k", 128, b"\x00" * 1016)
