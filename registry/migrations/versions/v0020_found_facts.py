"""What a finding says stays as it was found; it holds its redemption until people have decided."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_FACTS: Final = "id digest kind at outlet_id card_number sequence atc atc_until journal number facts evidence"
_SET_FREE: Final = (
    "OLD.holds <> NEW.holds AND NOT (OLD.kind = 'reversal-late' AND NEW.decision IS NOT NULL AND "
    "NEW.decision = 'refused' AND NOT NEW.holds)"
)
"""A late reversal that is refused holds its redemption no longer."""


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    other = "IS NOT" if sqlite else "IS DISTINCT FROM"
    changed = " OR ".join(f'OLD."{column}" {other} NEW."{column}"' for column in _FACTS.split())
    condition = f"{changed} OR ({_SET_FREE})"
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


def downgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute(f"DROP TRIGGER findings_unchanged{'' if sqlite else ' ON findings'}")
