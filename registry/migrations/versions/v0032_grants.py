"""Benefits that the office counts: grants to counters, and redemptions, contracts and rates of such benefits."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_CHECKS = {
    "intent": "intent >= 1",
    "digest": "length(digest) = 64",
    "quantity": "quantity BETWEEN 1 AND 255",
    "amounts": "price >= 0 AND saved >= 0",
    "position": "position >= 1",
    "stock": "(place = '') = (stock_position IS NULL)",
}
_REFERENCES = {
    "journal": "counter_journals.name",
    "member_id": "members.id",
    "outlet_id": "outlets.id",
}
_TAKEN = (
    "id = NEW.id OR (journal = NEW.journal AND intent = NEW.intent) "
    "OR (member_id = NEW.member_id AND benefit = NEW.benefit AND position = NEW.position) "
    "OR (benefit = NEW.benefit AND place = NEW.place AND stock_position = NEW.stock_position)"
)
"""INSERT OR REPLACE deletes without a look at the trigger for deletes. sqlite.org/lang_conflict.html"""
_OF_CARD_ALONE = (
    ("atc", "INTEGER"),
    ("used", "INTEGER"),
    ('"limit"', "INTEGER"),
    ("scripts", "INTEGER"),
    ("cryptogram", "BLOB"),
    ("evidence", "BLOB"),
)
"""Columns of a redemption that only a card's has."""
_BENEFITS = ("merchant_benefits", "settlement_rates")
"""Tables that name a benefit: by the class that cards count, or by the code of one that the office counts."""
_CLASS, _CLASS_OR_CODE = "length(benefit_class) = 4", "length(benefit_class) BETWEEN 1 AND 40"
_REFERS = "CONSTRAINT fk_redemptions_grant_id REFERENCES grants (id)"
_COUNTED = "CONSTRAINT ck_redemptions_counted CHECK ((grant_id IS NULL) = (atc IS NOT NULL))"


def upgrade() -> None:
    _grants()
    (_triggers_of_sqlite if _sqlite() else _triggers_of_postgres)()
    if _sqlite():
        _rewrite("redemptions", {f"\t{name} {kind} NOT NULL,": f"\t{name} {kind}," for name, kind in _OF_CARD_ALONE})
        for table in _BENEFITS:
            _rewrite(table, {f"CHECK ({_CLASS})": f"CHECK ({_CLASS_OR_CODE})"})
    else:
        for name, _kind in _OF_CARD_ALONE:
            op.execute(f"ALTER TABLE redemptions ALTER COLUMN {name} DROP NOT NULL")
        _check_benefits(_CLASS_OR_CODE)
    kind = "INTEGER" if _sqlite() else "BIGINT"
    op.execute(f"ALTER TABLE redemptions ADD COLUMN grant_id {kind} {_REFERS} {_COUNTED}")
    op.create_index("uq_redemptions_grant_id", "redemptions", ["grant_id"], unique=True)
    if _sqlite():
        same = "SELECT 1 FROM redemptions WHERE grant_id = NEW.grant_id"
        _refusing("redemptions_grant_not_replaced", f"INSERT ON redemptions WHEN EXISTS ({same})")


def downgrade() -> None:
    """Raises ValueError where the office has counted: a program of before knows no redemption without a card."""
    if op.get_bind().execute(sa.text("SELECT 1 FROM redemptions WHERE atc IS NULL LIMIT 1")).first() is not None:
        raise ValueError("the registry has redemptions that the office has counted: it cannot go back")
    if _sqlite():
        op.execute("DROP TRIGGER redemptions_grant_not_replaced")
    op.drop_index("uq_redemptions_grant_id", "redemptions")
    if _sqlite():
        _rewrite("redemptions", {f" {_REFERS} {_COUNTED}": ""})
        op.execute("ALTER TABLE redemptions DROP COLUMN grant_id")
        _rewrite("redemptions", {f"\t{name} {kind},": f"\t{name} {kind} NOT NULL," for name, kind in _OF_CARD_ALONE})
        for table in _BENEFITS:
            _rewrite(table, {f"CHECK ({_CLASS_OR_CODE})": f"CHECK ({_CLASS})"})
    else:
        op.execute("ALTER TABLE redemptions DROP COLUMN grant_id")
        for name, _kind in _OF_CARD_ALONE:
            op.execute(f"ALTER TABLE redemptions ALTER COLUMN {name} SET NOT NULL")
        _check_benefits(_CLASS)
    op.drop_table("grants")


