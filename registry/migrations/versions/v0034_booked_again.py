"""What was not booked may be booked later, and a journal has the times that its next rows cannot be before."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_TIMES: Final = ("latest_at", "parts_since", "complete_at")
_FACTS: Final = "id digest kind at outlet_id card_number sequence atc atc_until journal number facts evidence"
_SET_FREE: Final = (
    "OLD.holds <> NEW.holds AND NOT (OLD.kind = 'reversal-late' AND NEW.decision IS NOT NULL AND "
    "NEW.decision = 'refused' AND NOT NEW.holds)"
)


def upgrade() -> None:
    op.add_column("findings", sa.Column("source", sa.Text()))
    for name in _TIMES:
        op.add_column("counter_journals", sa.Column(name, _TIME))
    op.execute(
        "UPDATE counter_journals SET latest_at = "
        "(SELECT redemptions.at FROM redemptions WHERE redemptions.journal = counter_journals.name "
        "ORDER BY redemptions.number DESC, redemptions.id DESC LIMIT 1)"
    )
    _unchanged(f"{_FACTS} source")


def downgrade() -> None:
    _unchanged(_FACTS)
    for name in _TIMES:
        op.drop_column("counter_journals", name)
    op.drop_column("findings", "source")


def _unchanged(facts: str) -> None:
    """Let nobody change these columns of a finding."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    other = "IS NOT" if sqlite else "IS DISTINCT FROM"
    condition = " OR ".join(f'OLD."{column}" {other} NEW."{column}"' for column in facts.split()) + f" OR ({_SET_FREE})"
    op.execute(f"DROP TRIGGER findings_unchanged{'' if sqlite else ' ON findings'}")
    if sqlite:
        op.execute(
            f"CREATE TRIGGER findings_unchanged BEFORE UPDATE ON findings WHEN {condition} "
            "BEGIN SELECT RAISE(ABORT, 'findings_unchanged'); END"
        )
        return
    op.execute(
        f"CREATE TRIGGER findings_unchanged BEFORE UPDATE ON findings FOR EACH ROW WHEN ({condition}) "
        "EXECUTE FUNCTION refuse_change()"
    )
