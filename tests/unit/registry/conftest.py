"""Every test of the registry that asks for ``registry`` or ``url`` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.postgres import Cluster, binaries, private_cluster
from tests.support.registrar import SetClock, custodian


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with private_cluster() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/registry.db"
    running: Cluster = request.getfixturevalue("cluster")
    return running.database()


@pytest.fixture
def custody() -> MemoryCustody:
    return custodian()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def registry(url: str, custody: MemoryCustody, clock: SetClock) -> Iterator[Registry]:
    with Registry.open(url, custody, clock=clock) as opened:
        yield opened
