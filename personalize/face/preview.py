"""What a printed card looks like: trimmed to the card, with its chip and stripe. For proofs and documents."""

from __future__ import annotations

from functools import cache
from typing import Final

from PIL import Image, ImageDraw

from personalize.face.design import CardDesign
from personalize.face.geometry import CARD_HEIGHT, CARD_WIDTH, STRIPE, FaceArea, dots
from personalize.machines.protocols import PrintedFace

_CARD: Final = FaceArea(0, 0, CARD_WIDTH, CARD_HEIGHT).dots
_MODULE: Final = FaceArea(8.85, 18.25, 13.2, 12.2)
"""A contact module of eight contacts, around the contacts of ISO/IEC 7816-2."""
_CORNER: Final = 3.18
"""Radius of the corners of a card in millimetres. ISO/IEC 7810."""
_GOLD, _GOLD_EDGE = (214, 178, 94), (150, 118, 50)
_GAP: Final = 24
_TWICE: Final = 3


def preview_sides(face: PrintedFace, design: CardDesign) -> tuple[Image.Image, ...]:
    """The sides as RGBA pictures of 1011 × 638 dots, transparent outside the card."""
    front = face.front.copy()
    if design.contacts:
        _chip(front)
    sides = [front]
    if face.back is not None:
        back = face.back.copy()
        if design.stripe:
            left, top, right, bottom = STRIPE.dots
            ImageDraw.Draw(back).rectangle((left, top + 6, right, bottom - 6), fill=(38, 34, 34))
        sides.append(back)
    return tuple(map(_trimmed, sides))


def preview(face: PrintedFace, design: CardDesign) -> Image.Image:
    """The sides one below the other, RGBA."""
    sides = preview_sides(face, design)
    whole = Image.new("RGBA", (sides[0].width, sum(one.height for one in sides) + _GAP * (len(sides) - 1)))
    top = 0
    for side in sides:
        whole.paste(side, (0, top))
        top += side.height + _GAP
    return whole


def _trimmed(side: Image.Image) -> Image.Image:
    card = side.crop(_CARD).convert("RGBA")
    shape, outline = _card_shape(card.size)
    card.putalpha(shape)
    card.alpha_composite(outline)
    return card


@cache
def _card_shape(size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """The card as a mask, and its outline; drawn larger and reduced."""
    large = size[0] * _TWICE, size[1] * _TWICE
    edge, radius = (0, 0, large[0] - 1, large[1] - 1), round(dots(_CORNER) * _TWICE)
    shape, outline = Image.new("L", large), Image.new("RGBA", large)
    ImageDraw.Draw(shape).rounded_rectangle(edge, radius, fill=255)
    ImageDraw.Draw(outline).rounded_rectangle(edge, radius, outline=(120, 120, 120, 110), width=_TWICE)
    return shape.resize(size, Image.Resampling.LANCZOS), outline.resize(size, Image.Resampling.LANCZOS)


def _chip(front: Image.Image) -> None:
    """Eight contacts in two columns, drawn larger and reduced."""
    left, top, right, bottom = _MODULE.dots
    size = (right - left) * _TWICE, (bottom - top) * _TWICE
    module = Image.new("RGB", size, _GOLD)
    draw = ImageDraw.Draw(module)
    width, height = size
    for row in range(1, 4):
        y = height * row // 4
        draw.line((0, y, width * 36 // 100, y), _GOLD_EDGE, 5)
        draw.line((width * 64 // 100, y, width, y), _GOLD_EDGE, 5)
    for x in (36, 64):
        draw.line((width * x // 100, 0, width * x // 100, height), _GOLD_EDGE, 5)
    draw.rounded_rectangle(
        (width * 36 // 100, height // 4, width * 64 // 100, height * 3 // 4), width // 12, outline=_GOLD_EDGE, width=5
    )
    shape = Image.new("L", size)
    ImageDraw.Draw(shape).rounded_rectangle((0, 0, width - 1, height - 1), width // 9, fill=255)
    reduced = (right - left, bottom - top)
    front.paste(
        module.resize(reduced, Image.Resampling.LANCZOS), (left, top), shape.resize(reduced, Image.Resampling.LANCZOS)
    )
