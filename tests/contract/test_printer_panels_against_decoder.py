"""The encoder of a card printer's panels against the decoder of the simulated printer, dot by dot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from personalize.face.files import load_design
from personalize.face.render import FaceRenderer
from personalize.machines.evolis.panels import (
    ChipSide,
    Compression,
    PanelSettings,
    PrinterRibbon,
    back_commands,
    dots_command,
    dye_command,
    front_commands,
)
from personalize.machines.protocols import PrintedFace
from simulators.machines.evolis.panels import decode, decode_compressed
from tests.support.faces import TEXTS, design_folder, portrait
from tests.support.thorough import repeats


def decoded(command: bytes) -> np.ndarray:
    """The dots of a command, 648 rows of 1016."""
    name, panel, levels, rest = command.split(b";", 3)
    if name == b"Db":
        return decode(int(levels), rest)
    count, data = rest.split(b";", 1)
    assert int(count) == len(data)
    return decode_compressed(panel.decode(), int(levels), data)


def noise(seed: int, most: int, run: float) -> np.ndarray:
    """Values up to ``most`` in runs: the higher ``run`` the longer, and some lines of one value."""
    random = np.random.default_rng(seed)
    values = random.integers(0, most + 1, (648, 1016)).astype(np.uint8)
    values[random.random((648, 1016)) < run] = random.integers(0, most + 1)
    values[:, random.random(1016) < run / 2] = random.integers(0, 2) * most
    return values


@settings(max_examples=repeats(6, 400), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    run=st.sampled_from([0.0, 0.5, 0.97, 1.0]),
    levels=st.sampled_from([2, 32, 64, 128]),
    compression=st.sampled_from(Compression),
)
def test_each_dot_of_a_panel_is_the_dot_that_the_printer_finds(
    seed: int, run: float, levels: int, compression: Compression
) -> None:
    picture = noise(seed, levels - 1, run)
    # The printer's first line is the left edge of the picture, from its bottom to its top.
    lines = np.rot90(picture, k=-1)
    if levels == 2:
        command = dots_command("k", lines.astype(np.bool_), compression)
    else:
        command = dye_command("c", levels, lines, compression)

    assert (decoded(command) == picture).all()


@pytest.mark.parametrize("ribbon", PrinterRibbon)
@pytest.mark.parametrize("compression", Compression)
def test_a_coloured_face_arrives_in_the_panels_of_its_ribbon(ribbon: PrinterRibbon, compression: Compression) -> None:
    pixels = noise(7, 255, 0.5)
    # Lighter than text, so that no dot of it is taken for resin.
    front = Image.merge("RGB", [Image.fromarray(np.maximum(pixels, low)) for low in (70, 90, 110)])
    back = Image.fromarray(np.where(noise(8, 1, 0.9) == 1, 0, 255).astype(np.uint8)).convert("RGB")
    wanted = PanelSettings(ribbon, 64, compression, contacts=ChipSide.NONE, stripe=False)
    face = PrintedFace(front, back, Image.new("L", (1016, 648)))
    panels = [decoded(command) for command in front_commands(face, wanted)]
    if "y" in ribbon:
        red, green, blue = (np.asarray(band) for band in front.split())
        for panel, component in zip(panels, (blue, green, red), strict=False):
            assert (panel == (255 - component) >> 2).all()
        assert not panels[3].any()
    if "o" in ribbon:
        assert panels[-1].all()

    black = PanelSettings(
        ribbon if "y" not in ribbon else PrinterRibbon.YMCKOK, 64, compression, ChipSide.NONE, stripe=False
    )
    assert (decoded(back_commands(face, black)[0]) == (np.asarray(back)[:, :, 0] == 0)).all()


def test_what_a_design_prints_in_resin_is_the_black_panel_and_no_dye(tmp_path: Path) -> None:
    face = FaceRenderer(load_design(design_folder(tmp_path))).render(TEXTS, portrait(), "card")
    yellow, magenta, cyan, black, _ = map(decoded, front_commands(face, PanelSettings()))
    assert face.front_resin is not None

    assert (black == (np.asarray(face.front_resin) >= 128)).all()
    assert black.sum() > 1000
    for panel in (yellow, magenta, cyan):
        assert not panel[black == 1].any()
    codes = decoded(back_commands(face, PanelSettings())[3])
    assert (codes == (np.asarray(face.back_resin) >= 128)).all()
    assert codes.sum() > 10_000
