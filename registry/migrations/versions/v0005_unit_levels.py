"""Units with levels: the unit above a unit and its own name below that; and the unit that a roster row names."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The constraints belong to the columns: SQLite could add them to the table only by building the table anew.
    id_type = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute("ALTER TABLE units ADD COLUMN own_name TEXT")
    op.execute(f"ALTER TABLE units ADD COLUMN parent_id {id_type} CONSTRAINT fk_units_parent_id REFERENCES units (id)")
    op.execute(
        f"ALTER TABLE roster_rows ADD COLUMN unit_id {id_type} CONSTRAINT fk_roster_rows_unit_id REFERENCES units (id)"
    )
    op.create_index("ix_units_parent_id", "units", ["parent_id"])


def downgrade() -> None:
    op.drop_index("ix_units_parent_id", "units")
    op.drop_column("roster_rows", "unit_id")
    op.drop_column("units", "parent_id")
    op.drop_column("units", "own_name")
