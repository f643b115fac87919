"""Rules that hold in the database itself, and that the migrations create exactly these tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from registry.db.database import Database
from registry.db.tables import metadata
from registry.errors import RegistryConflict, RegistryUnfit, SchemaTooNew
from registry.migrations import migrate
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import claimed, ready, rows


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.close()


FORBIDDEN = {
    "a chip serial twice": (
        "INSERT INTO chips (serial, batch_id, state, from_stock, fed_at, lane, reason) "
        "SELECT serial, batch_id, 'rejected', from_stock, fed_at, lane, 'x' FROM chips WHERE dossier_id = 1"
    ),
    "a dossier on two chips": (
        "INSERT INTO chips (serial, batch_id, dossier_id, state, from_stock, fed_at, lane) "
        "SELECT 'new', batch_id, dossier_id, state, from_stock, fed_at, lane FROM chips WHERE dossier_id = 1"
    ),
    "a chip bound anew": "UPDATE chips SET dossier_id = 3 WHERE dossier_id = 1",
    "a chip set free": "UPDATE chips SET state = 'rejected', reason = 'x', dossier_id = NULL WHERE dossier_id = 1",
    "a chip renamed": "UPDATE chips SET serial = 'other' WHERE dossier_id = 1",
    "a chip forgotten": "DELETE FROM chips WHERE dossier_id = 1",
    "a chip bound to nothing": (
        "INSERT INTO chips (serial, batch_id, state, from_stock, fed_at, lane) "
        "SELECT 'new', batch_id, 'bound', from_stock, fed_at, lane FROM chips WHERE dossier_id = 1"
    ),
    "a second living card": (
        "INSERT INTO cards"
        " (card_number, sequence, member_id, dossier_id, chip_serial, state, verified_at, seconds, result)"
        " SELECT '62', 1, member_id, 1, (SELECT serial FROM chips WHERE dossier_id = 1), 'active', verified_at, 1, '{}'"
        " FROM cards"
    ),
    "a second open dossier": (
        "INSERT INTO dossiers (id, batch_id, member_id, card_number, sequence, profile_name, profile_digest, state) "
        "SELECT 77, batch_id, member_id, '62', 1, 'p', 'd', 'waiting' FROM dossiers WHERE id = 1"
    ),
    "a card number twice": "UPDATE dossiers SET card_number = (SELECT card_number FROM cards) WHERE id = 1",
    "a dossier state": "UPDATE dossiers SET state = 'eaten' WHERE id = 1",
    "a waiting dossier with a token": "UPDATE dossiers SET state = 'waiting' WHERE id = 1",
    "a sequence of 100": "UPDATE dossiers SET sequence = 100 WHERE id = 3",
    "a card state": "UPDATE cards SET state = 'eaten'",
    "a person twice": "UPDATE members SET id_index = (SELECT id_index FROM members WHERE id = 1) WHERE id = 2",
    "a member number twice": "UPDATE members SET member_number = '130000000001' WHERE id = 2",
    "a member number of 3 digits": "UPDATE members SET member_number = '130' WHERE id = 2",
    "approval by the importer": "UPDATE batches SET approved_by = imported_by",
    "approval by nobody": "UPDATE batches SET approved_by = NULL",
    "closing by one person": "UPDATE batches SET stage = 'closed', closed_by = 'a', closed_second = 'a'",
    "a journal line of no claim": (
        "INSERT INTO journal (at, dossier_id, token, step, event, detail) "
        "SELECT fed_at, dossier_id, 999, 's', 'done', '' FROM chips WHERE dossier_id = 1"
    ),
    "a member with dossiers forgotten": "DELETE FROM members WHERE id = 1",
}


def test_the_database_refuses(registry: Registry, custody: MemoryCustody) -> None:
    batch = ready(registry, custody, 3)
    assert claimed(registry, batch, 1).dossier_id == 1
    registry.line.verified(claimed(registry, batch, 2), {}, 1.0)

    def refused(statement: str) -> bool:
        try:
            with registry._context.database.write() as conn:
                conn.execute(text(statement))
        except RegistryConflict as error:
            return "contradicts" in str(error)
        return False

    assert [what for what, statement in FORBIDDEN.items() if not refused(statement)] == []
    assert registry.batches.accounts(batch).balanced


def test_the_same_file_in_two_living_batches_is_refused_by_the_database(registry: Registry) -> None:
    for digest in ("d1", "d2"):
        registry.rosters.import_roster("u", [], [], source="f", digest=digest, by="张")
    with pytest.raises(RegistryConflict), registry._context.database.write() as conn:
        conn.execute(text("UPDATE batches SET digest = 'd1'"))


def test_sqlite_is_set_up_to_lose_nothing(registry: Registry) -> None:
    if registry._context.database.dialect != "sqlite":
        with registry._context.database.read() as conn:
            assert conn.execute(text("SHOW synchronous_commit")).scalar() == "on"
        return
    with registry._context.database.read() as conn:
        settings = {
            name: conn.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "secure_delete", "busy_timeout")
        }
    assert settings == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "synchronous": 2,
        "secure_delete": 1,
        "busy_timeout": 10_000,
    }


def test_migrations_make_the_tables_of_the_models(database: Database) -> None:
    migrate.to_head(database)
    with database.read() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_migrations_make_the_checks_of_the_models(database: Database) -> None:
    """Alembic does not compare check constraints and the conditions of partial indexes; so they are compared here."""

    def described() -> dict[str, object]:
        with database.read() as conn:
            look = inspect(conn)
            return {
                table: (
                    sorted((check["name"] or "", check["sqltext"]) for check in look.get_check_constraints(table)),
                    sorted(
                        (index["name"] or "", {k: str(v) for k, v in index["dialect_options"].items()})
                        for index in look.get_indexes(table)
                    ),
                )
                for table in metadata.tables
            }

    migrate.to_head(database)
    migrated = described()
    migrate.downgrade(database, "base")
    metadata.create_all(database.engine)
    assert described() == migrated


def test_down_to_nothing_and_up_again(database: Database) -> None:
    migrate.to_head(database)
    migrate.downgrade(database, "base")
    with database.read() as conn:
        assert inspect(conn).get_table_names() == ["alembic_version"]
        assert migrate.revision(conn) is None
    migrate.to_head(database)
    with database.read() as conn:
        assert migrate.revision(conn) == migrate.HEAD
        assert set(inspect(conn).get_table_names()) == {*metadata.tables, "alembic_version"}


def test_opening_again_keeps_what_is_there(url: str, custody: MemoryCustody) -> None:
    with Registry.open(url, custody) as first:
        first.rosters.import_roster("u", rows(1), [], source="f", digest="d", by="张")
    with Registry.open(url, custody) as second:
        assert len(second.batches.all()) == 1


def test_a_newer_schema_is_refused_and_not_changed(url: str, database: Database, custody: MemoryCustody) -> None:
    migrate.to_head(database)
    with database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match=r"newer version of this program.*update this program"):
        Registry.open(url, custody)
    with database.read() as conn:
        assert migrate.revision(conn) == "9999"


def test_a_database_of_another_program_is_refused_and_not_changed(
    url: str, database: Database, custody: MemoryCustody
) -> None:
    with database.write() as conn:
        conn.execute(text("CREATE TABLE invoices (id INTEGER)"))
    with pytest.raises(RegistryUnfit, match=r"another program \(invoices\)"):
        Registry.open(url, custody)
    with database.write() as conn:
        conn.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        conn.execute(text("INSERT INTO alembic_version VALUES ('theirs')"))
    with pytest.raises(RegistryUnfit, match=r"another program \(invoices\)"):
        Registry.open(url, custody)
    with database.read() as conn:
        assert sorted(inspect(conn).get_table_names()) == ["alembic_version", "invoices"]
