"""Tables of administration: users, sessions, tokens, the audit, idempotency keys, stations, plans and counters.

Passwords are stored as argon2id hashes, secrets of sessions and tokens as SHA-256 hashes: none of them can be read
back. Triggers keep the rows of ``audit`` from ever being changed or deleted.
"""

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
    UniqueConstraint,
    text,
)

from registry.db.tables.columns import RowId, UtcTime, metadata

users = Table(
    "users",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", Text, nullable=False),
    Column("folded", Text, nullable=False, unique=True),  # one user cannot be two by capitals and blanks
    Column("display", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("must_change", Boolean, nullable=False),
    Column("language", Text, nullable=False),
    Column("made_at", UtcTime, key="created_at", nullable=False),
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
    Column("made_by", ForeignKey("users.id"), key="created_by", nullable=False),
    Column("made_at", UtcTime, key="created_at", nullable=False),
    Column("until", UtcTime, nullable=False),
    Column("used_at", UtcTime),
    Column("revoked_at", UtcTime),
    Column("needs_consent", Boolean, nullable=False, server_default=text("false")),
    Column("consented_by", ForeignKey("users.id")),
    Column("consented_at", UtcTime),
    Column("outlet_id", ForeignKey("outlets.id")),  # of a counter; NULL for a token of anything else
    CheckConstraint("length(token_hash) = 32", name="token_hash"),
    CheckConstraint("consented_by <> made_by", name="consent"),
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

# The end of the audit chain: locked by an appender, so that there is one next row.
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
    Column("status", Integer),  # NULL while the request is being worked on
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

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
    CheckConstraint("value >= 0", name="value"),
)
