"""A federation may require two people for a member's rights on chips: category, cover, entitlements, validity."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLE: Final = "rights_rules"
_CHECKS: Final = {"one_person": "two_people OR second IS NOT NULL", "second_person": "second <> by"}
_RIGHTS: Final = (
    "NEW.kind IN ('category', 'cover', 'entitlements', 'validity') AND NOT NEW.two_people "
    "AND COALESCE((SELECT two_people FROM rights_rules ORDER BY id DESC LIMIT 1), false)"
)
_KEPT: Final = (("rights_rules_unchanged", "UPDATE"), ("rights_rules_kept", "DELETE"))
_ORDERED: Final = "card_updates_rights_by_two"


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column("id", _ID, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("second", sa.Text()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("two_people", sa.Boolean(), nullable=False),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_{_TABLE}_{name}")) for name, rule in _CHECKS.items()),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{_TABLE}")),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        taken = "EXISTS (SELECT 1 FROM rights_rules WHERE id = NEW.id)"
        rules = (
            *((name, event, _TABLE, "OLD.id IS NOT NULL") for name, event in _KEPT),
            ("rights_rules_not_replaced", "INSERT", _TABLE, taken),
            (_ORDERED, "INSERT", "card_updates", _RIGHTS),
        )
        for name, event, table, condition in rules:
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {condition} "
                f"BEGIN SELECT RAISE(ABORT, '{name}'); END"
            )
        return
    for name, event in _KEPT:
        op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {_TABLE} FOR EACH ROW EXECUTE FUNCTION refuse_change()")
    op.execute(
        f"CREATE TRIGGER rights_rules_not_emptied BEFORE TRUNCATE ON {_TABLE} FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change()"
    )
    refuse = "RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_NAME"
    op.execute(
        f"CREATE FUNCTION {_ORDERED}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {_RIGHTS} THEN {refuse}; END IF; RETURN NEW; END $$"
    )
    op.execute(f"CREATE TRIGGER {_ORDERED} BEFORE INSERT ON card_updates FOR EACH ROW EXECUTE FUNCTION {_ORDERED}()")


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute(f"DROP TRIGGER {_ORDERED}{'' if sqlite else ' ON card_updates'}")
    if not sqlite:
        op.execute(f"DROP FUNCTION {_ORDERED}()")
    op.drop_table(_TABLE)
