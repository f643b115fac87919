"""Text of cells: full-width forms, invisible characters, blanks, and cells that are not text."""

from __future__ import annotations

import datetime
import re
import sys
import unicodedata
from typing import TypeAlias

Cell: TypeAlias = "str | float | int | bool | datetime.date | datetime.datetime | datetime.time | datetime.timedelta"

# Invisible letters and symbols: Hangul fillers and the empty Braille pattern.
_FILLERS = (0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0)
# Variation selectors choose a glyph, not a character.
_SELECTORS = (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


def _invisible() -> list[int]:
    """Every invisible code point: separators, controls (C0, C1) and format characters (zero-width, direction marks,
    byte order mark)."""
    wanted = ("Zs", "Zl", "Zp", "Cc", "Cf")
    bmp = (code for code in range(0x10000) if unicodedata.category(chr(code)) in wanted)
    return [*bmp, *_FILLERS, *_SELECTORS]


_INVISIBLE = _invisible()
_SQUEEZE: dict[int, int | None] = {**_FULL_WIDTH, **dict.fromkeys(_INVISIBLE)}
_BLANKS: dict[int, int | str | None] = {
    code: " " if chr(code).isspace() or code in _FILLERS else None for code in _INVISIBLE
}
_VISIBLE = {**_BLANKS, **_FULL_WIDTH}

_BROKEN_LINE = re.compile(r"(?<=[^\x00-\x7f])\s*[\r\n]\s*(?=[^\x00-\x7f])")

# What clerks write for an empty value.
_NOTHING = frozenset(("-", "--", "---", "—", "——", "－", "/", "\\", "无", "暂无", "空", "没有", "n/a", "N/A", "#N/A"))


def text_of(cell: Cell) -> str:
    """A cell as the text shown in a spreadsheet: whole floats without ``.0``, empty for an empty cell."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def squeeze(text: str) -> str:
    """Full-width to ASCII; blanks and invisible characters removed."""
    return text.translate(_SQUEEZE)


def tidy(text: str) -> str:
    """Full-width to ASCII; invisible characters removed, blanks reduced to single spaces, none at the ends."""
    return " ".join(text.translate(_VISIBLE).split())


def trim(text: str) -> str:
    """Invisible characters removed, blanks reduced to single spaces, none at the ends or at line breaks in Chinese."""
    return " ".join(_BROKEN_LINE.sub("", text).translate(_BLANKS).split())


def is_blank(squeezed: str) -> bool:
    """True for an empty text and for signs of an empty value: a dash, a slash, 无."""
    return not squeezed or squeezed in _NOTHING


def masked_name(name: str) -> str:
    """A name masked for display: the first character, then stars."""
    return name[:1] + "*" * min(len(name) - 1, 8) if name else ""


def gb18030_length(text: str) -> int:
    """Bytes of the text in GB 18030; larger than any limit for text that cannot be encoded (lone surrogates)."""
    try:
        return len(text.encode("gb18030"))
    except UnicodeEncodeError:
        return sys.maxsize
