"""The work of a registry, to be counted: its statements, and the steps that SQLite takes for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from registry.store import Registry


@contextmanager
def statements(registry: Registry) -> Iterator[list[tuple[str, Any]]]:
    """Statements that are executed meanwhile, with their parameters."""
    executed: list[tuple[str, Any]] = []

    def note(conn: object, cursor: object, statement: str, parameters: Any, *_: object) -> None:
        executed.append((statement, parameters))

    engine = registry._context.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        event.remove(engine, "before_cursor_execute", note)


@contextmanager
def steps(registry: Registry) -> Iterator[list[int]]:
    """Hundreds of steps of SQLite's virtual machine that are taken meanwhile, as one number: they do not depend on the
    speed of the machine."""
    taken = [0]

    def note() -> None:
        taken[0] += 1

    def watch(dbapi_connection: Any, *_: object) -> None:
        dbapi_connection.set_progress_handler(note, 100)

    def leave(dbapi_connection: Any, *_: object) -> None:
        dbapi_connection.set_progress_handler(None, 0)

    pool = registry._context.database.engine.pool
    event.listen(pool, "checkout", watch)
    event.listen(pool, "checkin", leave)
    try:
        yield taken
    finally:
        event.remove(pool, "checkout", watch)
        event.remove(pool, "checkin", leave)
