"""The table of members' photos: one for each, sealed."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, LargeBinary, Table, Text

from registry.db.tables.columns import UtcTime, metadata

photos = Table(
    "photos",
    metadata,
    Column("member_id", ForeignKey("members.id"), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("seal_key", Text, nullable=False),
)
