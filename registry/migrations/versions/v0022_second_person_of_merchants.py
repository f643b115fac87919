"""Merchants: changes that move money wait for a second person, and payout lists take each statement once."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _changed(columns: str) -> str:
    return " OR ".join(f'OLD."{column}" IS DISTINCT FROM NEW."{column}"' for column in columns.split())


_APPROVED = "(SELECT 1 FROM merchant_changes AS change WHERE change.state = 'approved' AND NOT change.applied"


def _without(merchant: str, *kinds: str) -> str:
    """No change of this kind was approved by a second person and waits to be applied."""
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    chosen = f"change.merchant_id = {merchant} AND change.kind IN ({listed})"
    return f"NOT EXISTS {_APPROVED} AND {chosen})"


_LISTED = (
    "(SELECT COALESCE(SUM(earlier.amount), 0) FROM payout_rows AS earlier "
    "JOIN statements AS listed ON listed.id = earlier.statement_id "
    "JOIN statements AS mine ON mine.merchant_id = listed.merchant_id AND mine.month = listed.month "
    "WHERE mine.id = NEW.statement_id)"
)
_STATEMENT = "FROM statements WHERE id = NEW.statement_id"
_RULES = (
    ("merchants_registered", "INSERT", "merchants", "NEW.sealed IS NOT NULL OR NEW.ended_at IS NOT NULL"),
    (
        "merchants_account_by_two",
        "UPDATE",
        "merchants",
        f"({_changed('account_masked sealed seal_key')}) AND {_without('NEW.id', 'account')}",
    ),
    (
        "merchants_contract_by_two",
        "UPDATE",
        "merchants",
        f"({_changed('contract_from contract_until')}) AND {_without('NEW.id', 'contract')}",
    ),
    (
        "merchants_end_by_two",
        "UPDATE",
        "merchants",
        f"({_changed('ended_at')}) AND {_without('NEW.id', 'end', 'resume')}",
    ),
    ("merchant_benefits_by_two", "DELETE", "merchant_benefits", _without("OLD.merchant_id", "contract")),
    (
        "outlets_closed_by_two",
        "UPDATE",
        "outlets",
        f"OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL AND {_without('NEW.merchant_id', 'outlet-close')}",
    ),
    (
        "settlement_rates_by_two",
        "INSERT",
        "settlement_rates",
        f'NEW.approved_by IS NULL OR NEW.approved_by = NEW."by" OR {_without("NEW.merchant_id", "rate")}',
    ),
    ("merchant_changes_wait", "INSERT", "merchant_changes", "NEW.state <> 'waiting' OR NEW.applied"),
    (
        "merchant_changes_unchanged",
        "UPDATE",
        "merchant_changes",
        f"{_changed('id merchant_id kind facts account_masked sealed seal_key at by reason')} "
        f"OR OLD.applied OR (OLD.state <> 'waiting' AND ({_changed('state decided_at decided_by decided_reason')}))",
    ),
    ("merchant_changes_kept", "DELETE", "merchant_changes", ""),
    (
        "payout_rows_of_signed",
        "INSERT",
        "payout_rows",
        f"(SELECT state {_STATEMENT}) <> 'closed' OR NEW.amount <> (SELECT due {_STATEMENT}) - {_LISTED}",
    ),
    ("payout_rows_unchanged", "UPDATE", "payout_rows", ""),
    ("payout_rows_kept", "DELETE", "payout_rows", ""),
    ("payouts_unchanged", "UPDATE", "payouts", ""),
    ("payouts_kept", "DELETE", "payouts", ""),
)

_KEYS = {
    "merchants": ("id", "number"),
    "outlets": ("id", "merchant_id name"),
    "merchant_changes": ("id",),
    "payouts": ("id",),
    "payout_rows": ("statement_id",),
}
"""Unique keys by which INSERT OR REPLACE of SQLite would put a row in another's place, past the rules for updates."""
_EMPTIED = ("merchants", "merchant_benefits", "outlets", "merchant_changes", "payouts", "payout_rows")
"""Tables whose rules see single rows, and so no TRUNCATE of PostgreSQL."""


