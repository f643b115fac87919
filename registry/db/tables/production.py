"""Tables from the roster to the card: units, members, batches, dossiers, chips, cards, the hotlist and the stock.

Personal data are sealed in one column of a row (``registry.db.privacy``); beside it stand only masked forms and the
keyed blind indexes. A chip bound to a dossier is one row of ``chips``: its key is the chip serial, its dossier is
unique, and a trigger keeps both from ever changing.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from registry.db.tables.columns import RowId, UtcTime, among, metadata, of_card, one_of, where

LIVING = ("verified", "packed", "delivered", "active", "suspended")
ENDED = ("lost", "damaged", "expired", "withdrawn", "replaced")
OPEN = ("waiting", "claimed")

units = Table(
    "units",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", Text, nullable=False, unique=True),  # all levels, such as 大学工会 / 后勤处
    Column("code", Text, unique=True),
    Column("own_name", Text),  # the last level; NULL where that is the whole name
    Column("parent_id", ForeignKey("units.id"), index=True),
    Column("known_as", Text),  # its name before it was placed below another unit
    Index("uq_units_known_as", "known_as", unique=True),
    sqlite_autoincrement=True,
)

members = Table(
    "members",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("unit_id", ForeignKey("units.id"), nullable=False, index=True),
    Column("id_index", LargeBinary, nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("seal_key", Text, nullable=False),
    Column("id_masked", Text, nullable=False),
    Column("name_masked", Text, nullable=False),
    Column("mobile_masked", Text, nullable=False),
    Column("member_number", Text, unique=True),
    Column("category", Integer, nullable=False),
    Column("registered_at", UtcTime, nullable=False),
    Column("name_index", LargeBinary, index=True),  # NULL for old rows until ``fill_indexes`` has run
    Column("withdrawn_at", UtcTime),
    Column("surname_index", LargeBinary, index=True),
    Column("mobile_index", LargeBinary, index=True),
    CheckConstraint("category BETWEEN 0 AND 4", name="category"),
    CheckConstraint("length(member_number) = 12", name="member_number"),
)

member_events = Table(
    "member_events",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("member_id", ForeignKey("members.id"), nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("event", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    one_of("event", "transferred", "withdrawn", "returned", "amended"),
    sqlite_autoincrement=True,
)

batches = Table(
    "batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("unit_id", ForeignKey("units.id"), nullable=False),
    Column("kind", Text, nullable=False, server_default=text("'roster'")),
    Column("stage", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("imported_by", Text, nullable=False),
    Column("imported_at", UtcTime, nullable=False),
    Column("approved_by", Text),
    Column("approved_at", UtcTime),
    Column("started_at", UtcTime),
    Column("closed_by", Text),
    Column("closed_second", Text),
    Column("closed_at", UtcTime),
    Column("needs_confirmation", Boolean, nullable=False, server_default=text("false")),  # annex 3, before approval
    one_of("kind", "roster", "replacement"),
    one_of("stage", "draft", "approved", "closed", "discarded"),
    CheckConstraint("approved_by <> imported_by", name="second_person"),
    CheckConstraint("stage NOT IN ('approved', 'closed') OR approved_by IS NOT NULL", name="approved"),
    CheckConstraint("stage <> 'closed' OR (closed_second IS NOT NULL AND closed_second <> closed_by)", name="signed"),
)
Index("uq_batches_living_digest", batches.c.digest, unique=True, **where("stage IN ('draft', 'approved')"))

originals = Table(
    "originals",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True),
    Column("sealed_name", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("seal_key", Text, nullable=False),
)

reviews = Table(
    "reviews",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("reason", Text, nullable=False),
    one_of("step", "submitted", "returned"),
    sqlite_autoincrement=True,
)

roster_rows = Table(
    "roster_rows",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True),
    Column("sheet_row", Integer, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("codes", Text, nullable=False),
    Column("member_id", ForeignKey("members.id")),
    Column("open", Boolean, nullable=False),  # the member still needs a card for this row
    Column("replaces", Text),  # number of the card that is replaced, with the next sequence
    Column("sealed", LargeBinary, nullable=False),
    Column("seal_key", Text, nullable=False),
    Column("unit_id", ForeignKey("units.id")),  # that the row names; NULL for rejected and for older rows
    one_of("verdict", "accepted", "rejected", "unchanged", "change"),
    CheckConstraint("verdict = 'rejected' OR member_id IS NOT NULL", name="member"),
    CheckConstraint("verdict = 'accepted' OR NOT open", name="open"),
)
Index("uq_roster_rows_open_member", roster_rows.c.member_id, unique=True, **where("open"))
Index("ix_roster_rows_member_id", roster_rows.c.member_id)

dossiers = Table(
    "dossiers",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=False),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("member_id", ForeignKey("members.id"), nullable=False, index=True),
    Column("card_number", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("profile_name", Text, nullable=False),
    Column("profile_digest", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("token", BigInteger),  # of the newest claim
    UniqueConstraint("card_number", "sequence"),
    one_of("state", "waiting", "claimed", "verified", "remade"),
    CheckConstraint("(state = 'waiting') = (token IS NULL)", name="token"),
    CheckConstraint("sequence BETWEEN 1 AND 99", name="sequence"),
    Index("ix_dossiers_batch_id_state_id", "batch_id", "state", "id"),
)
Index("uq_dossiers_open_member", dossiers.c.member_id, unique=True, **where(among(OPEN)))

# Apart from the dossiers, so that a state change does not rewrite kilobytes, and so that closing can delete them.
dossier_secrets = Table(
    "dossier_secrets",
    metadata,
    Column("dossier_id", ForeignKey("dossiers.id"), primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("seal_key", Text, nullable=False),
    Column("context", Text, nullable=False),
)

pans = Table(
    "pans",
    metadata,
    Column("card_number", Text, primary_key=True),
    Column("pan_index", LargeBinary, nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("seal_key", Text, nullable=False),
)

chips = Table(
    "chips",
    metadata,
    Column("serial", Text, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("dossier_id", ForeignKey("dossiers.id"), unique=True),
    Column("state", Text, nullable=False),
    Column("from_stock", Boolean, nullable=False),
    Column("fed_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("reason", Text),
    Column("step", Text),
    Column("bin", Text),
    Column("code", Text, nullable=False, server_default=text("''")),
    Column("params", Text, nullable=False, server_default=text("'{}'")),
    Column("lane", Text, nullable=False),
    Column("doubled_at", UtcTime),  # since when it is proven that two chips have this serial
    Column("doubled_by", Text),  # station and lane
    one_of("state", "bound", "verified", "rejected"),
    CheckConstraint("state = 'rejected' OR dossier_id IS NOT NULL", name="bound"),
    CheckConstraint("state <> 'rejected' OR reason IS NOT NULL", name="reason"),
    Index("ix_chips_batch_id_state", "batch_id", "state"),
    Index("ix_chips_ended_at", "ended_at"),
)

claims = Table(
    "claims",
    metadata,
    Column("token", RowId, primary_key=True),
    Column("dossier_id", ForeignKey("dossiers.id"), nullable=False, index=True),
    Column("lane", Text, nullable=False),
    Column("station", Text, nullable=False),
    Column("claimed_at", UtcTime, nullable=False),
    Column("lease_until", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

journal = Table(
    "journal",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("dossier_id", ForeignKey("dossiers.id"), nullable=False),
    Column("token", ForeignKey("claims.token"), nullable=False),
    Column("step", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("block", Integer),
    Column("detail", Text, nullable=False),
    one_of("event", "intent", "done", "fault"),
    Index("ix_journal_dossier_id", "dossier_id"),
    sqlite_autoincrement=True,
)

cards = Table(
    "cards",
    metadata,
    Column("card_number", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("member_id", ForeignKey("members.id"), nullable=False, index=True),
    Column("dossier_id", ForeignKey("dossiers.id"), nullable=False, unique=True),
    Column("chip_serial", ForeignKey("chips.serial"), nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("verified_at", UtcTime, nullable=False, index=True),
    Column("seconds", Float, nullable=False),
    Column("result", Text, nullable=False),
    one_of("state", *LIVING, *ENDED),
)
Index("uq_cards_living_member", cards.c.member_id, unique=True, **where(among(LIVING)))

card_events = Table(
    "card_events",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("card_number", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("event", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("move_id", ForeignKey("moves.id")),  # of the move that it is part of
    Column("undone", Boolean, nullable=False, server_default=text("false")),  # it was, or it undoes one
    of_card(),
    one_of("event", *LIVING, *ENDED),
    Index("ix_card_events_card_number_sequence", "card_number", "sequence"),
    Index("ix_card_events_event_at", "event", "at"),
    sqlite_autoincrement=True,
)

hotlist = Table(
    "hotlist",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("card_number", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("lifted_at", UtcTime),
    CheckConstraint("sequence BETWEEN 1 AND 99", name="sequence"),
    sqlite_autoincrement=True,
)
Index("uq_hotlist_listed", hotlist.c.card_number, hotlist.c.sequence, unique=True, **where("lifted_at IS NULL"))

editions = Table(
    "editions",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("signed", LargeBinary, nullable=False),
)

# What counters were given of the programme; triggers keep the rows from being changed or deleted.
programme_proposals = Table(
    "programme_proposals",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("programme", Text, nullable=False),
    Column("division", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("days", Integer, nullable=False),
    Column("source", Text, nullable=False),  # the file's name
    Column("content", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_at", UtcTime),
    Column("decided_by", Text),
    Column("decided_reason", Text, nullable=False, server_default=text("''")),
    Column("version", BigInteger),  # of the edition that it became
    one_of("state", "waiting", "published", "refused", "cancelled"),
    CheckConstraint("length(digest) = 64", name="digest"),
    CheckConstraint("days BETWEEN 1 AND 366", name="days"),
    CheckConstraint("(state = 'waiting') = (decided_by IS NULL)", name="decided"),
    CheckConstraint("state NOT IN ('published', 'refused') OR decided_by <> by", name="second_person"),
    CheckConstraint("(state = 'published') = (version IS NOT NULL)", name="version"),
    sqlite_autoincrement=True,
)

programme_editions = Table(
    "programme_editions",
    metadata,
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("programme", Text, nullable=False),
    Column("division", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("expires", UtcTime, nullable=False),
    Column("signed", LargeBinary, nullable=False),
    Column("proposal_id", ForeignKey("programme_proposals.id")),  # NULL where one person was enough
    CheckConstraint("length(division) = 6", name="division"),
    CheckConstraint("length(digest) = 64", name="digest"),
)

# Changes of each edition of the hotlist against the previous one; a NULL reason: the card was lifted.
edition_changes = Table(
    "edition_changes",
    metadata,
    Column("version", ForeignKey("editions.version"), primary_key=True, autoincrement=False),
    Column("card_number", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("reason", Text),
    Column("at", UtcTime),
    CheckConstraint("(reason IS NULL) = (at IS NULL)", name="at"),
    Index("ix_edition_changes_card_number", "card_number", "sequence", "version"),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("hour", Integer, nullable=False),  # hours since 1970-01-01 UTC, the same key on every database
    Column("station", Text, nullable=False),
    Column("reader", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("card_index", LargeBinary),
    Index("ix_verdicts_hour_code", "hour", "code"),
    Index("ix_verdicts_station_id", "station", "id"),
    sqlite_autoincrement=True,
)

stock_receipts = Table(
    "stock_receipts",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("supplier_batch", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    CheckConstraint("count > 0", name="count"),
    sqlite_autoincrement=True,
)
