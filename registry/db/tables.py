"""The tables, and in them the rules that must hold whatever the program does. What makes them on disk is migrations/.

Personal data are sealed in one column per row (``registry.personal``); only masked forms and the keyed blind index of
the ID number stand beside it. A binding of chip and dossier is one row of ``chips``: its key is the chip serial, its
dossier is unique, and a trigger keeps both from ever changing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeDecorator

LIVING = ("verified", "packed", "delivered", "active", "suspended")
ENDED = ("lost", "damaged", "expired", "withdrawn", "replaced")
OPEN = ("waiting", "claimed")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """An aware time. SQLite keeps no zone, so it is stored there as UTC and read back as such."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the registry stores aware times only")
        return value.astimezone(UTC).replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def among(values: tuple[str, ...]) -> str:
    return "state IN ({})".format(", ".join(f"'{value}'" for value in values))


# SQLite numbers rows by itself only where the key is INTEGER; with AUTOINCREMENT no number ever comes back.
RowId = BigInteger().with_variant(Integer(), "sqlite")

units = Table(
    "units",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("code", Text, unique=True),
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
    Column("name_index", LargeBinary, index=True),  # None until the program that has the key opens the registry
    Column("withdrawn_at", UtcTime),
    CheckConstraint("category BETWEEN 0 AND 4", name="category"),
    CheckConstraint("length(member_number) = 12", name="member_number"),
)

batches = Table(
    "batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("unit_id", ForeignKey("units.id"), nullable=False),
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
    one_of("stage", "draft", "approved", "closed", "discarded"),
    CheckConstraint("approved_by <> imported_by", name="second_person"),
    CheckConstraint("stage NOT IN ('approved', 'closed') OR approved_by IS NOT NULL", name="approved"),
    CheckConstraint("stage <> 'closed' OR (closed_second IS NOT NULL AND closed_second <> closed_by)", name="signed"),
)
Index("uq_batches_living_digest", batches.c.digest, unique=True, **where("stage IN ('draft', 'approved')"))

roster_rows = Table(
    "roster_rows",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True),
    Column("sheet_row", Integer, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("codes", Text, nullable=False),
    Column("member_id", ForeignKey("members.id")),
    Column("open", Boolean, nullable=False),  # this row still wants a card for its member
    Column("replaces", Text),  # the card number that is made again with the next sequence
    Column("sealed", LargeBinary, nullable=False),
    Column("seal_key", Text, nullable=False),
    one_of("verdict", "accepted", "rejected"),
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

# Apart from their rows, so that a state change does not write kilobytes again, and so that closing can delete them.
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
    ForeignKeyConstraint(["card_number", "sequence"], ["cards.card_number", "cards.sequence"]),
    one_of("event", *LIVING, *ENDED),
    Index("ix_card_events_card_number_sequence", "card_number", "sequence"),
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

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
    CheckConstraint("value >= 0", name="value"),
)