def upgrade() -> None:
    op.add_column("settlement_rates", sa.Column("approved_by", sa.Text()))
    for create in (_changes, _payouts, _payout_rows):
        create()
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, event, table, condition in _RULES:
        for statement in (_on_sqlite if sqlite else _on_postgres)(name, event, table, condition):
            op.execute(statement)
    if sqlite:
        for table, keys in _KEYS.items():
            taken = " OR ".join(f"EXISTS {_of_key(table, key)}" for key in keys)
            for statement in _on_sqlite(f"{table}_not_replaced", "INSERT", table, taken):
                op.execute(statement)
        return
    for table in _EMPTIED:
        op.execute(
            f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table in _KEYS if sqlite else _EMPTIED:
        op.execute(f"DROP TRIGGER {table}_not_replaced" if sqlite else f"DROP TRIGGER {table}_not_emptied ON {table}")
    for name, _event, table, _condition in _RULES:
        op.execute(f"DROP TRIGGER {name}" if sqlite else f"DROP TRIGGER {name} ON {table}")
        if not sqlite:
            op.execute(f"DROP FUNCTION {name}()")
    for table in ("payout_rows", "payouts", "merchant_changes"):
        op.drop_table(table)
    op.drop_column("settlement_rates", "approved_by")


def _of_key(table: str, key: str) -> str:
    same = " AND ".join(f"{column} = NEW.{column}" for column in key.split())
    return f"(SELECT 1 FROM {table} WHERE {same})"  # noqa: S608 - names of this file


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


def _changes() -> None:
    table = "merchant_changes"
    op.create_table(
        table,
        *_must(_ID, "id", "merchant_id"),
        *_must(sa.Text(), "kind", "facts", "account_masked"),
        *_may(sa.LargeBinary(), "sealed"),
        *_may(sa.Text(), "seal_key"),
        *_must(_TIME, "at"),
        *_must(sa.Text(), "by", "reason", "state"),
        *_may(_TIME, "decided_at"),
        *_may(sa.Text(), "decided_by"),
        sa.Column("decided_reason", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("applied", sa.Boolean(), nullable=False, server_default=sa.false()),
        *_checks(
            table,
            kind="kind IN ('account', 'contract', 'end', 'resume', 'outlet-close', 'rate')",
            state="state IN ('waiting', 'approved', 'refused', 'cancelled', 'replaced')",
            decided="(state = 'waiting') = (decided_by IS NULL)",
            decided_at="(decided_at IS NULL) = (decided_by IS NULL)",
            second_person="state NOT IN ('approved', 'refused') OR decided_by <> by",
            applied="NOT applied OR state = 'approved'",
            account="(kind = 'account') = (sealed IS NOT NULL)",
            sealed="(sealed IS NULL) = (seal_key IS NULL)",
        ),
        _refers(table, "merchant_id", "merchants.id"),
        _key(table, "id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_merchant_changes_merchant_id", table, ["merchant_id", "state"])


def _payouts() -> None:
    table = "payouts"
    op.create_table(
        table,
        *_must(_ID, "id"),
        *_must(sa.Text(), "month"),
        *_must(_TIME, "at"),
        *_must(sa.Text(), "by"),
        *_must(sa.Integer(), "rows"),
        *_must(sa.BigInteger(), "pay", "collect"),
        *_must(sa.Text(), "digest"),
        *_checks(
            table,
            month="length(month) = 7",
            rows="rows >= 1",
            sums="pay >= 0 AND collect >= 0",
            digest="length(digest) = 64",
        ),
        _key(table, "id"),
        sqlite_autoincrement=True,
    )


def _payout_rows() -> None:
    table = "payout_rows"
    op.create_table(
        table,
        *_must(_ID, "payout_id", "statement_id"),
        *_must(sa.BigInteger(), "amount"),
        *_must(sa.Text(), "account_masked"),
        *_may(sa.LargeBinary(), "sealed"),
        *_may(sa.Text(), "seal_key"),
        *_checks(
            table,
            sealed="(sealed IS NULL) = (seal_key IS NULL)",
            account="amount <= 0 OR sealed IS NOT NULL",
        ),
        _refers(table, "payout_id", "payouts.id"),
        _refers(table, "statement_id", "statements.id"),
        _key(table, "payout_id", "statement_id"),
        sa.UniqueConstraint("statement_id", name=op.f("uq_payout_rows_statement_id")),
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
