"""Tables of the programme: merchants with their outlets and terminals, redemptions, and what a person has to look at.

A redemption is named by its card and its transaction counter, or by the grant of the office that has counted it.
Triggers keep redemptions, reversals and closed findings from ever being changed or deleted: what was booked stays
booked, and a reversal is a row of its own.
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

from registry.db.tables.columns import RowId, UtcTime, metadata, of_card, where

merchants = Table(
    "merchants",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("number", Text, nullable=False, unique=True),  # merchant identifier, tag 9F16
    Column("name", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("account_masked", Text, nullable=False),
    Column("sealed", LargeBinary),  # the account; NULL where none is on record
    Column("seal_key", Text),
    Column("contract_from", Text, nullable=False),
    Column("contract_until", Text, nullable=False),
    Column("ended_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    CheckConstraint("length(number) BETWEEN 1 AND 15", name="number"),
    CheckConstraint("length(contract_from) = 10 AND length(contract_until) = 10", name="days"),
    CheckConstraint("contract_until >= contract_from", name="contract"),
    CheckConstraint("(sealed IS NULL) = (seal_key IS NULL)", name="sealed"),
    sqlite_autoincrement=True,
)

merchant_benefits = Table(
    "merchant_benefits",
    metadata,
    Column("merchant_id", ForeignKey("merchants.id"), primary_key=True, autoincrement=False),
    Column("benefit_class", Text, primary_key=True),  # or the code of a benefit that the office counts
    CheckConstraint("length(benefit_class) BETWEEN 1 AND 40", name="benefit_class"),
)

outlets = Table(
    "outlets",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("merchant_id", ForeignKey("merchants.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("closed_at", UtcTime),
    UniqueConstraint("merchant_id", "name"),
    sqlite_autoincrement=True,
)

terminals = Table(
    "terminals",
    metadata,
    Column("terminal", Text, primary_key=True),  # terminal identification, tag 9F1C
    Column("outlet_id", ForeignKey("outlets.id"), nullable=False, index=True),
    Column("retired_at", UtcTime),
    CheckConstraint("length(terminal) = 8", name="terminal"),
)

counter_journals = Table(
    "counter_journals",
    metadata,
    Column("name", Text, primary_key=True),
    Column("outlet_id", ForeignKey("outlets.id"), nullable=False, index=True),
    Column("through", BigInteger, nullable=False),  # the number of the last row
    Column("head", LargeBinary, nullable=False),  # and its hash
    Column("uploaded_at", UtcTime, nullable=False),
    Column("latest_at", UtcTime),  # of its rows
    Column("parts_since", UtcTime),  # the first of the uploads that are parts of one
    Column("complete_at", UtcTime),  # the last upload before it: what is older was in it
    CheckConstraint("length(name) = 32", name="name"),
    CheckConstraint("length(head) = 32", name="head"),
    CheckConstraint("through >= 0", name="through"),
)

# Values of requests whose results were not in the same upload.
counter_intents = Table(
    "counter_intents",
    metadata,
    Column("request", Text, primary_key=True),  # SHA-256 of what the card was asked with
    Column("details", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    CheckConstraint("length(request) = 64", name="request"),
)

redemptions = Table(
    "redemptions",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("card_number", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("atc", Integer),  # with what else only a card's has: NULL where the office has counted
    Column("outlet_id", ForeignKey("outlets.id"), nullable=False),  # that has uploaded it
    Column("merchant", Text, nullable=False),  # as the card has it under its cryptogram
    Column("terminal", Text, nullable=False),
    Column("benefit_class", Text, nullable=False),  # or the code of a benefit that the office counts
    Column("quantity", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("day", Text, nullable=False),
    Column("clock", Text, nullable=False),
    Column("used", Integer),
    Column("limit", Integer),
    Column("period_start", Text),
    Column("scripts", Integer),
    Column("signed", Boolean, nullable=False),  # false where the counter had it from the card's log
    Column("cryptogram", LargeBinary),
    Column("evidence", LargeBinary),
    Column("journal", ForeignKey("counter_journals.name"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("at", UtcTime, nullable=False),  # of the counter's row
    Column("booked_at", UtcTime, nullable=False),
    Column("details", Text, nullable=False, server_default=text("'{}'")),  # the counter's own values, which none signed
    Column("grant_id", ForeignKey("grants.id")),
    of_card(),
    UniqueConstraint("card_number", "sequence", "atc"),
    CheckConstraint("atc BETWEEN 1 AND 65535", name="atc"),
    CheckConstraint("quantity BETWEEN 1 AND 255", name="quantity"),
    CheckConstraint("amount >= 0", name="amount"),
    CheckConstraint("length(cryptogram) = 8", name="cryptogram"),
    CheckConstraint("(grant_id IS NULL) = (atc IS NOT NULL)", name="counted"),
    Index("ix_redemptions_journal_number", "journal", "number"),
    Index("ix_redemptions_outlet_id_day", "outlet_id", "day"),
    Index("uq_redemptions_grant_id", "grant_id", unique=True),
    sqlite_autoincrement=True,
)

reversals = Table(
    "reversals",
    metadata,
    Column("redemption_id", ForeignKey("redemptions.id"), primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("booked_at", UtcTime, nullable=False),
)

findings = Table(
    "findings",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),  # the same upload again finds the same
    Column("kind", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("holds", Boolean, nullable=False),  # the redemption is not settled before a person has decided
    Column("outlet_id", ForeignKey("outlets.id")),
    Column("card_number", Text),
    Column("sequence", Integer),
    Column("atc", Integer),
    Column("atc_until", Integer),  # the last one of a gap
    Column("journal", Text),
    Column("number", BigInteger),
    Column("facts", Text, nullable=False),
    Column("evidence", LargeBinary),  # of what was not booked
    Column("source", Text),  # what a later booking needs of the row, without the evidence
    Column("closed_at", UtcTime),
    Column("closed_by", Text),
    Column("decision", Text),
    Column("reason", Text),
    Column("first_at", UtcTime),  # of two people who accept one that holds
    Column("first_by", Text),
    Column("first_reason", Text),
    CheckConstraint("decision IN ('accepted', 'refused', 'resolved')", name="decision"),
    CheckConstraint("(closed_at IS NULL) = (decision IS NULL)", name="closed"),
    CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed_by"),
    CheckConstraint("(closed_at IS NULL) = (reason IS NULL)", name="reason"),
    Index("ix_findings_card_number", "card_number", "sequence", "atc"),
    Index("ix_findings_open", "id", **where("closed_at IS NULL")),
    sqlite_autoincrement=True,
)
