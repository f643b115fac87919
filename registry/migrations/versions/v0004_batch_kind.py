"""The kind of a batch: a roster, or the replacement of one card, which its digest alone showed before."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The constraint belongs to the column: SQLite could add one to the table only by building the table anew.
    op.execute(
        "ALTER TABLE batches ADD COLUMN kind TEXT DEFAULT 'roster' NOT NULL "
        "CONSTRAINT ck_batches_kind CHECK (kind IN ('roster', 'replacement'))"
    )
    op.execute("UPDATE batches SET kind = 'replacement' WHERE digest LIKE 'replacement/%'")


def downgrade() -> None:
    op.drop_column("batches", "kind")
