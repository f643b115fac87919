"""A second person behind every second signature: tokens count as the user who created them, and those that read
members wait for the consent of a second administrator."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PERSON = (
    "lower(replace(COALESCE((SELECT u.name FROM tokens t JOIN users u ON u.id = t.made_by "
    "WHERE {0} LIKE '% (token ' || t.id || ')'), {0}), ' (unproven)', ''))"
)
_SQLITE_RULES = tuple(
    f"""CREATE TRIGGER {name}_{event.lower()} BEFORE {event} ON batches
    WHEN NEW.{second} IS NOT NULL AND {_PERSON.format(f"NEW.{second}")} = {_PERSON.format(f"NEW.{first}")}
    BEGIN SELECT RAISE(ABORT, '{name}'); END"""
    for name, first, second in (
        ("batches_second_person", "imported_by", "approved_by"),
        ("batches_second_signature", "closed_by", "closed_second"),
    )
    for event in ("INSERT", "UPDATE")
)
_POSTGRES_RULES = (
    f"CREATE FUNCTION person_of(actor text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT {_PERSON.format('actor')} $$",
    *(
        f"""CREATE TRIGGER {name} BEFORE INSERT OR UPDATE ON batches FOR EACH ROW
        WHEN (NEW.{second} IS NOT NULL AND person_of(NEW.{second}) = person_of(NEW.{first}))
        EXECUTE FUNCTION refuse_change()"""
        for name, first, second in (
            ("batches_second_person", "imported_by", "approved_by"),
            ("batches_second_signature", "closed_by", "closed_second"),
        )
    ),
)


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    time = "DATETIME" if sqlite else "TIMESTAMP WITH TIME ZONE"
    op.execute("ALTER TABLE tokens ADD COLUMN needs_consent BOOLEAN DEFAULT false NOT NULL")
    # The constraints belong to the column: SQLite could add one to the table only by building the table anew.
    op.execute(
        f"ALTER TABLE tokens ADD COLUMN consented_by {'INTEGER' if sqlite else 'BIGINT'} "
        "CONSTRAINT fk_tokens_consented_by REFERENCES users (id) "
        "CONSTRAINT ck_tokens_consent CHECK (consented_by <> made_by)"
    )
    op.execute(f"ALTER TABLE tokens ADD COLUMN consented_at {time}")
    # Tokens of registrars read members: those of before wait for the second administrator, too.
    op.execute("UPDATE tokens SET needs_consent = true WHERE ' ' || roles || ' ' LIKE '% registrar %'")
    for statement in _SQLITE_RULES if sqlite else _POSTGRES_RULES:
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in ("batches_second_person", "batches_second_signature"):
            for event in ("insert", "update"):
                op.execute(f"DROP TRIGGER {name}_{event}")
    else:
        op.execute("DROP TRIGGER batches_second_person ON batches")
        op.execute("DROP TRIGGER batches_second_signature ON batches")
        op.execute("DROP FUNCTION person_of(text)")
    for column in ("consented_at", "consented_by", "needs_consent"):
        op.drop_column("tokens", column)
