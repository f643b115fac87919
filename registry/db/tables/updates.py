"""Tables of changes on issued chips: what the office wants on a card, and the scripts that were sent to it."""

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
    false,
)

from registry.db.tables.columns import RowId, UtcTime, metadata, of_card, one_of, where

WANTED = (
    *("activation", "block", "category", "cover", "entitlements", "validity"),
    *("last-date", "pin-change", "pin-unblock"),
    "credit",
)

card_scripts = Table(
    "card_scripts",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("card_number", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("script", LargeBinary, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("ended_at", UtcTime),  # NULL while nobody knows which of its commands ran
    Column("ran", Integer),
    of_card(),
    CheckConstraint("(ended_at IS NULL) = (ran IS NULL)", name="ended"),
    sqlite_autoincrement=True,
)
Index(
    "uq_card_scripts_open",
    card_scripts.c.card_number,
    card_scripts.c.sequence,
    unique=True,
    **where("ended_at IS NULL"),
)

card_updates = Table(
    "card_updates",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("card_number", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("wanted_at", UtcTime, nullable=False),
    Column("wanted_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("script_id", ForeignKey("card_scripts.id"), index=True),
    Column("position", Integer),  # of its command in the script
    Column("ended_at", UtcTime),
    Column("ended_by", Text),
    Column("place", Text),
    Column("refusal", Text),  # why the card does not take it
    Column("two_people", Boolean, nullable=False, server_default=false()),
    Column("consented_at", UtcTime),
    Column("consented_by", Text),
    of_card(),
    one_of("kind", *WANTED),
    one_of("state", "proposed", "pending", "sent", "done", "refused", "withdrawn"),
    CheckConstraint("(state IN ('proposed', 'pending', 'sent')) = (ended_at IS NULL)", name="ended"),
    CheckConstraint("state <> 'sent' OR (script_id IS NOT NULL AND position IS NOT NULL)", name="sent"),
    CheckConstraint("(state = 'refused') = (refusal IS NOT NULL)", name="refused"),
    CheckConstraint("(consented_at IS NULL) = (consented_by IS NULL)", name="consented"),
    CheckConstraint("consented_by <> wanted_by", name="second_person"),
    CheckConstraint(
        "NOT two_people OR state IN ('proposed', 'withdrawn') OR consented_by IS NOT NULL", name="two_people"
    ),
    sqlite_autoincrement=True,
)
Index("ix_card_updates_card", card_updates.c.card_number, card_updates.c.sequence)
Index(
    "uq_card_updates_pending",
    card_updates.c.card_number,
    card_updates.c.sequence,
    card_updates.c.kind,
    unique=True,
    **where("state = 'pending' AND kind <> 'credit'"),
)
Index(
    "uq_card_updates_proposed",
    card_updates.c.card_number,
    card_updates.c.sequence,
    card_updates.c.kind,
    unique=True,
    **where("state = 'proposed'"),
)

# Rows are kept. The newest is in force; while it requires two people, triggers refuse rights that are ordered for one.
rights_rules = Table(
    "rights_rules",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("second", Text),
    Column("reason", Text, nullable=False),
    Column("two_people", Boolean, nullable=False),
    CheckConstraint("two_people OR second IS NOT NULL", name="one_person"),
    CheckConstraint("second <> by", name="second_person"),
    sqlite_autoincrement=True,
)
