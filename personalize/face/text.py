"""Texts of a face: set into their boxes, in smaller letters where they are too wide, flat or as if embossed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageChops, ImageColor, ImageDraw

from personalize.face.design import TextField
from personalize.face.fonts import FontChain
from personalize.face.geometry import POINT, dots

_STEP: Final = 0.25
"""Points by which a text becomes smaller."""
_LEADING: Final = 1.25
"""Ems from line to line."""
_LINE: Final = 1.2
"""Ems that a single line needs for all of its letters."""
_MIDDLE: Final = 0.36
"""How far above the baseline the middle of letters is, in ems: half of a capital, and nearly that of an ideograph."""
_CLOSING: Final = "，。、；：）》」』·"
_RELIEF: Final = 2
"""Dots of light and shade at embossed letters."""


@dataclass(frozen=True, slots=True)
class FittedText:
    """A text as it is set: its lines, and the size of the letters in points."""

    lines: tuple[str, ...]
    size: float


def fit(field: TextField, chain: FontChain, text: str) -> FittedText | None:
    """The text at the greatest size that fits into the box; None where it does not fit at the floor either."""
    left, top, right, bottom = field.box.dots
    width, height = right - left, bottom - top
    size = field.size
    while True:
        lines = _wrapped(field, chain, text, width, size)
        high = size * POINT * (_LINE if len(lines) == 1 else len(lines) * _LEADING) + dots(field.bold)
        wide = max(_width(field, chain, one, size) for one in lines)
        if len(lines) <= field.lines and high <= height and wide <= width:
            return FittedText(tuple(lines), size)
        if size <= field.floor:
            return None
        size = max(field.floor, size - _STEP)


def mask_of(field: TextField, chain: FontChain, fitted: FittedText) -> Image.Image:
    """The letters in the field's box: L, 255 where ink is."""
    left, top, right, bottom = field.box.dots
    mask = Image.new("L", (right - left, bottom - top))
    draw = ImageDraw.Draw(mask)
    size = fitted.size * POINT
    for number, line in enumerate(fitted.lines):
        middle = mask.height / 2 + (number - (len(fitted.lines) - 1) / 2) * size * _LEADING
        free = mask.width - _width(field, chain, line, fitted.size)
        x = {"left": 0.0, "center": free / 2, "right": free}[field.align] + dots(field.bold) / 2
        for part in line if field.spacing else (line,):
            for font, run in chain.runs(part, size):
                draw.text((x, middle + size * _MIDDLE), run, 255, font, "ls", stroke_width=dots(field.bold) / 2)
                x += font.getlength(run)
            x += dots(field.spacing)
    return mask


def paint(picture: Image.Image, resin: Image.Image, field: TextField, mask: Image.Image) -> None:
    """Print the letters of a mask into a side and, where their colour is k, into its resin."""
    at = field.box.dots[:2]
    if field.colour == "k":
        paint_resin(picture, resin, mask, at)
    elif field.style == "flat":
        picture.paste(ImageColor.getrgb(field.colour), at, mask)
    else:
        _emboss(picture, field.colour, mask, at)


def paint_resin(picture: Image.Image, resin: Image.Image, mask: Image.Image, at: tuple[int, int]) -> None:
    """Resin is printed or not: a dot of the mask counts from its half."""
    whole = mask.point(lambda value: 255 if value >= 128 else 0)
    picture.paste((0, 0, 0), at, whole)
    resin.paste(255, at, whole)


def _emboss(picture: Image.Image, colour: str, mask: Image.Image, at: tuple[int, int]) -> None:
    """Letters raised from the card, lit from the upper left: a metal gradient, a light edge, and a shadow."""
    red, green, blue = ImageColor.getrgb(colour)[:3]
    shadow = ImageChops.offset(mask, _RELIEF, _RELIEF).point(lambda value: value * 150 // 255)
    light = ImageChops.offset(mask, -1, -1).point(lambda value: value * 210 // 255)
    picture.paste((20, 20, 24), at, shadow)
    picture.paste((255, 255, 255), at, light)
    gradient = Image.linear_gradient("L").resize(mask.size)
    tone = [gradient.point(_shaded(component)) for component in (red, green, blue)]
    picture.paste(Image.merge("RGB", tone), at, mask)


def _shaded(component: int) -> list[int]:
    """From a lighter to a darker tone of a colour's component, top to bottom."""
    return [max(0, min(255, round(component + (0.35 - value / 255 * 0.8) * 110))) for value in range(256)]


def _width(field: TextField, chain: FontChain, text: str, size: float) -> float:
    """Dots of one line."""
    return chain.width(text, size * POINT) + dots(field.spacing) * max(0, len(text) - 1) + dots(field.bold)


def _wrapped(field: TextField, chain: FontChain, text: str, width: int, size: float) -> list[str]:
    """The text on as many lines as it needs; more than ``field.lines`` where it does not fit."""
    if field.lines == 1:
        return [text]
    lines, line, reached = list[str](), "", 0.0
    for part in _parts(text):
        spaces = dots(field.spacing) * len(part)
        if line and reached + chain.part_width(part.rstrip(), size * POINT) + spaces > width:
            lines.append(line.rstrip())
            line, reached = "", 0.0
        line += part
        reached += chain.part_width(part, size * POINT) + spaces
    return [*lines, line.rstrip()]


def _parts(text: str) -> Iterator[str]:
    """What is not divided: a Latin word, one Chinese character, a closing mark with what is before it."""
    part = ""
    for character in text:
        before = part[-1:]
        joined = character in _CLOSING or (character.isascii() and before.isascii() and before != " ")
        if part and not joined:
            yield part
            part = ""
        part += character
    if part:
        yield part
