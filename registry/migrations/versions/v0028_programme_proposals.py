"""A programme is handed in by one person and published by another."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_CHECKS = {
    "state": "state IN ('waiting', 'published', 'refused', 'cancelled')",
    "digest": "length(digest) = 64",
    "days": "days BETWEEN 1 AND 366",
    "decided": "(state = 'waiting') = (decided_by IS NULL)",
    "second_person": "state NOT IN ('published', 'refused') OR decided_by <> by",
    "version": "(state = 'published') = (version IS NOT NULL)",
}
_HANDED_IN = ("at", "by", "programme", "division", "digest", "days", "source", "content")
_RULES = (
    (
        "programme_editions_proposed",
        "INSERT",
        "programme_editions",
        "NOT EXISTS (SELECT 1 FROM programme_proposals WHERE id = NEW.proposal_id AND state = 'waiting' "
        'AND digest = NEW.digest AND "by" <> NEW."by")',
    ),
    (
        "programme_proposals_unchanged",
        "UPDATE",
        "programme_proposals",
        "OLD.state <> 'waiting' OR " + " OR ".join(f'OLD."{name}" <> NEW."{name}"' for name in _HANDED_IN),
    ),
    ("programme_proposals_kept", "DELETE", "programme_proposals", "OLD.id IS NOT NULL"),
    (
        "programme_proposals_not_replaced",
        "INSERT",
        "programme_proposals",
        "EXISTS (SELECT 1 FROM programme_proposals WHERE id = NEW.id)",
    ),
)
_EMPTIED = "programme_proposals_not_emptied"


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.create_table(
        "programme_proposals",
        sa.Column("id", _ID, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("by", "programme", "division", "digest")),
        sa.Column("days", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("source", "content", "state")),
        sa.Column("decided_at", _TIME),
        sa.Column("decided_by", sa.Text()),
        sa.Column("decided_reason", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("version", sa.BigInteger()),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_programme_proposals_{name}")) for name, rule in _CHECKS.items()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programme_proposals")),
        sqlite_autoincrement=True,
    )
    op.execute(
        f"ALTER TABLE programme_editions ADD COLUMN proposal_id {'INTEGER' if sqlite else 'BIGINT'} "
        "CONSTRAINT fk_programme_editions_proposal_id REFERENCES programme_proposals (id)"
    )
    for name, event, table, condition in _RULES:
        for statement in (_on_sqlite if sqlite else _on_postgres)(name, event, table, condition):
            op.execute(statement)
    if not sqlite:
        op.execute(
            f"CREATE TRIGGER {_EMPTIED} BEFORE TRUNCATE ON programme_proposals FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    if not sqlite:
        op.execute(f"DROP TRIGGER {_EMPTIED} ON programme_proposals")
    for name, _event, table, _condition in _RULES:
        op.execute(f"DROP TRIGGER {name}" if sqlite else f"DROP TRIGGER {name} ON {table}")
        if not sqlite:
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_column("programme_editions", "proposal_id")
    op.drop_table("programme_proposals")


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
