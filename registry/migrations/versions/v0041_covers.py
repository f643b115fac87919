"""Covers: who is covered, the lists of changes (增减) that say so, and why a member left the union."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa
from alembic import op

from registry.migrations.parts import LastingTable, count, create, drop, instant, number, signature, texts, unique_where

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_LIST_FACTS: Final = ("id", "cover", "kind", "number", "term_first", "term_last", "effective", "at", "by", "rules")
_COUNTS: Final = ("before", "added", "leaving", "covered", "digest")
_TABLES: Final[Mapping[str, LastingTable]] = {
    "departures": LastingTable(
        columns=(number("event_id"), *texts("kind", "left_on")),
        checks={"kind": "kind IN ('withdrew', 'retired', 'died', 'moved')", "left_on": "length(left_on) = 10"},
        facts=("event_id", "kind", "left_on"),
        keys="event_id = NEW.event_id",
        primary=("event_id",),
        references={"event_id": "member_events.id"},
    ),
    "cover_lists": LastingTable(
        columns=(
            number("id"),
            *texts("cover", "kind"),
            number("number", sa.Integer()),
            *texts("term_first", "term_last", "effective"),
            instant("at"),
            *texts("by", "rules", "state"),
            *(count(name) for name in _COUNTS[:-1]),
            *texts("digest"),
            sa.Column("chip_value", sa.LargeBinary()),
            *signature("signed"),
            *signature("released"),
            *signature("sent"),
            *signature("discarded"),
            *texts("reason"),
        ),
        checks={
            "kind": "kind IN ('opening', 'supplement')",
            "state": "state IN ('drafting', 'drafted', 'signed', 'released', 'sent', 'discarded')",
            "term": "term_first <= effective AND effective <= term_last",
            "totals": "covered = before + added - leaving AND before >= 0 AND added >= 0 AND leaving >= 0",
            "digest": "state = 'drafting' OR length(digest) = 64",
            "two_signatures": "released_by <> signed_by",
            "first_signature": "state NOT IN ('signed', 'released', 'sent') OR signed_by IS NOT NULL",
            "second_signature": "(state IN ('released', 'sent')) = (released_by IS NOT NULL)",
            "sent_by": "(state = 'sent') = (sent_by IS NOT NULL)",
            "discarded_by": "(state = 'discarded') = (discarded_by IS NOT NULL)",
        },
        facts=_LIST_FACTS,
        keys="id = NEW.id OR (cover = NEW.cover AND state IN ('drafting', 'drafted', 'signed') "
        "AND NEW.state IN ('drafting', 'drafted', 'signed')) OR (cover = NEW.cover AND term_first = NEW.term_first "
        "AND kind = 'opening' AND NEW.kind = 'opening' AND state IN ('released', 'sent') "
        "AND NEW.state IN ('released', 'sent'))",
        ended="(OLD.state <> 'drafting' AND ("
        + " OR ".join(f'OLD."{name}" <> NEW."{name}"' for name in _COUNTS)
        + ")) OR OLD.state IN ('sent', 'discarded') OR (OLD.state = 'released' AND NEW.state <> 'sent') "
        "OR (OLD.state = 'signed' AND NEW.state NOT IN ('released', 'discarded')) "
        "OR (OLD.state = 'drafted' AND NEW.state NOT IN ('signed', 'discarded')) "
        "OR (OLD.state = 'drafting' AND NEW.state <> 'drafted')",
    ),
    "cover_entries": LastingTable(
        columns=(
            number("list_id"),
            number("member_id"),
            *texts("change", "reason"),
            *texts("card_number", nullable=True),
        ),
        checks={
            "change": "change IN ('added', 'left')",
            "reason": "(change = 'added') = (reason IN ('new', 'again'))",
        },
        facts=("list_id", "member_id", "change", "reason", "card_number"),
        keys="list_id = NEW.list_id AND member_id = NEW.member_id",
        primary=("list_id", "member_id"),
        references={"list_id": "cover_lists.id", "member_id": "members.id"},
    ),
    "cover_holders": LastingTable(
        columns=(
            *texts("cover"),
            number("member_id"),
            number("entered_list"),
            number("left_list", nullable=True),
        ),
        checks={"left_list": "left_list > entered_list"},
        facts=("cover", "member_id", "entered_list"),
        keys="cover = NEW.cover AND member_id = NEW.member_id "
        "AND (entered_list = NEW.entered_list OR (left_list IS NULL AND NEW.left_list IS NULL))",
        ended="OLD.left_list IS NOT NULL",
        primary=("cover", "member_id", "entered_list"),
        references={"member_id": "members.id", "entered_list": "cover_lists.id", "left_list": "cover_lists.id"},
    ),
}


def upgrade() -> None:
    create(_TABLES)
    unique_where("cover_lists", "open", ["cover"], "state IN ('drafting', 'drafted', 'signed')")
    unique_where(
        "cover_lists", "opening", ["cover", "term_first"], "kind = 'opening' AND state IN ('released', 'sent')"
    )
    unique_where("cover_holders", "living", ["cover", "member_id"], "left_list IS NULL")
    op.create_index("ix_cover_entries_member_id", "cover_entries", ["member_id"])
    op.create_index("ix_cover_holders_member_id", "cover_holders", ["member_id"])


def downgrade() -> None:
    """Raises ValueError where somebody is covered: nobody would know it afterwards."""
    drop(_TABLES, "the registry has covers: it cannot go back")
