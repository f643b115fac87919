"""Keyed digests of surnames and mobile numbers, by which members are searched, and an index of card events by time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_DIGESTS = ("surname_index", "mobile_index")


def upgrade() -> None:
    for column in _DIGESTS:
        op.add_column("members", sa.Column(column, sa.LargeBinary()))
        op.create_index(f"ix_members_{column}", "members", [column])
    op.create_index("ix_card_events_event_at", "card_events", ["event", "at"])


def downgrade() -> None:
    op.drop_index("ix_card_events_event_at", "card_events")
    for column in reversed(_DIGESTS):
        op.drop_index(f"ix_members_{column}", "members")
        op.drop_column("members", column)
