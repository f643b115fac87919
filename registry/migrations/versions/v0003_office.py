"""The office: people, audit, answers kept, stations, verdicts, editions, plans; and members found by name."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)

# What was done stays told: no program, this one included, may change or delete a row of the audit.
_SQLITE_TRIGGERS = (
    """CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit_unchanged'); END""",
    # INSERT OR REPLACE deletes without asking the trigger for deletes. sqlite.org/lang_conflict.html
    """CREATE TRIGGER audit_once BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number)
    BEGIN SELECT RAISE(ABORT, 'audit_once'); END""",
    """CREATE TRIGGER audit_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit_kept'); END""",
    """CREATE TRIGGER audit_head_kept BEFORE DELETE ON audit_head
    BEGIN SELECT RAISE(ABORT, 'audit_head_kept'); END""",
    """CREATE TRIGGER audit_head_grows BEFORE UPDATE ON audit_head WHEN NEW.number <> OLD.number + 1
    BEGIN SELECT RAISE(ABORT, 'audit_head_grows'); END""",
)
_POSTGRES_TRIGGERS = (
    """CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER audit_kept BEFORE DELETE OR TRUNCATE ON audit FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER audit_head_kept BEFORE DELETE OR TRUNCATE ON audit_head FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER audit_head_grows BEFORE UPDATE ON audit_head FOR EACH ROW
    WHEN (NEW.number <> OLD.number + 1) EXECUTE FUNCTION refuse_change()""",
)


