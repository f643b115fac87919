"""The registry as it begins: from units and members to dossiers, chips, cards, hotlist and stock."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_LIVING = "'verified', 'packed', 'delivered', 'active', 'suspended'"
_CARD_STATES = f"({_LIVING}, 'lost', 'damaged', 'expired', 'withdrawn', 'replaced')"

# A binding is for ever: no program, this one included, may bind a chip anew or forget that it was bound.
_SQLITE_TRIGGERS = (
    """CREATE TRIGGER chips_bound_for_ever BEFORE UPDATE OF serial, dossier_id ON chips
    WHEN OLD.serial <> NEW.serial OR OLD.dossier_id IS NOT NEW.dossier_id
    BEGIN SELECT RAISE(ABORT, 'chips_bound_for_ever'); END""",
    """CREATE TRIGGER chips_kept_for_ever BEFORE DELETE ON chips
    BEGIN SELECT RAISE(ABORT, 'chips_kept_for_ever'); END""",
)
_POSTGRES_TRIGGERS = (
    """CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = TG_NAME; END $$""",
    """CREATE TRIGGER chips_bound_for_ever BEFORE UPDATE OF serial, dossier_id ON chips FOR EACH ROW
    WHEN (OLD.serial <> NEW.serial OR OLD.dossier_id IS DISTINCT FROM NEW.dossier_id)
    EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER chips_kept_for_ever BEFORE DELETE ON chips FOR EACH ROW EXECUTE FUNCTION refuse_change()""",
)


def upgrade() -> None:
    for create in (
        _counters,
        _hotlist,
        _stock_receipts,
        _units,
        _batches,
        _members,
        _dossiers,
        _roster_rows,
        _chips,
        _claims,
        _dossier_secrets,
        _cards,
        _journal,
        _card_events,
    ):
        create()
    for statement in _SQLITE_TRIGGERS if op.get_bind().dialect.name == "sqlite" else _POSTGRES_TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    for table in (
        "card_events",
        "journal",
        "cards",
        "dossier_secrets",
        "claims",
        "chips",
        "roster_rows",
        "dossiers",
        "members",
        "batches",
        "units",
        "stock_receipts",
        "hotlist",
        "counters",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _counters() -> None:
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("value >= 0", name=op.f("ck_counters_value")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )


def _hotlist() -> None:
    op.create_table(
        "hotlist",
        sa.Column("id", _ID, nullable=False),
        sa.Column("card_number", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("lifted_at", _TIME, nullable=True),
        sa.CheckConstraint("sequence BETWEEN 1 AND 99", name=op.f("ck_hotlist_sequence")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hotlist")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_hotlist_listed", "hotlist", ["card_number", "sequence"], unique=True, **_where("lifted_at IS NULL")
    )


def _stock_receipts() -> None:
    op.create_table(
        "stock_receipts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("supplier_batch", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.CheckConstraint("count > 0", name=op.f("ck_stock_receipts_count")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_receipts")),
        sqlite_autoincrement=True,
    )


def _units() -> None:
    op.create_table(
        "units",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_units")),
        sa.UniqueConstraint("code", name=op.f("uq_units_code")),
        sa.UniqueConstraint("name", name=op.f("uq_units_name")),
        sqlite_autoincrement=True,
    )


def _batches() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("unit_id", _ID, nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("imported_by", sa.Text(), nullable=False),
        sa.Column("imported_at", _TIME, nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", _TIME, nullable=True),
        sa.Column("started_at", _TIME, nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("closed_second", sa.Text(), nullable=True),
        sa.Column("closed_at", _TIME, nullable=True),
        sa.CheckConstraint(
            "stage <> 'closed' OR (closed_second IS NOT NULL AND closed_second <> closed_by)",
            name=op.f("ck_batches_signed"),
        ),
        sa.CheckConstraint("stage IN ('draft', 'approved', 'closed', 'discarded')", name=op.f("ck_batches_stage")),
        sa.CheckConstraint(
            "stage NOT IN ('approved', 'closed') OR approved_by IS NOT NULL", name=op.f("ck_batches_approved")
        ),
        sa.CheckConstraint("approved_by <> imported_by", name=op.f("ck_batches_second_person")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_batches_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_index(
        "uq_batches_living_digest", "batches", ["digest"], unique=True, **_where("stage IN ('draft', 'approved')")
    )


def _members() -> None:
    op.create_table(
        "members",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("unit_id", _ID, nullable=False),
        sa.Column("id_index", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("seal_key", sa.Text(), nullable=False),
        sa.Column("id_masked", sa.Text(), nullable=False),
        sa.Column("name_masked", sa.Text(), nullable=False),
        sa.Column("mobile_masked", sa.Text(), nullable=False),
        sa.Column("member_number", sa.Text(), nullable=True),
        sa.Column("category", sa.Integer(), nullable=False),
        sa.Column("registered_at", _TIME, nullable=False),
        sa.CheckConstraint("category BETWEEN 0 AND 4", name=op.f("ck_members_category")),
        sa.CheckConstraint("length(member_number) = 12", name=op.f("ck_members_member_number")),
        sa.ForeignKeyConstraint(["unit_id"], ["units.id"], name=op.f("fk_members_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
        sa.UniqueConstraint("id_index", name=op.f("uq_members_id_index")),
        sa.UniqueConstraint("member_number", name=op.f("uq_members_member_number")),
    )
    op.create_index(op.f("ix_members_unit_id"), "members", ["unit_id"], unique=False)


def _dossiers() -> None:
    op.create_table(
        "dossiers",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("member_id", _ID, nullable=False),
        sa.Column("card_number", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("profile_name", sa.Text(), nullable=False),
        sa.Column("profile_digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(state = 'waiting') = (token IS NULL)", name=op.f("ck_dossiers_token")),
        sa.CheckConstraint("state IN ('waiting', 'claimed', 'verified', 'remade')", name=op.f("ck_dossiers_state")),
        sa.CheckConstraint("sequence BETWEEN 1 AND 99", name=op.f("ck_dossiers_sequence")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_dossiers_batch_id")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_dossiers_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dossiers")),
        sa.UniqueConstraint("card_number", "sequence", name=op.f("uq_dossiers_card_number_sequence")),
    )
    op.create_index("ix_dossiers_batch_id_state_id", "dossiers", ["batch_id", "state", "id"], unique=False)
    op.create_index(op.f("ix_dossiers_member_id"), "dossiers", ["member_id"], unique=False)
    op.create_index(
        "uq_dossiers_open_member", "dossiers", ["member_id"], unique=True, **_where("state IN ('waiting', 'claimed')")
    )


def _roster_rows() -> None:
    op.create_table(
        "roster_rows",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("sheet_row", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("codes", sa.Text(), nullable=False),
        sa.Column("member_id", _ID, nullable=True),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("seal_key", sa.Text(), nullable=False),
        sa.CheckConstraint("verdict = 'accepted' OR NOT open", name=op.f("ck_roster_rows_open")),
        sa.CheckConstraint("verdict = 'rejected' OR member_id IS NOT NULL", name=op.f("ck_roster_rows_member")),
        sa.CheckConstraint("verdict IN ('accepted', 'rejected')", name=op.f("ck_roster_rows_verdict")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_roster_rows_batch_id")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_roster_rows_member_id")),
        sa.PrimaryKeyConstraint("batch_id", "sheet_row", name=op.f("pk_roster_rows")),
    )
    op.create_index("ix_roster_rows_member_id", "roster_rows", ["member_id"], unique=False)
    op.create_index("uq_roster_rows_open_member", "roster_rows", ["member_id"], unique=True, **_where("open"))


def _chips() -> None:
    op.create_table(
        "chips",
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("dossier_id", _ID, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("from_stock", sa.Boolean(), nullable=False),
        sa.Column("fed_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("bin", sa.Text(), nullable=True),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.CheckConstraint("state <> 'rejected' OR reason IS NOT NULL", name=op.f("ck_chips_reason")),
        sa.CheckConstraint("state = 'rejected' OR dossier_id IS NOT NULL", name=op.f("ck_chips_bound")),
        sa.CheckConstraint("state IN ('bound', 'verified', 'rejected')", name=op.f("ck_chips_state")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_chips_batch_id")),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossiers.id"], name=op.f("fk_chips_dossier_id")),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_chips")),
        sa.UniqueConstraint("dossier_id", name=op.f("uq_chips_dossier_id")),
    )
    op.create_index("ix_chips_batch_id_state", "chips", ["batch_id", "state"], unique=False)


def _claims() -> None:
    op.create_table(
        "claims",
        sa.Column("token", _ID, nullable=False),
        sa.Column("dossier_id", _ID, nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("station", sa.Text(), nullable=False),
        sa.Column("claimed_at", _TIME, nullable=False),
        sa.Column("lease_until", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossiers.id"], name=op.f("fk_claims_dossier_id")),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_claims")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_claims_dossier_id"), "claims", ["dossier_id"], unique=False)


def _dossier_secrets() -> None:
    op.create_table(
        "dossier_secrets",
        sa.Column("dossier_id", _ID, autoincrement=False, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("seal_key", sa.Text(), nullable=False),
        sa.Column("context", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossiers.id"], name=op.f("fk_dossier_secrets_dossier_id")),
        sa.PrimaryKeyConstraint("dossier_id", name=op.f("pk_dossier_secrets")),
    )


def _cards() -> None:
    op.create_table(
        "cards",
        sa.Column("card_number", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("member_id", _ID, nullable=False),
        sa.Column("dossier_id", _ID, nullable=False),
        sa.Column("chip_serial", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("verified_at", _TIME, nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.CheckConstraint(
            f"state IN {_CARD_STATES}",
            name=op.f("ck_cards_state"),
        ),
        sa.ForeignKeyConstraint(["chip_serial"], ["chips.serial"], name=op.f("fk_cards_chip_serial")),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossiers.id"], name=op.f("fk_cards_dossier_id")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_cards_member_id")),
        sa.PrimaryKeyConstraint("card_number", "sequence", name=op.f("pk_cards")),
        sa.UniqueConstraint("chip_serial", name=op.f("uq_cards_chip_serial")),
        sa.UniqueConstraint("dossier_id", name=op.f("uq_cards_dossier_id")),
    )
    op.create_index(op.f("ix_cards_member_id"), "cards", ["member_id"], unique=False)
    op.create_index(
        "uq_cards_living_member",
        "cards",
        ["member_id"],
        unique=True,
        **_where(f"state IN ({_LIVING})"),
    )


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("id", _ID, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("dossier_id", _ID, nullable=False),
        sa.Column("token", _ID, nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("block", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint("event IN ('intent', 'done', 'fault')", name=op.f("ck_journal_event")),
        sa.ForeignKeyConstraint(["dossier_id"], ["dossiers.id"], name=op.f("fk_journal_dossier_id")),
        sa.ForeignKeyConstraint(["token"], ["claims.token"], name=op.f("fk_journal_token")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_journal_dossier_id", "journal", ["dossier_id"], unique=False)


def _card_events() -> None:
    op.create_table(
        "card_events",
        sa.Column("id", _ID, nullable=False),
        sa.Column("card_number", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            f"event IN {_CARD_STATES}",
            name=op.f("ck_card_events_event"),
        ),
        sa.ForeignKeyConstraint(
            ["card_number", "sequence"],
            ["cards.card_number", "cards.sequence"],
            name=op.f("fk_card_events_card_number_sequence"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_card_events_card_number_sequence", "card_events", ["card_number", "sequence"], unique=False)
