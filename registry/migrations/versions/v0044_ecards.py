"""E-cards: one-time codes to sign a telephone in, and the telephones that show a card, one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from registry.migrations.parts import LastingTable, create, drop, instant, number, texts, unique_where

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_ENDS: Final = {
    "ended_at": "(ended IS NULL) = (ended_at IS NULL)",
    "ended_by": "(ended IS NULL) = (ended_by IS NULL)",
}
_CARD_ENDS: Final = "'lost', 'damaged', 'expired', 'withdrawn', 'replaced'"
_TABLES: Final[Mapping[str, LastingTable]] = {
    "ecard_codes": LastingTable(
        columns=(
            number("id"),
            *texts("card_number"),
            number("sequence", sa.Integer()),
            *texts("digest"),
            instant("issued_at"),
            *texts("issued_by"),
            instant("expires_at"),
            number("tries", sa.Integer()),
            *texts("ended", nullable=True),
            instant("ended_at", nullable=True),
            *texts("ended_by", nullable=True),
        ),
        checks={
            "ended": f"ended IN ('used', 'tries', 'again', {_CARD_ENDS})",
            "digest": "length(digest) = 64",
            "times": "issued_at < expires_at",
            "tries": "tries BETWEEN 0 AND 3",
            "spent": "tries < 3 OR ended IS NOT NULL",
            **_ENDS,
        },
        facts=("id", "card_number", "sequence", "digest", "issued_at", "issued_by", "expires_at"),
        keys="id = NEW.id OR (card_number = NEW.card_number AND sequence = NEW.sequence AND ended IS NULL "
        "AND NEW.ended IS NULL)",
        ended="OLD.ended IS NOT NULL OR NEW.tries < OLD.tries",
    ),
    "ecard_devices": LastingTable(
        columns=(
            number("id"),
            *texts("card_number"),
            number("sequence", sa.Integer()),
            number("generation", sa.Integer()),
            number("code_id"),
            sa.Column("device_key", sa.LargeBinary(), nullable=False),
            *texts("session_digest"),
            instant("signed_in_at"),
            instant("delegated_until", nullable=True),
            *texts("ended", nullable=True),
            instant("ended_at", nullable=True),
            *texts("ended_by", "reason", nullable=True),
        ),
        checks={
            "ended": f"ended IN ('again', 'staff', {_CARD_ENDS})",
            "generation": "generation BETWEEN 1 AND 65535",
            "device_key": "length(device_key) = 33",
            "session_digest": "length(session_digest) = 64",
            **_ENDS,
        },
        facts=(
            "id",
            "card_number",
            "sequence",
            "generation",
            "code_id",
            "device_key",
            "session_digest",
            "signed_in_at",
        ),
        keys="id = NEW.id OR code_id = NEW.code_id OR session_digest = NEW.session_digest OR (card_number = "
        "NEW.card_number AND sequence = NEW.sequence AND (generation = NEW.generation OR (ended IS NULL AND "
        "NEW.ended IS NULL)))",
        ended="OLD.ended IS NOT NULL OR NEW.delegated_until < OLD.delegated_until",
        references={"code_id": "ecard_codes.id"},
        unique=(("code_id",), ("session_digest",), ("card_number", "sequence", "generation")),
    ),
}


def upgrade() -> None:
    create(_TABLES)
    for table in _TABLES:
        unique_where(table, "living", ["card_number", "sequence"], "ended IS NULL")


def downgrade() -> None:
    """Raises ValueError where an e-card is on record: its telephone would go on showing it."""
    drop(_TABLES, "the registry has e-cards: it cannot go back")
