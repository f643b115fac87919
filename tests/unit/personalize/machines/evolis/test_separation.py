"""Text is printed with resin, photos with dye, and never one dot with both."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from personalize.machines.evolis.separation import CONTACTS, resin_only, separate, turned

FONT = ImageFont.load_default(36)


def blank(colour: str = "white") -> Image.Image:
    return Image.new("RGB", (1016, 648), colour)


def lettered(colour: str = "white") -> Image.Image:
    picture = blank(colour)
    ImageDraw.Draw(picture).text((300, 100), "ZHANG San 6228 4801", font=FONT, fill="black")
    return picture


def photo(seed: int = 1) -> Image.Image:
    """A portrait without a person: a light wall, dark hair whose darkest part is black, and the noise of a camera."""
    noise = np.random.default_rng(seed).normal(0, 5, (320, 240))
    y, x = np.mgrid[0:320, 0:240]
    distance = np.hypot(x - 120, y - 110)
    light = np.where(distance < 90, 20 + distance / 3, 180 + y / 6) + noise
    grey = np.clip(light, 0, 255).astype(np.uint8)
    grey[60:100, 100:150] = 0
    return Image.merge("RGB", [Image.fromarray(grey)] * 3)


@pytest.mark.parametrize("colour", ["white", "#f0e0c0", "#d02020"])
def test_text_is_printed_in_resin_and_not_in_dye(colour: str) -> None:
    picture = lettered(colour)
    dye, resin = separate(picture, None, clear=None)
    background = blank(colour).getpixel((0, 0))

    grey = np.asarray(turned(picture).convert("L"))
    assert resin[grey <= 20].all()
    assert resin.sum() > 1500
    assert isinstance(background, tuple)
    for band, component in zip(dye, background, strict=True):
        assert set(np.unique(band[~resin])) == {component}
        assert set(np.unique(band[resin])) == {255}


def test_a_photo_is_printed_in_dye_and_not_in_resin() -> None:
    picture = lettered()
    picture.paste(photo(), (700, 250))
    dye, resin = separate(picture, None, clear=None)

    assert resin.any()
    assert not resin[700:940, 648 - 570 : 648 - 250].any()
    assert (np.asarray(turned(picture).split()[0])[700:940] == dye[0][700:940]).all()


def test_a_design_says_what_is_resin() -> None:
    picture, resin = lettered("#205020"), Image.new("L", (1016, 648), 0)
    ImageDraw.Draw(resin).text((300, 100), "ZHANG San 6228 4801", font=FONT, fill=255)
    picture.paste(photo(), (700, 250))

    dye, dots = separate(picture, resin, clear=None)

    assert (dots == (np.asarray(turned(resin)) >= 128)).all()
    assert (dye[1][300:640, 500:560][~dots[300:640, 500:560]] == 0x50).all()


def test_a_design_without_resin_prints_black_in_dye() -> None:
    dye, dots = separate(lettered(), Image.new("L", (1016, 648), 0), clear=None)

    assert not dots.any()
    assert dye[0].min() == 0


def test_the_contacts_get_neither() -> None:
    dye, resin = separate(blank("black"), None, clear=CONTACTS)

    assert not CONTACTS.of(resin).any()
    assert (CONTACTS.of(dye[0]) == 255).all()
    assert resin.sum() == 1016 * 648 - 143 * 135


def test_a_black_ribbon_prints_letters_sharp_and_shades_as_dots() -> None:
    picture = lettered()
    picture.paste(Image.new("RGB", (200, 200), (128, 128, 128)), (700, 300))
    dots = resin_only(picture, None, clear=None)

    grey = np.asarray(turned(picture).convert("L"))
    assert dots[:660][grey[:660] <= 20].all()
    assert not dots[:660][grey[:660] >= 128].any()
    assert 0.45 < dots[700:900, 648 - 500 : 648 - 300].mean() < 0.55
