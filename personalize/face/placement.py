"""What the parts of a design owe each other: fields off the contacts, the stripe and the edge, and fonts."""

from __future__ import annotations

from collections.abc import Iterator

from personalize.face.design import CardDesign, FaceSide, Place
from personalize.face.fonts import BUILT_IN, SYSTEM
from personalize.face.geometry import CONTACTS, SAFE, STRIPE_BAND


def placement_faults(design: CardDesign) -> Iterator[tuple[Place, str]]:
    """Every fault with its place in the file."""
    for name, side in design.sides:
        for place, fault in _of_side(design, name, side):
            yield (name, *place), fault
    for font, listed in design.fonts.items():
        if not listed:
            yield ("fonts", font), "a font names at least one file"
        for number, file in enumerate(listed):
            if "." not in file and file != SYSTEM and file not in BUILT_IN:
                yield ("fonts", font, number), f"no such font; there are {SYSTEM}, {', '.join(BUILT_IN)}, and files"


def _of_side(design: CardDesign, name: str, side: FaceSide) -> Iterator[tuple[Place, str]]:
    names: set[str] = set()
    for place, field, box in side.fields:
        if field in names:
            yield place, f"two fields are called {field}"
        names.add(field)
        if not box.inside(SAFE):
            yield (*place, "box"), f"{field} lies nearer than 1 mm to the edge, where printers may cut it off"
        if name == "front" and design.contacts and box.overlaps(CONTACTS):
            yield (*place, "box"), f"{field} lies on the contacts (ISO/IEC 7816-2)"
        if name == "back" and design.stripe and box.overlaps(STRIPE_BAND):
            yield (*place, "box"), f"{field} lies on the band of the stripe (ISO/IEC 7811)"
    for number, text in enumerate(side.texts):
        if text.font not in design.fonts:
            yield ("texts", number, "font"), f"{text.field} is set in {text.font}, which is none of the fonts"
    for place, colour in side.colours:
        if design.ribbon == "k" and colour != "k":
            yield place, "a black ribbon prints nothing but the colour k"
