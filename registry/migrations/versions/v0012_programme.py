"""The programme: merchants, outlets and terminals, redemptions and reversals, findings, tokens of an outlet."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_BOOKED = ("redemptions", "reversals")

# What was booked stays as it is; a reversal and a finding are rows of their own, and a closed finding stays closed.
_SQLITE_TRIGGERS = (
    *(
        f"CREATE TRIGGER {table}_{name} BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, '{table}_{name}'); END"
        for table in _BOOKED
        for name, event in (("unchanged", "UPDATE"), ("kept", "DELETE"))
    ),
    # INSERT OR REPLACE deletes without asking the trigger for deletes. sqlite.org/lang_conflict.html
    """CREATE TRIGGER redemptions_once BEFORE INSERT ON redemptions WHEN EXISTS (SELECT 1 FROM redemptions
    WHERE card_number = NEW.card_number AND sequence = NEW.sequence AND atc = NEW.atc)
    BEGIN SELECT RAISE(ABORT, 'redemptions_once'); END""",
    """CREATE TRIGGER findings_kept BEFORE DELETE ON findings BEGIN SELECT RAISE(ABORT, 'findings_kept'); END""",
    """CREATE TRIGGER findings_closed BEFORE UPDATE ON findings WHEN OLD.closed_at IS NOT NULL
    BEGIN SELECT RAISE(ABORT, 'findings_closed'); END""",
)
_POSTGRES_TRIGGERS = (
    *(
        f"CREATE TRIGGER {table}_unchanged BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        for table in _BOOKED
    ),
    *(
        f"CREATE TRIGGER {table}_kept BEFORE DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_change()"
        for table in (*_BOOKED, "findings")
    ),
    """CREATE TRIGGER findings_closed BEFORE UPDATE ON findings FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL)
    EXECUTE FUNCTION refuse_change()""",
)


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for create in (_merchants, _outlets, _counter_journals, _redemptions, _reversals, _findings):
        create()
    op.execute(
        f"ALTER TABLE tokens ADD COLUMN outlet_id {'INTEGER' if sqlite else 'BIGINT'} "
        "CONSTRAINT fk_tokens_outlet_id REFERENCES outlets (id)"
    )
    for statement in _SQLITE_TRIGGERS if sqlite else _POSTGRES_TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    op.drop_column("tokens", "outlet_id")
    for table in (
        "findings",
        "reversals",
        "redemptions",
        "counter_journals",
        "terminals",
        "outlets",
        "merchant_benefits",
        "merchants",
    ):
        op.drop_table(table)


def _must(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _texts(*names: str) -> list[sa.Column[Any]]:
    return [_must(name, sa.Text()) for name in names]


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _refers(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [other], name=op.f(f"fk_{table}_{column}"))


def _merchants() -> None:
    op.create_table(
        "merchants",
        _must("id", _ID),
        *_texts("number", "name", "name_en", "account_masked"),
        sa.Column("sealed", sa.LargeBinary()),
        sa.Column("seal_key", sa.Text()),
        *_texts("contract_from", "contract_until"),
        sa.Column("ended_at", _TIME),
        _must("created_at", _TIME),
        _check("merchants", "number", "length(number) BETWEEN 1 AND 15"),
        _check("merchants", "days", "length(contract_from) = 10 AND length(contract_until) = 10"),
        _check("merchants", "contract", "contract_until >= contract_from"),
        _check("merchants", "sealed", "(sealed IS NULL) = (seal_key IS NULL)"),
        _key("merchants", "id"),
        sa.UniqueConstraint("number", name=op.f("uq_merchants_number")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "merchant_benefits",
        _must("merchant_id", _ID),
        *_texts("benefit_class"),
        _check("merchant_benefits", "benefit_class", "length(benefit_class) = 4"),
        _refers("merchant_benefits", "merchant_id", "merchants.id"),
        _key("merchant_benefits", "merchant_id", "benefit_class"),
    )


def _outlets() -> None:
    op.create_table(
        "outlets",
        _must("id", _ID),
        _must("merchant_id", _ID),
        *_texts("name", "address"),
        sa.Column("closed_at", _TIME),
        _refers("outlets", "merchant_id", "merchants.id"),
        _key("outlets", "id"),
        sa.UniqueConstraint("merchant_id", "name", name=op.f("uq_outlets_merchant_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "terminals",
        *_texts("terminal"),
        _must("outlet_id", _ID),
        sa.Column("retired_at", _TIME),
        _check("terminals", "terminal", "length(terminal) = 8"),
        _refers("terminals", "outlet_id", "outlets.id"),
        _key("terminals", "terminal"),
    )
    op.create_index("ix_terminals_outlet_id", "terminals", ["outlet_id"])


def _counter_journals() -> None:
    op.create_table(
        "counter_journals",
        *_texts("name"),
        _must("outlet_id", _ID),
        _must("through", sa.BigInteger()),
        _must("head", sa.LargeBinary()),
        _must("uploaded_at", _TIME),
        _check("counter_journals", "name", "length(name) = 32"),
        _check("counter_journals", "head", "length(head) = 32"),
        _check("counter_journals", "through", "through >= 0"),
        _refers("counter_journals", "outlet_id", "outlets.id"),
        _key("counter_journals", "name"),
    )
    op.create_index("ix_counter_journals_outlet_id", "counter_journals", ["outlet_id"])


def _redemptions() -> None:
    op.create_table(
        "redemptions",
        _must("id", _ID),
        *_texts("card_number"),
        _must("sequence", sa.Integer()),
        _must("atc", sa.Integer()),
        _must("outlet_id", _ID),
        *_texts("merchant", "terminal", "benefit_class"),
        _must("quantity", sa.Integer()),
        _must("amount", sa.BigInteger()),
        *_texts("day", "clock"),
        _must("used", sa.Integer()),
        _must("limit", sa.Integer()),
        sa.Column("period_start", sa.Text()),
        _must("scripts", sa.Integer()),
        _must("signed", sa.Boolean()),
        _must("cryptogram", sa.LargeBinary()),
        _must("evidence", sa.LargeBinary()),
        *_texts("journal"),
        _must("number", sa.BigInteger()),
        _must("at", _TIME),
        _must("booked_at", _TIME),
        sa.ForeignKeyConstraint(
            ["card_number", "sequence"],
            ["cards.card_number", "cards.sequence"],
            name=op.f("fk_redemptions_card_number_sequence"),
        ),
        _refers("redemptions", "outlet_id", "outlets.id"),
        _refers("redemptions", "journal", "counter_journals.name"),
        _check("redemptions", "atc", "atc BETWEEN 1 AND 65535"),
        _check("redemptions", "quantity", "quantity BETWEEN 1 AND 255"),
        _check("redemptions", "amount", "amount >= 0"),
        _check("redemptions", "cryptogram", "length(cryptogram) = 8"),
        _key("redemptions", "id"),
        sa.UniqueConstraint("card_number", "sequence", "atc", name=op.f("uq_redemptions_card_number_sequence_atc")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_redemptions_journal_number", "redemptions", ["journal", "number"])
    op.create_index("ix_redemptions_outlet_id_day", "redemptions", ["outlet_id", "day"])


def _reversals() -> None:
    op.create_table(
        "reversals",
        _must("redemption_id", _ID),
        _must("at", _TIME),
        *_texts("by", "reason"),
        _must("booked_at", _TIME),
        _refers("reversals", "redemption_id", "redemptions.id"),
        _key("reversals", "redemption_id"),
    )


def _findings() -> None:
    op.create_table(
        "findings",
        _must("id", _ID),
        *_texts("digest", "kind"),
        _must("at", _TIME),
        _must("holds", sa.Boolean()),
        sa.Column("outlet_id", _ID),
        sa.Column("card_number", sa.Text()),
        sa.Column("sequence", sa.Integer()),
        sa.Column("atc", sa.Integer()),
        sa.Column("atc_until", sa.Integer()),
        sa.Column("journal", sa.Text()),
        sa.Column("number", sa.BigInteger()),
        *_texts("facts"),
        sa.Column("evidence", sa.LargeBinary()),
        sa.Column("closed_at", _TIME),
        sa.Column("closed_by", sa.Text()),
        sa.Column("decision", sa.Text()),
        sa.Column("reason", sa.Text()),
        _check("findings", "decision", "decision IN ('accepted', 'refused', 'resolved')"),
        _check("findings", "closed", "(closed_at IS NULL) = (decision IS NULL)"),
        _check("findings", "closed_by", "(closed_at IS NULL) = (closed_by IS NULL)"),
        _check("findings", "reason", "(closed_at IS NULL) = (reason IS NULL)"),
        _refers("findings", "outlet_id", "outlets.id"),
        _key("findings", "id"),
        sa.UniqueConstraint("digest", name=op.f("uq_findings_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_findings_card_number", "findings", ["card_number", "sequence", "atc"])
    closed = sa.text("closed_at IS NULL")
    op.create_index("ix_findings_open", "findings", ["id"], sqlite_where=closed, postgresql_where=closed)
