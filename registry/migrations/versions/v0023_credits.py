"""Uses that a reversed redemption gives back on the chip are a kind of wanted change, of which several may wait."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_KIND = "ck_card_updates_kind"
_KINDS = (
    "'activation', 'block', 'category', 'cover', 'entitlements', 'validity', 'last-date', 'pin-change', 'pin-unblock'"
)
_BEFORE, _AFTER = f"kind IN ({_KINDS})", f"kind IN ({_KINDS}, 'credit')"
_PENDING = "uq_card_updates_pending"
_OF_A_KIND = ["card_number", "sequence", "kind"]


def upgrade() -> None:
    op.drop_index(_PENDING, "card_updates")
    _exchange(_BEFORE, _AFTER)
    _unique("state = 'pending' AND kind <> 'credit'")


def downgrade() -> None:
    op.drop_index(_PENDING, "card_updates")
    op.execute("DELETE FROM card_updates WHERE kind = 'credit'")
    _exchange(_AFTER, _BEFORE)
    _unique("state = 'pending'")


def _unique(condition: str) -> None:
    only = sa.text(condition)
    op.create_index(_PENDING, "card_updates", _OF_A_KIND, unique=True, sqlite_where=only, postgresql_where=only)


def _exchange(old: str, new: str) -> None:
    """SQLite changes a constraint only by building the table anew; no other table refers to this one."""
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f(_KIND), "card_updates")
        op.create_check_constraint(op.f(_KIND), "card_updates", new)
        return
    chosen = sa.text("SELECT sql FROM sqlite_master WHERE tbl_name = 'card_updates' AND type = :type AND sql NOT NULL")
    (table,) = op.get_bind().execute(chosen, {"type": "table"}).scalars()
    indexes = list(op.get_bind().execute(chosen, {"type": "index"}).scalars())
    last = sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'card_updates'")
    number = op.get_bind().execute(last).scalar_one_or_none() or 0
    op.execute("ALTER TABLE card_updates RENAME TO card_updates_before")
    for index in indexes:
        op.execute(f"DROP INDEX {index.split(' ON ')[0].split()[-1]}")
    op.execute(table.replace(old, new))
    op.execute("INSERT INTO card_updates SELECT * FROM card_updates_before")
    op.execute("DROP TABLE card_updates_before")
    kept = sa.text("UPDATE sqlite_sequence SET seq = :number WHERE name = 'card_updates'")
    op.get_bind().execute(kept, {"number": number})
    for index in indexes:
        op.execute(index)
