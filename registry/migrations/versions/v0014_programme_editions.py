"""Signed editions of the programme, which are never changed or deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_SQLITE_TRIGGERS = (
    """CREATE TRIGGER programme_editions_unchanged BEFORE UPDATE ON programme_editions
    BEGIN SELECT RAISE(ABORT, 'programme_editions_unchanged'); END""",
    # INSERT OR REPLACE deletes without asking the trigger for deletes. sqlite.org/lang_conflict.html
    """CREATE TRIGGER programme_editions_once BEFORE INSERT ON programme_editions
    WHEN EXISTS (SELECT 1 FROM programme_editions WHERE version = NEW.version)
    BEGIN SELECT RAISE(ABORT, 'programme_editions_once'); END""",
    """CREATE TRIGGER programme_editions_lasting BEFORE DELETE ON programme_editions
    BEGIN SELECT RAISE(ABORT, 'programme_editions_lasting'); END""",
)
_POSTGRES_TRIGGERS = (
    """CREATE TRIGGER programme_editions_unchanged BEFORE UPDATE ON programme_editions FOR EACH ROW
    EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER programme_editions_lasting BEFORE DELETE OR TRUNCATE ON programme_editions FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change()""",
)


def upgrade() -> None:
    op.create_table(
        "programme_editions",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("division", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(division) = 6", name=op.f("ck_programme_editions_division")),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_programme_editions_digest")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_programme_editions")),
    )
    for statement in _SQLITE_TRIGGERS if op.get_bind().dialect.name == "sqlite" else _POSTGRES_TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("programme_editions")
