"""Tables of the review of a draft (审核): rows compared with ID copies, the confirmation (annex 3), edits."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from registry.db.tables.columns import RowId, UtcTime, metadata, one_of

# Triggers refuse the approval of a batch with a row in doubt.
row_reviews = Table(
    "row_reviews",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("sheet_row", Integer, primary_key=True, autoincrement=False),
    Column("mark", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    # A row that is edited, or that a corrected form replaces, is reviewed again.
    ForeignKeyConstraint(
        ["batch_id", "sheet_row"], ["roster_rows.batch_id", "roster_rows.sheet_row"], ondelete="CASCADE"
    ),
    one_of("mark", "right", "doubt"),
    CheckConstraint("mark <> 'doubt' OR note <> ''", name="note"),
)

# Triggers refuse a confirmation entered by whoever imported the batch, and the approval of a batch that needs one and
# has none for its present number of rows.
confirmations = Table(
    "confirmations",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("people", Integer, nullable=False),  # rows of the batch
    Column("members", Integer, nullable=False),
    Column("copies", Integer, nullable=False),
    Column("seal", Boolean, nullable=False),
    Column("explanation", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # the contact's name and phone number
    Column("seal_key", Text, nullable=False),
    CheckConstraint("people >= 0 AND members >= 0 AND copies >= 0", name="counts"),
    CheckConstraint("(members = people AND copies = people AND seal) OR explanation <> ''", name="explained"),
)

# Rows are kept. Triggers refuse an edit of a batch that is no draft or is submitted, and the approval by whoever edited
# it; one that adds or leaves out a row deletes the confirmation.
row_edits = Table(
    "row_edits",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False, index=True),
    Column("sheet_row", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("fields", Text, nullable=False),  # names, with blanks between them
    Column("before", Text, nullable=False),  # masked, JSON; empty for an added row
    Column("after", Text, nullable=False),  # the same; empty for a row left out
    Column("corrected", Boolean, nullable=False),  # it came with a corrected form
    one_of("change", "added", "left-out", "changed"),
    CheckConstraint(
        "(change = 'added') = (\"before\" = '') AND (change = 'left-out') = (\"after\" = '')", name="sides"
    ),
    CheckConstraint("(change = 'changed') = (fields <> '')", name="fields"),
    sqlite_autoincrement=True,
)

# Deleted when the batch is submitted, approved or discarded.
edit_undos = Table(
    "edit_undos",
    metadata,
    Column("edit_id", ForeignKey("row_edits.id"), primary_key=True, autoincrement=False),  # the last one of the step
    Column("batch_id", ForeignKey("batches.id"), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),  # the rows that were replaced
    Column("seal_key", Text, nullable=False),
)
