"""Tests of the registry that use ``registry`` or ``url`` run on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.postgres import Cluster
from tests.support.registry.registrar import SetClock, custodian, new_registry


@pytest.fixture(scope="session")
def with_tables(cluster: Cluster) -> str:
    """The URL of a PostgreSQL database with all tables and nothing in them, to be copied."""
    url = cluster.database(lasting=True)
    Registry.open(url, custodian()).close()
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with nothing in it; with the tables, where a test asks for ``registry`` or ``opened``."""
    with_tables = not {"registry", "opened"}.isdisjoint(request.fixturenames)
    if request.param == "sqlite":
        if with_tables:
            (tmp_path / "registry.db").write_bytes(new_registry())
        return f"sqlite:///{tmp_path}/registry.db"
    running: Cluster = request.getfixturevalue("cluster")
    return running.copy(request.getfixturevalue("with_tables")) if with_tables else running.database()


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
