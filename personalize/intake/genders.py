"""The gender column: 男 and 女, and other spellings of them."""

from __future__ import annotations

import re
from typing import NamedTuple

from personalize.intake.codes import RowFault
from personalize.intake.text import Cell, squeeze, text_of

_MALE = (
    "男",
    "男性",
    "男士",
    "男生",
    "先生",
    "m",
    "male",
    "man",
    "mr",
    "mr.",
    "1",
    "01",
    "1男",
    "1-男",
    "1.男",
    "♂",
    "男♂",
)
_FEMALE = (
    "女",
    "女性",
    "女士",
    "女生",
    "小姐",
    "f",
    "female",
    "woman",
    "ms",
    "ms.",
    "mrs",
    "2",
    "02",
    "2女",
    "2-女",
    "2.女",
)
_SPELLINGS = {**dict.fromkeys(_MALE, "男"), **dict.fromkeys((*_FEMALE, "♀", "女♀"), "女")}


# Boxes of a form printed for the pen: ☑男 □女, 男√ 女□.
_TICK, _BOX = "☑√✓✔✅■●", "□☐○◯"
_BOXES = f"[{_TICK}{_BOX}]"
_BOXED = re.compile(f"(?:{_BOXES}[男女]/?{_BOXES}?[男女]|[男女]{_BOXES}?/?[男女]{_BOXES})").fullmatch
_BOX_BEFORE, _BOX_AFTER = re.compile(f"[{_TICK}]([男女])"), re.compile(f"([男女])[{_TICK}]")


class Gender(NamedTuple):
    """A cell as 男 or 女, or empty with a fault."""

    gender: str
    fault: RowFault | None
    normalized: bool


_PLAIN = {gender: Gender(gender, None, False) for gender in "男女"}
_UNKNOWN = Gender("", RowFault.GENDER_MISSING, False)


def read_gender(cell: Cell) -> Gender:
    """Read a cell as 男 or 女. Numbers 1 and 2 as in GB/T 2261.1; any other text counts as missing."""
    if isinstance(cell, str) and cell in _PLAIN:
        return _PLAIN[cell]
    text = squeeze(text_of(cell)).lower()
    gender = _SPELLINGS.get(text) or _ticked(text)
    return _UNKNOWN if gender is None else Gender(gender, None, True)


def _ticked(text: str) -> str | None:
    """The one of the two printed genders that is ticked; None for neither, for both, and for a tick between them, which
    could belong to either."""
    if not _BOXED(text):
        return None
    ticked = (_BOX_AFTER if text[0] in "男女" else _BOX_BEFORE).findall(text)
    return ticked[0] if len(ticked) == 1 else None
