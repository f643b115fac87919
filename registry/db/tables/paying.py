"""Tables of payouts: instructions, each paid once at most, bank batches that carry them, and the banks' returns.

Triggers keep the facts of an instruction, of a signed batch and of its rows from being changed, and an instruction that
is paid from ever being anything else. An instruction is in one living batch at most.
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
)

from registry.db.tables.columns import RowId, UtcTime, metadata, one_of, where

INSTRUCTION_KINDS = ("claim", "grant", "merchant", "partner")

instructions = Table(
    "instructions",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("reference", Text, nullable=False),  # of the claim, grant row or statement: unique within its kind
    Column("attempt", Integer, nullable=False),  # 1, or one more than that of the failed one
    Column("reissue_of", ForeignKey("instructions.id"), unique=True),
    Column("member_id", ForeignKey("members.id")),
    Column("payee", Text),  # a merchant's number, or a partner's division
    Column("amount", BigInteger, nullable=False),  # fen
    Column("purpose", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),  # of a reissue or withdrawal
    Column("state", Text, nullable=False),
    Column("outcome_on", Text),  # day of the bank
    Column("fault", Text),  # the bank's reason
    one_of("kind", *INSTRUCTION_KINDS),
    one_of("state", "waiting", "batched", "paid", "failed", "withdrawn"),
    CheckConstraint("length(reference) BETWEEN 1 AND 60", name="reference"),
    CheckConstraint("attempt >= 1 AND (attempt = 1) = (reissue_of IS NULL)", name="attempt"),
    CheckConstraint("(member_id IS NULL) <> (payee IS NULL)", name="payee"),
    CheckConstraint("amount BETWEEN 1 AND 100000000000", name="amount"),
    CheckConstraint("(state IN ('paid', 'failed')) = (outcome_on IS NOT NULL)", name="outcome_on"),
    CheckConstraint("(state = 'failed') = (fault IS NOT NULL)", name="fault"),
    UniqueConstraint("kind", "reference", "attempt"),
    Index("ix_instructions_state", "state", "id"),
    sqlite_autoincrement=True,
)

bank_batches = Table(
    "bank_batches",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("bank", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),  # over the rows with their accounts
    Column("signed_at", UtcTime),
    Column("signed_by", Text),
    Column("released_at", UtcTime),
    Column("released_by", Text),
    Column("discarded_at", UtcTime),
    Column("discarded_by", Text),
    Column("reason", Text, nullable=False),
    one_of("state", "drafted", "signed", "released", "closed", "discarded"),
    CheckConstraint("rows >= 1 AND amount >= 1", name="sums"),
    CheckConstraint("length(digest) = 64", name="digest"),
    CheckConstraint("(signed_at IS NULL) = (signed_by IS NULL)", name="signed"),
    CheckConstraint("(released_at IS NULL) = (released_by IS NULL)", name="released"),
    CheckConstraint("(discarded_at IS NULL) = (discarded_by IS NULL)", name="discarded"),
    CheckConstraint("released_by <> signed_by", name="two_signatures"),
    CheckConstraint("state NOT IN ('signed', 'released', 'closed') OR signed_by IS NOT NULL", name="first_signature"),
    CheckConstraint("(state IN ('released', 'closed')) = (released_by IS NOT NULL)", name="second_signature"),
    CheckConstraint("(state = 'discarded') = (discarded_by IS NOT NULL)", name="discarded_by"),
    sqlite_autoincrement=True,
)

bank_batch_rows = Table(
    "bank_batch_rows",
    metadata,
    Column("batch_id", ForeignKey("bank_batches.id"), primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("instruction_id", ForeignKey("instructions.id"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("account_masked", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # account and name of the payee on that day
    Column("seal_key", Text, nullable=False),
    Column("living", Boolean, nullable=False),  # false once the batch was discarded
    CheckConstraint("position >= 1 AND amount >= 1", name="position"),
    Index("uq_bank_batch_rows_living", "instruction_id", unique=True, **where("living")),
)

bank_returns = Table(
    "bank_returns",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("batch_id", ForeignKey("bank_batches.id"), nullable=False),
    Column("digest", Text, nullable=False, unique=True),  # SHA-256 of the file
    Column("source", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("paid", Integer, nullable=False),
    Column("paid_amount", BigInteger, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("failed_amount", BigInteger, nullable=False),
    Column("contradictions", Integer, nullable=False),
    CheckConstraint("length(digest) = 64", name="digest"),
    CheckConstraint("paid >= 0 AND failed >= 0 AND contradictions >= 0", name="counts"),
    sqlite_autoincrement=True,
)

bank_contradictions = Table(
    "bank_contradictions",
    metadata,
    Column("return_id", ForeignKey("bank_returns.id"), primary_key=True, autoincrement=False),
    Column("instruction_id", ForeignKey("instructions.id"), primary_key=True, autoincrement=False),
    Column("was", Text, nullable=False),
    Column("now", Text, nullable=False),
    Column("outcome_on", Text, nullable=False),
    Column("settled_at", UtcTime),
    Column("settled_by", Text),
    Column("reason", Text, nullable=False),
    one_of("was", "paid", "failed"),
    one_of("now", "paid", "failed"),
    CheckConstraint("was <> now", name="differ"),
    CheckConstraint("(settled_at IS NULL) = (settled_by IS NULL)", name="settled"),
)
