"""Databases that cannot be used: each fault is a sentence with cause and remedy."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier
from urllib.parse import urlsplit

import psycopg
import pytest

from registry.db.audit_chain import AuditEntry
from registry.db.database import as_registry_error
from registry.errors import RegistryError, RegistryUnavailable, RegistryUnfit
from registry.store import Registry
from registry.values import JournalEntry, JournalEvent
from terminal.keys.memory import MemoryCustody
from tests.support.registry.postgres import Cluster
from tests.support.registry.registrar import UNIT, claimed, ready, rows
from tests.support.waiting import PATIENCE


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}/registry.db"


def test_a_locked_database(tmp_path: Path, custody: MemoryCustody) -> None:
    with Registry.open(sqlite_url(tmp_path), custody, busy_seconds=0.1) as registry:
        batch = ready(registry, custody, 1)
        claim = claimed(registry, batch, 1)
        other = sqlite3.connect(tmp_path / "registry.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        for write in (
            lambda: registry.line.journal(claim, JournalEntry("install", JournalEvent.INTENT)),
            lambda: registry.line.verified(claim, {}, 1.0),
            lambda: registry.stock.receive(1, "s", "b"),
        ):
            with pytest.raises(RegistryUnavailable, match="is locked by another program; try again") as caught:
                write()
            assert caught.value.retryable
        assert registry.batches.accounts(batch).claimed == 1  # readers are not held up
        other.execute("ROLLBACK")
        other.close()
        registry.line.journal(claim, JournalEntry("install", JournalEvent.INTENT))
        assert len(registry.line.journal_of(batch)) == 1


def test_a_new_database_that_another_program_writes_at_this_moment(tmp_path: Path, custody: MemoryCustody) -> None:
    other = sqlite3.connect(tmp_path / "registry.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RegistryUnavailable, match="is locked by another program; try again"):
        Registry.open(sqlite_url(tmp_path), custody, busy_seconds=0.1)
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(Registry.open, sqlite_url(tmp_path), custody)
        with pytest.raises(TimeoutError):
            opening.result(0.2)
        other.execute("COMMIT")
        opening.result(PATIENCE).close()
    other.close()


def test_a_row_locked_in_postgresql(cluster: Cluster, custody: MemoryCustody) -> None:
    url = cluster.database()
    with Registry.open(url, custody, busy_seconds=1) as registry:
        claim = claimed(registry, ready(registry, custody, 1), 1)
        with psycopg.connect(url) as other:
            other.execute("SELECT * FROM dossiers FOR UPDATE")
            with pytest.raises(RegistryUnavailable, match="is locked by another program; try again") as caught:
                registry.line.verified(claim, {}, 1.0)
        assert caught.value.retryable
        assert registry.line.verified(claim, {}, 1.0).sequence == 1


def test_a_server_that_lets_nobody_in_says_why(cluster: Cluster, custody: MemoryCustody) -> None:
    with pytest.raises(RegistryUnavailable, match="does not exist on that server; create it first") as caught:
        Registry.open(cluster.url("nothing_of_the_kind"), custody)
    assert not caught.value.retryable
    stranger = cluster.database().replace("registry@", "stranger@")
    with pytest.raises(RegistryUnavailable, match="refused this user: check name and password") as caught:
        Registry.open(stranger, custody)
    assert not caught.value.retryable


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, custody: MemoryCustody) -> None:
    with Registry.open(sqlite_url(tmp_path), custody) as registry:
        with registry._context.database.read() as conn:
            pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
            conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(RegistryUnavailable, match="the disk is full; make room and run the same command again"):
            registry.rosters.import_roster(UNIT, rows(2000), [], source="f", digest="d", by="张")
        assert registry.batches.all() == []
        assert registry.rosters.known_members([rows(1)[0].person.id_number]) == {}


def test_no_directory(tmp_path: Path, custody: MemoryCustody) -> None:
    with pytest.raises(RegistryUnavailable, match="there is no directory"):
        Registry.open(f"sqlite:///{tmp_path}/absent/registry.db", custody)
    assert not (tmp_path / "absent").exists()


# Everything is imported before root is given up: another user may not reach this Python's files.
_AS_NOBODY = """
import os, sys, tempfile
from registry.db.database import Database
from registry.errors import RegistryError
from registry.migrations import migrate
with tempfile.TemporaryDirectory() as directory:
    migrate.to_head(Database(f"sqlite:///{directory}/r.db"))
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    database = Database(sys.argv[1])
    migrate.to_head(database)
    with database.write() as conn:
        conn.exec_driver_sql("DELETE FROM stock_receipts")
