"""Counters whose numbers are given out once: batch numbers of a day, card serials, member numbers, row keys."""

from __future__ import annotations

from sqlalchemy import Connection, text

from registry.errors import RegistryConflict

_ALLOCATE = text(
    "INSERT INTO counters (name, value) VALUES (:name, :count) "
    "ON CONFLICT (name) DO UPDATE SET value = counters.value + :count RETURNING value"
)


def allocate(conn: Connection, name: str, count: int) -> range:
    """The next ``count`` numbers of a counter, from 1. A transaction that is rolled back gives them back."""
    if count < 1:
        raise RegistryConflict(f"{count} numbers cannot be given out", reason="count", count=count)
    last: int = conn.execute(_ALLOCATE, {"name": name, "count": count}).scalar_one()
    return range(last - count + 1, last + 1)
