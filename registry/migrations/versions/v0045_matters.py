"""Matters of members, and each step on their way through the windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from alembic import op

from registry.migrations.parts import LastingTable, create, drop, instant, number, sealed, signature, texts

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

_LEVEL: Final = "level IN ('city', 'district', 'station')"
_TABLES: Final[Mapping[str, LastingTable]] = {
    "matters": LastingTable(
        columns=(
            number("id"),
            number("member_id", nullable=True),
            *texts("kind", "channel"),
            instant("opened_at"),
            *texts("opened_by", "opened_on", "opened_window", "due", "holder", "level"),
            number("steps", sa.Integer()),
            *signature("closed"),
            *texts("closed_on", nullable=True),
        ),
        checks={
            "channel": "channel IN ('window', 'hotline')",
            "level": _LEVEL,
            "steps": "steps >= 1 AND opened_on <= due",
            "closed": "(closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (closed_on IS NULL)",
        },
        facts=("id", "member_id", "kind", "channel", "opened_at", "opened_by", "opened_on", "opened_window", "due"),
        keys="id = NEW.id",
        ended="NEW.steps <> OLD.steps + 1 OR (OLD.closed_at IS NOT NULL AND NEW.holder <> OLD.holder)",
        references={"member_id": "members.id"},
    ),
    "matter_steps": LastingTable(
        columns=(
            number("matter_id"),
            number("number", sa.Integer()),
            instant("at"),
            *texts("by", "kind", "window", "level"),
            *sealed(),
        ),
        checks={
            "kind": "kind IN ('open', 'up', 'down', 'note', 'close', 'reopen')",
            "level": _LEVEL,
            "first": "(number = 1) = (kind = 'open')",
        },
        facts=(),
        keys="matter_id = NEW.matter_id AND number = NEW.number",
        ended="1 = 1",
        primary=("matter_id", "number"),
        references={"matter_id": "matters.id"},
    ),
}


def upgrade() -> None:
    create(_TABLES)
    op.create_index("ix_matters_member_id", "matters", ["member_id"])
    op.create_index("ix_matters_holder", "matters", ["holder", "closed_on"])


def downgrade() -> None:
    """Raises ValueError where a member waits for something: nobody would know it afterwards."""
    drop(_TABLES, "the registry has matters: it cannot go back")
