"""The gender column: 男 and 女, and other spellings of them."""

from __future__ import annotations

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
    gender = _SPELLINGS.get(squeeze(text_of(cell)).lower())
    return _UNKNOWN if gender is None else Gender(gender, None, True)
