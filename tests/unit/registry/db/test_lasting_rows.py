"""Rows that no rule lets anybody delete: no statement of the database deletes them in passing either."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Table, UniqueConstraint, text

from registry.db.database import Database
from registry.db.tables import metadata
from registry.errors import RegistryConflict
from registry.migrations import migrate


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    migrate.to_head(opened)
    yield opened
    opened.close()


def unique_keys(table: Table) -> list[tuple[str, ...]]:
    """The columns of every unique key of a table."""
    constraints = [one.columns for one in table.constraints if isinstance(one, UniqueConstraint)]
    keys = [table.primary_key.columns, *constraints, *(index.columns for index in table.indexes if index.unique)]
    return [tuple(column.name for column in key) for key in keys]


_OF_TABLE: dict[str, dict[str, object]] = {
    "cover_lists": {"state": "drafted"},
    "cover_holders": {"left_list": None},
    "claim_steps": {"decision": "approve"},
    "ecard_codes": {"ended": None},
    "ecard_devices": {"ended": None},
}
"""Values of rows for which a partial key holds."""


def row_of(conn: sqlite3.Connection, table: str, mark: int, same: Sequence[str] = ()) -> dict[str, object]:
    """A row of any values that the triggers take; those of ``same`` are those of every other row."""
    fixed = {"state": "draft", "step": "hand-over", "in_force": 1, "undone_at": None, "out_at": None}
    fixed |= _OF_TABLE.get(table, {})
    columns = conn.execute(f"PRAGMA table_info({table})").fetchall()
    values = {name: 7 if name in same else mark for _, name, *_ in columns}
    return {name: fixed.get(name, value) for name, value in values.items()}


def test_no_row_that_may_not_be_deleted_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "registry.sqlite"
    opened = Database(f"sqlite:///{path}")
    migrate.to_head(opened)
    opened.close()
    lost = []
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("PRAGMA ignore_check_constraints = ON")
        others = "name NOT LIKE '%_not_replaced' AND name NOT LIKE '%_once'"  # they ask for rows of other tables
        for (other,) in conn.execute(
            f"SELECT name FROM sqlite_master WHERE sql LIKE '% BEFORE INSERT %' AND {others}"  # noqa: S608
        ).fetchall():
            conn.execute(f"DROP TRIGGER {other}")
        tables = conn.execute(
            "SELECT DISTINCT tbl_name FROM sqlite_master WHERE sql LIKE '% BEFORE DELETE %'"
        ).fetchall()
        assert len(tables) > 10
        for (table,) in tables:
            for key in unique_keys(metadata.tables[table]):
                conn.execute("BEGIN")
                first, second = row_of(conn, table, 7), row_of(conn, table, 8, key)
                names = ", ".join(f'"{name}"' for name in first)
                marks = ", ".join("?" * len(first))
                into = f"INTO {table} ({names}) VALUES ({marks})"
                conn.execute(f"INSERT OR IGNORE {into}", list(first.values()))
                try:
                    conn.execute(f"INSERT OR REPLACE {into}", list(second.values()))
                    lost.append((table, key))
                except sqlite3.IntegrityError:
                    pass
                conn.execute("ROLLBACK")
    assert lost == []


def test_no_table_of_such_rows_is_emptied(database: Database) -> None:
    if database.dialect == "sqlite":
        with pytest.raises(sqlite3.OperationalError, match="syntax error"):  # it has none, and DELETE asks the triggers
            sqlite3.connect(":memory:").execute("TRUNCATE chips")
        return
    chosen = "SELECT DISTINCT event_object_table FROM information_schema.triggers WHERE event_manipulation = 'DELETE'"
    with database.read() as conn:
        tables = list(conn.execute(text(chosen)).scalars())
    assert len(tables) > 10
    for table in tables:
        with pytest.raises(RegistryConflict), database.write() as conn:
            conn.execute(text(f"TRUNCATE {table} CASCADE"))
