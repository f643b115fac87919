"""Claims: what members claim, the documents that are there, and each decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from alembic import op

from registry.migrations.parts import (
    LastingTable,
    count,
    create,
    drop,
    instant,
    number,
    sealed,
    signature,
    texts,
    unique_where,
)

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

_FACTS: Final = ("id", "member_id", "kind", "event", "filed_on", "at", "by", "claimant", "medical", "rules", "levels")
_TABLES: Final[Mapping[str, LastingTable]] = {
    "claims_filed": LastingTable(
        columns=(
            number("id"),
            number("member_id"),
            *texts("kind", "event", "event_on", "filed_on"),
            instant("at"),
            *texts("by", "claimant"),
            sa.Column("medical", sa.Boolean(), nullable=False),
            *texts("rules", "levels", "purpose"),
            count("amount"),
            *sealed(),
            *texts("stage"),
            number("passed", sa.Integer()),
            instant("ended_at", nullable=True),
        ),
        checks={
            "claimant": "claimant IN ('member', 'heir')",
            "stage": "stage IN ('filed', 'returned', 'approved', 'refused', 'withdrawn')",
            "amount": "amount BETWEEN 1 AND 100000000000",
            "days": "length(event_on) = 10 AND length(filed_on) = 10 AND event_on <= filed_on",
            "ended_at": "(stage IN ('approved', 'refused', 'withdrawn')) = (ended_at IS NOT NULL)",
            "passed": "passed >= 0 AND (stage <> 'returned' OR passed = 0)",
        },
        facts=(*_FACTS, "purpose"),
        keys="id = NEW.id OR (member_id = NEW.member_id AND event = NEW.event AND event_on = NEW.event_on "
        "AND stage NOT IN ('refused', 'withdrawn') AND NEW.stage NOT IN ('refused', 'withdrawn'))",
        ended="OLD.ended_at IS NOT NULL OR (OLD.stage <> 'returned' AND (OLD.amount <> NEW.amount "
        "OR OLD.event_on <> NEW.event_on OR OLD.sealed <> NEW.sealed))",
        references={"member_id": "members.id"},
    ),
    "claim_documents": LastingTable(
        columns=(number("claim_id"), *texts("document"), *signature("ticked")),
        checks={"ticked": "(ticked_at IS NULL) = (ticked_by IS NULL)"},
        facts=("claim_id", "document"),
        keys="claim_id = NEW.claim_id AND document = NEW.document",
        primary=("claim_id", "document"),
        references={"claim_id": "claims_filed.id"},
    ),
    "claim_steps": LastingTable(
        columns=(
            number("claim_id"),
            number("number", sa.Integer()),
            instant("at"),
            *texts("by"),
            *texts("level", nullable=True),
            *texts("decision", "reason"),
            number("round", sa.Integer()),
        ),
        checks={
            "decision": "decision IN ('file', 'file-again', 'approve', 'return', 'refuse', 'withdraw')",
            "level": "level IN ('station', 'district', 'city')",
            "number": "number >= 1 AND round >= 0",
            "approved": "decision <> 'approve' OR level IS NOT NULL",
        },
        facts=(),
        keys="(claim_id = NEW.claim_id AND number = NEW.number) OR (claim_id = NEW.claim_id AND round = NEW.round "
        "AND decision = 'approve' AND NEW.decision = 'approve' AND (\"by\" = NEW.\"by\" OR level = NEW.level))",
        ended="1 = 1",
        primary=("claim_id", "number"),
        references={"claim_id": "claims_filed.id"},
    ),
}


def upgrade() -> None:
    create(_TABLES)
    unique_where("claims_filed", "event", ["member_id", "event", "event_on"], "stage NOT IN ('refused', 'withdrawn')")
    op.create_index("ix_claims_filed_stage", "claims_filed", ["stage", "id"])
    op.create_index("ix_claims_filed_member_id", "claims_filed", ["member_id"])
    unique_where("claim_steps", "approver", ["claim_id", "round", "by"], "decision = 'approve'")
    unique_where("claim_steps", "level", ["claim_id", "round", "level"], "decision = 'approve'")


def downgrade() -> None:
    """Raises ValueError where somebody has claimed: the event could be claimed again."""
    drop(_TABLES, "the registry has claims: it cannot go back")
