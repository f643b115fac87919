"""What migrations from v0041 on build tables from: columns, keys, and triggers that keep what is on record.

A migration that has run is never run again, so nothing here changes; a migration that needs more brings its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from alembic import op

ROW_ID: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME: Final = sa.DateTime(timezone=True)


@dataclass(frozen=True, slots=True)
class LastingTable:
    """A table whose rows are never deleted. ``facts`` are columns that never change, ``ended`` is true of a change that
    is refused, over ``OLD`` and ``NEW``; ``keys`` is true of a row that has a key of ``NEW`` already."""

    columns: tuple[sa.Column[Any], ...]
    checks: Mapping[str, str]
    facts: tuple[str, ...]
    keys: str
    ended: str = "1 = 0"
    primary: tuple[str, ...] = ("id",)
    references: Mapping[str, str] = field(default_factory=dict)
    unique: tuple[tuple[str, ...], ...] = ()


def number(name: str, kind: Any = ROW_ID, *, nullable: bool = False) -> sa.Column[Any]:
    """A whole number; without a kind one that names a row."""
    return sa.Column(name, kind, nullable=nullable)


def count(name: str) -> sa.Column[Any]:
    """How many, or an amount in fen."""
    return sa.Column(name, sa.BigInteger(), nullable=False)


def texts(*names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _TIME, nullable=nullable)


def signature(name: str) -> list[sa.Column[Any]]:
    """When and by whom; nobody yet where both are NULL."""
    return [sa.Column(f"{name}_at", _TIME), sa.Column(f"{name}_by", sa.Text())]


def sealed(nullable: bool = False) -> list[sa.Column[Any]]:
    """Personal data, and the key that seals them."""
    return [
        sa.Column("sealed", sa.LargeBinary(), nullable=nullable),
        sa.Column("seal_key", sa.Text(), nullable=nullable),
    ]


def unique_where(table: str, name: str, columns: list[str], condition: str) -> None:
    """A unique index over some of the rows."""
    living = sa.text(condition)
    op.create_index(f"uq_{table}_{name}", table, columns, unique=True, sqlite_where=living, postgresql_where=living)


def create(tables: Mapping[str, LastingTable]) -> None:
    """Create these tables with their checks, keys and triggers."""
    for name, table in tables.items():
        _create(name, table)
    (_triggers_of_sqlite if op.get_bind().dialect.name == "sqlite" else _triggers_of_postgres)(tables)


def drop(tables: Mapping[str, LastingTable], sentence: str) -> None:
    """Drop them again. Raises ValueError with this sentence where one has a row."""
    for name in tables:
        if op.get_bind().execute(sa.text(f"SELECT 1 FROM {name} LIMIT 1")).first() is not None:  # noqa: S608  # own name
            raise ValueError(sentence)
    for name in reversed(list(tables)):
        op.drop_table(name)


def _create(name: str, table: LastingTable) -> None:
    numbered = {"sqlite_autoincrement": True} if table.primary == ("id",) else {}
    op.create_table(
        name,
        *table.columns,
        *(sa.CheckConstraint(rule, name=op.f(f"ck_{name}_{check}")) for check, rule in table.checks.items()),
        *(
            sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_{name}_{column}"))
            for column, target in table.references.items()
        ),
        sa.PrimaryKeyConstraint(*table.primary, name=op.f(f"pk_{name}")),
        *(sa.UniqueConstraint(*one, name=op.f(f"uq_{name}_{'_'.join(one)}")) for one in table.unique),
        **numbered,
    )


def _changed(table: LastingTable, differ: str) -> str:
    facts = [f'OLD."{name}" {differ} NEW."{name}"' for name in table.facts]
    return " OR ".join([*facts, table.ended])


def _triggers_of_sqlite(tables: Mapping[str, LastingTable]) -> None:
    # INSERT OR REPLACE deletes without a look at the trigger for deletes. sqlite.org/lang_conflict.html
    for name, table in tables.items():
        taken = f"EXISTS (SELECT 1 FROM {name} WHERE {table.keys})"  # noqa: S608  # names of a migration
        for trigger, event in (
            ("unchanged", f"UPDATE ON {name} WHEN {_changed(table, 'IS NOT')}"),
            ("kept", f"DELETE ON {name}"),
            ("once", f"INSERT ON {name} WHEN {taken}"),
        ):
            refusal = f"SELECT RAISE(ABORT, '{name}_{trigger}')"
            op.execute(f"CREATE TRIGGER {name}_{trigger} BEFORE {event} BEGIN {refusal}; END")


def _triggers_of_postgres(tables: Mapping[str, LastingTable]) -> None:
    refuse = "EXECUTE FUNCTION refuse_change()"
    for name, table in tables.items():
        changed = _changed(table, "IS DISTINCT FROM")
        op.execute(f"CREATE TRIGGER {name}_unchanged BEFORE UPDATE ON {name} FOR EACH ROW WHEN ({changed}) {refuse}")
        op.execute(f"CREATE TRIGGER {name}_kept BEFORE DELETE OR TRUNCATE ON {name} FOR EACH STATEMENT {refuse}")
