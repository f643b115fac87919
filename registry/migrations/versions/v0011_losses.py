"""Losses with their replacement, and the bank's reports of them. Cards that were lost before have their row too."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REFERENCES = {
    "member_id": ("member_id", "members.id"),
    "batch_id": ("batch_id", "batches.id"),
    "reported_in": ("reported_in", "bank_reports.id"),
    "unlisting_reported_in": ("unlisting_reported_in", "bank_reports.id"),
    "card_number_sequence": ("card_number sequence", "cards.card_number cards.sequence"),
}
_CHECKS = {
    "channel": "channel IN ('window', 'hotline')",
    "caller": "(channel = 'hotline') = (caller <> '')",
    "sealed": "(caller_sealed IS NULL) = (seal_key IS NULL)",
    "unlisted": "(unlisted_at IS NULL) = (unlisted_by IS NULL)",
    "unlisting_reported": "unlisting_reported_in IS NULL OR unlisted_at IS NOT NULL",
}


def upgrade() -> None:
    op.create_table(
        "bank_reports",
        sa.Column("id", _ID, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_reports")),
        sqlite_autoincrement=True,
    )
    op.create_table("losses", *_columns(), *_constraints(), sqlite_autoincrement=True)
    for name in ("member_id", "batch_id", "reported_in", "unlisting_reported_in"):
        op.create_index(f"ix_losses_{name}", "losses", [name])
    listed = sa.text("unlisted_at IS NULL")
    key = ["card_number", "sequence"]
    op.create_index("uq_losses_listed", "losses", key, unique=True, sqlite_where=listed, postgresql_where=listed)
    op.execute(
        'INSERT INTO losses (member_id, card_number, sequence, at, "by", place, reason) '
        'SELECT c.member_id, e.card_number, e.sequence, e.at, e."by", e.place, e.reason FROM card_events e '
        "JOIN cards c ON c.card_number = e.card_number AND c.sequence = e.sequence "
        "WHERE e.event = 'lost' ORDER BY e.id"
    )


def downgrade() -> None:
    op.drop_table("losses")
    op.drop_table("bank_reports")


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", _ID, nullable=False),
        sa.Column("member_id", _ID, nullable=False),
        sa.Column("card_number", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("by", "place", "reason")),
        sa.Column("channel", sa.Text(), nullable=False, server_default=sa.text("'window'")),
        sa.Column("caller", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("caller_sealed", sa.LargeBinary()),
        sa.Column("seal_key", sa.Text()),
        sa.Column("answers", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("batch_id", sa.Text()),
        sa.Column("collect_at", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("collect_on", sa.Text()),
        sa.Column("unlisted_at", _TIME),
        sa.Column("unlisted_by", sa.Text()),
        sa.Column("unlisted_reason", sa.Text()),
        sa.Column("reported_in", _ID),
        sa.Column("unlisting_reported_in", _ID),
    ]


def _constraints() -> list[sa.Constraint]:
    return [
        sa.PrimaryKeyConstraint("id", name=op.f("pk_losses")),
        *(
            sa.ForeignKeyConstraint(columns.split(), targets.split(), name=op.f(f"fk_losses_{name}"))
            for name, (columns, targets) in _REFERENCES.items()
        ),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_losses_{name}")) for name, rule in _CHECKS.items()),
    ]
