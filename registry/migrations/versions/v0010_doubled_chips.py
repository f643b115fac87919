"""Since when, and from which lane, it is proven that two chips have one serial."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("chips", sa.Column("doubled_at", sa.DateTime(timezone=True)))
    op.add_column("chips", sa.Column("doubled_by", sa.Text()))


def downgrade() -> None:
    op.drop_column("chips", "doubled_by")
    op.drop_column("chips", "doubled_at")
