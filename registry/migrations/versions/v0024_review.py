"""The review of a draft: rows compared with their ID copies, and the unit's confirmation of the counts (annex 3)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_APPROVED = "NEW.stage IN ('approved', 'closed') AND OLD.stage = 'draft'"
_CONFIRMED = (
    "EXISTS (SELECT 1 FROM confirmations c WHERE c.batch_id = NEW.id "
    "AND c.people = (SELECT count(*) FROM roster_rows r WHERE r.batch_id = NEW.id))"
)
_IN_DOUBT = "EXISTS (SELECT 1 FROM row_reviews r WHERE r.batch_id = NEW.id AND r.mark = 'doubt')"
_IMPORTER = "(SELECT b.imported_by FROM batches b WHERE b.id = NEW.batch_id)"
_PERSON = (
    "lower(replace(COALESCE((SELECT u.name FROM tokens t JOIN users u ON u.id = t.made_by "
    "WHERE {0} LIKE '% (token ' || t.id || ')'), {0}), ' (unproven)', ''))"
)
_ENTERED_BY = 'NEW."by"'
_OWN = f"{_PERSON.format(_ENTERED_BY)} = {_PERSON.format(_IMPORTER)}"
_RULES = (
    ("batches_confirmed", "UPDATE", "batches", f"{_APPROVED} AND NEW.needs_confirmation AND NOT {_CONFIRMED}"),
    ("batches_confirmation_needed", "UPDATE", "batches", "OLD.needs_confirmation AND NOT NEW.needs_confirmation"),
    ("batches_undoubted", "UPDATE", "batches", f"{_APPROVED} AND {_IN_DOUBT}"),
    ("confirmations_second_person", "INSERT", "confirmations", _OWN),
    ("confirmations_second_person_again", "UPDATE", "confirmations", _OWN),
)


def upgrade() -> None:
    op.execute("ALTER TABLE batches ADD COLUMN needs_confirmation BOOLEAN DEFAULT false NOT NULL")
    op.create_table(
        "row_reviews",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("sheet_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "sheet_row", name=op.f("pk_row_reviews")),
        sa.ForeignKeyConstraint(
            ["batch_id", "sheet_row"],
            ["roster_rows.batch_id", "roster_rows.sheet_row"],
            name=op.f("fk_row_reviews_batch_id_sheet_row"),
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("mark IN ('right', 'doubt')", name=op.f("ck_row_reviews_mark")),
        sa.CheckConstraint("mark <> 'doubt' OR note <> ''", name=op.f("ck_row_reviews_note")),
    )
    op.create_table(
        "confirmations",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("people", "members", "copies")),
        sa.Column("seal", sa.Boolean(), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("seal_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_confirmations")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_confirmations_batch_id")),
        sa.CheckConstraint("people >= 0 AND members >= 0 AND copies >= 0", name=op.f("ck_confirmations_counts")),
        sa.CheckConstraint(
            "(members = people AND copies = people AND seal) OR explanation <> ''",
            name=op.f("ck_confirmations_explained"),
        ),
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, event, table, condition in _RULES:
        for statement in (_on_sqlite if sqlite else _on_postgres)(name, event, table, condition):
            op.execute(statement)


def downgrade() -> None:
    for name, _event, table, _condition in _RULES:
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TRIGGER {name}")
        else:
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("confirmations")
    op.drop_table("row_reviews")
    op.drop_column("batches", "needs_confirmation")


def _on_sqlite(name: str, event: str, table: str, condition: str) -> tuple[str, ...]:
    return (
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{name}'); END",
    )


def _on_postgres(name: str, event: str, table: str, condition: str) -> tuple[str, ...]:
    """A function for each rule: the condition of a trigger itself may hold no query."""
    refuse = "RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_NAME"
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {condition} THEN {refuse}; END IF; RETURN NEW; END $$",
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    )
