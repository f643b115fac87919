"""What counters say about a redemption beside what the card has signed, for the programme's rules at booking."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("redemptions", sa.Column("details", sa.Text(), nullable=False, server_default=sa.text("'{}'")))
    op.create_table(
        "counter_intents",
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(request) = 64", name=op.f("ck_counter_intents_request")),
        sa.PrimaryKeyConstraint("request", name=op.f("pk_counter_intents")),
    )


def downgrade() -> None:
    op.drop_table("counter_intents")
    op.drop_column("redemptions", "details")
