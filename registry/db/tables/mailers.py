"""The table of PIN letters: one row for each that was ever begun, written before custody opens the PIN.

Rows are kept, and a card has one letter of each kind: triggers of the migration let a row be printed once and spoilt
once, and nothing else of it change. A row that is neither was torn: nobody knows whether it was printed.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Integer, Table, Text, UniqueConstraint

from registry.db.tables.columns import RowId, UtcTime, metadata, of_card, one_of

KINDS = ("member", "payment")

pin_mailers = Table(
    "pin_mailers",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("card_number", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("kind", Text, nullable=False),  # the application whose PIN it is
    Column("begun_at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("second", Text, nullable=False),
    Column("printer", Text, nullable=False),
    Column("printed_at", UtcTime),
    Column("spoilt_at", UtcTime),
    Column("spoilt_by", Text),
    Column("spoilt_second", Text),
    Column("reason", Text),
    of_card(),
    UniqueConstraint("card_number", "sequence", "kind"),
    one_of("kind", *KINDS),
    CheckConstraint("second <> by", name="second_person"),
    CheckConstraint("spoilt_second <> spoilt_by", name="spoilt_second"),
    CheckConstraint(
        "(spoilt_at IS NULL) = (spoilt_by IS NULL) AND (spoilt_at IS NULL) = (spoilt_second IS NULL) "
        "AND (spoilt_at IS NULL) = (reason IS NULL)",
        name="spoilt",
    ),
    sqlite_autoincrement=True,
)
