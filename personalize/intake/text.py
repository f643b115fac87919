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

# What clerks and programs write for an empty value.
_SAYS_NOTHING = re.compile(
    r"[(\[{【<《\"“‘]*(?:[-‐‑‒–—―−﹣ー…./\\_~～、,。]*|"
    r"(?:暂时?|目前|尚|现|还)?(?:无|無|没有?|沒有?|未有|空|空白|缺|缺失|缺项|略|不详|不明|不知道?|不清楚|未知|未填写?|未提供|未登记|未留|"
    r"待补充?|待定|待填写?|待查|待核实?)(?:姓名|名字|身份证号?码?|证件号?码?|手机号?码?|电话号?码?|联系方式|单位|部门|工会|填写?|数据|信息)?|"
    r"暂缺|none|null|nil|nan|n/?a|#n/a|tbd|unknown)[)\]}】>》\"”’。.!！,，]*"
).fullmatch
_NOTHING_STARTS = frozenset("无無没沒未空缺略不待暂目尚现还")

_DITTO_WORDS = re.compile(
    r"(?:同(?:上|前|左)(?:[一1]?[行列格条]|面|述|所?属?单位|工会)?|上同|(?:所?属?单位)?同上|同|as?above|ditto|do|ibid)"
).fullmatch
_DITTO_MARKS = frozenset("〃〞〝″\"'“”‘’′`´゛々仝ˮ↑⇑")
_AROUND_DITTO = re.compile(r"[\s。.．,，、;；:：!！~～…()（）\[\]【】「」『』<>《》—–―_-]+")

_ID_LIKE = re.compile(r"[0-9]{14}(?:[0-9]{3})?[0-9X]|[0-9]+(?:[.,][0-9]+)?E\+?0*1[4-9]|[0-9]{15,}(?:[.,]0*)?").fullmatch
_DAY = re.compile(
    r"([0-9]{4})(?:[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?(?:0?0:00:00)?|([0-9]{2})([0-9]{2}))"
).fullmatch
_LONG_NUMBER = re.compile(r"[0-9０-９]{11,}[XxＸｘ]?")
_ODD_AROUND = re.compile(r"^[='\"`´’‘“”]+|['\"`´’‘“”]+$")


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
    """True for an empty text and for signs of an empty value: a dash, a slash, 无, 暂无, 没有, N/A."""
    return not squeezed or _SAYS_NOTHING(squeezed.lower()) is not None


def may_say_nothing(text: str) -> bool:
    """False for a text that begins like none of the Chinese words for an empty value: a fast check before is_blank."""
    return text[:1] in _NOTHING_STARTS


def is_ditto(squeezed: str) -> bool:
    """Whether a cell repeats the one above: 同上, 〃, a lone quotation mark."""
    bare = _AROUND_DITTO.sub("", squeezed).lower()
    return bool(bare) and (_DITTO_WORDS(bare) is not None or _DITTO_MARKS.issuperset(bare))


def looks_like_id(text: str) -> bool:
    """Whether a cell's text is anything like an ID number: 15 or 18 digits, or such a number as Excel shortens it."""
    return len(text) >= 5 and _ID_LIKE(_ODD_AROUND.sub("", squeeze(text)).upper()) is not None


def day_in(squeezed: str) -> datetime.date | None:
    """The day that a cell names: 2030-01-31, 2030.1.31, 2030/1/31, 2030年1月31日 or 20300131; None for another text."""
    match = _DAY(squeezed)
    try:
        return datetime.date(int(match[1]), int(match[2] or match[4]), int(match[3] or match[5])) if match else None
    except ValueError:
        return None


def masked_numbers(text: str) -> str:
    """A text without numbers of persons: 11 digits or more become three stars."""
    return _LONG_NUMBER.sub("***", text)


def gb18030_length(text: str) -> int:
    """Bytes of the text in GB 18030; larger than any limit for text that cannot be encoded (lone surrogates)."""
    try:
        return len(text.encode("gb18030"))
    except UnicodeEncodeError:
        return sys.maxsize
