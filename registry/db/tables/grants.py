"""The table of benefits that the office counts: what it granted to counters. What was given is a redemption.

A grant is named by the counter's journal and the row of its request. ``position`` numbers the grants of a member and a
benefit: a grant that was decided without the one before it has a position that is taken, and is refused. In the same
way ``stock_position`` numbers those out of one stock. Triggers keep grants from being changed or deleted.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Integer, Table, Text, UniqueConstraint

from registry.db.tables.columns import RowId, UtcTime, metadata, of_card

grants = Table(
    "grants",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("journal", ForeignKey("counter_journals.name"), nullable=False),
    Column("intent", BigInteger, nullable=False),  # the row of the request
    Column("digest", Text, nullable=False),  # SHA-256 of what was asked
    Column("card_number", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("member_id", ForeignKey("members.id"), nullable=False),
    Column("outlet_id", ForeignKey("outlets.id"), nullable=False),
    Column("merchant", Text, nullable=False),
    Column("terminal", Text, nullable=False),
    Column("benefit", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("place", Text, nullable=False),  # the stock; empty without one
    Column("event", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("price", BigInteger, nullable=False),
    Column("saved", BigInteger, nullable=False),
    Column("left", BigInteger),  # NULL without a limit
    Column("edition", BigInteger, nullable=False),
    Column("day", Text, nullable=False),
    Column("clock", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("position", Integer, nullable=False),
    Column("stock_position", Integer),
    of_card(),
    UniqueConstraint("journal", "intent"),
    UniqueConstraint("member_id", "benefit", "position"),
    UniqueConstraint("benefit", "place", "stock_position"),
    CheckConstraint("intent >= 1", name="intent"),
    CheckConstraint("length(digest) = 64", name="digest"),
    CheckConstraint("quantity BETWEEN 1 AND 255", name="quantity"),
    CheckConstraint("price >= 0 AND saved >= 0", name="amounts"),
    CheckConstraint("position >= 1", name="position"),
    CheckConstraint("(place = '') = (stock_position IS NULL)", name="stock"),
    sqlite_autoincrement=True,
)
