"""A closed outlet opens again by two people, as it was closed; until then it has no terminal in use."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_KIND: Final = "ck_merchant_changes_kind"
_KINDS: Final = "'account', 'contract', 'end', 'resume', 'outlet-close', 'rate'"
_BEFORE: Final = f"kind IN ({_KINDS})"
_AFTER: Final = f"kind IN ({_KINDS}, 'outlet-open')"
_APPROVED: Final = (
    "EXISTS (SELECT 1 FROM merchant_changes AS change WHERE change.state = 'approved' AND NOT change.applied "
    "AND change.merchant_id = NEW.merchant_id AND change.kind = 'outlet-open')"
)
_CLOSED: Final = "NEW.retired_at IS NULL AND (SELECT closed_at FROM outlets WHERE id = NEW.outlet_id) IS NOT NULL"
_RULES: Final = (
    (
        "outlets_opened_by_two",
        "UPDATE",
        "outlets",
        f"OLD.closed_at IS NOT NULL AND NEW.closed_at IS NULL AND NOT {_APPROVED}",
    ),
    ("terminals_in_use_again", "UPDATE", "terminals", f"OLD.retired_at IS NOT NULL AND {_CLOSED}"),
    ("terminals_of_open_outlets", "INSERT", "terminals", _CLOSED),
)


def upgrade() -> None:
    _exchange(_BEFORE, _AFTER)
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
    kept = "merchant_changes_kept"
    if sqlite:
        op.execute(f"DROP TRIGGER {kept}")
    else:
        op.execute(f"ALTER TABLE merchant_changes DISABLE TRIGGER {kept}")
    op.execute("DELETE FROM merchant_changes WHERE kind = 'outlet-open'")
    if sqlite:
        op.execute(f"CREATE TRIGGER {kept} BEFORE DELETE ON merchant_changes BEGIN SELECT RAISE(ABORT, '{kept}'); END")
    else:
        op.execute(f"ALTER TABLE merchant_changes ENABLE TRIGGER {kept}")
    _exchange(_AFTER, _BEFORE)


def _exchange(old: str, new: str) -> None:
    """Give the kinds of changes another constraint. On SQLite in the text of the table (SQLite, ALTER TABLE, section 7:
    no stored row changes its form): other tables' triggers refer to this one, so that it is not built anew."""
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f(_KIND), "merchant_changes")
        op.create_check_constraint(op.f(_KIND), "merchant_changes", new)
        return
    op.execute("PRAGMA writable_schema = ON")
    chosen = sa.text(
        "UPDATE sqlite_master SET sql = replace(sql, :old, :new) WHERE type = 'table' AND name = 'merchant_changes'"
    )
    op.get_bind().execute(chosen, {"old": old, "new": new})
    op.execute("PRAGMA writable_schema = RESET")


def _on_sqlite(name: str, event: str, table: str, condition: str) -> tuple[str, ...]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{name}'); END"
    return (f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {condition} {refuse}",)


def _on_postgres(name: str, event: str, table: str, condition: str) -> tuple[str, ...]:
    refuse = "RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_NAME"
    body = f"IF {condition} THEN {refuse}; END IF; RETURN NEW;"
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
    )
