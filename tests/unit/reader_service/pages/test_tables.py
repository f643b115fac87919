"""Cells carry the heading of their column, for screens that have no room for columns."""

from __future__ import annotations

import pytest

from reader_service.pages.tables import labelled

HEADINGS = ("姓名", ("Planned", "number"), "", '"><script>')


def test_each_cell_of_each_row_has_the_heading_of_its_column() -> None:
    row = '<tr class="odd"><td>a</td><td class="number">1</td><td><button>x</button></td></tr>\n'
    expected = (
        '<tr class="odd"><td data-label="姓名">a</td><td data-label="Planned" class="number">1</td>'
        "<td><button>x</button></td></tr>\n"
    )
    assert labelled(row * 2, HEADINGS) == expected * 2


def test_a_heading_is_escaped() -> None:
    assert labelled("<tr><td></td><td></td><td></td><td></td></tr>", HEADINGS).endswith(
        '<td data-label="&#34;&gt;&lt;script&gt;"></td></tr>'
    )


def test_a_text_that_looks_like_a_cell_is_none() -> None:
    assert labelled("<tr><td>&lt;td</td><td>b</td></tr>", ("A", "B")) == (
        '<tr><td data-label="A">&lt;td</td><td data-label="B">b</td></tr>'
    )


def test_a_cell_without_text_is_empty() -> None:
    assert labelled("<tr><td>a </td><td>\n </td></tr>", ("A", "B")) == (
        '<tr><td data-label="A">a </td><td data-label="B"></td></tr>'
    )


def test_a_row_has_no_more_cells_than_the_table_has_headings() -> None:
    with pytest.raises(IndexError):
        labelled("<tr><td>a</td><td>b</td></tr>", ("A",))