def upgrade() -> None:
    op.add_column("members", sa.Column("name_index", sa.LargeBinary()))
    op.add_column("members", sa.Column("withdrawn_at", _TIME))
    op.add_column("roster_rows", sa.Column("replaces", sa.Text()))
    op.add_column("chips", sa.Column("code", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("chips", sa.Column("params", sa.Text(), nullable=False, server_default=sa.text("'{}'")))
    op.create_index("ix_members_name_index", "members", ["name_index"])
    op.create_index("ix_cards_verified_at", "cards", ["verified_at"])
    op.create_index("ix_chips_ended_at", "chips", ["ended_at"])
    for create in (_people, _failures, _audit, _replies, _stations, _editions, _batch_papers, _plans, _member_events):
        create()
    for statement in _SQLITE_TRIGGERS if op.get_bind().dialect.name == "sqlite" else _POSTGRES_TRIGGERS:
        op.execute(statement)
    op.execute("INSERT INTO audit_head (id, number, hash) VALUES (1, 0, '')")


def downgrade() -> None:
    for table in (
        "member_events",
        "plans",
        "reviews",
        "originals",
        "edition_changes",
        "editions",
        "verdicts",
        "reader_names",
        "replies",
        "audit_head",
        "audit",
        "failures",
        "tokens",
        "sessions",
        "users",
    ):
        op.drop_table(table)
    op.drop_index("ix_chips_ended_at", "chips")
    op.drop_index("ix_cards_verified_at", "cards")
    op.drop_index("ix_members_name_index", "members")
    op.drop_column("chips", "params")
    op.drop_column("chips", "code")
    op.drop_column("roster_rows", "replaces")
    op.drop_column("members", "withdrawn_at")
    op.drop_column("members", "name_index")


def _must(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [_must(name, sa.Text()) for name in names]


def _people() -> None:
    op.create_table(
        "users",
        _must("id", _ID),
        *_texts("name", "folded", "display", "password_hash", "roles"),
        _must("disabled", sa.Boolean()),
        _must("must_change", sa.Boolean()),
        *_texts("language"),
        _must("made_at", _TIME),
        _must("password_at", _TIME),
        sa.Column("signed_in_at", _TIME),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("folded", name=op.f("uq_users_folded")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sessions",
        _must("token_hash", sa.LargeBinary()),
        _must("user_id", _ID),
        *_texts("csrf"),
        _must("opened_at", _TIME),
        _must("seen_at", _TIME),
        _must("until", _TIME),
        _must("idle_seconds", sa.Integer()),
        *_texts("origin"),
        sa.CheckConstraint("length(token_hash) = 32", name=op.f("ck_sessions_token_hash")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_index("ix_sessions_until", "sessions", ["until"])
    op.create_table(
        "tokens",
        _must("id", _ID),
        _must("token_hash", sa.LargeBinary()),
        *_texts("label", "roles"),
        _must("made_by", _ID),
        _must("made_at", _TIME),
        _must("until", _TIME),
        sa.Column("used_at", _TIME),
        sa.Column("revoked_at", _TIME),
        sa.CheckConstraint("length(token_hash) = 32", name=op.f("ck_tokens_token_hash")),
        sa.ForeignKeyConstraint(["made_by"], ["users.id"], name=op.f("fk_tokens_made_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
        sqlite_autoincrement=True,
    )


def _failures() -> None:
    op.create_table(
        "failures",
        _must("key_hash", sa.LargeBinary()),
        _must("times", sa.Integer()),
        _must("last_at", _TIME),
        sa.Column("blocked_until", _TIME),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("pk_failures")),
    )
    op.create_index("ix_failures_last_at", "failures", ["last_at"])


def _audit() -> None:
    op.create_table(
        "audit",
        _must("number", sa.BigInteger()),
        _must("at", _TIME),
        *_texts("actor", "action", "subject", "reason", "origin", "facts", "previous", "hash", "mac"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
    )
    for column in ("actor", "action", "subject"):
        op.create_index(f"ix_audit_{column}_number", "audit", [column, "number"])
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_table(
        "audit_head",
        _must("id", sa.Integer()),
        _must("number", sa.BigInteger()),
        *_texts("hash"),
        sa.CheckConstraint("id = 1", name=op.f("ck_audit_head_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )


def _replies() -> None:
    op.create_table(
        "replies",
        *_texts("principal", "key", "request"),
        _must("digest", sa.LargeBinary()),
        _must("attempt", sa.Integer()),
        _must("begun_at", _TIME),
        _must("held_until", _TIME),
        _must("until", _TIME),
        sa.Column("status", sa.Integer()),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("seal_key", sa.Text()),
        sa.CheckConstraint("(status IS NULL) = (sealed IS NULL)", name=op.f("ck_replies_sealed")),
        sa.CheckConstraint("(status IS NULL) = (seal_key IS NULL)", name=op.f("ck_replies_seal_key")),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("pk_replies")),
    )
    op.create_index("ix_replies_until", "replies", ["until"])


def _stations() -> None:
    op.create_table(
        "reader_names",
        *_texts("station", "reader", "name"),
        sa.PrimaryKeyConstraint("station", "reader", name=op.f("pk_reader_names")),
        sa.UniqueConstraint("station", "name", name=op.f("uq_reader_names_station_name")),
    )
    op.create_table(
        "verdicts",
        _must("id", _ID),
        _must("at", _TIME),
        _must("hour", sa.Integer()),
        *_texts("station", "reader", "code"),
        _must("seconds", sa.Float()),
        sa.Column("card_index", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_verdicts_hour_code", "verdicts", ["hour", "code"])
    op.create_index("ix_verdicts_station_id", "verdicts", ["station", "id"])


def _editions() -> None:
    op.create_table(
        "editions",
        _must("version", sa.BigInteger()),
        _must("at", _TIME),
        *_texts("by"),
        _must("entries", sa.Integer()),
        _must("signed", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_editions")),
    )
    op.create_table(
        "edition_changes",
        _must("version", sa.BigInteger()),
        *_texts("card_number"),
        _must("sequence", sa.Integer()),
        sa.Column("reason", sa.Text()),
        sa.Column("at", _TIME),
        sa.CheckConstraint("(reason IS NULL) = (at IS NULL)", name=op.f("ck_edition_changes_at")),
        sa.ForeignKeyConstraint(["version"], ["editions.version"], name=op.f("fk_edition_changes_version")),
        sa.PrimaryKeyConstraint("version", "card_number", "sequence", name=op.f("pk_edition_changes")),
    )
    op.create_index("ix_edition_changes_card_number", "edition_changes", ["card_number", "sequence", "version"])


def _batch_papers() -> None:
    op.create_table(
        "originals",
        *_texts("batch_id"),
        _must("sealed_name", sa.LargeBinary()),
        _must("sealed", sa.LargeBinary()),
        *_texts("seal_key"),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_originals_batch_id")),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_originals")),
    )
    op.create_table(
        "reviews",
        _must("id", _ID),
        *_texts("batch_id"),
        _must("at", _TIME),
        *_texts("by", "step", "reason"),
        sa.CheckConstraint("step IN ('submitted', 'returned')", name=op.f("ck_reviews_step")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_reviews_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_reviews_batch_id", "reviews", ["batch_id"])


def _plans() -> None:
    op.create_table(
        "plans",
        _must("unit_id", _ID),
        *_texts("group"),
        _must("planned", sa.Integer()),
        *_texts("due"),
        sa.CheckConstraint("planned > 0", name=op.f("ck_plans_planned")),
        sa.CheckConstraint("length(due) = 10", name=op.f("ck_plans_due")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_plans_unit_id")),
        sa.PrimaryKeyConstraint("unit_id", name=op.f("pk_plans")),
    )


def _member_events() -> None:
    op.create_table(
        "member_events",
        _must("id", _ID),
        _must("member_id", _ID),
        _must("at", _TIME),
        *_texts("event", "by", "reason", "detail"),
        sa.CheckConstraint("event IN ('transferred', 'withdrawn', 'returned')", name=op.f("ck_member_events_event")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_member_events_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_member_events_member_id", "member_events", ["member_id"])
