"""What letters to members share: the address in the window of the envelope, folds, and who writes.

Lengths are in millimetres from the upper left corner of the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from personalize.sheets.page import A4, PaperSheet, labelled
from registry.unit_names import BETWEEN, levels

FOLDS: Final = (105.0, 210.0)
"""Where a letter is folded for a window envelope; the same folds fit DL, ZL and DIN lang. DIN 5008, form B."""
_ADDRESS: Final = 25.0
"""Height of an address: less than a window, as the letter moves in its envelope."""
_RETURN: Final = 4.0


@dataclass(frozen=True, slots=True)
class EnvelopeWindow:
    """The window of an envelope over the folded letter."""

    left: float
    top: float
    width: float
    height: float


WINDOWS: Final[Mapping[str, EnvelopeWindow]] = MappingProxyType(
    {"gb": EnvelopeWindow(25, 30, 100, 40), "din": EnvelopeWindow(20, 45, 85, 45)}
)
"""By name: ``gb`` for the Chinese window envelopes DL (220 × 110) and ZL (230 × 120), after GB/T 1416; ``din`` for DIN
lang, after DIN 5008, form B."""


@dataclass(frozen=True, slots=True)
class LetterSender:
    """Who writes. ``windows`` are the places where members are served, with address and telephone."""

    chinese: str = "工会"
    english: str = "Trade union"
    hotline: str = ""
    windows: tuple[str, ...] = ()


def letter_head(sheet: PaperSheet, sender: LetterSender) -> None:
    """The name of the sender above the address."""
    sheet.text(25, 10, 150, 8, sender.chinese, size=14, bold=True)
    sheet.text(25, 17.5, 150, 5, sender.english, size=9, grey=True)
    for fold in FOLDS:
        sheet.line(0, fold, 5, fold, width=0.1)


def address(sheet: PaperSheet, window: EnvelopeWindow, sender: LetterSender, unit: str, name: str) -> None:
    """The unit with its levels and the member in care of it, inside the window: units deliver the letters."""
    inside = window.width - 6
    x, y = window.left + 3, window.top + 3
    sheet.text(x, y, inside, _RETURN, labelled(sender.chinese, sender.english), size=7, grey=True)
    sheet.line(x, y + _RETURN, x + inside, y + _RETURN, width=0.1)
    above, own = levels(unit)[:-1], levels(unit)[-1:]
    height = _ADDRESS - _RETURN
    if above:
        sheet.text(x, y + _RETURN + 1, inside, height / 3, BETWEEN.join(above), size=10, lines=2)
    sheet.text(x, y + _RETURN + 1 + height / 3, inside, height / 3, "".join(own), size=11, lines=2)
    sheet.text(x, y + _RETURN + 1 + 2 * height / 3, inside, height / 3, f"{name} 收", size=13, bold=True)


def paragraph(sheet: PaperSheet, y: float, height: float, chinese: str, english: str, *, size: float = 10.5) -> None:
    """A text in Chinese, and below it in English, each in half of the height."""
    width = A4[0] - 50
    sheet.text(25, y, width, height * 0.5, chinese, size=size, lines=4)
    sheet.text(25, y + height * 0.5, width, height * 0.5, english, size=size - 2, lines=4, grey=True)
