"""Counters whose numbers are given out once: batch numbers of a day, card serials, member numbers, row keys."""

from __future__ import annotations

from sqlalchemy import Connection, text

from registry.errors import RegistryConflict

PENDING = "restore/pending"
"""Counter that is above 0 while nobody has looked at a restored registry (``registry.restore``)."""
CHECKED = "restore/checked"
"""Counter with the time of the last check of a restored registry, in seconds of Unix time."""
FOLDED = "users/fold"
"""Counter with the method by which users' names were folded (``registry.admin.name_keys``)."""
APPROVALS = "batch/approvals"
"""Counter that stays at 0: its row is held by the approval that counts numbers."""
MARKS = frozenset((PENDING, CHECKED, FOLDED, APPROVALS))
"""Counters that count nothing: no number is given out from them."""
GIVEN_OUT = "numbers given out"
"""Key in a connection's info of a transaction that has given numbers out."""
_ALLOCATE = text(
    "INSERT INTO counters (name, value) VALUES (:name, :count) "
    "ON CONFLICT (name) DO UPDATE SET value = counters.value + :count "
    "RETURNING value, (SELECT value FROM counters AS held WHERE held.name = 'restore/pending')"
)
_VALUE = text("SELECT value FROM counters WHERE name = :name")
_RAISE = text(
    "INSERT INTO counters (name, value) VALUES (:name, :value) "
    "ON CONFLICT (name) DO UPDATE SET value = :value WHERE counters.value < :value"
)
_SET = text("INSERT INTO counters (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value")


def allocate(conn: Connection, name: str, count: int) -> range:
    """The next ``count`` numbers of a counter, from 1. A transaction that is rolled back gives them back.

    Raises RegistryConflict while the registry was restored and nobody has checked it: the numbers may be used already.
    """
    if count < 1:
        raise RegistryConflict(f"{count} numbers cannot be given out", reason="count", count=count)
    last, pending = conn.execute(_ALLOCATE, {"name": name, "count": count}).one()
    if pending:
        raise restored()
    conn.info[GIVEN_OUT] = True
    return range(last - count + 1, last + 1)


def last_number(conn: Connection, name: str) -> int:
    """The last number of a counter that was given out; 0 for a new counter."""
    value: int | None = conn.execute(_VALUE, {"name": name}).scalar_one_or_none()
    return value or 0


def raise_counter(conn: Connection, name: str, value: int) -> None:
    """Move a counter past ``value``, so that it is not given out again; never back."""
    conn.execute(_RAISE, {"name": name, "value": value})


def set_mark(conn: Connection, name: str, value: int) -> None:
    """Set a counter that counts nothing (``MARKS``)."""
    conn.execute(_SET, {"name": name, "value": value})


def restored() -> RegistryConflict:
    """Why nothing is given out and no lane starts after a restore."""
    return RegistryConflict(
        "this registry was restored from an older backup: what was issued since is not in it. No number is given out "
        "and no lane starts before somebody has run: membercard restore check",
        reason="restored",
    )
