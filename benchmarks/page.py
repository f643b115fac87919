"""The page of the figures: text, and one section with a table for each benchmark."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmarks.table import Row

_HEAD = "| what | measured | ratio | target | |\n| --- | --- | --- | --- | --- |\n"
_SECTION = re.compile(r"^## (?P<name>\S+)\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def with_section(page: str, name: str, rows: Sequence[Row], measured: str, order: Sequence[str]) -> str:
    """The page with the section ``name`` written anew. Sections are in ``order``; the text before them stays, and so do
    other sections. ``measured``: when and on which machine."""
    sections = {match["name"]: match[0].strip() for match in _SECTION.finditer(page)}
    lines = [f"| {r.what} | {r.measured} | {r.ratio:.3g} | {r.target} | {'✓' if r.ok else '✗'} |\n" for r in rows]
    sections[name] = f"## {name}\n\n{_HEAD}{''.join(lines)}\n{measured}"
    text = _SECTION.split(page)[0].strip()
    known = sorted(sections, key=lambda one: order.index(one) if one in order else len(order))
    return "\n\n".join([text, *(sections[one] for one in known)]) + "\n"
