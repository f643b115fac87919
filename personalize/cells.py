"""Text from people in the cells of a workbook: always text, never a formula."""

from __future__ import annotations

from typing import Any, Final

from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from terminal.visible import visible

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
_LONGEST: Final = 32_767
"""Characters of a cell. ECMA-376 part 1, 18.18.96; Excel takes no more."""
_LINES: Final = "\n\r\t"


def write_cell(cell: Any, value: Any) -> None:
    """Write a value. A text is marked as text, with a quote prefix where a program could take it for a formula; it goes
    without the characters that a workbook cannot hold, and those that would turn or hide it are made visible."""
    if not isinstance(value, str):
        cell.value = value
        return
    cell.value = visible(ILLEGAL_CHARACTERS_RE.sub("", value), keep=_LINES)[:_LONGEST]
    if value:
        cell.data_type = "s"
        cell.quotePrefix = value.startswith(FORMULA_STARTS)
