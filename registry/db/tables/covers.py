"""Tables of covers: the lists of changes (增减), who is covered since which list, and why members left the union.

Triggers keep a list from being changed once it is drawn up, and its entries always. A member is in a cover once at a
time, and a term is opened by one list.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from registry.db.tables.columns import RowId, UtcTime, metadata, one_of, where

departures = Table(
    "departures",
    metadata,
    Column("event_id", ForeignKey("member_events.id"), primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("left_on", Text, nullable=False),  # a day
    one_of("kind", "withdrew", "retired", "died", "moved"),
    CheckConstraint("length(left_on) = 10", name="left_on"),
)

cover_lists = Table(
    "cover_lists",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("cover", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("number", Integer, nullable=False),  # of the term, from 1 on
    Column("term_first", Text, nullable=False),
    Column("term_last", Text, nullable=False),
    Column("effective", Text, nullable=False),  # the day from which the changes hold
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("rules", Text, nullable=False),  # the cover as the programme had it
    Column("state", Text, nullable=False),
    Column("before", BigInteger, nullable=False),
    Column("added", BigInteger, nullable=False),
    Column("leaving", BigInteger, nullable=False),
    Column("covered", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),  # over its entries
    Column("chip_value", LargeBinary),  # DF29 of those who are covered; NULL where chips do not have this cover
    Column("signed_at", UtcTime),
    Column("signed_by", Text),
    Column("released_at", UtcTime),
    Column("released_by", Text),
    Column("sent_at", UtcTime),
    Column("sent_by", Text),
    Column("discarded_at", UtcTime),
    Column("discarded_by", Text),
    Column("reason", Text, nullable=False),
    one_of("kind", "opening", "supplement"),
    one_of("state", "drafting", "drafted", "signed", "released", "sent", "discarded"),
    CheckConstraint("term_first <= effective AND effective <= term_last", name="term"),
    CheckConstraint(
        "covered = before + added - leaving AND before >= 0 AND added >= 0 AND leaving >= 0", name="totals"
    ),
    CheckConstraint("state = 'drafting' OR length(digest) = 64", name="digest"),
    CheckConstraint("released_by <> signed_by", name="two_signatures"),
    CheckConstraint("state NOT IN ('signed', 'released', 'sent') OR signed_by IS NOT NULL", name="first_signature"),
    CheckConstraint("(state IN ('released', 'sent')) = (released_by IS NOT NULL)", name="second_signature"),
    CheckConstraint("(state = 'sent') = (sent_by IS NOT NULL)", name="sent_by"),
    CheckConstraint("(state = 'discarded') = (discarded_by IS NOT NULL)", name="discarded_by"),
    Index("uq_cover_lists_open", "cover", unique=True, **where("state IN ('drafting', 'drafted', 'signed')")),
    Index(
        "uq_cover_lists_opening",
        "cover",
        "term_first",
        unique=True,
        **where("kind = 'opening' AND state IN ('released', 'sent')"),
    ),
    sqlite_autoincrement=True,
)

cover_entries = Table(
    "cover_entries",
    metadata,
    Column("list_id", ForeignKey("cover_lists.id"), primary_key=True, autoincrement=False),
    Column("member_id", ForeignKey("members.id"), primary_key=True, autoincrement=False),
    Column("change", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("card_number", Text),  # in use when the list was drawn up
    one_of("change", "added", "left"),
    CheckConstraint("(change = 'added') = (reason IN ('new', 'again'))", name="reason"),
    Index("ix_cover_entries_member_id", "member_id"),
)

cover_holders = Table(
    "cover_holders",
    metadata,
    Column("cover", Text, primary_key=True),
    Column("member_id", ForeignKey("members.id"), primary_key=True, autoincrement=False),
    Column("entered_list", ForeignKey("cover_lists.id"), primary_key=True, autoincrement=False),
    Column("left_list", ForeignKey("cover_lists.id")),
    CheckConstraint("left_list > entered_list", name="left_list"),
    Index("uq_cover_holders_living", "cover", "member_id", unique=True, **where("left_list IS NULL")),
    Index("ix_cover_holders_member_id", "member_id"),
)
