"""Tables of a station's work: the queue of batches, blank chips that were spoilt before they were fed, and the cards
that leave its machines."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text

from registry.db.tables.columns import RowId, UtcTime, metadata, one_of, where

queue = Table(
    "queue",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True),
    Column("priority", Text, nullable=False),
    Column("number", Integer),  # order within the priority; NULL until somebody moves it
    Column("due", Text),  # a day, ISO 8601; NULL for that of the unit's plan
    one_of("priority", "urgent", "normal", "low"),
)

stock_spoilt = Table(
    "stock_spoilt",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("supplier_batch", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    CheckConstraint("count <> 0", name="count"),
    sqlite_autoincrement=True,
)

machine_cards = Table(
    "machine_cards",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False, index=True),
    Column("station", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("machine", Text, nullable=False),
    Column("chip_serial", Text, nullable=False),  # also of chips that are on record nowhere else
    Column("outcome", Text, nullable=False),
    Column("bin", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("left_at", UtcTime),  # NULL while it is not known to have left
    one_of("bin", "output", "reject", "hand"),
    sqlite_autoincrement=True,
)
Index(
    "uq_machine_cards_inside",
    machine_cards.c.station,
    machine_cards.c.machine,
    unique=True,
    **where("left_at IS NULL"),
)
