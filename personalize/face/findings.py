"""What keeps a face from being printed: found before a card is lost. No finding holds a text of the member."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FindingCode(StrEnum):
    """Kinds of findings."""

    NO_GLYPH = "no-glyph"
    TOO_LONG = "too-long"
    NO_TEXT = "no-text"
    NO_PHOTO = "no-photo"
    BAD_PHOTO = "bad-photo"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class FaceFinding:
    """One finding. ``detail`` holds the code points without a glyph, or the least size of the letters."""

    side: str
    field: str
    code: FindingCode
    detail: str = ""

    def __str__(self) -> str:
        match self.code:
            case FindingCode.NO_GLYPH:
                why = f"no font of the design has {self.detail}"
            case FindingCode.TOO_LONG:
                why = f"the text does not fit at {self.detail} points, its least size"
            case FindingCode.NO_TEXT:
                why = "the dossier has not the text that the design prints"
            case FindingCode.NO_PHOTO:
                why = "the member has no photo"
            case FindingCode.BAD_PHOTO:
                why = "the photo cannot be read"
            case FindingCode.CODE:
                why = "the box is too small for this code, or the code cannot hold the text"
        return f"{self.side} {self.field}: {why}"
