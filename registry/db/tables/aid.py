"""Tables of grants that are paid: lists with their rows and findings, and budgets that the database does not let
overdraw. A member has a grant that is given once in one living row."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text

from registry.db.tables.columns import RowId, UtcTime, metadata, one_of, where

aid_budgets = Table(
    "aid_budgets",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("amount", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    CheckConstraint("amount >= 0 AND spent BETWEEN 0 AND amount", name="spent"),
)

aid_lists = Table(
    "aid_lists",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("year", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("digest", Text, nullable=False),  # of the file
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("rules", Text, nullable=False),  # the kind as the programme had it
    Column("purpose", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("approved_at", UtcTime),
    Column("approved_by", Text),
    Column("discarded_at", UtcTime),
    Column("discarded_by", Text),
    Column("reason", Text, nullable=False),
    one_of("state", "drafted", "approved", "discarded"),
    CheckConstraint("rows >= 1 AND amount >= 1 AND rejected >= 0", name="sums"),
    CheckConstraint("approved_by <> by", name="second_person"),
    CheckConstraint("(state = 'approved') = (approved_by IS NOT NULL)", name="approved"),
    CheckConstraint("(state = 'discarded') = (discarded_by IS NOT NULL)", name="discarded"),
    Index("uq_aid_lists_digest", "kind", "digest", unique=True, **where("state <> 'discarded'")),
    sqlite_autoincrement=True,
)

aid_rows = Table(
    "aid_rows",
    metadata,
    Column("list_id", ForeignKey("aid_lists.id"), primary_key=True, autoincrement=False),
    Column("row", Integer, primary_key=True, autoincrement=False),  # of the sheet
    Column("member_id", ForeignKey("members.id"), nullable=False),
    Column("choice", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("once_key", Text),  # the same for what a member has once; NULL where there is no such rule
    Column("living", Boolean, nullable=False),  # false once the list was discarded
    CheckConstraint("amount >= 1", name="amount"),
    Index("uq_aid_rows_once", "member_id", "once_key", unique=True, **where("living AND once_key IS NOT NULL")),
)

aid_findings = Table(
    "aid_findings",
    metadata,
    Column("list_id", ForeignKey("aid_lists.id"), primary_key=True, autoincrement=False),
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("rule", Text, nullable=False),
    one_of("rule", "number", "member", "name", "left", "category", "choice", "amount", "most", "twice", "once"),
)
