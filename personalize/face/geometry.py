"""Lengths of a card's face: millimetres from the top left corner of the card, and dots of the picture.

The picture is that of card printers: 1016 × 648 dots at 300 dpi, the card of 85.60 × 53.98 mm (ISO/IEC 7810, ID-1) in
its middle, the rest bleed.
"""

from __future__ import annotations

from typing import Final, NamedTuple

WIDTH, HEIGHT = 1016, 648
DPI: Final = 300
CARD_WIDTH, CARD_HEIGHT = 85.60, 53.98
DOT: Final = 25.4 / DPI
POINT: Final = DPI / 72
"""Dots of a typographic point."""
_LEFT: Final = (WIDTH - CARD_WIDTH / DOT) / 2
_TOP: Final = (HEIGHT - CARD_HEIGHT / DOT) / 2


class FaceArea(NamedTuple):
    """A rectangle on the card, in millimetres."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def overlaps(self, other: FaceArea) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def inside(self, other: FaceArea) -> bool:
        return (
            self.left >= other.left
            and self.top >= other.top
            and self.right <= other.right
            and self.bottom <= other.bottom
        )

    @property
    def dots(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom in dots, inside the picture."""
        return (
            max(0, round(_LEFT + self.left / DOT)),
            max(0, round(_TOP + self.top / DOT)),
            min(WIDTH, round(_LEFT + self.right / DOT)),
            min(HEIGHT, round(_TOP + self.bottom / DOT)),
        )


EDGE: Final = 1.0
"""Nothing that has to be whole lies nearer to the edge: printers place the picture to half a millimetre."""
SAFE: Final = FaceArea(EDGE, EDGE, CARD_WIDTH - 2 * EDGE, CARD_HEIGHT - 2 * EDGE)
BLEED: Final = FaceArea(-1.0, -1.0, CARD_WIDTH + 2.0, CARD_HEIGHT + 2.0)
CONTACTS: Final = FaceArea(8.6, 18.0, 13.7, 12.7)
"""Front: the contact module with a margin. ISO/IEC 7816-2 puts its contacts between 10.25 and 19.87 mm from the left
edge and 19.23 and 28.55 mm from the top edge; modules reach 1.5 mm beyond."""
STRIPE_BAND: Final = FaceArea(0.0, 0.0, CARD_WIDTH, 15.82)
"""Back: no field lies here. ISO/IEC 7811-2 and -6: a stripe of three tracks begins at most 5.54 mm and ends at least
15.82 mm from the top edge."""
STRIPE: Final = FaceArea(-1.0, 4.5, CARD_WIDTH + 2.0, 11.8)
"""Back: the stripe with a margin, where no ink is."""


def dots(length: float) -> float:
    """A length in dots."""
    return length / DOT
