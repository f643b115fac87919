"""Databases for tests that run on either kind: SQLite, or PostgreSQL for all of them with
``MEMBERCARD_TEST_DATABASE=postgresql``."""

from __future__ import annotations

import atexit
import os
import shutil
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from functools import cache
from pathlib import Path

from registry.store import Registry, utc_now
from terminal.keys.custody import KeyCustody
from tests.support.registry.postgres import Cluster, private_cluster
from tests.support.registry.registrar import custodian, new_registry

_POSTGRESQL = os.environ.get("MEMBERCARD_TEST_DATABASE", "sqlite") == "postgresql"
_FILE = "sqlite:///"


def fresh(directory: Path) -> str:
    """The URL of a registry with all tables and nothing in them."""
    if _POSTGRESQL:
        return _cluster().copy(_with_tables())
    path = directory / "registry.db"
    path.write_bytes(new_registry())
    return f"{_FILE}{path}"


def copy(url: str, directory: Path) -> str:
    """Another database with what is in this one, which nobody may have open."""
    if not url.startswith(_FILE):
        return _cluster().copy(url)
    return f"{_FILE}{shutil.copy(url.removeprefix(_FILE), directory / 'registry.db')}"


def registry(url: str, custody: KeyCustody, clock: Callable[[], datetime] = utc_now) -> Registry:
    """An open registry, closed at the latest when it is garbage."""
    opened = Registry.open(url, custody, clock=clock)
    weakref.finalize(opened, opened._context.database.close)
    return opened


@cache
def _cluster() -> Cluster:
    """One for this test process, stopped at its end."""
    ending = ExitStack()
    atexit.register(ending.close)
    return ending.enter_context(private_cluster())


@cache
def _with_tables() -> str:
    url = _cluster().database()
    Registry.open(url, custodian()).close()
    return url