except RegistryError as error:
    print(type(error).__name__, error)
"""


def _as_nobody(url: str) -> str:
    run = subprocess.run([sys.executable, "-c", _AS_NOBODY, url], capture_output=True, text=True, check=True)
    return run.stdout


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that another user can reach. pytest's own are closed to others, again at the start of each run."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


def test_a_read_only_directory(open_directory: Path) -> None:
    open_directory.chmod(0o555)
    error = _as_nobody(sqlite_url(open_directory))
    open_directory.chmod(0o755)
    assert error.startswith("RegistryUnavailable")
    assert "cannot be opened: see that its directory exists and may be written" in error
    assert list(open_directory.iterdir()) == []


def test_a_read_only_file(open_directory: Path, custody: MemoryCustody) -> None:
    Registry.open(sqlite_url(open_directory), custody).close()
    (open_directory / "registry.db").chmod(0o444)
    open_directory.chmod(0o777)
    error = _as_nobody(sqlite_url(open_directory))
    assert error.startswith("RegistryUnavailable")
    assert "may not be written" in error


def test_a_file_that_is_no_database(tmp_path: Path, custody: MemoryCustody) -> None:
    file = tmp_path / "registry.db"
    file.write_bytes(b"PK\x03\x04 this is a workbook" * 100)
    with pytest.raises(RegistryUnfit, match="is not a SQLite database; name another file"):
        Registry.open(sqlite_url(tmp_path), custody)
    assert file.read_bytes().startswith(b"PK\x03\x04")


def test_a_damaged_database(tmp_path: Path, custody: MemoryCustody) -> None:
    with Registry.open(sqlite_url(tmp_path), custody) as registry:
        registry.rosters.import_roster(UNIT, rows(500), [], source="f", digest="d", by="张")
    file = tmp_path / "registry.db"
    file.write_bytes(file.read_bytes()[:4096] + os.urandom(file.stat().st_size - 4096))
    with pytest.raises(RegistryUnfit, match="is damaged; restore it from a backup"):
        Registry.open(sqlite_url(tmp_path), custody)


def test_a_server_that_does_not_answer(tmp_path: Path, custody: MemoryCustody) -> None:
    with pytest.raises(RegistryUnavailable, match="does not answer: see that the server runs") as caught:
        Registry.open(f"postgresql://u:hidden-word@/r?host={tmp_path}", custody, busy_seconds=1)
    assert caught.value.retryable
    assert "hidden-word" not in str(caught.value)


def test_a_server_without_that_database(cluster: Cluster, custody: MemoryCustody) -> None:
    with pytest.raises(RegistryUnavailable, match=r"does not exist on that server|does not answer"):
        Registry.open(cluster.url("absent"), custody)


def test_a_connection_that_was_cut_is_replaced(cluster: Cluster, custody: MemoryCustody) -> None:
    url = cluster.database()
    with Registry.open(url, custody) as registry:
        claim = claimed(registry, ready(registry, custody, 1), 1)
        for write in (
            lambda: registry.line.journal(claim, JournalEntry("s", JournalEvent.INTENT)),
            lambda: registry.batches.all(),
        ):
            with psycopg.connect(url, autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            with pytest.raises(RegistryUnavailable) as caught:
                write()
            assert caught.value.retryable
            write()
        assert len(registry.line.journal_of(claim.batch_id)) == 1


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite://", "lost with the process"),
        ("sqlite:///:memory:", "lost with the process"),
        ("mysql://localhost/r", "no registry can be kept in mysql"),
        ("oracle9://localhost/r", "cannot be read|no registry"),
        ("registry.db", "cannot be read; write sqlite:///FILE"),
    ],
)
def test_urls_that_name_no_registry(custody: MemoryCustody, url: str, sentence: str) -> None:
    with pytest.raises(RegistryUnfit, match=sentence):
        Registry.open(url, custody)


def _sqlite(name: str) -> Callable[[], Exception]:
    def make() -> Exception:
        error = sqlite3.OperationalError("values that must not be told")
        error.sqlite_errorname = name
        return error

    return make


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_sqlite("SQLITE_IOERR_WRITE"), "the disk failed or is full"),
        (_sqlite("SQLITE_READONLY_DIRECTORY"), "may not be written"),
        (_sqlite("SQLITE_PERM"), "cannot be opened"),
        (_sqlite("SQLITE_LOCKED_SHAREDCACHE"), "is locked by another program"),
        (_sqlite("SQLITE_ERROR"), "failed with OperationalError SQLITE_ERROR"),
        (lambda: psycopg.errors.DiskFull("x"), "the server's disk is full"),
        (lambda: psycopg.errors.ReadOnlySqlTransaction("x"), "the server is read-only"),
        (lambda: psycopg.errors.InvalidPassword("x"), "refused this user"),
        (lambda: psycopg.errors.DeadlockDetected("x"), "rival transaction; try again"),
        (lambda: psycopg.errors.InsufficientPrivilege("x"), "may not be used by this role"),
        (lambda: psycopg.errors.UndefinedTable("x"), "failed with UndefinedTable 42P01"),
    ],
)
def test_every_fault_of_a_driver_is_a_sentence(make: Callable[[], Exception], sentence: str) -> None:
    error = as_registry_error(make(), "the registry r.db")
    assert isinstance(error, RegistryError)
    assert str(error).startswith("the registry r.db ")
    assert sentence in str(error)
    assert "must not be told" not in str(error)


def _away(cluster: Cluster, url: str, away: bool) -> None:
    """The server lets nobody in, and those who were in are put out; or it lets them in again."""
    name = urlsplit(url).path.removeprefix("/")
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as other:
        other.execute("UPDATE pg_database SET datallowconn = %s WHERE datname = %s", (not away, name))
        out = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
        while other.execute(out, (name,)).fetchone() != (0,):
            time.sleep(0.01)  # the server ends them in its own time


def test_a_database_that_goes_away_and_returns(cluster: Cluster, custody: MemoryCustody) -> None:
    """While it is away each call says so; once it is back, none fails for a connection of before."""
    url = cluster.database()
    with Registry.open(url, custody, busy_seconds=2) as registry:
        claim = claimed(registry, ready(registry, custody, 1), 1)
        together = Barrier(6)

        def hold(_: int) -> None:
            with registry._context.database.read():
                together.wait()

        with ThreadPoolExecutor(6) as pool:  # six connections in the pool
            list(pool.map(hold, range(6)))
        calls: list[Callable[[], object]] = [
            lambda: registry.line.journal(claim, JournalEntry("s", JournalEvent.INTENT)),
            lambda: registry.audit.note(AuditEntry("li", "session.refused")),
            lambda: registry.members.find("李娜"),
            lambda: registry.line.verified(claim, {}, 1.0),
        ]
        _away(cluster, url, True)
        for call in calls:
            with pytest.raises(RegistryUnavailable) as caught:
                call()
            assert caught.value.retryable
        _away(cluster, url, False)
        for call in calls:
            call()
        assert registry.audit.verify().whole
        assert [row.entry.action for row in registry.audit.page(limit=2).items] == ["card.verified", "session.refused"]


@pytest.mark.parametrize("first", ["journal", "read"])
def test_one_failure_is_all_that_a_restart_costs(cluster: Cluster, custody: MemoryCustody, first: str) -> None:
    url = cluster.database()
    with Registry.open(url, custody, busy_seconds=2) as registry:
        claim = claimed(registry, ready(registry, custody, 1), 1)
        together = Barrier(5)

        def hold(_: int) -> None:
            with registry._context.database.read():
                together.wait()

        with ThreadPoolExecutor(5) as pool:
            list(pool.map(hold, range(5)))
        _away(cluster, url, True)
        _away(cluster, url, False)
        failed = 0
        for number in range(12):
            try:
                if (first == "journal") == (number % 2 == 0):
                    registry.line.journal(claim, JournalEntry("s", JournalEvent.INTENT))
                else:
                    registry.batches.all()
            except RegistryUnavailable:
                failed += 1
        assert failed <= 1
