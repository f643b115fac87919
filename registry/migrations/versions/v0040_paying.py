"""Payouts: instructions, each paid once at most, bank batches that carry them, and the banks' returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_CHECKS: Final[Mapping[str, Mapping[str, str]]] = {
    "instructions": {
        "kind": "kind IN ('claim', 'grant', 'merchant', 'partner')",
        "state": "state IN ('waiting', 'batched', 'paid', 'failed', 'withdrawn')",
        "reference": "length(reference) BETWEEN 1 AND 60",
        "attempt": "attempt >= 1 AND (attempt = 1) = (reissue_of IS NULL)",
        "payee": "(member_id IS NULL) <> (payee IS NULL)",
        "amount": "amount BETWEEN 1 AND 100000000000",
        "outcome_on": "(state IN ('paid', 'failed')) = (outcome_on IS NOT NULL)",
        "fault": "(state = 'failed') = (fault IS NOT NULL)",
    },
    "bank_batches": {
        "state": "state IN ('drafted', 'signed', 'released', 'closed', 'discarded')",
        "sums": "rows >= 1 AND amount >= 1",
        "digest": "length(digest) = 64",
        "signed": "(signed_at IS NULL) = (signed_by IS NULL)",
        "released": "(released_at IS NULL) = (released_by IS NULL)",
        "discarded": "(discarded_at IS NULL) = (discarded_by IS NULL)",
        "two_signatures": "released_by <> signed_by",
        "first_signature": "state NOT IN ('signed', 'released', 'closed') OR signed_by IS NOT NULL",
        "second_signature": "(state IN ('released', 'closed')) = (released_by IS NOT NULL)",
        "discarded_by": "(state = 'discarded') = (discarded_by IS NOT NULL)",
    },
    "bank_batch_rows": {"position": "position >= 1 AND amount >= 1"},
    "bank_returns": {
        "digest": "length(digest) = 64",
        "counts": "paid >= 0 AND failed >= 0 AND contradictions >= 0",
    },
    "bank_contradictions": {
        "was": "was IN ('paid', 'failed')",
        "now": "now IN ('paid', 'failed')",
        "differ": "was <> now",
        "settled": "(settled_at IS NULL) = (settled_by IS NULL)",
    },
}
_FACTS: Final[Mapping[str, tuple[str, ...]]] = {
    "instructions": (
        "id",
        "kind",
        "reference",
        "attempt",
        "reissue_of",
        "member_id",
        "payee",
        "amount",
        "purpose",
        "at",
        "by",
    ),
    "bank_batches": ("id", "bank", "form", "at", "by", "rows", "amount", "digest"),
    "bank_batch_rows": ("batch_id", "position", "instruction_id", "amount", "account_masked", "sealed", "seal_key"),
    "bank_returns": (
        "id",
        "batch_id",
        "digest",
        "source",
        "at",
        "by",
        "paid",
        "paid_amount",
        "failed",
        "failed_amount",
        "contradictions",
    ),
    "bank_contradictions": ("return_id", "instruction_id", "was", "now", "outcome_on"),
}
"""Columns that never change."""
_ENDED: Final = {
    "instructions": "OLD.state IN ('paid', 'failed', 'withdrawn') "
    "OR (OLD.state = 'waiting' AND NEW.state IN ('paid', 'failed')) "
    "OR (OLD.state = 'batched' AND NEW.state = 'withdrawn')",
    "bank_batches": "OLD.state IN ('closed', 'discarded') OR (OLD.state = 'released' AND NEW.state <> 'closed') "
    "OR (OLD.state = 'signed' AND NEW.state IN ('drafted', 'closed')) "
    "OR (OLD.state = 'drafted' AND NEW.state IN ('released', 'closed'))",
    "bank_batch_rows": "NOT OLD.living",
    "bank_returns": "OLD.id IS NOT NULL",
    "bank_contradictions": "OLD.settled_at IS NOT NULL",
}
"""Rows that do not change any more, and steps that there are not."""
_KEYS: Final = {
    "instructions": "id = NEW.id OR (kind = NEW.kind AND reference = NEW.reference AND attempt = NEW.attempt) "
    "OR reissue_of = NEW.reissue_of",
    "bank_batches": "id = NEW.id",
    "bank_batch_rows": "(batch_id = NEW.batch_id AND position = NEW.position) "
    "OR (instruction_id = NEW.instruction_id AND living AND NEW.living)",
    "bank_returns": "id = NEW.id OR digest = NEW.digest",
    "bank_contradictions": "return_id = NEW.return_id AND instruction_id = NEW.instruction_id",
}
"""INSERT OR REPLACE deletes without a look at the trigger for deletes. sqlite.org/lang_conflict.html"""


def upgrade() -> None:
    for table, columns in _columns().items():
        checks = [sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}")) for name, rule in _CHECKS[table].items()]
        numbered = {"sqlite_autoincrement": True} if columns[0].name == "id" else {}
        op.create_table(table, *columns, *checks, *_keys(table), **numbered)
    op.create_index("ix_instructions_state", "instructions", ["state", "id"])
    living = sa.text("living")
    op.create_index(
        "uq_bank_batch_rows_living",
        "bank_batch_rows",
        ["instruction_id"],
        unique=True,
        sqlite_where=living,
        postgresql_where=living,
    )
    (_triggers_of_sqlite if op.get_bind().dialect.name == "sqlite" else _triggers_of_postgres)()


def downgrade() -> None:
    """Raises ValueError where somebody is to be paid: without the instruction they could be paid again."""
    if op.get_bind().execute(sa.text("SELECT 1 FROM instructions LIMIT 1")).first() is not None:
        raise ValueError("the registry has payment instructions: it cannot go back")
    for table in reversed(list(_CHECKS)):
        op.drop_table(table)


def _columns() -> dict[str, list[sa.Column[Any]]]:
    return {
        "instructions": _instruction(),
        "bank_batches": _batch(),
        "bank_batch_rows": [
            _number("batch_id"),
            _number("position", sa.Integer()),
            _number("instruction_id"),
            _number("amount", sa.BigInteger()),
            *_texts("account_masked"),
            sa.Column("sealed", sa.LargeBinary(), nullable=False),
            *_texts("seal_key"),
            sa.Column("living", sa.Boolean(), nullable=False),
        ],
        "bank_returns": [
            _number("id"),
            _number("batch_id"),
            *_texts("digest", "source"),
            sa.Column("at", _TIME, nullable=False),
            *_texts("by"),
            _number("paid", sa.Integer()),
            _number("paid_amount", sa.BigInteger()),
            _number("failed", sa.Integer()),
            _number("failed_amount", sa.BigInteger()),
            _number("contradictions", sa.Integer()),
        ],
        "bank_contradictions": [
            _number("return_id"),
            _number("instruction_id"),
            *_texts("was", "now", "outcome_on"),
            *_signature("settled"),
            *_texts("reason"),
        ],
    }


def _instruction() -> list[sa.Column[Any]]:
    return [
        _number("id"),
        *_texts("kind", "reference"),
        _number("attempt", sa.Integer()),
        _number("reissue_of", nullable=True),
        _number("member_id", nullable=True),
        *_texts("payee", nullable=True),
        _number("amount", sa.BigInteger()),
        *_texts("purpose"),
        sa.Column("at", _TIME, nullable=False),
        *_texts("by", "reason", "state"),
        *_texts("outcome_on", "fault", nullable=True),
    ]


def _batch() -> list[sa.Column[Any]]:
    return [
        _number("id"),
        *_texts("bank", "form"),
        sa.Column("at", _TIME, nullable=False),
        *_texts("by", "state"),
        _number("rows", sa.Integer()),
        _number("amount", sa.BigInteger()),
        *_texts("digest"),
        *_signature("signed"),
        *_signature("released"),
        *_signature("discarded"),
        *_texts("reason"),
    ]


def _texts(*names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.Text(), nullable=nullable) for name in names]


def _signature(name: str) -> list[sa.Column[Any]]:
    return [sa.Column(f"{name}_at", _TIME), sa.Column(f"{name}_by", sa.Text())]


def _number(name: str, kind: Any = _ID, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable)


def _keys(table: str) -> list[Any]:
    references = {
        "instructions": {"reissue_of": "instructions.id", "member_id": "members.id"},
        "bank_batches": {},
        "bank_batch_rows": {"batch_id": "bank_batches.id", "instruction_id": "instructions.id"},
        "bank_returns": {"batch_id": "bank_batches.id"},
        "bank_contradictions": {"return_id": "bank_returns.id", "instruction_id": "instructions.id"},
    }[table]
    primary = {"bank_batch_rows": ("batch_id", "position"), "bank_contradictions": ("return_id", "instruction_id")}
    unique = {"instructions": (("kind", "reference", "attempt"), ("reissue_of",)), "bank_returns": (("digest",),)}
    return [
        *(
            sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_{table}_{column}"))
            for column, target in references.items()
        ),
        sa.PrimaryKeyConstraint(*primary.get(table, ("id",)), name=op.f(f"pk_{table}")),
        *(
            sa.UniqueConstraint(*columns, name=op.f(f"uq_{table}_{'_'.join(columns)}"))
            for columns in unique.get(table, ())
        ),
    ]


def _changed(table: str, differ: str) -> str:
    facts = " OR ".join(f'OLD."{name}" {differ} NEW."{name}"' for name in _FACTS[table])
    return f"{facts} OR {_ENDED[table]}"


def _triggers_of_sqlite() -> None:
    for table in _CHECKS:
        taken = f"EXISTS (SELECT 1 FROM {table} WHERE {_KEYS[table]})"  # noqa: S608  # names of this file
        for name, event in (
            ("unchanged", f"UPDATE ON {table} WHEN {_changed(table, 'IS NOT')}"),
            ("kept", f"DELETE ON {table}"),
            ("once", f"INSERT ON {table} WHEN {taken}"),
        ):
            op.execute(f"CREATE TRIGGER {table}_{name} BEFORE {event} BEGIN SELECT RAISE(ABORT, '{table}_{name}'); END")


def _triggers_of_postgres() -> None:
    refuse = "EXECUTE FUNCTION refuse_change()"
    for table in _CHECKS:
        changed = _changed(table, "IS DISTINCT FROM")
        op.execute(f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({changed}) {refuse}")
        op.execute(f"CREATE TRIGGER {table}_kept BEFORE DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT {refuse}")
