"""What tests of the service share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.registry import databases
from tests.support.service.registry_rig import RegistryRig, registry_rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[RegistryRig]:
    """A registry on SQLite with the parts over it, and every event that was published."""
    opened = registry_rig(tmp_path)
    with opened.registry:
        yield opened
        opened.line.hold.set()
        opened.bus.close()


_ON_BOTH = ("access/", "services/", *(f"api/test_{name}.py" for name in ("batches", "readers", "rosters")))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What the service asks of the registry runs on both databases."""
    path = metafunc.module.__file__.rpartition("/reader_service/")[2]
    if path.startswith((*_ON_BOTH, "http/test_writes.py")):
        both = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
        metafunc.parametrize("database", both, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def database(request: pytest.FixtureRequest) -> Iterator[None]:
    """The kind of every fresh database of a module: SQLite unless the module is one of those that run on both."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield
        return
    request.getfixturevalue("cluster")
    with databases.on_postgresql():
        yield
