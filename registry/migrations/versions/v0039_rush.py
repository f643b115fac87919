"""Rushes: tickets in lots with their stock, claims first come first served, waiting lists, and uses of tickets."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_RUSHES: Final = {
    "ended": "ended IN ('closed', 'cancelled')",
    "digest": "length(digest) = 64",
    "instants": "opens_at < closes_at AND opens_at <= returns_at",
    "numbers": "price >= 0 AND most >= 1 AND longest >= 0",
    "ended_at": "(ended IS NULL) = (ended_at IS NULL)",
    "ended_by": "(ended IS NULL) = (ended_by IS NULL)",
    "reason": "(ended IS NULL) = (reason IS NULL)",
}
_LOTS: Final = {
    "numbers": "units >= 1 AND most >= 1",
    "taken": "taken BETWEEN 0 AND units",
    "waiting": "waiting >= 0",
}
_CLAIMS: Final = {
    "state": "state IN ('granted', 'waiting', 'returned', 'withdrawn', 'void')",
    "key": "length(key) BETWEEN 8 AND 80",
    "place": "place BETWEEN 1 AND rush_most",
    "lot_place": "lot_place BETWEEN 1 AND lot_most",
    "living": "(state IN ('granted', 'waiting')) = (place IS NOT NULL)",
    "places": "(place IS NULL) = (lot_place IS NULL)",
    "position": "state <> 'waiting' OR position IS NOT NULL",
    "granted": "state NOT IN ('granted', 'returned') OR granted_at IS NOT NULL",
    "ended_at": "(place IS NULL) = (ended_at IS NOT NULL)",
    "ended_by": "(ended_at IS NULL) = (ended_by IS NULL)",
}
_LOT_OF_NEW: Final = "rush_lots.rush_id = NEW.rush_id AND rush_lots.code = NEW.lot"
_FIXED: Final = {
    "rushes": "id programme code edition rules digest opens_at closes_at returns_at price most longest announced_at "
    "announced_by",
    "rush_lots": "rush_id code units most",
    "rush_claims": "id key rush_id lot member_id card_number rush_most lot_most at by",
}
"""What never changes."""
_OVER: Final = {
    "rushes": "OLD.ended = 'cancelled'",
    "rush_lots": "1 = 0",
    "rush_claims": "OLD.place IS NULL OR (OLD.state = 'granted' AND NEW.state IN ('waiting', 'withdrawn')) "
    "OR (OLD.position IS NOT NULL AND (NEW.position IS NULL OR NEW.position <> OLD.position))",
}
_SAME: Final = {
    "rushes": "id = NEW.id OR (programme = NEW.programme AND code = NEW.code)",
    "rush_lots": "rush_id = NEW.rush_id AND code = NEW.code",
    "rush_claims": "id = NEW.id OR key = NEW.key OR (rush_id = NEW.rush_id AND member_id = NEW.member_id AND "
    "place = NEW.place) OR (rush_id = NEW.rush_id AND lot = NEW.lot AND member_id = NEW.member_id AND "
    "lot_place = NEW.lot_place) OR (rush_id = NEW.rush_id AND lot = NEW.lot AND position = NEW.position)",
    "ticket_uses": "id = NEW.id OR (claim_id = NEW.claim_id AND counter = NEW.counter)",
}
"""INSERT OR REPLACE deletes without a look at the trigger for deletes. sqlite.org/lang_conflict.html"""
_IN_ORDER: Final = f"NEW.state = 'granted' AND EXISTS (SELECT 1 FROM rush_lots WHERE {_LOT_OF_NEW} AND waiting > 0)"  # noqa: S608
_OVERTAKES: Final = (
    "OLD.state = 'waiting' AND NEW.state = 'granted' AND EXISTS (SELECT 1 FROM rush_claims WHERE rush_claims.rush_id = "
    "NEW.rush_id AND rush_claims.lot = NEW.lot AND rush_claims.state = 'waiting' AND rush_claims.position < "
    "NEW.position)"
)


def upgrade() -> None:
    _tables()
    _claims_and_uses()
    (_triggers_of_sqlite if op.get_bind().dialect.name == "sqlite" else _triggers_of_postgres)()


def downgrade() -> None:
    for table in ("ticket_uses", "rush_claims", "rush_lots", "rushes"):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        for name in ("in_order", "no_overtaking", "count_added", "count_changed"):
            op.execute(f"DROP FUNCTION rush_claims_{name}()")


def _unmoved(table: str) -> str:
    distinct = "IS NOT" if op.get_bind().dialect.name == "sqlite" else "IS DISTINCT FROM"
    changed = " OR ".join(f"OLD.{name} {distinct} NEW.{name}" for name in _FIXED[table].split())
    return f"{changed} OR {_OVER[table]}"


def _triggers_of_sqlite() -> None:
    for table, same in _SAME.items():
        taken = f"EXISTS (SELECT 1 FROM {table} WHERE {same})"  # noqa: S608  # names of this file
        _refusing(f"{table}_once", f"INSERT ON {table} WHEN {taken}")
        _refusing(f"{table}_kept", f"DELETE ON {table}")
    for table in _FIXED:
        _refusing(f"{table}_unmoved", f"UPDATE ON {table} WHEN {_unmoved(table)}")
    _refusing("ticket_uses_unchanged", "UPDATE ON ticket_uses")
    _refusing("rush_claims_in_order", f"INSERT ON rush_claims WHEN {_IN_ORDER}")
    _refusing("rush_claims_no_overtaking", f"UPDATE OF state ON rush_claims WHEN {_OVERTAKES}")
    added = ", ".join(f"{name} = {name} + (NEW.state = '{state}')" for name, state in _COUNTED)
    changed = ", ".join(
        f"{name} = {name} + (NEW.state = '{state}') - (OLD.state = '{state}')" for name, state in _COUNTED
    )
    for name, event, counts in (("added", "INSERT", added), ("changed", "UPDATE OF state", changed)):
        op.execute(
            f"CREATE TRIGGER rush_claims_count_{name} AFTER {event} ON rush_claims "  # noqa: S608  # names of this file
            f"BEGIN UPDATE rush_lots SET {counts} WHERE {_LOT_OF_NEW}; END"
        )


_COUNTED: Final = (("taken", "granted"), ("waiting", "waiting"))


def _refusing(name: str, event: str) -> None:
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} BEGIN SELECT RAISE(ABORT, '{name}'); END")


def _triggers_of_postgres() -> None:
    refuse = "EXECUTE FUNCTION refuse_change()"
    for table in _SAME:
        op.execute(f"CREATE TRIGGER {table}_kept BEFORE DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT {refuse}")
    for table in _FIXED:
        op.execute(
            f"CREATE TRIGGER {table}_unmoved BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({_unmoved(table)}) {refuse}"
        )
    op.execute(f"CREATE TRIGGER ticket_uses_unchanged BEFORE UPDATE ON ticket_uses FOR EACH ROW {refuse}")
    fault = "RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_NAME"
    for name, event, condition in (("in_order", "INSERT", _IN_ORDER), ("no_overtaking", "UPDATE", _OVERTAKES)):
        op.execute(
            f"CREATE FUNCTION rush_claims_{name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF {condition} THEN {fault}; END IF; RETURN NEW; END $$"
        )
        op.execute(
            f"CREATE TRIGGER rush_claims_{name} BEFORE {event} ON rush_claims FOR EACH ROW "
            f"EXECUTE FUNCTION rush_claims_{name}()"
        )
    counts = ", ".join(f"count(*) FILTER (WHERE state = '{state}') AS {name}" for name, state in _COUNTED)
    for name, event, tables in (
        ("added", "INSERT", (("+", "later"),)),
        ("changed", "UPDATE", (("+", "later"), ("-", "earlier"))),
    ):
        changes = " ".join(
            f"UPDATE rush_lots SET taken = rush_lots.taken {sign} moved.taken, "  # noqa: S608  # names of this file
            f"waiting = rush_lots.waiting {sign} moved.waiting FROM "
            f"(SELECT rush_id, lot, {counts} FROM {rows} GROUP BY rush_id, lot) AS moved "
            "WHERE rush_lots.rush_id = moved.rush_id AND rush_lots.code = moved.lot;"
            for sign, rows in reversed(tables)
        )
        op.execute(
            f"CREATE FUNCTION rush_claims_count_{name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {changes} RETURN NULL; END $$"
        )
        given = " ".join(f"{'NEW' if rows == 'later' else 'OLD'} TABLE AS {rows}" for _, rows in tables)
        op.execute(
            f"CREATE TRIGGER rush_claims_count_{name} AFTER {event} ON rush_claims REFERENCING {given} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION rush_claims_count_{name}()"
        )


def _columns(kind: sa.types.TypeEngine[Any], names: str, *, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=nullable) for name in names.split()]


def _table(name: str, columns: list[sa.Column[Any]], *rules: sa.schema.SchemaItem, key: str = "id") -> None:
    op.create_table(
        name,
        *columns,
        *rules,
        sa.PrimaryKeyConstraint(*key.split(), name=op.f(f"pk_{name}")),
        sqlite_autoincrement=key == "id",
    )


def _checks(table: str, rules: dict[str, str]) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}")) for name, rule in rules.items()]


def _unique(table: str, names: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*names.split(), name=op.f(f"uq_{table}_{names.replace(' ', '_')}"))


def _refers(table: str, names: str, targets: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{names.replace(' ', '_')}")
    return sa.ForeignKeyConstraint(names.split(), targets.split(), name=name)


def _tables() -> None:
    whole, large, words = sa.Integer(), sa.BigInteger(), sa.Text()
    _table(
        "rushes",
        [
            *_columns(_ID, "id"),
            *_columns(words, "programme code"),
            *_columns(large, "edition"),
            *_columns(words, "rules digest"),
            *_columns(_TIME, "opens_at closes_at returns_at"),
            *_columns(large, "price"),
            *_columns(whole, "most longest"),
            *_columns(_TIME, "announced_at"),
            *_columns(words, "announced_by"),
            *_columns(words, "ended", nullable=True),
            *_columns(_TIME, "ended_at", nullable=True),
            *_columns(words, "ended_by reason", nullable=True),
        ],
        _unique("rushes", "programme code"),
        _unique("rushes", "id most"),
        *_checks("rushes", _RUSHES),
    )
    _table(
        "rush_lots",
        [
            *_columns(_ID, "rush_id"),
            *_columns(words, "code"),
            *_columns(whole, "units most"),
            *(sa.Column(name, whole, nullable=False, server_default=sa.text("0")) for name in ("taken", "waiting")),
        ],
        _refers("rush_lots", "rush_id", "rushes.id"),
        _unique("rush_lots", "rush_id code most"),
        *_checks("rush_lots", _LOTS),
        key="rush_id code",
    )


def _claims_and_uses() -> None:
    whole, words = sa.Integer(), sa.Text()
    _table(
        "rush_claims",
        [
            *_columns(_ID, "id"),
            *_columns(words, "key"),
            *_columns(_ID, "rush_id"),
            *_columns(words, "lot"),
            *_columns(_ID, "member_id"),
            *_columns(words, "card_number"),
            *_columns(whole, "rush_most lot_most"),
            *_columns(whole, "place lot_place", nullable=True),
            *_columns(words, "state"),
            *_columns(whole, "position", nullable=True),
            *_columns(_TIME, "at"),
            *_columns(words, "by"),
            *_columns(_TIME, "granted_at ended_at", nullable=True),
            *_columns(words, "ended_by", nullable=True),
        ],
        _refers("rush_claims", "rush_id", "rushes.id"),
        _refers("rush_claims", "member_id", "members.id"),
        _refers("rush_claims", "rush_id rush_most", "rushes.id rushes.most"),
        _refers("rush_claims", "rush_id lot lot_most", "rush_lots.rush_id rush_lots.code rush_lots.most"),
        _unique("rush_claims", "key"),
        _unique("rush_claims", "rush_id member_id place"),
        _unique("rush_claims", "rush_id lot member_id lot_place"),
        _unique("rush_claims", "rush_id lot position"),
        *_checks("rush_claims", _CLAIMS),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "ix_rush_claims_waiting",
        "rush_claims",
        ["rush_id", "lot", "position"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_index("ix_rush_claims_member_id", "rush_claims", ["member_id"])
    _table(
        "ticket_uses",
        [
            *_columns(_ID, "id claim_id"),
            *_columns(words, "counter"),
            *_columns(_TIME, "at uploaded_at"),
            *_columns(words, "by"),
        ],
        _refers("ticket_uses", "claim_id", "rush_claims.id"),
        _unique("ticket_uses", "claim_id counter"),
    )
