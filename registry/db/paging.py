"""Long lists in pages: each page names the key it ends with, and the next one begins behind it (keyset pagination).

So a page costs the same wherever it stands, and rows that come or go meanwhile shift nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import Row

from registry.errors import RegistryConflict

MOST = 500
"""Items of one page, at most."""

T = TypeVar("T")


class BadCursor(RegistryConflict):
    """The cursor is none that this list gave out."""

    def __init__(self) -> None:
        super().__init__("this cursor is none of this list; ask for its first page", reason="cursor")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list; ``next`` is the cursor of the following page, None on the last one."""

    items: tuple[T, ...]
    next: str | None


def cut(limit: int) -> int:
    """How many items a page gets when ``limit`` are asked for."""
    return min(max(limit, 1), MOST)


def write_cursor(*key: str | int) -> str:
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(cursor: str, *kinds: type) -> list[Any]:
    """The key that ``write_cursor`` wrote, of these types. Raises BadCursor."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    right = isinstance(key, list) and len(key) == len(kinds)
    if not right or any(type(part) is not kind for part, kind in zip(key, kinds, strict=True)):
        raise BadCursor
    if any(isinstance(part, int) and abs(part) >= 2**63 for part in key) or write_cursor(*key) != cursor:
        raise BadCursor
    return list(key)


def read_time(text: str) -> datetime:
    """A time in UTC, ISO 8601, as a cursor has it. Raises BadCursor."""
    at = None
    with suppress(ValueError, OverflowError):
        at = datetime.fromisoformat(text)
    if at is None or at.utcoffset() != timedelta(0):
        raise BadCursor
    return at


def page_of(
    rows: Sequence[Row[*tuple[Any, ...]]],
    limit: int,
    item: Callable[[Row[*tuple[Any, ...]]], T],
    key: Callable[[Row[*tuple[Any, ...]]], Sequence[str | int]],
) -> Page[T]:
    """A page of rows that were fetched with one more than ``cut(limit)``, which tells whether there is a next one."""
    shown = rows[: cut(limit)]
    further = write_cursor(*key(shown[-1])) if len(rows) > len(shown) else None
    return Page(tuple(map(item, shown)), further)
