"""PIN letters: each is printed once, by two people, and its row is written before."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_TABLE: Final = "pin_mailers"
_CHECKS: Final = {
    "kind": "kind IN ('member', 'payment')",
    "second_person": "second <> by",
    "spoilt_second": "spoilt_second <> spoilt_by",
    "spoilt": "(spoilt_at IS NULL) = (spoilt_by IS NULL) AND (spoilt_at IS NULL) = (spoilt_second IS NULL) "
    "AND (spoilt_at IS NULL) = (reason IS NULL)",
}
_FACTS: Final = ("id", "card_number", "sequence", "kind", "begun_at", "by", "second", "printer")
_OTHER: Final = " OR ".join(f'OLD."{name}" <> NEW."{name}"' for name in _FACTS)
_CHANGED: Final = (
    f"{_OTHER} OR OLD.spoilt_at IS NOT NULL OR (OLD.printed_at IS NOT NULL AND NEW.printed_at IS NULL) "
    "OR (OLD.printed_at IS NOT NULL AND NEW.printed_at <> OLD.printed_at) "
    "OR (OLD.printed_at IS NULL AND NEW.printed_at IS NOT NULL AND NEW.spoilt_at IS NOT NULL)"
)
_TAKEN: Final = (
    "EXISTS (SELECT 1 FROM pin_mailers WHERE id = NEW.id "
    "OR (card_number = NEW.card_number AND sequence = NEW.sequence AND kind = NEW.kind))"
)
"""INSERT OR REPLACE deletes without a look at the trigger for deletes. sqlite.org/lang_conflict.html"""


def upgrade() -> None:
    texts = ("spoilt_by", "spoilt_second", "reason")
    op.create_table(
        _TABLE,
        sa.Column("id", _ID, nullable=False),
        sa.Column("card_number", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("begun_at", _TIME, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("by", "second", "printer")),
        *(sa.Column(name, _TIME) for name in ("printed_at", "spoilt_at")),
        *(sa.Column(name, sa.Text()) for name in texts),
        sa.ForeignKeyConstraint(
            ["card_number", "sequence"],
            ["cards.card_number", "cards.sequence"],
            name=op.f(f"fk_{_TABLE}_card_number_sequence"),
        ),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_{_TABLE}_{name}")) for name, rule in _CHECKS.items()),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{_TABLE}")),
        sa.UniqueConstraint("card_number", "sequence", "kind", name=op.f(f"uq_{_TABLE}_card_number_sequence_kind")),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        for name, event, condition in (
            ("unchanged", "UPDATE", _CHANGED),
            ("kept", "DELETE", "OLD.id IS NOT NULL"),
            ("not_replaced", "INSERT", _TAKEN),
        ):
            op.execute(
                f"CREATE TRIGGER {_TABLE}_{name} BEFORE {event} ON {_TABLE} WHEN {condition} "
                f"BEGIN SELECT RAISE(ABORT, '{_TABLE}_{name}'); END"
            )
        return
    refuse = "EXECUTE FUNCTION refuse_change()"
    op.execute(f"CREATE TRIGGER {_TABLE}_unchanged BEFORE UPDATE ON {_TABLE} FOR EACH ROW WHEN ({_CHANGED}) {refuse}")
    op.execute(f"CREATE TRIGGER {_TABLE}_kept BEFORE DELETE OR TRUNCATE ON {_TABLE} FOR EACH STATEMENT {refuse}")


def downgrade() -> None:
    """Raises ValueError where a letter was begun: without its row its PIN would be printed again."""
    if op.get_bind().execute(sa.text("SELECT 1 FROM pin_mailers LIMIT 1")).first() is not None:
        raise ValueError("the registry has PIN letters: it cannot go back")
    op.drop_table(_TABLE)
