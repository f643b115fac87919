"""Tables of matters. What a matter is never changes; its steps are only added, and the last one says who holds it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from registry.db.tables.columns import RowId, UtcTime, metadata, one_of

matters = Table(
    "matters",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("member_id", ForeignKey("members.id"), index=True),
    Column("kind", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("opened_by", Text, nullable=False),
    Column("opened_on", Text, nullable=False),  # a day
    Column("opened_window", Text, nullable=False),
    Column("due", Text, nullable=False),  # a day
    Column("holder", Text, nullable=False),  # of the last step
    Column("level", Text, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("closed_at", UtcTime),
    Column("closed_by", Text),
    Column("closed_on", Text),
    one_of("channel", "window", "hotline"),
    one_of("level", "city", "district", "station"),
    CheckConstraint("steps >= 1 AND opened_on <= due", name="steps"),
    CheckConstraint(
        "(closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (closed_on IS NULL)", name="closed"
    ),
    Index("ix_matters_holder", "holder", "closed_on"),
    sqlite_autoincrement=True,
)

matter_steps = Table(
    "matter_steps",
    metadata,
    Column("matter_id", ForeignKey("matters.id"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("window", Text, nullable=False),  # that holds the matter after it
    Column("level", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("seal_key", Text, nullable=False),
    one_of("kind", "open", "up", "down", "note", "close", "reopen"),
    one_of("level", "city", "district", "station"),
    CheckConstraint("(number = 1) = (kind = 'open')", name="first"),
)
