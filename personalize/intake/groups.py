"""Headers of several rows: titles that are divided in the row below, and headings above groups of columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from personalize.intake.text import Cell, squeeze, text_of

Title: TypeAlias = tuple[str, ...]
"""The texts that name a column, the topmost first; none for a column without a title."""

_MOST_ROWS: Final = 3
_LONGEST: Final = 16
_VALUE: Final = re.compile(r"[0-9]{3}|[:：。!！?？]").search
_DIVISION: Final = re.compile(
    "姓名|名字|号|手机|电话|移动|办公|座机|固话|住宅|家庭|宅|传真|邮箱|邮件|微信|qq|单位|名称|全称|简称|部门|科室|工会|代码|类型|类别|种类|有效|期|"
    "性别|民族|地址|住址|本人|配偶|家属|紧急|联系人|拼音|汉字|中文|英文|曾用|职务|职称|年龄|出生|籍贯|学历|备注|"
    "name|phone|mobile|tel|office|home|number|no|type|unit|code",
).search


def divided_titles(rows: Sequence[Sequence[Cell]], index: int) -> tuple[list[Title], int]:
    """The title of each column from the row ``index`` on, and the last row that belongs to them."""
    titles: list[Title] = [(text,) if (text := _text(cell)) else () for cell in rows[index]]
    last = index
    while last + 1 < len(rows) and last + 1 < index + _MOST_ROWS:
        divided = _divided(titles, [_text(cell) for cell in rows[last + 1]], rows[last + 1])
        if divided is None:
            break
        titles, last = divided, last + 1
    return titles, last


def group_titles(row: Sequence[Cell]) -> list[str]:
    """The heading above each column, if the row holds headings of groups; empty for titles and label lines."""
    texts = [_text(cell) for cell in row]
    filled = [text for text in texts if text]
    if len(filled) < 2 or any(len(text) > _LONGEST or _VALUE(text) for text in filled):
        return []
    return [texts[start] if start >= 0 else "" for start in _starts(texts)]


def _divided(titles: Sequence[Title], below: Sequence[str], cells: Sequence[Cell]) -> list[Title] | None:
    """The titles with their divisions in the row below, or None where that row is none of divisions: it divides only
    titles that span several columns, repeats the others or leaves them empty, and holds no values."""
    filled = [text for text in below if text]
    named = [title[-1] for title in titles if title]
    if not filled or len(named) < 2 or any(not isinstance(cell, str) for cell in cells):
        return None
    if any(len(text) > _LONGEST or _VALUE(squeeze(text)) for text in filled) or any(
        _VALUE(t.rstrip(":：")) for t in named
    ):
        return None
    starts = _starts([title[-1] if title else "" for title in titles])
    width = {start: starts[:-1].count(start) for start in starts}  # without the empty column that ends each row
    result: list[Title] = []
    divisions = []
    for column, text in enumerate(below):
        start = starts[column]
        own = titles[start] if start >= 0 else ()
        if not text:
            result.append(titles[column])
        elif titles[column] and text == titles[column][-1]:
            result.append(titles[column])
        elif start >= 0 and width[start] > 1:
            result.append((*own, text))
            divisions.append((own[-1], text))
        else:
            return None
    genders = bool(divisions) and all(text in ("男", "女") for _, text in divisions)
    return result if genders or any(_DIVISION(text.lower()) for _, text in divisions) else None


def _starts(texts: Sequence[str]) -> list[int]:
    """For each column, the column of the text that stands there or nearest to the left; -1 for none. A text repeated
    side by side, as programs write merged cells, is one."""
    starts, start = [], -1
    for column, text in enumerate(texts):
        start = column if text and (start < 0 or text != texts[start]) else start
        starts.append(start)
    return starts


def _text(cell: Cell) -> str:
    return text_of(cell).strip()
