"""What a printed card looks like: panels laid on a white card one after the other, kept as pictures beside its file.

``chip-….front.png`` and ``chip-….back.png`` show the colours, ``chip-….front-overlay.png`` (where an overlay was laid)
the varnish in white. A card that is printed again keeps what was on it.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from simulators.machines.evolis.panels import DOTS, DYES, LINES, Dots
from simulators.machines.stripe.stripe import replace_file
from terminal.errors import ReaderFault

FRONT, BACK = "front", "back"
_ABSORBED: Final = {"c": 0, "m": 1, "y": 2}
"""The component of light, of red, green and blue, that a dye takes away."""


class CardFace:
    """One side of one card. ``pixels`` has 648 rows of 1016 dots in red, green and blue; ``overlay`` the varnish."""

    def __init__(self) -> None:
        self.pixels: npt.NDArray[np.uint8] = np.full((DOTS, LINES, 3), 255, np.uint8)
        self.overlay: npt.NDArray[np.bool_] = np.zeros((DOTS, LINES), np.bool_)

    @classmethod
    def of_card(cls, card: Path, side: str) -> CardFace:
        """The face of a card file; white where nothing was printed. Raises ReaderFault for a picture that is none."""
        face = cls()
        for path, target in ((_picture(card, side), face.pixels), (_overlay(card, side), face.overlay)):
            try:
                with Image.open(path) as picture:
                    target[:] = np.asarray(picture.convert("RGB" if target.ndim == 3 else "1"))
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                raise ReaderFault(f"{path.name} is no picture of a card") from error
        return face

    def lay(self, panel: str, levels: int, dots: Dots, lines: int = LINES) -> None:
        """Print one panel, or its first ``lines`` lines where the ribbon ends."""
        part = np.s_[:, :lines]
        if panel in DYES:
            component = self.pixels[:, :lines, _ABSORBED[panel]]
            through = (levels - 1 - dots[part]).astype(np.uint16)
            component[:] = (component * through + (levels - 1) // 2) // (levels - 1)
        elif panel == "k":
            self.pixels[part][dots[part] > 0] = 0
        else:
            self.overlay[part] |= dots[part] > 0

    def save(self, card: Path, side: str) -> None:
        """Write the pictures beside the card file. Raises ReaderFault."""
        replace_file(_picture(card, side), _png(Image.fromarray(self.pixels)))
        if self.overlay.any():
            replace_file(_overlay(card, side), _png(Image.fromarray(self.overlay)))


def _picture(card: Path, side: str) -> Path:
    return card.with_suffix(f".{side}.png")


def _overlay(card: Path, side: str) -> Path:
    return card.with_suffix(f".{side}-overlay.png")


def _png(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "PNG", compress_level=1, dpi=(300, 300))
    return content.getvalue()
