"""A private PostgreSQL cluster for tests: own data, own user, a Unix socket only. No running server is touched."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.support.waiting import PATIENCE, eventually

_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # the cluster dies with the test run
    "max_connections": "100",
    "log_min_messages": "fatal",
}


def binaries() -> Path | None:
    """Where the newest installed server's programs are; Debian keeps them out of PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if installed:
        return installed[-1].parent
    elsewhere = shutil.which("initdb")
    return Path(elsewhere).parent if elsewhere else None


class Cluster:
    """A running server; ``database()`` makes an empty database (or a copy of another) and gives its URL."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._numbers = itertools.count(1)

    def url(self, database: str) -> str:
        return f"postgresql://registry@/{database}?host={self.socket}"

    def copy(self, url: str) -> str:
        """Another database with what is in this one, to which nobody may be connected."""
        return self.database(conninfo_to_dict(url)["dbname"])

    def database(self, template: str = "template0") -> str:
        name = f"test{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            make = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            connection.execute(make)
        return self.url(name)


@contextmanager
def private_cluster() -> Iterator[Cluster]:
    """Start a cluster, stop it at the end. Under root it runs as ``postgres`` or ``nobody``: a server refuses root."""
    programs = binaries()
    if programs is None:
        raise FileNotFoundError("PostgreSQL's initdb is not installed")
    home = Path(tempfile.mkdtemp(prefix="pg-"))  # short: a socket's path has at most 107 bytes
    runs_as = _unprivileged()
    if runs_as:
        shutil.chown(home, runs_as["user"], runs_as["group"])
    data = home / "data"
    initdb = [programs / "initdb", "-D", data, "-U", "registry", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    try:
        subprocess.run(
            initdb,
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=home,
            **runs_as,
        )
        options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", home, *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=home,
            **runs_as,
        )
        try:
            cluster = Cluster(home)
            assert eventually(lambda: server.poll() is not None or _answers(cluster), 0.05)
            assert server.poll() is None, "the server ended at once"
            yield cluster
        finally:
            server.send_signal(signal.SIGQUIT)  # PostgreSQL's immediate shutdown
            server.wait(PATIENCE)
    finally:
        shutil.rmtree(home, ignore_errors=True)


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
