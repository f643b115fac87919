"""Texts in Chinese and English, and how amounts, percentages and days are written in them.

Amounts are integers in fen, percentages integers in hundredths of a percent; the programme file has them in yuan and
percent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

_HIGHEST: Final = 10_000_000
"""More than any price in yuan."""
_LONGEST: Final = 200
"""Characters of a text: it stands on one line of a receipt, or a few."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text for a person, in both languages."""

    zh: str
    en: str

    def __str__(self) -> str:
        return f"{self.zh} / {self.en}"


class ProgrammeSection(BaseModel):
    """A section of the programme file: no unknown fields, frozen, values not repeated in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)


class Wording(ProgrammeSection):
    """A text of the programme file in both languages. The linter refuses an empty one."""

    zh: str = Field("", max_length=_LONGEST)
    en: str = Field("", max_length=_LONGEST)


def joined(texts: Iterable[Wording]) -> Sentence:
    """A list of texts in one line."""
    listed = tuple(texts)
    return Sentence("、".join(text.zh for text in listed), ", ".join(text.en for text in listed))


def yuan(fen: int) -> str:
    """An amount in fen as yuan with two decimals."""
    return f"{fen // 100}.{fen % 100:02d}"


def signed_yuan(fen: int) -> str:
    """The same for an amount that may be negative: ``-0.50``."""
    return f"-{yuan(-fen)}" if fen < 0 else yuan(fen)


def percent_text(hundredths: int) -> str:
    """A percentage in hundredths of a percent: ``78``, ``97.5``."""
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02d}".rstrip("0") if rest else str(whole)


def day_text(day: date) -> str:
    """A day, as counters read it."""
    return day.isoformat()


def _hundredths(value: object) -> int:
    """Hundredths of a number that has at most two decimals, written as a number or as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("write a number, such as 200 or 12.50")
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError("write a number, such as 200 or 12.50")
    if not 0 <= number <= _HIGHEST:  # first of all: a number in a few letters may have a million digits
        raise ValueError("not below zero, and at most 10,000,000")
    hundredths = number * 100
    if hundredths != int(hundredths):
        raise ValueError("at most two decimals")
    return int(hundredths)


def fen_of(text: str) -> int:
    """An amount in yuan as a person writes it, in fen: none below zero, at most 10,000,000 yuan. Raises ValueError."""
    return _hundredths(text.strip())


Yuan = Annotated[int, BeforeValidator(_hundredths), PlainSerializer(yuan)]
"""An amount: yuan in the file, fen in the program."""
Percent = Annotated[int, BeforeValidator(_hundredths), PlainSerializer(percent_text)]
"""A percentage: percent in the file, hundredths of a percent in the program."""
