"""Colour separation: which dots of a face are printed with black resin, and which with dye.

Text is printed in resin only: it is sharp, fast to light, and readable to scanners. A photo is printed in dye only:
resin has no shades. Dots over the chip's contacts get nothing. All arrays are as the printer reads them: 1016 lines of
648 dots, the first line is the left edge of the picture, and a line goes from its bottom edge to its top.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

Dots: TypeAlias = npt.NDArray[np.uint8]
Mask: TypeAlias = npt.NDArray[np.bool_]

WIDTH, HEIGHT = 1016, 648
"""Of a face in dots, with bleed."""
_BLEED_X, _BLEED_Y = (WIDTH - 1011) / 2, (HEIGHT - 638) / 2
_DOTS_A_MM = 300 / 25.4

_BLACK, _BLACK_OF_A_HUE, _NEUTRAL = 64, 40, 24
"""A dot is black up to the first of these brightest components where its components differ by the last at most, or else
up to the second."""
_HALF = 128
_REACH = 3
"""Dots from an edge of a letter to its background."""
_TONE = (3, 40)
"""Differences between neighbours that a photo has everywhere, and flat artwork and letters hardly anywhere."""
_TILE = 8
_TILES_TONED = _TILE * _TILE // 8
"""Dots of such a difference in a tile that belongs to a photo."""
_PHOTO_TILES = 64
"""Tiles that hang together in the smallest photo: 5.4 × 5.4 mm."""
_ONES: Final = np.array([value.bit_count() for value in range(256)], dtype=np.uint8)


class PrintArea(NamedTuple):
    """A part of a picture in dots; ``right`` and ``bottom`` are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, dots: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """This part of an array that lies as the printer reads it."""
        return dots[self.left : self.right, HEIGHT - self.bottom : HEIGHT - self.top]


def box_of(left: float, top: float, width: float, height: float) -> PrintArea:
    """The dots that an area of the card touches. Arguments in millimetres from the card's left and top edge."""
    right, bottom = left + width, top + height
    return PrintArea(
        max(0, int(_BLEED_X + left * _DOTS_A_MM)),
        max(0, int(_BLEED_Y + top * _DOTS_A_MM)),
        min(WIDTH, math.ceil(_BLEED_X + right * _DOTS_A_MM)),
        min(HEIGHT, math.ceil(_BLEED_Y + bottom * _DOTS_A_MM)),
    )


CONTACTS: Final = box_of(10.25, 19.23, 12.0, 11.4)
"""The chip's contacts with a margin. ISO/IEC 7816-2:2007, 4.1."""
STRIPE: Final = box_of(-1, -1, 90, 16.82)
"""The band of the magnetic stripe on the back. ISO/IEC 7811-6:2018, figure 1."""


class Separated(NamedTuple):
    """``dye``: red, green and blue of what dye prints, 255 is none. ``resin``: dots of black resin."""

    dye: tuple[Dots, Dots, Dots]
    resin: Mask


def turned(picture: Image.Image) -> Image.Image:
    """A landscape picture as the printer reads it."""
    return picture.transpose(Image.Transpose.ROTATE_270)


def separate(picture: Image.Image, resin: Image.Image | None, *, clear: PrintArea | None) -> Separated:
    """Separate a picture (RGB, 1016 × 648) for ribbons with dye and resin.

    ``resin`` (L) says what is printed with resin; None looks for black dots outside photos. ``clear`` gets neither.
    """
    red, green, blue = (np.array(band) for band in turned(picture).split())
    black, edge = _resin_of(red, green, blue, resin)
    if edge.any():
        # Beside a letter, dye continues the background, so that no grey edge is printed around it.
        around = edge & ~black
        for band in (red, green, blue):
            band[around] = _brightest_near(band)[around]
            band[black] = 255
    if clear is not None:
        for band in (red, green, blue):
            clear.of(band)[...] = 255
        clear.of(black)[...] = False
    return Separated((red, green, blue), black)


