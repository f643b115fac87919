"""The queue of approved batches, and blank chips that were spoilt before they were fed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "queue",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer()),
        sa.Column("due", sa.Text()),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_queue")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_queue_batch_id")),
        sa.CheckConstraint("priority IN ('urgent', 'normal', 'low')", name=op.f("ck_queue_priority")),
    )
    op.create_table(
        "stock_spoilt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("supplier_batch", "reason", "by")),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_spoilt")),
        sa.CheckConstraint("count <> 0", name=op.f("ck_stock_spoilt_count")),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("stock_spoilt")
    op.drop_table("queue")
