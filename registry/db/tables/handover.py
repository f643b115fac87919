"""Tables of packing and hand-over: boxes, the cards in them, and the moves of many cards at once.

A card is in one box at most: ``out_at`` ends its place there. Triggers of the migration keep boxes in the order open,
closed, sent, received; refuse to close one with a card that nobody ticked off; and keep moves as they were recorded.
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
    Table,
    Text,
)

from registry.db.tables.columns import RowId, UtcTime, metadata, of_card, one_of, where

LEVELS = ("city", "district", "unit")
BY_HAND = ("pack", "deliver", "activate", "suspend", "unlock", "loss", "withdraw")
MOVES = (*BY_HAND, "close", "hand-over", "receipt", "return")

boxes = Table(
    "boxes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False, index=True),
    Column("stage", Text, nullable=False, index=True),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    one_of("stage", "open", "closed", "sent", "received", "discarded"),
)

moves = Table(
    "moves",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("step", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("box_id", ForeignKey("boxes.id"), index=True),
    Column("level", Text),  # of a hand-over: the one that takes the box
    Column("recipient", Text),  # of a hand-over or a receipt: the name of who signs
    Column("day", Text),  # of a receipt: the calendar day of the signature, YYYY-MM-DD
    Column("event_id", BigInteger, nullable=False),  # the newest event of a card before it
    Column("cards", Integer, nullable=False),
    Column("unsigned", Integer, nullable=False),
    Column("undone_at", UtcTime),
    Column("undone_by", Text),
    one_of("step", *MOVES),
    one_of("level", *LEVELS),
    CheckConstraint("(step = 'hand-over') = (level IS NOT NULL)", name="hand_over"),
    CheckConstraint("(step IN ('hand-over', 'receipt')) = (recipient IS NOT NULL)", name="recipient"),
    CheckConstraint("(step = 'receipt') = (day IS NOT NULL)", name="day"),
    CheckConstraint("step NOT IN ('close', 'hand-over', 'receipt') OR box_id IS NOT NULL", name="box"),
    CheckConstraint("recipient <> by AND recipient <> ''", name="other_person"),
    CheckConstraint("cards >= 0 AND unsigned BETWEEN 0 AND cards", name="counts"),
    CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name="undone"),
    sqlite_autoincrement=True,
)
Index(
    "uq_moves_hand_over", moves.c.box_id, moves.c.level, unique=True,
    **where("step = 'hand-over' AND undone_at IS NULL"),
)  # fmt: skip

move_cards = Table(
    "move_cards",
    metadata,
    Column("move_id", ForeignKey("moves.id"), primary_key=True, autoincrement=False),
    Column("card_number", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    of_card(),
    Index("ix_move_cards_card", "card_number", "sequence", "move_id"),
)

box_cards = Table(
    "box_cards",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("box_id", ForeignKey("boxes.id"), nullable=False),
    Column("card_number", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("unit_id", ForeignKey("units.id"), nullable=False, index=True),  # its divider in the box
    Column("place", Integer, nullable=False),  # its line on the delivery list, from 1
    Column("ticked_at", UtcTime),
    Column("ticked_by", Text),
    Column("signed", Boolean),  # NULL until the contact of its unit has signed for it, or sent it back
    Column("receipt_id", ForeignKey("moves.id")),
    Column("out_at", UtcTime),
    Column("out_id", ForeignKey("moves.id")),  # of the return that took it out, which undoing that looks for
    of_card(),
    CheckConstraint("place > 0", name="place"),
    CheckConstraint("(ticked_at IS NULL) = (ticked_by IS NULL)", name="ticked"),
    CheckConstraint("(signed IS NULL) = (receipt_id IS NULL)", name="signed"),
    CheckConstraint("out_id IS NULL OR out_at IS NOT NULL", name="out"),
    Index("ix_box_cards_box_id_place", "box_id", "place"),
    sqlite_autoincrement=True,
)
Index("uq_box_cards_in_box", box_cards.c.card_number, box_cards.c.sequence, unique=True, **where("out_at IS NULL"))
