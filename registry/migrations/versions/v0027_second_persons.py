"""A second person unlists a lost card that was found, and accepts a finding that holds a redemption."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_COLUMNS = {
    "losses": (("returned_at", _TIME), ("returned_by", sa.Text()), ("returned_reason", sa.Text())),
    "findings": (("first_at", _TIME), ("first_by", sa.Text()), ("first_reason", sa.Text())),
}
_RULES = (
    (
        "losses_two_people",
        "UPDATE",
        "losses",
        "OLD.unlisted_by IS NULL AND NEW.unlisted_by IS NOT NULL "
        "AND (OLD.returned_by IS NULL OR OLD.returned_by = NEW.unlisted_by)",
    ),
    (
        "findings_two_people",
        "UPDATE",
        "findings",
        "OLD.holds AND NEW.decision = 'accepted' AND (OLD.first_by IS NULL OR OLD.first_by = NEW.closed_by)",
    ),
)


def upgrade() -> None:
    for table, columns in _COLUMNS.items():
        for name, kind in columns:
            op.add_column(table, sa.Column(name, kind))
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, event, table, condition in _RULES:
        for statement in (_on_sqlite if sqlite else _on_postgres)(name, event, table, condition):
            op.execute(statement)


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, _event, table, _condition in _RULES:
        op.execute(f"DROP TRIGGER {name}" if sqlite else f"DROP TRIGGER {name} ON {table}")
        if not sqlite:
            op.execute(f"DROP FUNCTION {name}()")
    for table, columns in _COLUMNS.items():
        for name, _ in columns:
            op.drop_column(table, name)


def _on_sqlite(name: str, event: str, table: str, condition: str) -> tuple[str, ...]:
    return (
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{name}'); END",
    )


def _on_postgres(name: str, event: str, table: str, condition: str) -> tuple[str, ...]:
    refuse = "RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_NAME"
    body = f"IF {condition} THEN {refuse}; END IF; RETURN NEW;"
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    )
