"""Migration of a database to this program's schema, under the database's own write lock.

Alembic is imported where there is something to migrate: it takes longer than to open a database at head.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from registry.db.database import Database
from registry.db.tables import metadata
from registry.errors import RegistryUnfit, SchemaTooNew

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0045"  # a constant, so that opening a database at head reads no migration scripts
_LOCK_NUMBER = 0x4D454D42  # "MEMB": PostgreSQL's advisory lock of migrations

# Alembic's `op` and `context` are one per process, so two threads may not migrate at once.
_one_at_a_time = threading.Lock()


def to_head(database: Database) -> None:
    """Create the tables or migrate them; one query where they are up to date.

    Raises RegistryUnfit for a database with tables of another program, SchemaTooNew for one a newer program changed.
    """
    with database.read() as conn:
        if revision(conn) == HEAD:
            return
    upgrade(database)


def upgrade(database: Database, target: str = "head") -> None:
    """Migrate upwards in one transaction. Two programs that open a new database together wait for each other here."""
    from alembic import command

    with _one_at_a_time, database.write() as conn:
        _wait_for_others(conn)
        config = _config(conn)
        present = revision(conn)
        if present not in _revisions(config):
            _refuse_foreign(conn, database, present)
        if present is not None and present not in _revisions(config):
            raise SchemaTooNew(
                f"{database.name} was changed by a newer version of this program (its schema is {present}, "
                f"the newest known here is {HEAD}); update this program"
            )
        command.upgrade(config, target)


def downgrade(database: Database, target: str) -> None:
    """Migrate back to a revision, or to "base", which deletes everything."""
    from alembic import command

    with _one_at_a_time, database.write() as conn:
        _wait_for_others(conn)
        command.downgrade(_config(conn), target)


def revision(conn: Connection) -> str | None:
    """The schema revision of a database; None where no registry is in it."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    return conn.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _wait_for_others(conn: Connection) -> None:
    if conn.dialect.name == "postgresql":  # SQLite has begun with BEGIN IMMEDIATE
        conn.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK_NUMBER})


def _config(conn: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = conn
    return config


def _revisions(config: Config) -> set[str]:
    from alembic.script import ScriptDirectory

    return {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}


def _refuse_foreign(conn: Connection, database: Database, present: str | None) -> None:
    """Refuse a database of another program, which may use Alembic too: an unknown revision belongs to a newer registry
    only where there are tables of a registry."""
    tables = set(inspect(conn).get_table_names()) - {"alembic_version"}
    if tables and (present is None or tables.isdisjoint(metadata.tables)):
        named = ", ".join(sorted(tables)[:3])
        raise RegistryUnfit(f"{database.name} holds tables of another program ({named}); name another database")
