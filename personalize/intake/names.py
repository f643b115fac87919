"""Names of persons as on an identity card: Han characters, with · between the parts of a long name, or
Latin letters with single spaces. Member card: at most 20 characters and 60 bytes of GB 18030."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from personalize.intake.codes import RowFault
from personalize.intake.text import Cell, gb18030_length, is_blank, is_ditto, may_say_nothing, squeeze, text_of, tidy

MAX_CHARACTERS, MAX_BYTES = 20, 60
DOT = "·"

_EVERYDAY = re.compile(r"[一-龥]{1,20}").fullmatch
_HAN = r"〇\u3400-\u4dbf\u4e00-\u9fff\ufa0e-\ufa29\uf900-\ufad9\U00020000-\U000323af"
_HAN_NAME = re.compile(f"[{_HAN}]+({DOT}[{_HAN}]+)*").fullmatch
_HAS_HAN = re.compile(f"[{_HAN}]").search
_LETTER = r"A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
_LATIN_NAME = re.compile(f"[{_LETTER}]+(?:(?:\\. ?|[ {DOT}'-])[{_LETTER}]+)*\\.?").fullmatch
_DOTS = re.compile(r"[·•‧∙⋅・･.˙⸱﹒●᛫⸳ᐧꞏ]+")
_LATIN_DOTS = re.compile(r"[·•‧∙⋅・･˙⸱●᛫⸳]+")
_LATIN_QUOTES = str.maketrans("’‘ʼ", "'''")


def _private_use() -> dict[int, str]:
    """Rare characters that older systems put into the private use area (GBK FE50-FEA0), mapped to Unicode today.

    GB 18030-2000 moved most of them, which Python's codec has; the last fourteen moved with GB 18030-2005.
    """
    moved = {0xE816: 0x20087, 0xE817: 0x20089, 0xE818: 0x200CC, 0xE81E: 0x9FB4, 0xE826: 0x9FB5, 0xE82B: 0x9FB6}
    moved |= {0xE82C: 0x9FB7, 0xE831: 0x215D7, 0xE832: 0x9FB8, 0xE83B: 0x2298F, 0xE843: 0x9FB9, 0xE854: 0x9FBA}
    moved |= {0xE855: 0x241FE, 0xE864: 0x9FBB}
    table = {code: chr(target) for code, target in moved.items()}
    trails = [*range(0x50, 0x7F), *range(0x80, 0xA1)]
    for code, trail in enumerate(trails, start=0xE815):
        table.setdefault(code, bytes((0xFE, trail)).decode("gb18030"))
    return table


_PRIVATE_USE = _private_use()


class Name(NamedTuple):
    """A cell as a name; ``fault`` is None for a name that fits a card."""

    name: str
    fault: RowFault | None
    normalized: bool

    def __repr__(self) -> str:
        return f"<Name {self.fault or 'sound'}>"


def read_name(cell: Cell) -> Name:
    """Read a cell as a name: no blanks inside a Han name, dot variants to ·, single spaces in a Latin name."""
    if isinstance(cell, str) and _EVERYDAY(cell) and not may_say_nothing(cell) and cell[0] not in "同上":
        return Name(cell, None, False)
    typed = text_of(cell)
    squeezed = squeeze(typed)
    if is_blank(squeezed) or is_ditto(squeezed):
        return Name("", RowFault.NAME_MISSING, False)
    name = tidy(typed).translate(_PRIVATE_USE)
    if _HAS_HAN(name):
        name = _DOTS.sub(DOT, name.replace(" ", ""))
        well_formed = _HAN_NAME(name)
    else:
        name = _LATIN_DOTS.sub(DOT, unicodedata.normalize("NFC", name.translate(_LATIN_QUOTES)))
        well_formed = _LATIN_NAME(name)
    fits = len(name) <= MAX_CHARACTERS and gb18030_length(name) <= MAX_BYTES
    return Name(name, None if well_formed and fits else RowFault.NAME_CHARS, name != typed)
