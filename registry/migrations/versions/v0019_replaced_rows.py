"""Rows that are kept for ever are not replaced on SQLite, nor their tables emptied on PostgreSQL."""

from __future__ import annotations

from typing import Final, NamedTuple

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


class _Key(NamedTuple):
    """A unique key; ``where`` holds for its rows, with {0} before each column."""

    columns: str
    where: str = ""


_KEPT: Final = {
    "chips": (_Key("serial"), _Key("dossier_id")),
    "audit_head": (_Key("id"),),
    "redemptions": (_Key("id"),),
    "reversals": (_Key("redemption_id"),),
    "findings": (_Key("id"), _Key("digest")),
    "boxes": (_Key("id"),),
    "box_cards": (_Key("id"), _Key("card_number sequence", "{0}out_at IS NULL")),
    "moves": (_Key("id"), _Key("box_id level", "{0}step = 'hand-over' AND {0}undone_at IS NULL")),
    "move_cards": (_Key("move_id card_number sequence"),),
    "settlement_rates": (_Key("id"),),
    "statements": (
        _Key("id"),
        _Key("merchant_id", "{0}state IN ('draft', 'signed')"),
        _Key("merchant_id month version", "{0}state <> 'discarded'"),
    ),
    "statement_entries": (_Key("statement_id redemption_id kind"), _Key("redemption_id kind", "{0}in_force")),
    "disputes": (_Key("id"), _Key("redemption_id")),
}
"""Tables whose rows are never deleted, with every unique key by which INSERT OR REPLACE would delete one: it asks no
trigger for deletes. sqlite.org/lang_conflict.html"""
_EMPTIED: Final = (
    *("chips", "boxes", "box_cards", "moves", "move_cards"),
    *("settlement_rates", "statements", "statement_entries", "disputes"),
)
"""Tables whose triggers for deletes see single rows, and so no TRUNCATE. PostgreSQL 17, 37.1."""


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table, keys in _KEPT.items():
            taken = " OR ".join(_taken(table, key) for key in keys)
            name = f"{table}_not_replaced"
            op.execute(f"CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN {taken} BEGIN {_refuse(name)}; END")
        return
    for table in _EMPTIED:
        op.execute(
            f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table in _KEPT if sqlite else _EMPTIED:
        op.execute(f"DROP TRIGGER {table}_not_replaced" if sqlite else f"DROP TRIGGER {table}_not_emptied ON {table}")


def _taken(table: str, key: _Key) -> str:
    same = " AND ".join(f"{column} = NEW.{column}" for column in key.columns.split())
    if not key.where:
        return f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608
    rows = f"SELECT 1 FROM {table} WHERE {same} AND {key.where.format('')}"  # noqa: S608
    return f"({key.where.format('NEW.')} AND EXISTS ({rows}))"


def _refuse(name: str) -> str:
    return f"SELECT RAISE(ABORT, '{name}')"
