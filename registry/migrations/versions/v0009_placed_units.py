"""The name that a unit had at the highest level before it was placed below another: its forms still name it so."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE units ADD COLUMN known_as TEXT")
    op.create_index("uq_units_known_as", "units", ["known_as"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_units_known_as", "units")
    op.drop_column("units", "known_as")
