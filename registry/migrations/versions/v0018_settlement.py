"""Settlement: rates of merchants, statements by month with their entries, disputes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UNFINISHED = "state IN ('draft', 'signed')"
_ORDER = (
    "OLD.state = NEW.state OR (OLD.state = 'draft' AND NEW.state IN ('signed', 'discarded')) "
    "OR (OLD.state = 'signed' AND NEW.state IN ('closed', 'discarded')) "
    "OR (OLD.state = 'closed' AND NEW.state = 'superseded')"
)


def _changed(columns: str) -> str:
    return " OR ".join(f'OLD."{column}" IS DISTINCT FROM NEW."{column}"' for column in columns.split())


_CONTENT = _changed(
    "id merchant_id month version created_at created_by reason entries amount due held held_amount disputed "
    "disputed_amount digest"
)
_SIGNATURES = (
    f"(OLD.signed_by IS NOT NULL AND ({_changed('signed_at signed_by')})) "
    f"OR (OLD.closed_by IS NOT NULL AND ({_changed('closed_at closed_by')})) "
    f"OR (OLD.ended_at IS NOT NULL AND ({_changed('ended_at')}))"
)
_OF_STATEMENT = "(SELECT state FROM statements WHERE id = NEW.statement_id)"
_MINE = "FROM statement_entries WHERE statement_id = NEW.id"
_OTHER_SUMS = (
    f"NEW.amount <> (SELECT COALESCE(SUM(amount), 0) {_MINE}) OR NEW.due <> (SELECT COALESCE(SUM(due), 0) {_MINE}) "
    f"OR NEW.entries <> (SELECT COUNT(*) {_MINE})"
)
_RULES = (
    ("settlement_rates_unchanged", "UPDATE", "settlement_rates", ""),
    ("settlement_rates_kept", "DELETE", "settlement_rates", ""),
    ("statements_drafted", "INSERT", "statements", "NEW.state <> 'draft'"),
    ("statements_in_order", "UPDATE OF state", "statements", f"NOT ({_ORDER})"),
    ("statements_unchanged", "UPDATE", "statements", f"{_CONTENT} OR {_SIGNATURES}"),
    (
        "statements_sums",
        "UPDATE OF state",
        "statements",
        f"NEW.state IN ('signed', 'closed') AND ({_OTHER_SUMS})",
    ),
    ("statements_kept", "DELETE", "statements", ""),
    ("statement_entries_drafted", "INSERT", "statement_entries", f"NEW.in_force OR {_OF_STATEMENT} <> 'draft'"),
    (
        "statement_entries_unchanged",
        "UPDATE",
        "statement_entries",
        f"{_changed('statement_id redemption_id kind amount due')} OR NEW.in_force <> ({_OF_STATEMENT} = 'closed')",
    ),
    ("statement_entries_kept", "DELETE", "statement_entries", ""),
    (
        "disputes_unchanged",
        "UPDATE",
        "disputes",
        f"OLD.decided_at IS NOT NULL OR {_changed('id redemption_id party at by reason')}",
    ),
    ("disputes_kept", "DELETE", "disputes", ""),
)


def upgrade() -> None:
    for create in (_rates, _statements, _entries, _disputes):
        create()
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, event, table, condition in _RULES:
        for statement in (_on_sqlite if sqlite else _on_postgres)(name, event, table, condition):
            op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        for name, _event, table, _condition in _RULES:
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(f"DROP FUNCTION {name}()")
    for table in ("disputes", "statement_entries", "statements", "settlement_rates"):
        op.drop_table(table)


def _must(kind: Any, *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in names]


def _may(kind: Any, *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind) for name in names]


def _checks(table: str, **rules: str) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}")) for name, rule in rules.items()]


def _refers(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [other], name=op.f(f"fk_{table}_{column}"))


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _unique_where(name: str, table: str, columns: list[str], condition: str) -> None:
    chosen = sa.text(condition)
    op.create_index(name, table, columns, unique=True, sqlite_where=chosen, postgresql_where=chosen)


def _rates() -> None:
    table = "settlement_rates"
    op.create_table(
        table,
        *_must(_ID, "id", "merchant_id"),
        *_must(sa.Text(), "benefit_class", "valid_from"),
        *_must(sa.BigInteger(), "per_unit"),
        *_must(sa.Integer(), "share"),
        *_must(_TIME, "at"),
        *_must(sa.Text(), "by", "reason"),
        *_checks(
            table,
            benefit_class="length(benefit_class) = 4",
            valid_from="length(valid_from) = 10",
            per_unit="per_unit BETWEEN -100000000 AND 100000000",
            share="share BETWEEN -10000 AND 10000",
        ),
        _refers(table, "merchant_id", "merchants.id"),
        _key(table, "id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_settlement_rates_merchant_id", table, ["merchant_id", "benefit_class", "valid_from"])


def _statements() -> None:
    table = "statements"
    op.create_table(
        table,
        *_must(_ID, "id", "merchant_id"),
        *_must(sa.Text(), "month"),
        *_must(sa.Integer(), "version"),
        *_must(sa.Text(), "state"),
        *_must(_TIME, "created_at"),
        *_must(sa.Text(), "created_by"),
        sa.Column("reason", sa.Text(), nullable=False, server_default=sa.text("''")),
        *_must(sa.Integer(), "entries"),
        *_must(sa.BigInteger(), "amount", "due"),
        *_must(sa.Integer(), "held"),
        *_must(sa.BigInteger(), "held_amount"),
        *_must(sa.Integer(), "disputed"),
        *_must(sa.BigInteger(), "disputed_amount"),
        *_must(sa.Text(), "digest"),
        *_may(_TIME, "signed_at"),
        *_may(sa.Text(), "signed_by"),
        *_may(_TIME, "closed_at"),
        *_may(sa.Text(), "closed_by"),
        *_may(_TIME, "ended_at"),
        *_checks(
            table,
            state="state IN ('draft', 'signed', 'closed', 'superseded', 'discarded')",
            month="length(month) = 7",
            version="version >= 1",
            reopening="version = 1 OR reason <> ''",
            digest="length(digest) = 64",
            signed="(signed_at IS NULL) = (signed_by IS NULL)",
            closed="(closed_at IS NULL) = (closed_by IS NULL)",
            first_person="state NOT IN ('signed', 'closed', 'superseded') OR signed_by IS NOT NULL",
            second_person="(state IN ('closed', 'superseded')) = (closed_by IS NOT NULL)",
            two_people="closed_by <> signed_by",
            ended="(state IN ('superseded', 'discarded')) = (ended_at IS NOT NULL)",
        ),
        _refers(table, "merchant_id", "merchants.id"),
        _key(table, "id"),
        sqlite_autoincrement=True,
    )
    _unique_where("uq_statements_unfinished", table, ["merchant_id"], _UNFINISHED)
    _unique_where("uq_statements_closed", table, ["merchant_id", "month"], "state = 'closed'")
    _unique_where("uq_statements_version", table, ["merchant_id", "month", "version"], "state <> 'discarded'")


def _entries() -> None:
    table = "statement_entries"
    op.create_table(
        table,
        *_must(_ID, "statement_id", "redemption_id"),
        *_must(sa.Text(), "kind"),
        *_must(sa.BigInteger(), "amount", "due"),
        *_must(sa.Boolean(), "in_force"),
        *_checks(table, kind="kind IN ('redeemed', 'taken-back')"),
        _refers(table, "statement_id", "statements.id"),
        _refers(table, "redemption_id", "redemptions.id"),
        _key(table, "statement_id", "redemption_id", "kind"),
    )
    _unique_where("uq_statement_entries_in_force", table, ["redemption_id", "kind"], "in_force")


def _disputes() -> None:
    table = "disputes"
    op.create_table(
        table,
        *_must(_ID, "id", "redemption_id"),
        *_must(sa.Text(), "party"),
        *_must(_TIME, "at"),
        *_must(sa.Text(), "by", "reason"),
        *_may(_TIME, "decided_at"),
        *_may(sa.Text(), "decided_by", "decision", "decided_reason"),
        *_checks(
            table,
            party="party IN ('merchant', 'office')",
            decision="decision IN ('accepted', 'refused')",
            decided="(decided_at IS NULL) = (decision IS NULL)",
            decided_by="(decided_at IS NULL) = (decided_by IS NULL)",
            decided_reason="(decided_at IS NULL) = (decided_reason IS NULL)",
            second_person="decided_by <> by",
        ),
        _refers(table, "redemption_id", "redemptions.id"),
        _key(table, "id"),
        sa.UniqueConstraint("redemption_id", name=op.f("uq_disputes_redemption_id")),
        sqlite_autoincrement=True,
    )


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
