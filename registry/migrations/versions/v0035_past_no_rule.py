"""No rule of merchants and redemptions is passed by another statement: outlets, terminals and benefits of a contract do
not move, and a redemption is whole, by its card or as it was granted."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_OF_CARD: Final = ("used", '"limit"', "scripts", "cryptogram", "evidence")
_RULES: Final = (
    ("outlets_unmoved", "UPDATE", "outlets", "OLD.id <> NEW.id OR OLD.merchant_id <> NEW.merchant_id"),
    ("terminals_unmoved", "UPDATE", "terminals", "OLD.terminal <> NEW.terminal OR OLD.outlet_id <> NEW.outlet_id"),
    ("merchant_benefits_unchanged", "UPDATE", "merchant_benefits", "OLD.merchant_id IS NOT NULL"),
    (
        "redemptions_of_cards_whole",
        "INSERT",
        "redemptions",
        f"NEW.atc IS NOT NULL AND ({' OR '.join(f'NEW.{name} IS NULL' for name in _OF_CARD)})",
    ),
)
_GRANTED: Final = "redemptions_as_granted"
_SAME: Final = ("card_number", "sequence", "merchant", "terminal", "quantity", "day", "clock", "journal")
_OTHER: Final = (
    "NOT EXISTS (SELECT 1 FROM grants WHERE grants.id = NEW.grant_id AND grants.benefit = NEW.benefit_class "  # noqa: S608
    f"AND grants.price = NEW.amount AND {' AND '.join(f'grants.{name} = NEW.{name}' for name in _SAME)})"
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name, event, table, condition in (*_RULES, _as_granted(f"NEW.grant_id IS NOT NULL AND {_OTHER}")):
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {condition} "
                f"BEGIN SELECT RAISE(ABORT, '{name}'); END"
            )
        return
    refuse = "RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_NAME"
    op.execute(
        f"CREATE FUNCTION {_GRANTED}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {_OTHER} THEN {refuse}; END IF; RETURN NEW; END $$"
    )
    for name, event, table, condition in (*_RULES, _as_granted("NEW.grant_id IS NOT NULL")):
        function = _GRANTED if name == _GRANTED else "refuse_change"
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW WHEN ({condition}) "
            f"EXECUTE FUNCTION {function}()"
        )


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for name, _event, table, _condition in (*_RULES, _as_granted("")):
        op.execute(f"DROP TRIGGER {name}{'' if sqlite else f' ON {table}'}")
    if not sqlite:
        op.execute(f"DROP FUNCTION {_GRANTED}()")


def _as_granted(condition: str) -> tuple[str, str, str, str]:
    return _GRANTED, "INSERT", "redemptions", condition
