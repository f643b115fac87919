"""Databases for tests that run on either kind: SQLite, or PostgreSQL within ``on_postgresql``."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path

from registry.store import Registry, utc_now
from terminal.keys.custody import KeyCustody
from tests.support.registry.postgres import SHARED
from tests.support.registry.registrar import custodian, new_registry

_FILE = "sqlite:///"
_kind = ["sqlite"]


@contextmanager
def on_postgresql() -> Iterator[None]:
    """Every ``fresh`` database is one of the process's PostgreSQL server."""
    _kind.append("postgresql")
    try:
        yield
    finally:
        _kind.pop()


def fresh(directory: Path) -> str:
    """The URL of a registry with all tables and nothing in them."""
    if _kind[-1] == "postgresql":
        return SHARED.cluster().copy(_with_tables())
    path = directory / "registry.db"
    path.write_bytes(new_registry())
    return f"{_FILE}{path}"


def copy(url: str, directory: Path) -> str:
    """Another database with what is in this one, which nobody may have open."""
    if not url.startswith(_FILE):
        return SHARED.cluster().copy(url)
    return f"{_FILE}{shutil.copy(url.removeprefix(_FILE), directory / 'registry.db')}"


def registry(url: str, custody: KeyCustody, clock: Callable[[], datetime] = utc_now) -> Registry:
    """An open registry, closed at the latest when it is garbage."""
    opened = Registry.open(url, custody, clock=clock)
    weakref.finalize(opened, opened._context.database.close)
    return opened


@cache
def _with_tables() -> str:
    url = SHARED.cluster().database(lasting=True)
    Registry.open(url, custodian()).close()
    return url
