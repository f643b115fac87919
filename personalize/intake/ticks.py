"""A gender that is ticked: one column for 男 and one for 女, under 性别 or by themselves, read as one column 性别."""

from __future__ import annotations

import re
from typing import Final

from personalize.intake.files.sheets import Sheet
from personalize.intake.text import squeeze, text_of

_TICKED: Final = frozenset("√✓✔☑✅●■◆*是对勾有v1y")
_UNTICKED: Final = frozenset(("", "×", "✗", "✘", "x", "☐", "□", "○", "◯", "否", "无", "0", "n", "-", "/", "—"))
_HEADER_WITHIN: Final = 60
"""Rows within which the titles stand."""
_TITLE: Final = "性别"
_AROUND: Final = re.compile(r"性别|打?[√✓✔]|打勾|[()（）\[\]【】:：/、]")


def join_ticks(sheet: Sheet) -> None:
    """Read the two columns as one, in place. Both ticked, or neither, is no gender. A sheet without a pair of columns
    that holds ticks is left as it is."""
    for index, row in enumerate(sheet.rows[:_HEADER_WITHIN]):
        titles = [_AROUND.sub("", squeeze(text_of(cell))) for cell in row]
        if titles.count("男") != 1 or titles.count("女") != 1:
            continue
        male, female = titles.index("男"), titles.index("女")
        if _has_other_title(sheet, index, {male, female}):
            return
        below = range(index + 1, len(sheet.rows))
        marks = ({_mark(sheet, at, male), _mark(sheet, at, female)} for at in below)
        if abs(male - female) == 1 and any(_TICKED & pair for pair in marks):
            _name_column(sheet, index, male, female)
            for at in below:
                _join(sheet, at, male, female)
            return


def _has_other_title(sheet: Sheet, index: int, pair: set[int]) -> bool:
    """Whether the table has a column of the sex beside the pair, which is then of something else."""
    rows = sheet.rows[max(0, index - 1) : index + 1]
    return any(squeeze(text_of(cell)) == _TITLE for row in rows for at, cell in enumerate(row) if at not in pair)


def _name_column(sheet: Sheet, index: int, male: int, female: int) -> None:
    row, above = sheet.rows[index], sheet.rows[index - 1] if index else None
    divides = above is not None and _TITLE in [squeeze(text_of(cell)) for cell in (above[male], above[female])]
    row[male] = row[female] = ""
    if above is not None and divides:
        above[male], above[female] = _TITLE, ""
    if not divides or any(text_of(cell) for cell in row):
        row[male] = _TITLE


def _join(sheet: Sheet, index: int, male: int, female: int) -> None:
    row = sheet.rows[index]
    marks = [_mark(sheet, index, at) for at in (male, female)]
    if all(mark in _TICKED or mark in _UNTICKED for mark in marks) and any(marks):
        ticked = [mark in _TICKED for mark in marks]
        row[male] = "" if ticked[0] == ticked[1] else "男" if ticked[0] else "女"
        row[female] = ""


def _mark(sheet: Sheet, index: int, column: int) -> str:
    return squeeze(text_of(sheet.rows[index][column])).lower()
