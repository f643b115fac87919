"""Tables of e-cards: one-time codes by their keyed digest, and telephones, of which one at a time shows a card."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from registry.db.tables.columns import RowId, UtcTime, metadata, one_of, where

_CARD_ENDS = ("lost", "damaged", "expired", "withdrawn", "replaced")
_LIVING = where("ended IS NULL")

ecard_codes = Table(
    "ecard_codes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("card_number", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("digest", Text, nullable=False),  # keyed
    Column("issued_at", UtcTime, nullable=False),
    Column("issued_by", Text, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("tries", Integer, nullable=False),  # that failed
    Column("ended", Text),
    Column("ended_at", UtcTime),
    Column("ended_by", Text),
    one_of("ended", "used", "tries", "again", *_CARD_ENDS),
    CheckConstraint("length(digest) = 64", name="digest"),
    CheckConstraint("issued_at < expires_at", name="times"),
    CheckConstraint("tries BETWEEN 0 AND 3", name="tries"),
    CheckConstraint("tries < 3 OR ended IS NOT NULL", name="spent"),
    CheckConstraint("(ended IS NULL) = (ended_at IS NULL)", name="ended_at"),
    CheckConstraint("(ended IS NULL) = (ended_by IS NULL)", name="ended_by"),
    Index("uq_ecard_codes_living", "card_number", "sequence", unique=True, **_LIVING),
    sqlite_autoincrement=True,
)

ecard_devices = Table(
    "ecard_devices",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("card_number", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("generation", Integer, nullable=False),  # counts the sign-ins of the card
    Column("code_id", ForeignKey("ecard_codes.id"), nullable=False),
    Column("device_key", LargeBinary, nullable=False),
    Column("session_digest", Text, nullable=False),  # SHA-256
    Column("signed_in_at", UtcTime, nullable=False),
    Column("delegated_until", UtcTime),
    Column("ended", Text),
    Column("ended_at", UtcTime),
    Column("ended_by", Text),
    Column("reason", Text),
    UniqueConstraint("code_id"),
    UniqueConstraint("session_digest"),
    UniqueConstraint("card_number", "sequence", "generation"),
    one_of("ended", "again", "staff", *_CARD_ENDS),
    CheckConstraint("generation BETWEEN 1 AND 65535", name="generation"),
    CheckConstraint("length(device_key) = 33", name="device_key"),
    CheckConstraint("length(session_digest) = 64", name="session_digest"),
    CheckConstraint("(ended IS NULL) = (ended_at IS NULL)", name="ended_at"),
    CheckConstraint("(ended IS NULL) = (ended_by IS NULL)", name="ended_by"),
    Index("uq_ecard_devices_living", "card_number", "sequence", unique=True, **_LIVING),
    sqlite_autoincrement=True,
)
