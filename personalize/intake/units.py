"""Names of units (基层工会): what a cell names, and whether a card can carry the name (DF23)."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from personalize.intake.codes import RowFault
from personalize.intake.text import Cell, gb18030_length, is_blank, squeeze, text_of, trim
from registry.unit_names import own_name
from terminal.member.codecs import UnitNameText

MAX_BYTES: Final = 60  # DF23 on the card

_ERRORS = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|NUM!|NULL!|DIV/0!|SPILL!|CALC!|FIELD!|GETTING_DATA|#+)").fullmatch
_ZERO = re.compile(r"[-+]?0+(?:\.0*)?").fullmatch  # what VLOOKUP gives for an empty cell
_PERSONAL = re.compile(r"[0-9]{11}").search
_PLACEHOLDER = re.compile(r"[×＊*?？_＿]{2,}|^[xXｘＸ]{2,}").search  # ××学院 of a form's sample


def unit_name(cell: Cell) -> str:
    """The name in a cell that does not repeat another; empty where it names none: blank, 无, 0, an error of a
    formula, a date or a truth value."""
    if isinstance(cell, bool) or not isinstance(cell, (str, int, float)):
        return ""
    text = text_of(cell)
    squeezed = squeeze(text)
    if is_blank(squeezed) or _ZERO(squeezed) or _ERRORS(squeezed.upper()):
        return ""
    text = trim(text)
    for mark in "\"'":
        if text.count(mark) % 2:
            text = text.strip(mark)  # a stray one, as of csv files
    return text.strip()


def unit_fault(name: str) -> RowFault | None:
    """Why a card cannot carry this name: none, too long, or with characters that a card does not take. A name that
    holds a person's number, as damaged files have it, is refused too, and so is one of signs only."""
    if not name:
        return RowFault.UNIT_MISSING
    if any(unicodedata.category(character) in UnitNameText.FORBIDDEN for character in name):
        return RowFault.UNIT_CHARS
    if _PERSONAL(squeeze(name)) or _PLACEHOLDER(name) or not any(map(str.isalnum, name)):
        return RowFault.UNIT_CHARS
    return RowFault.UNIT_TOO_LONG if gb18030_length(own_name(name)) > MAX_BYTES else None
