"""Tables of the life of a card after its issue: losses, the reports of them for the bank, and amended data."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from registry.db.tables.columns import RowId, UtcTime, metadata, of_card, one_of, where

bank_reports = Table(
    "bank_reports",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    sqlite_autoincrement=True,
)

losses = Table(
    "losses",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("member_id", ForeignKey("members.id"), nullable=False, index=True),
    Column("card_number", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("channel", Text, nullable=False, server_default=text("'window'")),
    Column("caller", Text, nullable=False, server_default=text("''")),  # who called the hotline
    Column("caller_sealed", LargeBinary),  # name and number of a caller who is not the member
    Column("seal_key", Text),
    Column("answers", Text, nullable=False, server_default=text("''")),  # questions that the caller answered rightly
    Column("batch_id", ForeignKey("batches.id"), index=True),  # of the replacement
    Column("collect_at", Text, nullable=False, server_default=text("''")),
    Column("collect_on", Text),  # a day, ISO 8601
    Column("unlisted_at", UtcTime),
    Column("unlisted_by", Text),
    Column("unlisted_reason", Text),
    Column("reported_in", ForeignKey("bank_reports.id"), index=True),
    Column("unlisting_reported_in", ForeignKey("bank_reports.id"), index=True),
    Column("returned_at", UtcTime),  # by the first of two people; the second unlists
    Column("returned_by", Text),
    Column("returned_reason", Text),
    of_card(),
    one_of("channel", "window", "hotline"),
    CheckConstraint("(channel = 'hotline') = (caller <> '')", name="caller"),
    CheckConstraint("(caller_sealed IS NULL) = (seal_key IS NULL)", name="sealed"),
    CheckConstraint("(unlisted_at IS NULL) = (unlisted_by IS NULL)", name="unlisted"),
    CheckConstraint("unlisting_reported_in IS NULL OR unlisted_at IS NOT NULL", name="unlisting_reported"),
    sqlite_autoincrement=True,
)
Index("uq_losses_listed", losses.c.card_number, losses.c.sequence, unique=True, **where("unlisted_at IS NULL"))

amendments = Table(
    "amendments",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("member_id", ForeignKey("members.id"), nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("fields", Text, nullable=False),  # name, mobile
    Column("sealed", LargeBinary, nullable=False),  # the new values
    Column("seal_key", Text, nullable=False),
    Column("new_card", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_at", UtcTime),
    Column("decided_by", Text),
    Column("decided_reason", Text, nullable=False, server_default=text("''")),
    Column("batch_id", ForeignKey("batches.id"), index=True),  # of the new card
    one_of("state", "waiting", "approved", "refused", "cancelled"),
    one_of("fields", "name", "mobile", "name mobile"),
    CheckConstraint("(state = 'waiting') = (decided_by IS NULL)", name="decided"),
    CheckConstraint("state NOT IN ('approved', 'refused') OR decided_by <> by", name="second_person"),
    sqlite_autoincrement=True,
)
Index("uq_amendments_waiting", amendments.c.member_id, unique=True, **where("state = 'waiting'"))
