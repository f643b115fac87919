"""Changes of chips that lift a block wait for a second person; PINs and the last date as further kinds."""

from __future__ import annotations

import re
from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_TABLE: Final = "card_updates"
_KINDS: Final = ("activation", "block", "category", "cover", "entitlements", "validity")
_NEW_KINDS: Final = ("last-date", "pin-change", "pin-unblock")
_STATES: Final = ("pending", "sent", "done", "refused", "withdrawn")
_COLUMNS: Final = ("two_people", "consented_at", "consented_by")
_NESTED: Final = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
_RULES: Final = {
    "consented": "(consented_at IS NULL) = (consented_by IS NULL)",
    "second_person": "consented_by <> wanted_by",
    "two_people": "NOT two_people OR state IN ('proposed', 'withdrawn') OR consented_by IS NOT NULL",
}


def upgrade() -> None:
    op.add_column(_TABLE, sa.Column("two_people", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column(_TABLE, sa.Column("consented_at", sa.DateTime(timezone=True)))
    op.add_column(_TABLE, sa.Column("consented_by", sa.Text()))
    _exchange(_checks((*_KINDS, *_NEW_KINDS), ("proposed", *_STATES)) | _RULES, ())
    chosen = sa.text("state = 'proposed'")
    key = ["card_number", "sequence", "kind"]
    op.create_index("uq_card_updates_proposed", _TABLE, key, unique=True, sqlite_where=chosen, postgresql_where=chosen)


def downgrade() -> None:
    op.drop_index("uq_card_updates_proposed", _TABLE)
    op.execute(f"DELETE FROM {_TABLE} WHERE state = 'proposed' OR kind IN ({_listed(_NEW_KINDS)})")  # noqa: S608
    _exchange(_checks(_KINDS, _STATES), _RULES)
    for column in reversed(_COLUMNS):
        op.drop_column(_TABLE, column)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _checks(kinds: tuple[str, ...], states: tuple[str, ...]) -> dict[str, str]:
    open_states = _listed(tuple(state for state in states if state in ("proposed", "pending", "sent")))
    return {
        "kind": f"kind IN ({_listed(kinds)})",
        "state": f"state IN ({_listed(states)})",
        "ended": f"(state IN ({open_states})) = (ended_at IS NULL)",
    }


def _exchange(rules: dict[str, str], over: dict[str, str] | tuple[()]) -> None:
    """Give the table these constraints, and take those that are ``over``. SQLite changes one only by building the table
    anew; no other table refers to this one."""
    names = [f"ck_{_TABLE}_{name}" for name in (*rules, *over)]
    if op.get_bind().dialect.name != "sqlite":
        for name in names:
            op.execute(f"ALTER TABLE {_TABLE} DROP CONSTRAINT IF EXISTS {name}")
        for name, rule in rules.items():
            op.create_check_constraint(op.f(f"ck_{_TABLE}_{name}"), _TABLE, rule)
        return
    chosen = sa.text("SELECT sql FROM sqlite_master WHERE tbl_name = 'card_updates' AND type = :type AND sql NOT NULL")
    (table,) = op.get_bind().execute(chosen, {"type": "table"}).scalars()
    indexes = list(op.get_bind().execute(chosen, {"type": "index"}).scalars())
    last = sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'card_updates'")
    number = op.get_bind().execute(last).scalar_one_or_none() or 0
    for name in names:
        table = re.sub(rf",\s*CONSTRAINT {name} CHECK {_NESTED}", "", table)
    added = "".join(f", CONSTRAINT ck_{_TABLE}_{name} CHECK ({rule})" for name, rule in rules.items())
    op.execute(f"ALTER TABLE {_TABLE} RENAME TO card_updates_before")
    for index in indexes:
        op.execute(f"DROP INDEX {index.split(' ON ')[0].split()[-1]}")
    op.execute(f"{table.rstrip().removesuffix(')')}{added})")
    op.execute("INSERT INTO card_updates SELECT * FROM card_updates_before")
    op.execute("DROP TABLE card_updates_before")
    kept = sa.text("UPDATE sqlite_sequence SET seq = :number WHERE name = 'card_updates'")
    op.get_bind().execute(kept, {"number": number})
    for index in indexes:
        op.execute(index)