def _sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _triggers_of_sqlite() -> None:
    taken = f"EXISTS (SELECT 1 FROM grants WHERE {_TAKEN})"  # noqa: S608  # names of this file
    _refusing("grants_once", f"INSERT ON grants WHEN {taken}")
    _refusing("grants_unchanged", "UPDATE ON grants")
    _refusing("grants_kept", "DELETE ON grants")


def _refusing(name: str, event: str) -> None:
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} BEGIN SELECT RAISE(ABORT, '{name}'); END")


def _triggers_of_postgres() -> None:
    refuse = "EXECUTE FUNCTION refuse_change()"
    op.execute(f"CREATE TRIGGER grants_unchanged BEFORE UPDATE ON grants FOR EACH ROW {refuse}")
    op.execute(f"CREATE TRIGGER grants_kept BEFORE DELETE OR TRUNCATE ON grants FOR EACH STATEMENT {refuse}")


def _rewrite(table: str, changes: Mapping[str, str]) -> None:
    """Change constraints of a table that say nothing of how its rows are stored. Other tables refer to it, so that it
    cannot be built anew in a transaction. sqlite.org/lang_altertable.html, 7"""
    bind = op.get_bind()
    named = {"name": table}
    text = bind.execute(sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name"), named).scalar()
    for old, new in changes.items():
        if text is None or text.count(old) != 1:
            raise ValueError(f"table {table} is not as this migration knows it: {old.strip()}")
        text = text.replace(old, new)
    version = int(bind.execute(sa.text("PRAGMA schema_version")).scalar_one())
    bind.execute(sa.text("PRAGMA writable_schema = ON"))
    written = "UPDATE sqlite_master SET sql = :sql WHERE type = 'table' AND name = :name"
    bind.execute(sa.text(written), {"sql": text, **named})
    bind.execute(sa.text(f"PRAGMA schema_version = {version + 1}"))
    bind.execute(sa.text("PRAGMA writable_schema = OFF"))


def _check_benefits(rule: str) -> None:
    for table in _BENEFITS:
        name = f"ck_{table}_benefit_class"
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({rule})")


def _grants() -> None:
    texts = ("benefit", "product", "place", "event")
    op.create_table(
        "grants",
        sa.Column("id", _ID, nullable=False),
        sa.Column("journal", sa.Text(), nullable=False),
        sa.Column("intent", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("digest", "card_number")),
        sa.Column("sequence", sa.Integer(), nullable=False),
        *(sa.Column(name, _ID, nullable=False) for name in ("member_id", "outlet_id")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("merchant", "terminal", *texts)),
        sa.Column("quantity", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("price", "saved")),
        sa.Column("left", sa.BigInteger()),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("day", "clock")),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("stock_position", sa.Integer()),
        sa.ForeignKeyConstraint(
            ["card_number", "sequence"],
            ["cards.card_number", "cards.sequence"],
            name=op.f("fk_grants_card_number_sequence"),
        ),
        *(
            sa.ForeignKeyConstraint([name], [target], name=op.f(f"fk_grants_{name}"))
            for name, target in _REFERENCES.items()
        ),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_grants_{name}")) for name, rule in _CHECKS.items()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
        sa.UniqueConstraint("journal", "intent", name=op.f("uq_grants_journal_intent")),
        sa.UniqueConstraint("member_id", "benefit", "position", name=op.f("uq_grants_member_id_benefit_position")),
        sa.UniqueConstraint("benefit", "place", "stock_position", name=op.f("uq_grants_benefit_place_stock_position")),
        sqlite_autoincrement=True,
    )
