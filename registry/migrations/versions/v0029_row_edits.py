"""Edits of returned rosters: kept, by a person who does not approve, and only while the batch is with the clerk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_CHECKS = {
    "change": "change IN ('added', 'left-out', 'changed')",
    "sides": "(change = 'added') = (\"before\" = '') AND (change = 'left-out') = (\"after\" = '')",
    "fields": "(change = 'changed') = (fields <> '')",
}
_PERSON = (
    "lower(replace(COALESCE((SELECT u.name FROM tokens t JOIN users u ON u.id = t.made_by "
    "WHERE {0} LIKE '% (token ' || t.id || ')'), {0}), ' (unproven)', ''))"
)
_EDITED_BY = 'e."by"'
_EDITED = (
    "EXISTS (SELECT 1 FROM row_edits e WHERE e.batch_id = NEW.id "  # noqa: S608
    f"AND {_PERSON.format(_EDITED_BY)} = {_PERSON.format('NEW.approved_by')})"
)
_WITH_CLERK = (
    "EXISTS (SELECT 1 FROM batches b WHERE b.id = NEW.batch_id AND b.stage = 'draft' AND b.kind = 'roster' "
    "AND COALESCE((SELECT r.step FROM reviews r WHERE r.batch_id = b.id ORDER BY r.id DESC LIMIT 1), '') "
    "<> 'submitted')"
)
_RULES = (
    ("row_edits_with_clerk", "INSERT", "row_edits", f"NOT {_WITH_CLERK}"),
    ("row_edits_unchanged", "UPDATE", "row_edits", "OLD.id IS NOT NULL"),
    ("row_edits_kept", "DELETE", "row_edits", "OLD.id IS NOT NULL"),
    (
        "batches_not_by_editor",
        "UPDATE",
        "batches",
        f"NEW.stage IN ('approved', 'closed') AND OLD.stage = 'draft' AND {_EDITED}",
    ),
)
_UNCONFIRMED = "DELETE FROM confirmations WHERE batch_id = NEW.batch_id;"
_COUNTED = "NEW.change <> 'changed'"


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.create_table(
        "row_edits",
        sa.Column("id", _ID, nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("sheet_row", sa.Integer(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("by", "reason", "change", "fields")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("before", "after")),
        sa.Column("corrected", sa.Boolean(), nullable=False),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_row_edits_{name}")) for name, rule in _CHECKS.items()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_row_edits")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_row_edits_batch_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_row_edits_batch_id"), "row_edits", ["batch_id"])
    for name, event, table, condition in _RULES:
        for statement in (_on_sqlite if sqlite else _on_postgres)(name, event, table, condition):
            op.execute(statement)
    if sqlite:
        op.execute(
            "CREATE TRIGGER row_edits_not_replaced BEFORE INSERT ON row_edits WHEN EXISTS (SELECT 1 FROM row_edits "
            "WHERE id = NEW.id) BEGIN SELECT RAISE(ABORT, 'row_edits_not_replaced'); END"
        )
        op.execute(
            f"CREATE TRIGGER row_edits_counted AFTER INSERT ON row_edits WHEN {_COUNTED} BEGIN {_UNCONFIRMED} END"
        )
        return
    op.execute(
        "CREATE TRIGGER row_edits_not_emptied BEFORE TRUNCATE ON row_edits FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE FUNCTION row_edits_counted() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {_COUNTED} THEN {_UNCONFIRMED} END IF; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER row_edits_counted AFTER INSERT ON row_edits FOR EACH ROW EXECUTE FUNCTION row_edits_counted()"
    )


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, _event, table, _condition in (*_RULES, ("row_edits_counted", "", "row_edits", "")):
        op.execute(f"DROP TRIGGER {name}" if sqlite else f"DROP TRIGGER {name} ON {table}")
        if not sqlite:
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("row_edits")


def _on_sqlite(name: str, event: str, table: str, condition: str) -> tuple[str, ...]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{name}'); END"
    return (f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {condition} {refuse}",)


def _on_postgres(name: str, event: str, table: str, condition: str) -> tuple[str, ...]:
    refuse = "RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_NAME"
    row = "OLD" if event == "DELETE" else "NEW"
    body = f"IF {condition} THEN {refuse}; END IF; RETURN {row};"
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    )
