"""Cards that leave the machines of a line, on record before they move."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_TABLE: Final = "machine_cards"
_TEXTS: Final = ("station", "lane", "machine", "chip_serial", "outcome", "bin")
_INSIDE: Final = sa.text("left_at IS NULL")


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column("id", _ID, nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("left_at", _TIME),
        sa.CheckConstraint("bin IN ('output', 'reject', 'hand')", name=op.f(f"ck_{_TABLE}_bin")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f(f"fk_{_TABLE}_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{_TABLE}")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f(f"ix_{_TABLE}_batch_id"), _TABLE, ["batch_id"])
    op.create_index(
        f"uq_{_TABLE}_inside",
        _TABLE,
        ["station", "machine"],
        unique=True,
        sqlite_where=_INSIDE,
        postgresql_where=_INSIDE,
    )


def downgrade() -> None:
    op.drop_table(_TABLE)
