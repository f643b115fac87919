"""What all tables share: metadata with the names of constraints, column types, and functions for constraints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Dialect, ForeignKeyConstraint, Integer, MetaData, text
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """An aware time. SQLite keeps no zone, so it is stored there as UTC and read back as such."""

    impl = DateTime(timezone=True)
    cache_ok = True
    """Statements with this type may be cached: it has no settings."""

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the registry stores aware times only")
        at = value.astimezone(UTC)
        return at.replace(tzinfo=None) if dialect.name == "sqlite" else at

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def of_card() -> ForeignKeyConstraint:
    """The columns ``card_number`` and ``sequence`` of a table name a card."""
    return ForeignKeyConstraint(["card_number", "sequence"], ["cards.card_number", "cards.sequence"])


def where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def among(values: tuple[str, ...]) -> str:
    return "state IN ({})".format(", ".join(f"'{value}'" for value in values))


# SQLite numbers rows by itself only where the key is INTEGER; with AUTOINCREMENT no number ever comes back.
RowId = BigInteger().with_variant(Integer(), "sqlite")
