"""The bytes of panels, worked out by hand from docs/machines.md."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from personalize.machines.evolis.panels import (
    ChipSide,
    Compression,
    PanelSettings,
    PrinterRibbon,
    back_commands,
    compressed_dots,
    compressed_dye,
    dots_command,
    dye_command,
    front_commands,
    packed,
)
from personalize.machines.protocols import PrintedFace

WHITE = Image.new("RGB", (1016, 648), "white")
BYTES = {2: 82_296, 32: 411_480, 64: 493_776, 128: 576_072}
PLAIN = PanelSettings(compression=Compression.NONE)


def dyes(*first: int) -> np.ndarray:
    """A panel whose first dots have these values."""
    values = np.zeros((1016, 648), dtype=np.uint8)
    values[0, : len(first)] = first
    return values


@pytest.mark.parametrize(
    ("levels", "data"),
    [
        # 11111 00001 10000 00000 00000 00000 00000 11111
        (32, "F86000001F"),
        # 111111 000001 100000 000000 000000 000000 000000 111111
        (64, "FC180000003F"),
        # 1111111 0000001 1000000 0000000 0000000 0000000 0000000 1111111
        (128, "FE06000000007F"),
    ],
)
def test_eight_dots_of_dye_fill_as_many_bytes_as_a_dot_has_bits(levels: int, data: str) -> None:
    most = levels - 1
    values = dyes(most, 1, levels // 2, 0, 0, 0, 0, most)

    command = dye_command("y", levels, values, Compression.NONE)

    assert command.startswith(b"Db;y;%d;" % levels + bytes.fromhex(data))
    assert len(packed(values, levels.bit_length() - 1)) == BYTES[levels]


def test_a_panel_of_resin_has_a_bit_a_dot_the_first_one_on_top() -> None:
    dots = np.zeros((1016, 648), dtype=np.bool_)
    dots[0, 0] = dots[0, 9] = dots[1015, 647] = True

    command = dots_command("k", dots, Compression.NONE)

    assert command[:7] == b"Db;k;2;"
    data = command[7:]
    assert (data[:2], data[-1:], len(data)) == (b"\x80\x40", b"\x01", BYTES[2])
    assert not any(data[2:-1])


def test_the_first_line_is_the_left_edge_and_goes_from_the_bottom_to_the_top() -> None:
    picture = WHITE.copy()
    picture.putpixel((0, 647), (0, 0, 0))
    picture.putpixel((0, 0), (0, 0, 0))
    picture.putpixel((1015, 640), (0, 0, 0))
    data = front_commands(PrintedFace(picture), PanelSettings(PrinterRibbon.K, compression=Compression.NONE))[0][7:]

    assert (data[0], data[80]) == (0x80, 0x01)
    assert data[81 * 1015] == 0x01
    assert sum(data) == 0x80 + 0x01 + 0x01


def test_a_line_of_resin_is_white_black_or_its_bytes_up_to_the_last_with_ink() -> None:
    rows = np.zeros((4, 81), dtype=np.uint8)
    rows[1] = 0xFF
    rows[2, 0], rows[2, 2] = 0x1B, 0x0D
    rows[3, 80] = 1

    assert compressed_dots(rows) == bytes.fromhex("00 FF 03 1B000D 51") + bytes(80) + b"\x01"


@pytest.mark.parametrize(
    ("levels", "line", "data"),
    [
        (128, [127, 5, 5, 5], "7F 8503 8000"),
        (128, [9] * 300, "89FF 892D 8000"),
        (64, [9] * 300, "C92C 8000"),
        (64, [0] * 300 + [1], "C02C 01 8000"),
        (32, [9] * 600, "E958 8000"),
        (32, [9] * 300, "C92C 8000"),
        (32, [9] * 648, "E988"),
        (64, [9] * 648, "C9FF 8989"),
        (128, [1, 0], "01 8000"),
        (128, [0] * 647 + [3], "80FF 80FF 8089 03"),
    ],
)
def test_a_line_of_dye_is_compressed_to_runs(levels: int, line: list[int], data: str) -> None:
    assert compressed_dye(dyes(*line)[:1], levels) == bytes.fromhex(data)


def test_runs_end_with_their_line() -> None:
    values = np.full((2, 648), 4, dtype=np.uint8)
    values[1, 0] = 0

    assert compressed_dye(values, 32) == bytes.fromhex("E488 00 E487")


def test_a_compressed_command_says_how_many_bytes_follow() -> None:
    assert dye_command("m", 64, dyes(), Compression.ALL) == b"Dbc;m;64;2032;" + bytes.fromhex("8000") * 1016
    assert dots_command("o", np.ones((1016, 648), dtype=np.bool_), Compression.KO) == b"Dbc;o;2;1016;" + b"\xff" * 1016


@pytest.mark.parametrize(
    ("ribbon", "front", "back"),
    [
        (PrinterRibbon.K, ["Db;k;2;"], ["Db;k;2;"]),
        (PrinterRibbon.KO, ["Db;k;2;", "Db;o;2;"], ["Db;k;2;", "Db;o;2;"]),
        (PrinterRibbon.YMCKO, ["Db;y;128", "Db;m;128", "Db;c;128", "Db;k;2;", "Db;o;2;"], None),
        (PrinterRibbon.YMCKOK, ["Db;y;128", "Db;m;128", "Db;c;128", "Db;k;2;", "Db;o;2;"], ["Db;k;2;"]),
    ],
)
def test_panels_follow_the_order_of_the_ribbon(ribbon: PrinterRibbon, front: list[str], back: list[str] | None) -> None:
    face, settings = PrintedFace(WHITE, WHITE), PanelSettings(ribbon, compression=Compression.NONE)

    assert all(map(bytes.startswith, front_commands(face, settings), map(str.encode, front)))
    assert len(front_commands(face, settings)) == len(front)
    assert all(map(bytes.startswith, back_commands(face, settings), map(str.encode, back or front)))
    assert len(back_commands(face, settings)) == len(back or front)


def test_red_green_and_blue_become_cyan_magenta_and_yellow() -> None:
    picture = Image.new("RGB", (1016, 648), (255 - 2, 255 - 4, 255 - 6))
    yellow, magenta, cyan = front_commands(PrintedFace(picture), PLAIN)[:3]

    # 3, 2 and 1 of 127, in seven bits each.
    assert (yellow[9:16], magenta[9:16], cyan[9:16]) == (
        bytes.fromhex("06 0C 18 30 60 C1 83"),
        bytes.fromhex("04 08 10 20 40 81 02"),
        bytes.fromhex("02 04 08 10 20 40 81"),
    )


def test_gamma_takes_dye_from_the_middle_tones_and_leaves_the_ends() -> None:
    picture = Image.new("RGB", (1016, 648), (128, 255, 0))
    settings = PanelSettings(compression=Compression.ALL, contacts=ChipSide.NONE, gamma=2.0)
    yellow, magenta, cyan = front_commands(PrintedFace(picture), settings)[:3]

    # 255 × (127 / 255)² = 63, of which seven bits are 31; a line of 648 dots is two runs of 255 and one of 138.
    assert cyan.split(b";", 4)[4][:6] == bytes.fromhex("9FFF 9FFF 9F8A")
    assert yellow.split(b";", 4)[4][:2] == bytes.fromhex("FFFF")
    assert magenta.split(b";", 4)[4][:2] == bytes.fromhex("8000")


def overlay_of(command: bytes) -> np.ndarray:
    """The overlay as a landscape picture."""
    assert command[:7] == b"Db;o;2;"
    lines = np.unpackbits(np.frombuffer(command[7:], dtype=np.uint8)).reshape(1016, 648)
    return np.rot90(lines)


def test_the_overlay_leaves_the_contacts_out() -> None:
    overlay = overlay_of(front_commands(PrintedFace(WHITE), PLAIN)[-1])
    bare = np.argwhere(overlay == 0)

    # 10.25 to 22.25 mm and 19.23 to 30.63 mm at 300 dpi, with the bleed of 2.5 and 5 dots.
    assert (bare[:, 1].min(), bare[:, 1].max()) == (123, 265)
    assert (bare[:, 0].min(), bare[:, 0].max()) == (232, 366)
    assert len(bare) == 143 * 135


def test_nothing_is_printed_over_the_contacts() -> None:
    black = Image.new("RGB", (1016, 648), "black")
    settings = PanelSettings(PrinterRibbon.K, compression=Compression.NONE)
    data = front_commands(PrintedFace(black), settings)[0][7:]
    dots = np.rot90(np.unpackbits(np.frombuffer(data, dtype=np.uint8)).reshape(1016, 648))

    assert not dots[232:367, 123:266].any()
    assert dots.sum() == 1016 * 648 - 143 * 135


def test_the_overlay_of_the_back_leaves_the_stripe_out() -> None:
    overlay = overlay_of(back_commands(PrintedFace(WHITE, WHITE), PLAIN)[-1])

    # 15.82 mm from the top edge, at 300 dpi with the bleed of 5 dots.
    assert not overlay[:192].any()
    assert overlay[192:].all()
    assert overlay_of(
        back_commands(PrintedFace(WHITE, WHITE), PanelSettings(compression=Compression.NONE, stripe=False))[-1]
    ).all()


def test_a_back_that_is_turned_is_turned_with_its_bare_stripe() -> None:
    back = WHITE.copy()
    back.putpixel((5, 600), (0, 0, 0))
    settings = PanelSettings(PrinterRibbon.KO, compression=Compression.NONE, turn_back=True)
    black, overlay = back_commands(PrintedFace(WHITE, back), settings)

    assert np.argwhere(np.rot90(np.unpackbits(np.frombuffer(black[7:], np.uint8)).reshape(1016, 648))).tolist() == [
        [647 - 600, 1015 - 5]
    ]
    assert not overlay_of(overlay)[648 - 192 :].any()


def test_a_chip_at_the_back_is_left_out_there() -> None:
    settings = PanelSettings(PrinterRibbon.KO, compression=Compression.NONE, contacts=ChipSide.BACK, stripe=False)
    face = PrintedFace(WHITE, WHITE)

    assert overlay_of(front_commands(face, settings)[-1]).all()
    assert np.argwhere(overlay_of(back_commands(face, settings)[-1]) == 0).shape[0] == 143 * 135


def test_a_face_without_a_back_has_no_commands_for_it() -> None:
    assert back_commands(PrintedFace(WHITE), PLAIN) == []


def test_a_face_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="a face of 1011 × 638 dots; it has 1016 × 648"):
        front_commands(PrintedFace(Image.new("RGB", (1011, 638))), PLAIN)
