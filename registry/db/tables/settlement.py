"""Tables of the settlement: what a merchant's contract pays, statements by month with their entries, disputes, changes
of a merchant that wait for a second person, and payout lists.

Statements of a month have versions. Entries of a closed one are in force, and a redemption is in force once at most.
Triggers keep what was signed from being changed, and let a statement be signed only with the sums of its entries. They
also let nothing of a merchant change that moves money but by a change that a second person approved.
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
    false,
    text,
)

from registry.db.tables.columns import RowId, UtcTime, among, metadata, one_of, where

settlement_rates = Table(
    "settlement_rates",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("merchant_id", ForeignKey("merchants.id"), nullable=False),
    Column("benefit_class", Text, nullable=False),  # or the code of a benefit that the office counts
    Column("valid_from", Text, nullable=False),  # day of redemption; of one day the newest row holds
    Column("per_unit", BigInteger, nullable=False),  # fen; below zero the merchant pays
    Column("share", Integer, nullable=False),  # of the amount, in ten-thousandths; below zero the merchant pays
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("approved_by", Text),  # NULL in rows of an earlier version
    CheckConstraint("length(benefit_class) BETWEEN 1 AND 40", name="benefit_class"),
    CheckConstraint("length(valid_from) = 10", name="valid_from"),
    CheckConstraint("per_unit BETWEEN -100000000 AND 100000000", name="per_unit"),
    CheckConstraint("share BETWEEN -10000 AND 10000", name="share"),
    Index("ix_settlement_rates_merchant_id", "merchant_id", "benefit_class", "valid_from"),
    sqlite_autoincrement=True,
)

UNFINISHED = ("draft", "signed")
"""States of a statement that is not closed yet: a merchant has one at most."""

statements = Table(
    "statements",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("merchant_id", ForeignKey("merchants.id"), nullable=False),
    Column("month", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=text("''")),  # of a reopening
    Column("entries", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),  # fen that members paid
    Column("due", BigInteger, nullable=False),  # fen that the union owes; below zero it is owed
    Column("held", Integer, nullable=False),
    Column("held_amount", BigInteger, nullable=False),
    Column("disputed", Integer, nullable=False),
    Column("disputed_amount", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("signed_at", UtcTime),
    Column("signed_by", Text),
    Column("closed_at", UtcTime),
    Column("closed_by", Text),
    Column("ended_at", UtcTime),  # discarded, or superseded by the next version
    one_of("state", *UNFINISHED, "closed", "superseded", "discarded"),
    CheckConstraint("length(month) = 7", name="month"),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("version = 1 OR reason <> ''", name="reopening"),
    CheckConstraint("length(digest) = 64", name="digest"),
    CheckConstraint("(signed_at IS NULL) = (signed_by IS NULL)", name="signed"),
    CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed"),
    CheckConstraint("state NOT IN ('signed', 'closed', 'superseded') OR signed_by IS NOT NULL", name="first_person"),
    CheckConstraint("(state IN ('closed', 'superseded')) = (closed_by IS NOT NULL)", name="second_person"),
    CheckConstraint("closed_by <> signed_by", name="two_people"),
    CheckConstraint("(state IN ('superseded', 'discarded')) = (ended_at IS NOT NULL)", name="ended"),
    Index("uq_statements_unfinished", "merchant_id", unique=True, **where(among(UNFINISHED))),
    Index("uq_statements_closed", "merchant_id", "month", unique=True, **where("state = 'closed'")),
    Index("uq_statements_version", "merchant_id", "month", "version", unique=True, **where("state <> 'discarded'")),
    sqlite_autoincrement=True,
)

statement_entries = Table(
    "statement_entries",
    metadata,
    Column("statement_id", ForeignKey("statements.id"), primary_key=True, autoincrement=False),
    Column("redemption_id", ForeignKey("redemptions.id"), primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("amount", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("in_force", Boolean, nullable=False),
    one_of("kind", "redeemed", "taken-back"),
    Index("uq_statement_entries_in_force", "redemption_id", "kind", unique=True, **where("in_force")),
)

disputes = Table(
    "disputes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("redemption_id", ForeignKey("redemptions.id"), nullable=False, unique=True),
    Column("party", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_at", UtcTime),
    Column("decided_by", Text),
    Column("decision", Text),
    Column("decided_reason", Text),
    one_of("party", "merchant", "office"),
    one_of("decision", "accepted", "refused"),
    CheckConstraint("(decided_at IS NULL) = (decision IS NULL)", name="decided"),
    CheckConstraint("(decided_at IS NULL) = (decided_by IS NULL)", name="decided_by"),
    CheckConstraint("(decided_at IS NULL) = (decided_reason IS NULL)", name="decided_reason"),
    CheckConstraint("decided_by <> by", name="second_person"),
    sqlite_autoincrement=True,
)

merchant_changes = Table(
    "merchant_changes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("merchant_id", ForeignKey("merchants.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("facts", Text, nullable=False),  # JSON, by kind
    Column("account_masked", Text, nullable=False),
    Column("sealed", LargeBinary),  # the new account
    Column("seal_key", Text),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_at", UtcTime),
    Column("decided_by", Text),
    Column("decided_reason", Text, nullable=False, server_default=text("''")),
    Column("applied", Boolean, nullable=False, server_default=false()),
    one_of("kind", "account", "contract", "end", "resume", "outlet-close", "rate", "outlet-open"),
    one_of("state", "waiting", "approved", "refused", "cancelled", "replaced"),
    CheckConstraint("(state = 'waiting') = (decided_by IS NULL)", name="decided"),
    CheckConstraint("(decided_at IS NULL) = (decided_by IS NULL)", name="decided_at"),
    CheckConstraint("state NOT IN ('approved', 'refused') OR decided_by <> by", name="second_person"),
    CheckConstraint("NOT applied OR state = 'approved'", name="applied"),
    CheckConstraint("(kind = 'account') = (sealed IS NOT NULL)", name="account"),
    CheckConstraint("(sealed IS NULL) = (seal_key IS NULL)", name="sealed"),
    Index("ix_merchant_changes_merchant_id", "merchant_id", "state"),
    sqlite_autoincrement=True,
)

payouts = Table(
    "payouts",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("month", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("pay", BigInteger, nullable=False),  # fen that the union pays
    Column("collect", BigInteger, nullable=False),  # fen that merchants owe it
    Column("digest", Text, nullable=False),
    CheckConstraint("length(month) = 7", name="month"),
    CheckConstraint("rows >= 1", name="rows"),
    CheckConstraint("pay >= 0 AND collect >= 0", name="sums"),
    CheckConstraint("length(digest) = 64", name="digest"),
    sqlite_autoincrement=True,
)

payout_rows = Table(
    "payout_rows",
    metadata,
    Column("payout_id", ForeignKey("payouts.id"), primary_key=True, autoincrement=False),
    Column("statement_id", ForeignKey("statements.id"), primary_key=True, autoincrement=False),
    Column("amount", BigInteger, nullable=False),  # fen; without what was listed for earlier versions of the month
    Column("account_masked", Text, nullable=False),
    Column("sealed", LargeBinary),  # the account of that day
    Column("seal_key", Text),
    CheckConstraint("(sealed IS NULL) = (seal_key IS NULL)", name="sealed"),
    CheckConstraint("amount <= 0 OR sealed IS NOT NULL", name="account"),
    UniqueConstraint("statement_id"),
)
