"""A workbook's cell holds text from people as text."""

from __future__ import annotations

import io

import pytest
from openpyxl import Workbook, load_workbook

from personalize.cells import write_cell

HOSTILE = ['=HYPERLINK("http://evil.example")', "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_a_formula(text: str) -> None:
    book = Workbook()
    write_cell(book.active["A1"], text)
    whole = io.BytesIO()
    book.save(whole)
    cell = load_workbook(whole).active["A1"]
    assert (cell.data_type, cell.quotePrefix) == ("s", True)


def test_what_a_workbook_cannot_hold_is_left_out_and_what_turns_text_is_shown() -> None:
    cell = Workbook().active["A1"]
    write_cell(cell, "a\x00\x1bb\u202ec\nd")
    assert cell.value == "ab\\u202ec\nd"
    write_cell(cell, "x" * 40_000)
    assert len(cell.value) == 32_767
    write_cell(cell, 3)
    assert cell.value == 3
