"""Payment account numbers beside the member cards that they share a chip with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pans",
        sa.Column("card_number", sa.Text(), nullable=False),
        sa.Column("pan_index", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("seal_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("card_number", name=op.f("pk_pans")),
        sa.UniqueConstraint("pan_index", name=op.f("uq_pans_pan_index")),
    )


def downgrade() -> None:
    op.drop_table("pans")
