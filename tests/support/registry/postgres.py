"""A private PostgreSQL cluster for tests: own data, own user, a Unix socket only. No running server is touched."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.support.waiting import PATIENCE, eventually
from tests.support.watchdog import Watchdog

_MEMORY = Path("/dev/shm")  # noqa: S108  everything there is removed at the end
_ROOM = 2 << 30
_IMMEDIATE = signal.SIGQUIT
"""PostgreSQL's immediate shutdown."""
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "log_min_messages": "fatal",
    # Nothing has to outlive the test run.
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    # Its segments are files in the data directory then: an immediate shutdown leaves POSIX segments in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
}


def binaries() -> Path | None:
    """Where the newest installed server's programs are; Debian keeps them out of PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if installed:
        return installed[-1].parent
    elsewhere = shutil.which("initdb")
    return Path(elsewhere).parent if elsewhere else None


class Cluster:
    """A running server; ``database()`` makes an empty database (or a copy of another) and gives its URL.

    What a test module made is dropped with ``drop_all()`` at its end, except databases that are ``lasting``.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._numbers = itertools.count(1)
        self._passing: list[str] = []

    def url(self, database: str) -> str:
        return f"postgresql://registry@/{database}?host={self.socket}"

    def copy(self, url: str) -> str:
        """Another database with what is in this one, to which nobody may be connected."""
        return self.database(conninfo_to_dict(url)["dbname"])

    def database(self, template: str = "template0", *, lasting: bool = False) -> str:
        name = f"test{next(self._numbers)}"
        with self._connected() as connection:
            # Copying files takes a tenth of the time of writing them to the log as well; older servers always do so.
            copying = sql.SQL("STRATEGY FILE_COPY" if connection.info.server_version >= 150000 else "")
            names = sql.Identifier(name), sql.Identifier(template)
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(*names, copying))
        if not lasting:
            self._passing.append(name)
        return self.url(name)

    def drop_all(self) -> None:
        if self._passing:
            with self._connected() as connection:
                for name in self._passing:
                    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            self._passing.clear()

    def _connected(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url("postgres"), autocommit=True)


class _Shared:
    """The one cluster of this test process, once a test has asked for it."""

    def __init__(self) -> None:
        self._ending = ExitStack()
        self.running: Cluster | None = None

    def cluster(self) -> Cluster:
        if self.running is None:
            self.running = self._ending.enter_context(private_cluster())
        return self.running

    def stop(self) -> None:
        self._ending.close()
        self.running = None


SHARED = _Shared()


@contextmanager
def private_cluster() -> Iterator[Cluster]:
    """Start a cluster, stop it at the end. Under root it runs as ``postgres`` or ``nobody``: a server refuses root."""
    programs = binaries()
    if programs is None:
        raise FileNotFoundError("PostgreSQL's initdb is not installed")
    home = Path(tempfile.mkdtemp(prefix="pg-", dir=_place()))  # short: a socket's path has at most 107 bytes
    with Watchdog(home, _IMMEDIATE) as watchdog:
        try:
            yield from _running(programs, home, watchdog)
        finally:
            shutil.rmtree(home, ignore_errors=True)


def _running(programs: Path, home: Path, watchdog: Watchdog) -> Iterator[Cluster]:
    runs_as = _unprivileged()
    if runs_as:
        shutil.chown(home, runs_as["user"], runs_as["group"])
    data = home / "data"
    initdb = [programs / "initdb", "-D", data, "-U", "registry", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=home, **runs_as)
    options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-k", home, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=home,
        **runs_as,
    )
    try:
        watchdog.watch(server.pid)
        cluster = Cluster(home)
        assert eventually(lambda: server.poll() is not None or _answers(cluster), 0.05)
        assert server.poll() is None, "the server ended at once"
        yield cluster
    finally:
        server.send_signal(_IMMEDIATE)
        server.wait(PATIENCE)


def _place() -> Path | None:
    """In memory where the system has room for some dozens of databases of nine megabytes; else among other temporary
    files."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(_MEMORY).free > _ROOM and os.access(_MEMORY, os.W_OK):
            return _MEMORY
    return None


def _unprivileged() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _answers(cluster: Cluster) -> bool:
    try:
        psycopg.connect(cluster.url("postgres")).close()
    except psycopg.OperationalError:
        return False
    return True
