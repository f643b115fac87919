"""What the office wants on issued chips, and the scripts that were sent to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_KINDS = "'activation', 'block', 'category', 'cover', 'entitlements', 'validity'"


def upgrade() -> None:
    op.create_table(
        "card_scripts",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("card_number", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("script", sa.LargeBinary, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("ended_at", _TIME),
        sa.Column("ran", sa.Integer),
        sa.ForeignKeyConstraint(["card_number", "sequence"], ["cards.card_number", "cards.sequence"]),
        sa.CheckConstraint("(ended_at IS NULL) = (ran IS NULL)", name="ended"),
        sqlite_autoincrement=True,
    )
    _unique("uq_card_scripts_open", "card_scripts", ["card_number", "sequence"], "ended_at IS NULL")
    op.create_table(
        "card_updates",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("card_number", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("wanted_at", _TIME, nullable=False),
        sa.Column("wanted_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("script_id", _ID, sa.ForeignKey("card_scripts.id")),
        sa.Column("position", sa.Integer),
        sa.Column("ended_at", _TIME),
        sa.Column("ended_by", sa.Text),
        sa.Column("place", sa.Text),
        sa.Column("refusal", sa.Text),
        sa.ForeignKeyConstraint(["card_number", "sequence"], ["cards.card_number", "cards.sequence"]),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name="kind"),
        sa.CheckConstraint("state IN ('pending', 'sent', 'done', 'refused', 'withdrawn')", name="state"),
        sa.CheckConstraint("(state IN ('pending', 'sent')) = (ended_at IS NULL)", name="ended"),
        sa.CheckConstraint("state <> 'sent' OR (script_id IS NOT NULL AND position IS NOT NULL)", name="sent"),
        sa.CheckConstraint("(state = 'refused') = (refusal IS NOT NULL)", name="refused"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_card_updates_script_id", "card_updates", ["script_id"])
    op.create_index("ix_card_updates_card", "card_updates", ["card_number", "sequence"])
    _unique("uq_card_updates_pending", "card_updates", ["card_number", "sequence", "kind"], "state = 'pending'")


def downgrade() -> None:
    op.drop_table("card_updates")
    op.drop_table("card_scripts")


def _unique(name: str, table: str, columns: list[str], condition: str) -> None:
    only = sa.text(condition)
    op.create_index(name, table, columns, unique=True, sqlite_where=only, postgresql_where=only)
