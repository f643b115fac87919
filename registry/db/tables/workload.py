"""Tables of a station's work: the queue of batches, and blank chips that were spoilt before they were fed."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, Table, Text

from registry.db.tables.columns import RowId, UtcTime, metadata, one_of

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
