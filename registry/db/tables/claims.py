"""Tables of claims. Facts of a claim never change but while it is returned to its filer; steps are only added; one that
has ended stays as it is. One event of a member is in one claim that is not refused or withdrawn."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from registry.db.tables.columns import RowId, UtcTime, metadata, one_of, where

claims_filed = Table(
    "claims_filed",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("member_id", ForeignKey("members.id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("event_on", Text, nullable=False),
    Column("filed_on", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("claimant", Text, nullable=False),
    Column("medical", Boolean, nullable=False),
    Column("rules", Text, nullable=False),  # the kind as the programme had it
    Column("levels", Text, nullable=False),  # in their order, with a comma between
    Column("purpose", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),  # fen
    Column("sealed", LargeBinary, nullable=False),  # what happened, and who is paid for a member who has died
    Column("seal_key", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("passed", Integer, nullable=False),  # levels that have approved
    Column("ended_at", UtcTime),
    one_of("claimant", "member", "heir"),
    one_of("stage", "filed", "returned", "approved", "refused", "withdrawn"),
    CheckConstraint("amount BETWEEN 1 AND 100000000000", name="amount"),
    CheckConstraint("length(event_on) = 10 AND length(filed_on) = 10 AND event_on <= filed_on", name="days"),
    CheckConstraint("(stage IN ('approved', 'refused', 'withdrawn')) = (ended_at IS NOT NULL)", name="ended_at"),
    CheckConstraint("passed >= 0 AND (stage <> 'returned' OR passed = 0)", name="passed"),
    Index(
        "uq_claims_filed_event",
        "member_id",
        "event",
        "event_on",
        unique=True,
        **where("stage NOT IN ('refused', 'withdrawn')"),
    ),
    Index("ix_claims_filed_stage", "stage", "id"),
    sqlite_autoincrement=True,
)

claim_documents = Table(
    "claim_documents",
    metadata,
    Column("claim_id", ForeignKey("claims_filed.id"), primary_key=True, autoincrement=False),
    Column("document", Text, primary_key=True),
    Column("ticked_at", UtcTime),
    Column("ticked_by", Text),
    CheckConstraint("(ticked_at IS NULL) = (ticked_by IS NULL)", name="ticked"),
)

claim_steps = Table(
    "claim_steps",
    metadata,
    Column("claim_id", ForeignKey("claims_filed.id"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("level", Text),
    Column("decision", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("round", Integer, nullable=False),  # how often it was filed before
    one_of("decision", "file", "file-again", "approve", "return", "refuse", "withdraw"),
    one_of("level", "station", "district", "city"),
    CheckConstraint("number >= 1 AND round >= 0", name="number"),
    CheckConstraint("decision <> 'approve' OR level IS NOT NULL", name="approved"),
    Index("uq_claim_steps_approver", "claim_id", "round", "by", unique=True, **where("decision = 'approve'")),
    Index("uq_claim_steps_level", "claim_id", "round", "level", unique=True, **where("decision = 'approve'")),
)
