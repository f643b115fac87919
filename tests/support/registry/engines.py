"""Statements compiled once for a test process, and not once more for the database of each test."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine

from registry.db import database

_MOST = 5000
"""Statements of a process; an engine by itself remembers 500."""
_known: dict[str, Engine] = {}
"""The first engine of each driver that has asked its server what it can do."""


def share_statements() -> None:
    """Let the engines of registries share their dialect and the statements that were compiled for it."""
    database.create_engine = _shared  # type: ignore[attr-defined, assignment]


def _shared(url: URL, **options: Any) -> Engine:
    engine = create_engine(url, query_cache_size=_MOST, **options)
    dialect: Dialect = engine.dialect
    known = _known.get(dialect.driver)
    if known is not None:
        engine.dialect = engine.pool._dialect = known.dialect
        engine._compiled_cache = known._compiled_cache
        dialect.initialize = lambda connection: None  # type: ignore[method-assign]
        return engine
    ask = dialect.initialize

    def initialize(connection: Connection) -> None:
        ask(connection)
        _known.setdefault(dialect.driver, engine)

    dialect.initialize = initialize  # type: ignore[method-assign]
    return engine
