"""Requests to amend a member's name or mobile number, decided by a second person; the event of such a change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_CHECKS = {
    "state": "state IN ('waiting', 'approved', 'refused', 'cancelled')",
    "fields": "fields IN ('name', 'mobile', 'name mobile')",
    "decided": "(state = 'waiting') = (decided_by IS NULL)",
    "second_person": "state NOT IN ('approved', 'refused') OR decided_by <> by",
}
_EVENT = "ck_member_events_event"
_BEFORE = "event IN ('transferred', 'withdrawn', 'returned')"
_AFTER = "event IN ('transferred', 'withdrawn', 'returned', 'amended')"


def upgrade() -> None:
    op.create_table(
        "amendments",
        sa.Column("id", _ID, nullable=False),
        sa.Column("member_id", _ID, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("by", "reason", "fields")),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("seal_key", sa.Text(), nullable=False),
        sa.Column("new_card", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_at", _TIME),
        sa.Column("decided_by", sa.Text()),
        sa.Column("decided_reason", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.Column("batch_id", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_amendments")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_amendments_member_id")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_amendments_batch_id")),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_amendments_{name}")) for name, rule in _CHECKS.items()),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_amendments_member_id", "amendments", ["member_id"])
    op.create_index("ix_amendments_batch_id", "amendments", ["batch_id"])
    waiting = sa.text("state = 'waiting'")
    key = ["member_id"]
    op.create_index(
        "uq_amendments_waiting", "amendments", key, unique=True, sqlite_where=waiting, postgresql_where=waiting
    )
    _exchange(_BEFORE, _AFTER)


def downgrade() -> None:
    op.execute("DELETE FROM member_events WHERE event = 'amended'")
    _exchange(_AFTER, _BEFORE)
    op.drop_table("amendments")


def _exchange(old: str, new: str) -> None:
    """SQLite changes a constraint only by building the table anew; no other table refers to this one."""
    if op.get_bind().dialect.name != "sqlite":
        op.drop_constraint(op.f(_EVENT), "member_events")
        op.create_check_constraint(op.f(_EVENT), "member_events", new)
        return
    chosen = sa.text("SELECT sql FROM sqlite_master WHERE tbl_name = 'member_events' AND type = :type AND sql NOT NULL")
    (table,) = op.get_bind().execute(chosen, {"type": "table"}).scalars()
    indexes = list(op.get_bind().execute(chosen, {"type": "index"}).scalars())
    last = sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'member_events'")
    number = op.get_bind().execute(last).scalar_one_or_none() or 0
    op.execute("ALTER TABLE member_events RENAME TO member_events_before")
    for index in indexes:
        op.execute(f"DROP INDEX {index.split(' ON ')[0].split()[-1]}")
    op.execute(table.replace(old, new))
    op.execute("INSERT INTO member_events SELECT * FROM member_events_before")
    op.execute("DROP TABLE member_events_before")
    kept = sa.text("UPDATE sqlite_sequence SET seq = :number WHERE name = 'member_events'")
    op.get_bind().execute(kept, {"number": number})
    for index in indexes:
        op.execute(index)
