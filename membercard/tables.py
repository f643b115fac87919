"""Tables that fit the terminal: words and identifiers stay whole, and a table that is too wide becomes lists of fields.

Chinese characters count as two columns and may be parted anywhere but before closing punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

_HAN = "\u2e80-\u9fff\uff00-\uffef"
"""Chinese characters and their punctuation, as a class of a regular expression."""
_CHINESE = re.compile(f"[{_HAN}]")
_WORD = re.compile(rf"[^\S\n]+|(?:[^\s{_HAN}]+|[{_HAN}])[，。、；：）]*")
_NARROW = 8
"""Fewest columns of Chinese text, four characters; other texts need those of their longest word."""
_GAPS = ((0, 1), (0, 1, 0, 0), (0, 0))
"""Paddings between columns, the widest that fits first."""


class FittingTable(Table):
    """A table of texts. ``whole``: numbers of the columns that are never wrapped."""

    def __init__(self, title: Text | None, whole: Sequence[int]) -> None:
        super().__init__(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
        self._whole = frozenset(whole)
        self._texts: list[list[Text]] = []

    def add(self, cells: Sequence[Text]) -> None:
        """Add a row."""
        self._texts.append(list(cells))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        heads = [Text(str(column.header)) if self.show_header else Text() for column in self.columns]
        lines = [heads, *self._texts]
        natural = [max(_widest(row[place]) for row in lines) for place in range(len(heads))]
        least = [
            size if place in self._whole else max(_least(row[place].plain) for row in lines)
            for place, size in enumerate(natural)
        ]
        for gap in _GAPS:
            self.padding, self.show_edge = gap, gap == _GAPS[0]
            room = width - self._between(len(heads))
            if sum(natural) <= room:
                yield from self._drawn(natural, console, options)
                return
        if sum(least) <= room:
            yield from self._drawn(_shared(natural, least, room), console, options)
        else:
            yield from self._listed(heads, width)

    def _between(self, columns: int) -> int:
        """The width that is not in cells."""
        return self._extra_width + sum(map(self._get_padding_width, range(columns)))

    def _drawn(self, widths: Sequence[int], console: Console, options: ConsoleOptions) -> RenderResult:
        for column, width in zip(self.columns, widths, strict=True):
            column.width = width
            column.header = wrapped(Text(str(column.header)), width)
            column._cells.clear()
        self.rows.clear()
        for row in self._texts:
            self.add_row(*(wrapped(cell, width) for cell, width in zip(row, widths, strict=True)))
        yield from super().__rich_console__(console, options)

    def _listed(self, heads: Sequence[Text], width: int) -> RenderResult:
        if self.title:
            yield from (self.title if isinstance(self.title, Text) else Text(self.title), Text())
        label = max(map(_widest, heads))
        for row in self._texts:
            grid = Table.grid(padding=(0, 2, 0, 0))
            grid.add_column(style="bold", width=label)
            grid.add_column(width=width - label - 2, overflow="fold")
            for head, cell in zip(heads, row, strict=True):
                grid.add_row(head, wrapped(cell, width - label - 2))
            yield from (grid, Text())


class OptionTable(Table):
    """A table of Typer's help whose last columns are a kind of value and a text: the names before them stay whole."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        super().add_row(*cells, **options)
        for column in self.columns[:-2]:
            column.no_wrap = True


def wrapped(cell: Text, width: int) -> Text:
    """The text in lines of at most ``width`` columns, parted between words; a longer word has a line of its own."""
    if _widest(cell) <= width:
        return cell
    lines = []
    for paragraph in cell.plain.split("\n"):
        line = ""
        for word in _WORD.findall(paragraph):
            if line and cell_len(line + word.rstrip()) > width:
                lines.append(line.rstrip())
                line = ""
            line += word if line else word.lstrip()
        lines.append(line.rstrip())
    return Text("\n".join(lines), cell.style)


def _widest(cell: Text) -> int:
    """The width of the longest line."""
    return max(map(cell_len, cell.plain.split("\n")))


def _least(plain: str) -> int:
    """The width that a text needs so that no word of it is parted."""
    longest = max((cell_len(word.strip()) for word in _WORD.findall(plain)), default=0)
    widest = max(map(cell_len, plain.split("\n")))
    return max(longest, min(_NARROW, widest)) if _CHINESE.search(plain) else longest


def _shared(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths for ``room`` columns: what is missing is taken from the widest columns."""
    widths = list(natural)
    while sum(widths) > room:
        place = max((place for place in range(len(widths)) if widths[place] > least[place]), key=widths.__getitem__)
        widths[place] -= 1
    return widths
