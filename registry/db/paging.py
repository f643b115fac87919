"""Pages of long lists (keyset pagination): a cursor is the key that a page ends with; the next page begins after it.

So every page costs the same, and rows that are added or deleted meanwhile shift nothing.
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
    """The cursor is not one of this list."""

    def __init__(self) -> None:
        super().__init__("this cursor is none of this list; ask for its first page", reason="cursor")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list; ``next`` is the cursor of the following page, None on the last one."""

    items: tuple[T, ...]
    next: str | None


def cut(limit: int) -> int:
    """The number of items of a page for a requested ``limit``."""
    return min(max(limit, 1), MOST)


def write_cursor(*key: str | int) -> str:
    """The cursor of a key: JSON in base64url."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def read_cursor(cursor: str, *kinds: type) -> list[Any]:
    """The key that ``write_cursor`` wrote, of these types. Raises BadCursor."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    well_formed = isinstance(key, list) and len(key) == len(kinds)
    if not well_formed or any(type(part) is not kind for part, kind in zip(key, kinds, strict=True)):
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
    """A page of rows that were fetched with one more than ``cut(limit)``: that row shows that there is a next page."""
    shown = rows[: cut(limit)]
    next_cursor = write_cursor(*key(shown[-1])) if len(rows) > len(shown) else None
    return Page(tuple(map(item, shown)), next_cursor)
