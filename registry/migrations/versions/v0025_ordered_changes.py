"""What was ordered of a chip stays as it was ordered; what lifts a block is ordered for two people, and so is a benefit
that is added to a merchant's contract."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_ORDERED: Final = "id card_number sequence kind wanted_at wanted_by reason two_people"
_CONSENT: Final = "consented_at consented_by"
_ADDED: Final = (
    "EXISTS (SELECT 1 FROM outlets WHERE merchant_id = NEW.merchant_id) AND NOT EXISTS (SELECT 1 FROM merchant_changes "
    "WHERE merchant_id = NEW.merchant_id AND kind = 'contract' AND state = 'approved' AND NOT applied)"
)
"""A merchant is recorded with its benefits before its first outlet."""
_BY_TWO: Final = "merchant_benefits_added_by_two"


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    lifted = "X'00'" if sqlite else "'\\x00'::bytea"
    lifts = f"(NEW.kind IN ('last-date', 'pin-unblock') OR (NEW.kind = 'block' AND NEW.value = {lifted}))"
    erased = "NEW.kind = 'pin-change' AND length(NEW.value) = 0"
    changed = (
        f"{_changed(_ORDERED, sqlite=sqlite)} "
        f"OR (OLD.consented_by IS NOT NULL AND ({_changed(_CONSENT, sqlite=sqlite)})) "
        f"OR (({_changed('value', sqlite=sqlite)}) AND NOT ({erased}))"
    )
    for name, event, condition in (
        ("card_updates_by_two", "INSERT", f"{lifts} AND NOT NEW.two_people"),
        ("card_updates_unchanged", "UPDATE", changed),
    ):
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON card_updates WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{name}'); END"
            if sqlite
            else f"CREATE TRIGGER {name} BEFORE {event} ON card_updates FOR EACH ROW WHEN ({condition}) "
            "EXECUTE FUNCTION refuse_change()"
        )
    if sqlite:
        same = "SELECT 1 FROM merchant_benefits WHERE merchant_id = NEW.merchant_id"
        taken = f"EXISTS ({same} AND benefit_class = NEW.benefit_class)"
        for name, condition in ((_BY_TWO, _ADDED), ("merchant_benefits_not_replaced", taken)):
            op.execute(
                f"CREATE TRIGGER {name} BEFORE INSERT ON merchant_benefits WHEN {condition} "
                f"BEGIN SELECT RAISE(ABORT, '{name}'); END"
            )
        return
    refuse = "RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_NAME"
    op.execute(
        f"CREATE FUNCTION {_BY_TWO}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {_ADDED} THEN {refuse}; END IF; RETURN NEW; END $$"
    )
    op.execute(f"CREATE TRIGGER {_BY_TWO} BEFORE INSERT ON merchant_benefits FOR EACH ROW EXECUTE FUNCTION {_BY_TWO}()")


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name in ("card_updates_by_two", "card_updates_unchanged"):
        op.execute(f"DROP TRIGGER {name}{'' if sqlite else ' ON card_updates'}")
    op.execute(f"DROP TRIGGER {_BY_TWO}{'' if sqlite else ' ON merchant_benefits'}")
    op.execute("DROP TRIGGER merchant_benefits_not_replaced" if sqlite else f"DROP FUNCTION {_BY_TWO}()")


def _changed(columns: str, *, sqlite: bool) -> str:
    other = "IS NOT" if sqlite else "IS DISTINCT FROM"
    return " OR ".join(f'OLD."{column}" {other} NEW."{column}"' for column in columns.split())
