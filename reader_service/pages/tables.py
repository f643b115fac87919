"""Tables that a narrow screen shows row by row: every cell carries the heading of its column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup, escape

Heading = str | tuple[str, str]
"""A text, or a text with the class of its column; "" for a column of buttons."""

_ROW_OR_CELL: Final = re.compile(r"<(tr|td)\b")
_BLANK: Final = re.compile(r">\s+</td>")


def labelled(rows: str, headings: Sequence[Heading]) -> Markup:
    """Rendered rows, each ``td`` with ``data-label``: the text of the heading above it.

    Cells of blanks alone become empty. In rendered rows "<td" is a tag and nothing else, as texts are escaped.
    Raises IndexError for a row that has more cells than there are headings.
    """
    texts = [heading if isinstance(heading, str) else heading[0] for heading in headings]
    column = 0

    def label(match: re.Match[str]) -> str:
        nonlocal column
        if match[1] == "tr":
            column = 0
            return match[0]
        text, column = texts[column], column + 1
        return f'{match[0]} data-label="{escape(text)}"' if text else match[0]

    return Markup(_BLANK.sub("></td>", _ROW_OR_CELL.sub(label, rows)))  # noqa: S704 - rendered by a template, which escaped it
