"""Roster rows of persons who have a card or are in a batch: unchanged, or a change that approval makes."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NAME = "ck_roster_rows_verdict"
_BEFORE = "verdict IN ('accepted', 'rejected')"
_AFTER = "verdict IN ('accepted', 'rejected', 'unchanged', 'change')"


def upgrade() -> None:
    _exchange(_BEFORE, _AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM roster_rows WHERE verdict NOT IN ('accepted', 'rejected')")
    _exchange(_AFTER, _BEFORE)


def _exchange(old: str, new: str) -> None:
    """SQLite changes a constraint only by building the table anew; no other table refers to this one."""
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f(_NAME), "roster_rows")
        op.create_check_constraint(op.f(_NAME), "roster_rows", new)
        return
    chosen = text("SELECT sql FROM sqlite_master WHERE tbl_name = 'roster_rows' AND type = :type AND sql IS NOT NULL")
    (table,) = op.get_bind().execute(chosen, {"type": "table"}).scalars()
    indexes = list(op.get_bind().execute(chosen, {"type": "index"}).scalars())
    op.execute("ALTER TABLE roster_rows RENAME TO roster_rows_before")
    for index in indexes:
        op.execute(f"DROP INDEX {index.split(' ON ')[0].split()[-1]}")
    op.execute(table.replace(old, new))
    op.execute("INSERT INTO roster_rows SELECT * FROM roster_rows_before")
    op.execute("DROP TABLE roster_rows_before")
    for index in indexes:
        op.execute(index)