def resin_only(picture: Image.Image, resin: Image.Image | None, *, clear: PrintArea | None) -> Mask:
    """The dots of a face that is printed in black alone: letters as they are, everything else dithered."""
    red, green, blue = (np.asarray(band) for band in turned(picture).split())
    black, edge = _resin_of(red, green, blue, resin)
    grey = np.array(turned(picture).convert("L"))
    grey[edge] = 255
    dots: Mask = black | ~np.asarray(Image.fromarray(grey).convert("1"))
    if clear is not None:
        clear.of(dots)[...] = False
    return dots


def _resin_of(red: Dots, green: Dots, blue: Dots, resin: Image.Image | None) -> tuple[Mask, Mask]:
    """The dots of resin, and these with all around them that dye must not print as the picture has it."""
    if resin is None:
        black = _text_of(red, green, blue)
        return black, _grown(_grown(black)) if black.any() else black
    share = np.asarray(turned(resin))
    black = share >= _HALF
    return black, _grown(black) | (share > 0)


def _text_of(red: Dots, green: Dots, blue: Dots) -> Mask:
    """Black dots outside photos."""
    brightest = np.maximum(np.maximum(red, green), blue)
    hue = brightest - np.minimum(np.minimum(red, green), blue)
    black: Mask = (brightest <= _BLACK_OF_A_HUE) | ((brightest <= _BLACK) & (hue <= _NEUTRAL))
    if black.any():
        photos = list(_photos(brightest))
        for lines, dots in photos:
            black[lines, dots] = False
        # The edge of an antialiased letter, where it is nearer to black than to the background.
        black |= _grown(black) & (brightest < _brightest_near(brightest) >> 1)
        for lines, dots in photos:
            black[lines, dots] = False
    return black


def _photos(brightest: Dots) -> Iterator[tuple[slice, slice]]:
    """The rectangles of photos: tiles that hang together and whose dots differ a little from their neighbours."""
    steps = np.maximum(brightest[:, 1:], brightest[:, :-1]) - np.minimum(brightest[:, 1:], brightest[:, :-1])
    toned = np.packbits((steps >= _TONE[0]) & (steps <= _TONE[1]), axis=1)  # A byte is a tile's part of one line.
    counts = _ONES[toned].reshape(WIDTH // _TILE, _TILE, HEIGHT // _TILE).sum(axis=1)
    rest = {(int(x), int(y)) for x, y in zip(*np.nonzero(counts >= _TILES_TONED), strict=True)}
    while rest:
        grown = [rest.pop()]
        for x, y in grown:
            near = {(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)} & rest
            rest -= near
            grown.extend(near)
        if len(grown) >= _PHOTO_TILES:
            xs, ys = [x for x, _ in grown], [y for _, y in grown]
            yield (
                slice(min(xs) * _TILE, (max(xs) + 1) * _TILE),
                slice(min(ys) * _TILE, (max(ys) + 1) * _TILE),
            )


def _grown(mask: Mask) -> Mask:
    """A mask with the eight neighbours of each of its dots."""
    rows = mask.copy()
    rows[1:] |= mask[:-1]
    rows[:-1] |= mask[1:]
    grown = rows.copy()
    grown[:, 1:] |= rows[:, :-1]
    grown[:, :-1] |= rows[:, 1:]
    return grown


def _brightest_near(band: Dots) -> Dots:
    """Of each dot the brightest one within reach."""
    rows = band.copy()
    for shift in range(1, _REACH + 1):
        np.maximum(rows[shift:], band[:-shift], out=rows[shift:])
        np.maximum(rows[:-shift], band[shift:], out=rows[:-shift])
    near = rows.copy()
    for shift in range(1, _REACH + 1):
        np.maximum(near[:, shift:], rows[:, :-shift], out=near[:, shift:])
        np.maximum(near[:, :-shift], rows[:, shift:], out=near[:, :-shift])
    return near
