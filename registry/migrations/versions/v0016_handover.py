"""Packing and hand-over: boxes, the cards in them, and the moves of many cards, which are undone until the next."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)

_ORDER = """(OLD.stage = 'open' AND NEW.stage IN ('closed', 'discarded'))
    OR (OLD.stage = 'closed' AND NEW.stage IN ('open', 'sent'))
    OR (OLD.stage = 'sent' AND NEW.stage IN ('closed', 'received'))
    OR (OLD.stage = 'received' AND NEW.stage = 'sent')
    OR OLD.stage = NEW.stage"""
_INSIDE = "FROM box_cards WHERE box_id = NEW.id AND out_at IS NULL"
_HIGHER = """EXISTS (SELECT 1 FROM moves m WHERE m.box_id = NEW.box_id AND m.step = 'hand-over' AND m.undone_at IS NULL
    AND CASE m.level WHEN 'city' THEN 1 WHEN 'district' THEN 2 ELSE 3 END
        >= CASE NEW.level WHEN 'city' THEN 1 WHEN 'district' THEN 2 ELSE 3 END)"""
_OF_OTHER_BATCH = """NOT EXISTS (SELECT 1 FROM boxes b JOIN cards c ON c.card_number = NEW.card_number
    AND c.sequence = NEW.sequence JOIN dossiers d ON d.id = c.dossier_id
    WHERE b.id = NEW.box_id AND b.stage = 'open' AND d.batch_id = b.batch_id)"""
_NOT_OPEN = "(SELECT stage FROM boxes WHERE id = NEW.box_id) <> 'open'"
_CHANGED = " OR ".join(
    f'OLD."{column}" IS DISTINCT FROM NEW."{column}"'
    for column in "id step at by reason box_id level recipient day event_id cards unsigned".split()
)
_RULES = (
    ("boxes_in_order", "UPDATE OF stage", "boxes", f"NOT ({_ORDER})"),
    (
        "boxes_closed_complete",
        "UPDATE OF stage",
        "boxes",
        f"OLD.stage = 'open' AND NEW.stage = 'closed' AND (NOT EXISTS (SELECT 1 {_INSIDE}) "
        f"OR EXISTS (SELECT 1 {_INSIDE} AND ticked_at IS NULL))",
    ),
    ("boxes_discarded_empty", "UPDATE OF stage", "boxes", f"NEW.stage = 'discarded' AND EXISTS (SELECT 1 {_INSIDE})"),
    ("boxes_kept", "DELETE", "boxes", ""),
    ("box_cards_of_batch", "INSERT", "box_cards", _OF_OTHER_BATCH),
    (
        "box_cards_ticked_open",
        "UPDATE OF ticked_at",
        "box_cards",
        f"OLD.ticked_at IS DISTINCT FROM NEW.ticked_at AND {_NOT_OPEN}",
    ),
    ("box_cards_kept", "DELETE", "box_cards", ""),
    ("moves_downwards", "INSERT", "moves", f"NEW.step = 'hand-over' AND {_HIGHER}"),
    ("moves_unchanged", "UPDATE", "moves", f"OLD.undone_at IS NOT NULL OR {_CHANGED}"),
    ("moves_kept", "DELETE", "moves", ""),
    ("move_cards_unchanged", "UPDATE", "move_cards", ""),
    ("move_cards_kept", "DELETE", "move_cards", ""),
)  # fmt: skip


def upgrade() -> None:
    _boxes()
    _moves()
    _box_cards()
    op.execute(
        f"ALTER TABLE card_events ADD COLUMN move_id {'INTEGER' if _sqlite() else 'BIGINT'} "
        "CONSTRAINT fk_card_events_move_id REFERENCES moves (id)"
    )
    op.execute("ALTER TABLE card_events ADD COLUMN undone BOOLEAN DEFAULT false NOT NULL")
    for name, event, table, condition in _RULES:
        for statement in (_on_sqlite if _sqlite() else _on_postgres)(name, event, table, condition):
            op.execute(statement)


def downgrade() -> None:
    if not _sqlite():
        for name, _event, table, _condition in _RULES:
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(f"DROP FUNCTION {name}()")
    for column in ("undone", "move_id"):
        op.drop_column("card_events", column)
    for table in ("box_cards", "move_cards", "moves", "boxes"):
        op.drop_table(table)


def _boxes() -> None:
    op.create_table(
        "boxes",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("batch_id", sa.Text, sa.ForeignKey("batches.id"), nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.CheckConstraint("stage IN ('open', 'closed', 'sent', 'received', 'discarded')", name="stage"),
    )
    op.create_index("ix_boxes_batch_id", "boxes", ["batch_id"])
    op.create_index("ix_boxes_stage", "boxes", ["stage"])


def _moves() -> None:
    steps = "pack deliver activate suspend unlock loss withdraw close hand-over receipt return".split()
    op.create_table(
        "moves",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("box_id", sa.Text, sa.ForeignKey("boxes.id")),
        sa.Column("level", sa.Text),
        sa.Column("recipient", sa.Text),
        sa.Column("day", sa.Text),
        sa.Column("event_id", sa.BigInteger, nullable=False),
        sa.Column("cards", sa.Integer, nullable=False),
        sa.Column("unsigned", sa.Integer, nullable=False),
        sa.Column("undone_at", _TIME),
        sa.Column("undone_by", sa.Text),
        sa.CheckConstraint("step IN ({})".format(", ".join(f"'{step}'" for step in steps)), name="step"),
        sa.CheckConstraint("level IN ('city', 'district', 'unit')", name="level"),
        sa.CheckConstraint("(step = 'hand-over') = (level IS NOT NULL)", name="hand_over"),
        sa.CheckConstraint("(step IN ('hand-over', 'receipt')) = (recipient IS NOT NULL)", name="recipient"),
        sa.CheckConstraint("(step = 'receipt') = (day IS NOT NULL)", name="day"),
        sa.CheckConstraint("step NOT IN ('close', 'hand-over', 'receipt') OR box_id IS NOT NULL", name="box"),
        sa.CheckConstraint("recipient <> by AND recipient <> ''", name="other_person"),
        sa.CheckConstraint("cards >= 0 AND unsigned BETWEEN 0 AND cards", name="counts"),
        sa.CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name="undone"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_moves_box_id", "moves", ["box_id"])
    living = sa.text("step = 'hand-over' AND undone_at IS NULL")
    op.create_index(
        "uq_moves_hand_over", "moves", ["box_id", "level"], unique=True, sqlite_where=living, postgresql_where=living
    )
    op.create_table(
        "move_cards",
        sa.Column("move_id", _ID, sa.ForeignKey("moves.id"), primary_key=True, autoincrement=False),
        sa.Column("card_number", sa.Text, primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["card_number", "sequence"], ["cards.card_number", "cards.sequence"]),
    )
    op.create_index("ix_move_cards_card", "move_cards", ["card_number", "sequence", "move_id"])


def _box_cards() -> None:
    op.create_table(
        "box_cards",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("box_id", sa.Text, sa.ForeignKey("boxes.id"), nullable=False),
        sa.Column("card_number", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("unit_id", _ID, sa.ForeignKey("units.id"), nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("ticked_at", _TIME),
        sa.Column("ticked_by", sa.Text),
        sa.Column("signed", sa.Boolean),
        sa.Column("receipt_id", _ID, sa.ForeignKey("moves.id")),
        sa.Column("out_at", _TIME),
        sa.Column("out_id", _ID, sa.ForeignKey("moves.id")),
        sa.ForeignKeyConstraint(["card_number", "sequence"], ["cards.card_number", "cards.sequence"]),
        sa.CheckConstraint("place > 0", name="place"),
        sa.CheckConstraint("(ticked_at IS NULL) = (ticked_by IS NULL)", name="ticked"),
        sa.CheckConstraint("(signed IS NULL) = (receipt_id IS NULL)", name="signed"),
        sa.CheckConstraint("out_id IS NULL OR out_at IS NOT NULL", name="out"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_box_cards_box_id_place", "box_cards", ["box_id", "place"])
    op.create_index("ix_box_cards_unit_id", "box_cards", ["unit_id"])
    living = sa.text("out_at IS NULL")
    op.create_index(
        "uq_box_cards_in_box", "box_cards", ["card_number", "sequence"], unique=True,
        sqlite_where=living, postgresql_where=living,
    )  # fmt: skip


def _sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _on_sqlite(name: str, event: str, table: str, condition: str) -> tuple[str, ...]:
    written = condition.replace("IS DISTINCT FROM", "IS NOT")
    when = f"WHEN {written}" if written else ""
    return (f"CREATE TRIGGER {name} BEFORE {event} ON {table} {when} BEGIN SELECT RAISE(ABORT, '{name}'); END",)


def _on_postgres(name: str, event: str, table: str, condition: str) -> tuple[str, ...]:
    """A function for each rule: the condition of a trigger itself may hold no query."""
    refuse = "RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_NAME"
    row = "OLD" if event == "DELETE" else "NEW"
    body = f"IF {condition} THEN {refuse}; END IF; RETURN {row};" if condition else f"{refuse};"
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    )
