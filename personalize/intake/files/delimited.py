"""Delimited text (csv, tsv): records and fields, with quotation marks as clerks and programs write them.

A field in quotation marks may hold the delimiter and line breaks (RFC 4180). In a form a lone quotation mark also means
同上, and names have stray ones. A quotation that would swallow other fields or whole rows is therefore no quotation:
its mark is a character like any other, so that nobody disappears in a cell above.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

DELIMITERS: Final = ",\t;，；|"
_HEAD: Final = 20_000
_LONGEST_FIELD: Final = 131_072
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_ID_LIKE: Final = re.compile(r"[0-9０-９]{15}|[0-9]+\.?[0-9]*[eE]\+?0*1[4-9]")
_MANY: Final = 2
"""Delimiters of a line that belongs to a swallowed row: a comma in a remark is one."""
_MOST_LINES: Final = 200
"""Lines of one field: also bounds the search for the end of a quotation that has none."""


def delimiter_of(text: str, has_header: Callable[[list[list[str]]], bool]) -> str:
    """The delimiter whose first records have a header; else the most frequent. Raises OverflowError."""
    head = text[:_HEAD]
    candidates = sorted(DELIMITERS, key=head.count, reverse=True)
    return next((d for d in candidates if has_header(records(head, d))), candidates[0])


def records(text: str, delimiter: str) -> list[list[str]]:
    """All records. Raises OverflowError for a field that is longer than any cell."""
    lines = _LINE_END.split(text)
    if lines and not lines[-1]:
        lines.pop()
    result = []
    index = 0
    while index < len(lines):
        line = lines[index]
        if '"' not in line:
            result.append(line.split(delimiter) if line else [])
            index += 1
        else:
            fields, index = _quoted_record(lines, index, delimiter)
            result.append(fields)
        if any(len(field) > _LONGEST_FIELD for field in result[-1]):
            raise OverflowError(f"a field of record {len(result)} has more than {_LONGEST_FIELD} characters")
    return result


def _quoted_record(lines: Sequence[str], index: int, delimiter: str) -> tuple[list[str], int]:
    """The record that begins at a line, and the index of the line after it."""
    fields: list[str] = []
    line, at = lines[index], 0
    while True:
        if line.startswith('"', at) and (quoted := _quotation(lines, index, line, at, delimiter)):
            field, index, line, at = quoted
        else:
            end = line.find(delimiter, at)
            end = len(line) if end < 0 else end
            field, at = line[at:end], end
        fields.append(field)
        if at >= len(line):
            return fields, index + 1
        at += len(delimiter)


def _quotation(
    lines: Sequence[str], index: int, line: str, at: int, delimiter: str
) -> tuple[str, int, str, int] | None:
    """The field that a quotation mark opens, with the line and the place where it ends; None where the mark opens no
    quotation."""
    parts: list[str] = []
    start, last = at + 1, index
    while True:
        end = _closing(line, start, delimiter)
        if end is not None:
            parts.append(line[start:end])
            break
        parts.append(line[start:])
        last += 1
        if last >= len(lines) or last - index > _MOST_LINES:
            return None
        line, start = lines[last], 0
    if _swallows(parts, delimiter):
        return None
    after = line.find(delimiter, end + 1)
    after = len(line) if after < 0 else after
    return "\n".join(parts).replace('""', '"'), last, line, after


def _closing(line: str, start: int, delimiter: str) -> int | None:
    """The quotation mark that ends a field: not doubled, and followed by the delimiter or the end of the line."""
    at = start
    while (at := line.find('"', at)) >= 0:
        if line.startswith('""', at):
            at += 2
            continue
        rest = line[at + 1 :].lstrip(" ")
        if not rest or rest.startswith(delimiter):
            return at
        at += 1
    return None


def _swallows(parts: Sequence[str], delimiter: str) -> bool:
    """Whether a quotation holds what no cell of a form holds: other fields, or rows of people."""
    first, last = parts[0], parts[-1]
    if len(parts) == 1:
        bare = first.strip()
        return bool(bare) and (bare.startswith(delimiter) or bare.endswith(delimiter) or _is_row(first, delimiter))
    if first.strip().startswith(delimiter) or last.strip().endswith(delimiter):
        return True
    return any(_is_row(part, delimiter) or part.count(delimiter) >= _MANY for part in parts)


def _is_row(text: str, delimiter: str) -> bool:
    return delimiter in text and _ID_LIKE.search(text) is not None
