"""Edits of returned rosters can be undone: what they replaced, sealed until the roster is submitted again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "edit_undos",
        sa.Column("edit_id", _ID, autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("seal_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("edit_id", name=op.f("pk_edit_undos")),
        sa.ForeignKeyConstraint(["edit_id"], ["row_edits.id"], name=op.f("fk_edit_undos_edit_id")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_edit_undos_batch_id")),
    )
    op.create_index(op.f("ix_edit_undos_batch_id"), "edit_undos", ["batch_id"])


def downgrade() -> None:
    op.drop_table("edit_undos")
