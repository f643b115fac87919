"""Databases: opened here alone, with transactions of the right kind and one sentence for every driver's error.

SQLite: WAL, foreign keys, synchronous FULL, a busy timeout, and BEGIN IMMEDIATE for every transaction that writes, so
that writers queue at the start instead of failing in the middle. PostgreSQL: READ COMMITTED through psycopg 3.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, Insert, Update, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from registry.db.driver_errors import as_registry_error, is_gone, not_stored
from registry.errors import RegistryUnavailable, RegistryUnfit
from terminal import private_files

BUSY_SECONDS = 10.0
_RETRY_SECONDS = 0.01
_PRIMARY_CODE = 0xFF  # the lower byte of an extended result code
_LANES = 32  # connections of one process at a time; a lane needs one for the length of one transaction


class PreparedStatement:
    """A statement compiled once for one dialect, with the conversion of its values to the driver's."""

    def __init__(self, statement: Insert | Update, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self._order = compiled.positiontup  # None where the driver takes names
        self._fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        self._processors = {
            name: process
            for name, bind in compiled.binds.items()
            if (process := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }

    def bind(self, values: dict[str, Any]) -> dict[str, Any] | list[Any]:
        filled = {**self._fixed, **values}
        for name, process in self._processors.items():
            filled[name] = process(filled[name])
        return filled if self._order is None else [filled[name] for name in self._order]


class Database:
    """Engine and transactions of one registry. Must not cross a fork: open one in each process.

    Raises RegistryUnavailable and RegistryUnfit from whatever touches the database, RegistryConflict where a constraint
    of the database itself refused.
    """

    def __init__(self, url: str, *, busy_seconds: float = BUSY_SECONDS) -> None:
        parsed = _parse(url)
        self.dialect = parsed.get_backend_name()
        self.name = _name(parsed)
        self.engine = _engine(parsed, busy_seconds)
        self._driver_error: type[Exception] = self.engine.dialect.loaded_dbapi.Error
        self._writer = self.engine.execution_options(writes=True)
        self._begin = "BEGIN IMMEDIATE" if self.dialect == "sqlite" else None
        # SQLite has one writer, and waiting writers only poll. Within this process they wait for this lock instead, so
        # that no lane starves.
        self._turn: AbstractContextManager[object] = threading.Lock() if self.dialect == "sqlite" else nullcontext()

    def make_private(self) -> None:
        """Take the files of a registry from other users of the machine. Not before it is known to be one: a file that
        was named by mistake is another program's."""
        file = self.engine.url.database if self.dialect == "sqlite" else None
        for beside in ("", "-wal", "-shm", "-journal") if file else ():
            private_files.tighten(Path(f"{file}{beside}"), "the database")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view; writes nothing."""
        with self._translate_errors(), self.engine.connect() as conn:
            if self.dialect == "postgresql":
                conn.execution_options(isolation_level="REPEATABLE READ")
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: all or nothing."""
        with self._translate_errors(), self._turn, self._writer.begin() as conn:
            yield conn

    def prepare(self, statement: Insert | Update) -> PreparedStatement:
        return PreparedStatement(statement, self.engine.dialect)

    def execute_prepared(self, prepared: PreparedStatement, rows: Iterable[dict[str, Any]]) -> bool:
        """Run a prepared statement for each of these rows on the driver itself, in a transaction of its own.

        Returns whether each run changed a row; where one did not, nothing is written.
        """
        with self._translate_errors(), self._turn:
            connection = self.engine.raw_connection()
            try:
                cursor = connection.cursor()
                if self._begin is not None:
                    cursor.execute(self._begin)
                for row in rows:
                    cursor.execute(prepared.sql, prepared.bind(row))
                    if cursor.rowcount != 1:
                        return False
                connection.commit()
                return True
            finally:
                connection.close()  # to the pool, which rolls back what was not committed

    def forget_deleted(self) -> None:
        """Remove deleted rows from SQLite's write-ahead log too; the pages themselves were zeroed (secure_delete).

        PostgreSQL does this by itself later (VACUUM, log recycling).
        """
        if self.dialect != "sqlite":
            return
        with self._translate_errors(), self.engine.connect() as conn:
            # A reader may hold the log back; then the next checkpoint truncates it.
            conn.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout as error:
            sentence = f"{self.name}: all connections of this process are in use; try again"
            raise RegistryUnavailable(sentence, retryable=True) from error
        except DBAPIError as error:
            raise as_registry_error(error.orig, self.name) from error
        except StatementError as error:
            # A value that the type of its column cannot take, such as the first day of year 1 in UTC.
            if isinstance(error.orig, (UnicodeEncodeError, OverflowError)):
                raise not_stored() from None
            raise
        except self._driver_error as error:
            if is_gone(error):
                # A server that was away leaves no connection of the pool alive. SQLAlchemy discards them itself where
                # it calls the driver; ``execute_prepared`` calls the driver without it.
                self.engine.dispose()
            raise as_registry_error(error, self.name) from error
        except (UnicodeEncodeError, OverflowError):
            # The driver's error quotes the value, so neither its text nor the error as a cause may go on.
            raise not_stored() from None


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError):
        raise RegistryUnfit(
            "the database URL cannot be read; write sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from None
    if backend == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise RegistryUnfit("a registry in memory would be lost with the process; write sqlite:///FILE")
        return parsed.set(drivername="sqlite+pysqlite")
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise RegistryUnfit(f"no registry can be kept in {backend}; write sqlite:///FILE or postgresql://USER@HOST/NAME")


def _name(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"the registry {url.database}"
    return f"the registry database {url.database} on {url.host or url.query.get('host') or 'this machine'}"


def _engine(url: URL, busy_seconds: float) -> Engine:
    # hide_parameters: an error's text must not quote values.
    common: dict[str, Any] = {"hide_parameters": True, "max_overflow": _LANES, "pool_use_lifo": True}
    if url.get_backend_name() == "postgresql":
        seconds = max(1, round(busy_seconds))
        options = f"-c lock_timeout={seconds * 1000} -c timezone=UTC"
        # A server that vanished without closing its connections is noticed, too.
        timeouts = {"tcp_user_timeout": seconds * 1000, "keepalives_idle": seconds, "keepalives_interval": seconds}
        arguments = {"connect_timeout": seconds, "options": options, **timeouts}
        return create_engine(url, connect_args=arguments, **common)
    directory = Path(url.database or "").resolve().parent
    if not directory.is_dir():
        raise RegistryUnavailable(f"{_name(url)} cannot be made: there is no directory {directory}")
    private_files.create(Path(url.database or ""))
    engine = create_engine(url, connect_args={"timeout": busy_seconds}, **common)
    event.listen(engine, "connect", partial(_set_up_sqlite, busy_seconds))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(busy_seconds: float, connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; _begin_sqlite does
    _use_wal(connection, busy_seconds)
    for pragma in ("foreign_keys = ON", "synchronous = FULL", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _use_wal(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Switch the file to WAL. In a new file that turns a read lock into a write lock, for which SQLite does not apply
    its busy timeout: where two programs create one database together, one of them has to try again."""
    until = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY_CODE != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return


def _begin_sqlite(conn: Connection) -> None:
    writes = conn.get_execution_options().get("writes", False)
    conn.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
