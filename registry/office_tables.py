"""The tables of the office: who may do what, what was done, and what stations and counters report.

Passwords come here as argon2id hashes, secrets of sessions and tokens as SHA-256 hashes: none of them can be read back.
Triggers keep the rows of ``audit`` from ever being changed or deleted.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from registry.db.tables import RowId, UtcTime, metadata, one_of

__all__ = ["metadata"]

users = Table(
    "users",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", Text, nullable=False),
    Column("folded", Text, nullable=False, unique=True),  # one person cannot be two by capitals and blanks
    Column("display", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("must_change", Boolean, nullable=False),
    Column("language", Text, nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("password_at", UtcTime, nullable=False),
    Column("signed_in_at", UtcTime),
    sqlite_autoincrement=True,
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("csrf", Text, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False, index=True),
    Column("idle_seconds", Integer, nullable=False),
    Column("origin", Text, nullable=False),
    CheckConstraint("length(token_hash) = 32", name="token_hash"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("label", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("made_by", ForeignKey("users.id"), nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("used_at", UtcTime),
    Column("revoked_at", UtcTime),
    CheckConstraint("length(token_hash) = 32", name="token_hash"),
    sqlite_autoincrement=True,
)

failures = Table(
    "failures",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True),
    Column("times", Integer, nullable=False),
    Column("last_at", UtcTime, nullable=False, index=True),
    Column("blocked_until", UtcTime),
)

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("mac", Text, nullable=False),
    Index("ix_audit_actor_number", "actor", "number"),
    Index("ix_audit_action_number", "action", "number"),
    Index("ix_audit_subject_number", "subject", "number"),
    Index("ix_audit_at", "at"),
)

# Where the chain stands: locked by whoever appends, so that there is one next row.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    CheckConstraint("id = 1", name="one"),
)

replies = Table(
    "replies",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("begun_at", UtcTime, nullable=False),
    Column("held_until", UtcTime, nullable=False),
    Column("until", UtcTime, nullable=False, index=True),
    Column("status", Integer),  # None while it is being worked on
    Column("sealed", LargeBinary),
    Column("seal_key", Text),
    CheckConstraint("(status IS NULL) = (sealed IS NULL)", name="sealed"),
    CheckConstraint("(status IS NULL) = (seal_key IS NULL)", name="seal_key"),
)

reader_names = Table(
    "reader_names",
    metadata,
    Column("station", Text, primary_key=True),
    Column("reader", Text, primary_key=True),
    Column("name", Text, nullable=False),
    UniqueConstraint("station", "name"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("hour", Integer, nullable=False),  # hours since 1970-01-01 UTC: counted by it on every database alike
    Column("station", Text, nullable=False),
    Column("reader", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("card_index", LargeBinary),
    Index("ix_verdicts_hour_code", "hour", "code"),
    Index("ix_verdicts_station_id", "station", "id"),
    sqlite_autoincrement=True,
)

editions = Table(
    "editions",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("signed", LargeBinary, nullable=False),
)

# What each edition of the hotlist says otherwise than the one before; no reason: taken off.
edition_changes = Table(
    "edition_changes",
    metadata,
    Column("version", ForeignKey("editions.version"), primary_key=True, autoincrement=False),
    Column("card_number", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("reason", Text),
    Column("at", UtcTime),
    CheckConstraint("(reason IS NULL) = (at IS NULL)", name="at"),
    Index("ix_edition_changes_card_number", "card_number", "sequence", "version"),
)

originals = Table(
    "originals",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True),
    Column("sealed_name", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("seal_key", Text, nullable=False),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("reason", Text, nullable=False),
    one_of("step", "submitted", "returned"),
    sqlite_autoincrement=True,
)

plans = Table(
    "plans",
    metadata,
    Column("unit_id", ForeignKey("units.id"), primary_key=True, autoincrement=False),
    Column("group", Text, nullable=False),
    Column("planned", Integer, nullable=False),
    Column("due", Text, nullable=False),  # a calendar day, YYYY-MM-DD, as the schedule writes it
    CheckConstraint("planned > 0", name="planned"),
    CheckConstraint("length(due) = 10", name="due"),
)

member_events = Table(
    "member_events",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("member_id", ForeignKey("members.id"), nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("event", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    one_of("event", "transferred", "withdrawn", "returned"),
    sqlite_autoincrement=True,
)
