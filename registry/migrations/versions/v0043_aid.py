"""Grants that are paid: lists, rows, findings, and budgets that are not overdrawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from registry.migrations.parts import (
    LastingTable,
    count,
    create,
    drop,
    instant,
    number,
    signature,
    texts,
    unique_where,
)

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_LIST_FACTS: Final = ("id", "kind", "year", "source", "digest", "at", "by", "rules", "purpose", "rows", "amount")
_TABLES: Final[Mapping[str, LastingTable]] = {
    "aid_budgets": LastingTable(
        columns=(*texts("kind"), number("year", sa.Integer()), count("amount"), count("spent")),
        checks={"spent": "amount >= 0 AND spent BETWEEN 0 AND amount"},
        facts=("kind", "year"),
        keys="kind = NEW.kind AND year = NEW.year",
        ended="NEW.spent < OLD.spent",
        primary=("kind", "year"),
    ),
    "aid_lists": LastingTable(
        columns=(
            number("id"),
            *texts("kind"),
            number("year", sa.Integer()),
            *texts("source", "digest"),
            instant("at"),
            *texts("by", "rules", "purpose", "state"),
            number("rows", sa.Integer()),
            count("amount"),
            number("rejected", sa.Integer()),
            *signature("approved"),
            *signature("discarded"),
            *texts("reason"),
        ),
        checks={
            "state": "state IN ('drafted', 'approved', 'discarded')",
            "sums": "rows >= 1 AND amount >= 1 AND rejected >= 0",
            "second_person": "approved_by <> by",
            "approved": "(state = 'approved') = (approved_by IS NOT NULL)",
            "discarded": "(state = 'discarded') = (discarded_by IS NOT NULL)",
        },
        facts=(*_LIST_FACTS, "rejected"),
        keys="id = NEW.id OR (kind = NEW.kind AND digest = NEW.digest AND state <> 'discarded' "
        "AND NEW.state <> 'discarded')",
        ended="OLD.state <> 'drafted'",
    ),
    "aid_rows": LastingTable(
        columns=(
            number("list_id"),
            number("row", sa.Integer()),
            number("member_id"),
            *texts("choice"),
            count("amount"),
            *texts("once_key", nullable=True),
            sa.Column("living", sa.Boolean(), nullable=False),
        ),
        checks={"amount": "amount >= 1"},
        facts=("list_id", "row", "member_id", "choice", "amount", "once_key"),
        keys='(list_id = NEW.list_id AND "row" = NEW."row") OR (member_id = NEW.member_id '
        "AND once_key = NEW.once_key AND living AND NEW.living)",
        ended="NOT OLD.living",
        primary=("list_id", "row"),
        references={"list_id": "aid_lists.id", "member_id": "members.id"},
    ),
    "aid_findings": LastingTable(
        columns=(number("list_id"), number("row", sa.Integer()), *texts("rule")),
        checks={
            "rule": "rule IN ('number', 'member', 'name', 'left', 'category', 'choice', 'amount', 'most', 'twice', "
            "'once')"
        },
        facts=(),
        keys='list_id = NEW.list_id AND "row" = NEW."row"',
        ended="1 = 1",
        primary=("list_id", "row"),
        references={"list_id": "aid_lists.id"},
    ),
}


def upgrade() -> None:
    create(_TABLES)
    unique_where("aid_lists", "digest", ["kind", "digest"], "state <> 'discarded'")
    unique_where("aid_rows", "once", ["member_id", "once_key"], "living AND once_key IS NOT NULL")


def downgrade() -> None:
    """Raises ValueError where somebody was granted something: it could be granted again."""
    drop(_TABLES, "the registry has grants that were paid: it cannot go back")
