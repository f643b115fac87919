"""Tables of rushes (限量抢票): a rush as it was announced, its lots with their stock, claims, and uses of tickets.

The database holds the rules. Triggers count what is taken of a lot, and a CHECK lets it not exceed the stock; a living
claim has a place among those of its member, of which there are as many as the limit; nobody overtakes the waiting list.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from registry.db.tables.columns import RowId, UtcTime, metadata, one_of, where

rushes = Table(
    "rushes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("programme", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("edition", BigInteger, nullable=False),
    Column("rules", Text, nullable=False),  # JSON: the section of the programme file, and who takes part in it at all
    Column("digest", Text, nullable=False),  # SHA-256 of the rules
    Column("opens_at", UtcTime, nullable=False),
    Column("closes_at", UtcTime, nullable=False),
    Column("returns_at", UtcTime, nullable=False),
    Column("price", BigInteger, nullable=False),  # fen
    Column("most", Integer, nullable=False),  # tickets of one member
    Column("longest", Integer, nullable=False),  # the waiting list of each lot
    Column("announced_at", UtcTime, nullable=False),
    Column("announced_by", Text, nullable=False),
    Column("ended", Text),
    Column("ended_at", UtcTime),
    Column("ended_by", Text),
    Column("reason", Text),
    UniqueConstraint("programme", "code"),
    UniqueConstraint("id", "most"),
    one_of("ended", "closed", "cancelled"),
    CheckConstraint("length(digest) = 64", name="digest"),
    CheckConstraint("opens_at < closes_at AND opens_at <= returns_at", name="instants"),
    CheckConstraint("price >= 0 AND most >= 1 AND longest >= 0", name="numbers"),
    CheckConstraint("(ended IS NULL) = (ended_at IS NULL)", name="ended_at"),
    CheckConstraint("(ended IS NULL) = (ended_by IS NULL)", name="ended_by"),
    CheckConstraint("(ended IS NULL) = (reason IS NULL)", name="reason"),
    sqlite_autoincrement=True,
)

rush_lots = Table(
    "rush_lots",
    metadata,
    Column("rush_id", ForeignKey("rushes.id"), primary_key=True, autoincrement=False),
    Column("code", Text, primary_key=True),
    Column("units", Integer, nullable=False),
    Column("most", Integer, nullable=False),  # tickets of one member
    Column("taken", Integer, nullable=False, server_default=text("0")),
    Column("waiting", Integer, nullable=False, server_default=text("0")),
    UniqueConstraint("rush_id", "code", "most"),
    CheckConstraint("units >= 1 AND most >= 1", name="numbers"),
    CheckConstraint("taken BETWEEN 0 AND units", name="taken"),
    CheckConstraint("waiting >= 0", name="waiting"),
)

rush_claims = Table(
    "rush_claims",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("key", Text, nullable=False),  # of the client: asked again it is the same claim
    Column("rush_id", ForeignKey("rushes.id"), nullable=False),
    Column("lot", Text, nullable=False),
    Column("member_id", ForeignKey("members.id"), nullable=False),
    Column("card_number", Text, nullable=False),
    Column("rush_most", Integer, nullable=False),
    Column("lot_most", Integer, nullable=False),
    Column("place", Integer),  # among the member's living claims of the rush
    Column("lot_place", Integer),  # among those of the lot
    Column("state", Text, nullable=False),
    Column("position", Integer),  # in the order of the waiting list, where it was on it
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("granted_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("ended_by", Text),
    ForeignKeyConstraint(["rush_id", "rush_most"], ["rushes.id", "rushes.most"]),
    ForeignKeyConstraint(["rush_id", "lot", "lot_most"], ["rush_lots.rush_id", "rush_lots.code", "rush_lots.most"]),
    UniqueConstraint("key"),
    UniqueConstraint("rush_id", "member_id", "place"),
    UniqueConstraint("rush_id", "lot", "member_id", "lot_place"),
    UniqueConstraint("rush_id", "lot", "position"),
    one_of("state", "granted", "waiting", "returned", "withdrawn", "void"),
    CheckConstraint("length(key) BETWEEN 8 AND 80", name="key"),
    CheckConstraint("place BETWEEN 1 AND rush_most", name="place"),
    CheckConstraint("lot_place BETWEEN 1 AND lot_most", name="lot_place"),
    CheckConstraint("(state IN ('granted', 'waiting')) = (place IS NOT NULL)", name="living"),
    CheckConstraint("(place IS NULL) = (lot_place IS NULL)", name="places"),
    CheckConstraint("state <> 'waiting' OR position IS NOT NULL", name="position"),
    CheckConstraint("state NOT IN ('granted', 'returned') OR granted_at IS NOT NULL", name="granted"),
    CheckConstraint("(place IS NULL) = (ended_at IS NOT NULL)", name="ended_at"),
    CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended_by"),
    Index("ix_rush_claims_waiting", "rush_id", "lot", "position", **where("state = 'waiting'")),
    Index("ix_rush_claims_member_id", "member_id"),
    sqlite_autoincrement=True,
)

ticket_uses = Table(
    "ticket_uses",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("claim_id", ForeignKey("rush_claims.id"), nullable=False),
    Column("counter", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("uploaded_at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    UniqueConstraint("claim_id", "counter"),
    sqlite_autoincrement=True,
)
