"""Panels laid on a card, and the ribbon they come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulators.machines.evolis.face import BACK, FRONT, CardFace
from simulators.machines.evolis.panels import DOTS, LINES
from simulators.machines.evolis.ribbon import Ribbon
from terminal.errors import ReaderFault


def dots(*places: tuple[int, int], value: int = 1) -> np.ndarray:
    """A panel with a value at some places: x from the left, y from the top."""
    panel = np.zeros((DOTS, LINES), np.uint8)
    for x, y in places:
        panel[y, x] = value
    return panel


@pytest.mark.parametrize(
    ("panel", "colour"), [("y", (255, 255, 0)), ("m", (255, 0, 255)), ("c", (0, 255, 255)), ("k", (0, 0, 0))]
)
def test_each_panel_takes_its_light_away(panel: str, colour: tuple[int, int, int]) -> None:
    face = CardFace()
    levels = 2 if panel == "k" else 128
    face.lay(panel, levels, dots((3, 5), value=levels - 1))
    assert tuple(face.pixels[5, 3]) == colour
    assert (face.pixels == 255).sum() == 648 * 1016 * 3 - colour.count(0)


def test_dyes_mix_and_a_half_is_a_half() -> None:
    face = CardFace()
    face.lay("y", 64, dots((0, 0), value=63))
    face.lay("m", 32, dots((0, 0), value=31))
    face.lay("c", 128, dots((0, 0), (1, 1), value=64))
    assert tuple(face.pixels[0, 0]) == (126, 0, 0)
    assert tuple(face.pixels[1, 1]) == (126, 255, 255)


def test_pictures_lie_beside_the_card_and_are_printed_on_again(tmp_path: Path) -> None:
    card = tmp_path / "chip-01.card"
    face = CardFace()
    face.lay("m", 128, dots((1015, 647), value=127))
    face.lay("o", 2, dots((7, 8)))
    face.save(card, FRONT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chip-01.front-overlay.png", "chip-01.front.png"]
    again = CardFace.of_card(card, FRONT)
    again.lay("y", 128, dots((1015, 647), value=127))
    again.save(card, FRONT)
    with Image.open(tmp_path / "chip-01.front.png") as picture:
        assert (picture.size, picture.mode, picture.info["dpi"]) == (
            (1016, 648),
            "RGB",
            pytest.approx((300, 300), 0.01),
        )
        assert picture.getpixel((1015, 647)) == (255, 0, 0)
        assert picture.getpixel((0, 0)) == (255, 255, 255)
    with Image.open(tmp_path / "chip-01.front-overlay.png") as overlay:
        assert (overlay.getpixel((7, 8)), overlay.getpixel((8, 7))) == (255, 0)
    assert (CardFace.of_card(card, BACK).pixels == 255).all()


def test_only_the_lines_before_the_end_of_the_ribbon_are_printed() -> None:
    face = CardFace()
    face.lay("k", 2, np.ones((DOTS, LINES), np.uint8), lines=10)
    assert not face.pixels[:, :10].any()
    assert (face.pixels[:, 10:] == 255).all()


def test_a_picture_that_is_none_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "chip-01.front.png").write_bytes(b"no picture")
    with pytest.raises(ReaderFault, match=r"chip-01\.front\.png is no picture of a card"):
        CardFace.of_card(tmp_path / "chip-01.card", FRONT)


def test_a_ribbon_is_wound_past_panels_that_are_not_printed() -> None:
    ribbon = Ribbon.new("ymcko", 2)
    assert ribbon.prints_left == 2
    ribbon.begin()
    assert (ribbon.pull("m"), ribbon.pull("k")) == (1016, 1016)
    ribbon.begin()
    assert (ribbon.prints_left, ribbon.place) == (1, 0)
    assert [ribbon.pull(panel) for panel in "ymcko"] == [1016] * 5
    assert (ribbon.prints_left, ribbon.lines_left) == (0, 0)
    ribbon.begin()
    assert ribbon.pull("y") == 0


def test_a_ribbon_ends_in_the_middle_of_a_panel() -> None:
    ribbon = Ribbon("ymcko", 2 * 1016 + 100)
    assert [ribbon.pull(panel) for panel in "ymc"] == [1016, 1016, 100]


def test_a_ribbon_has_no_panel_of_another_kind() -> None:
    ribbon = Ribbon.new("k")
    assert (ribbon.pull("y"), ribbon.pull("k"), ribbon.prints_left) == (0, 1016, 999)
    with pytest.raises(ValueError, match="no ribbon rgb"):
        Ribbon.new("rgb")
