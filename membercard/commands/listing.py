"""Lists of the registry as a command shows them: all pages at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from registry.db.paging import Page

T = TypeVar("T")


def every(page: Callable[[str | None], Page[T]]) -> list[T]:
    """The items of all pages. ``page`` returns the one that begins at a cursor, None for the first."""
    items: list[T] = []
    cursor: str | None = None
    while True:
        one = page(cursor)
        items += one.items
        if (cursor := one.next) is None:
            return items
