"""The deployment guide's backup and restore, as it prints them: what comes back is whole, and the keystore opens it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from registry.store import Registry
from tests.support import issuer
from tests.support.paths import ROOT
from tests.support.registry import registrar
from tests.support.registry.postgres import private_cluster

GUIDE = ROOT / "docs" / "deployment.md"


def typed(start: str) -> str:
    """The guide's command that begins so."""
    (line,) = {line for line in GUIDE.read_text(encoding="utf-8").splitlines() if line.startswith(start)}
    return line


def expect_success(command: str, directory: Path, entered: str = "", **environment: str) -> None:
    """Without a terminal, so that what is ``entered`` is read from standard input."""
    done = subprocess.run(
        ["/bin/sh", "-ec", command],
        cwd=directory,
        env={**os.environ, **environment},
        input=entered.encode(),
        capture_output=True,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stderr.decode()


def fill(registry: Registry) -> tuple[str, int]:
    """Some record; the end of its audit."""
    registrar.ready(registry, issuer.custody(), 3)
    registry.stock.receive(3, "delivery 1", "op")
    report = registry.audit.verify()
    return report.last_hash, report.last_number


def expect_whole(url: str, noted: tuple[str, int]) -> None:
    with Registry.open(url, issuer.custody()) as registry:
        report = registry.audit.verify((noted[1], noted[0]))
        assert report.whole
        assert (report.last_hash, report.last_number) == noted
        (batch,) = registry.batches.all()
        assert registry.batches.accounts(batch.id).balanced
        member = registry.members.page(None, 10).items[0]
        opened = registry.members.unmask(member.member_id, by="registrar", reason="to see that it opens")
        assert len(opened.id_number) == 18
        assert registry.stock.accounts().received == 3


def test_sqlite_while_it_is_in_use(tmp_path: Path) -> None:
    where = tmp_path / "membercard.db"
    with Registry.open(f"sqlite:///{where}", issuer.custody()) as registry:
        noted = fill(registry)
        command = typed("sqlite3 /var/lib/membercard/").replace("/var/lib/membercard/membercard.db", str(where))
        expect_success(command, tmp_path)
    expect_whole(f"sqlite:///{tmp_path / 'membercard.copy.db'}", noted)


@pytest.mark.postgres
def test_postgresql_while_it_is_in_use(tmp_path: Path) -> None:
    with private_cluster() as cluster:
        (host,) = parse_qs(urlsplit(cluster.url("postgres")).query)["host"]
        there = {"PGHOST": host, "PGUSER": "registry"}
        expect_success(typed("createuser --pwprompt"), tmp_path, entered="correct-horse\n" * 2, **there)
        expect_success(typed("createdb --owner"), tmp_path, **there)
        url = cluster.url("membercard")
        with Registry.open(url, issuer.custody()) as registry:
            noted = fill(registry)
            expect_success(typed("pg_dump --format=custom"), tmp_path, **there)
        expect_success("dropdb membercard", tmp_path, **there)
        expect_success(typed("createdb --owner"), tmp_path, **there)
        expect_success(typed("pg_restore"), tmp_path, **there)
        expect_whole(url.replace("registry@", "membercard@"), noted)
