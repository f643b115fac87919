"""A service that is up before its database: it waits, says so, and serves at the same address when it is there."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from reader_service.listen import Listen
from reader_service.waiting import opened
from registry.errors import RegistryUnavailable, SchemaTooNew
from registry.store import Registry
from tests.support.registry.registrar import custodian, new_registry
from tests.support.waiting import PATIENCE

AWAY = RegistryUnavailable("the registry database x on y does not answer: see that the server runs", retryable=True)


class Database:
    """Away until ``there`` is set; then it opens, or raises ``fault``."""

    def __init__(self, directory: Path) -> None:
        (directory / "registry.db").write_bytes(new_registry())
        self.url = f"sqlite:///{directory}/registry.db"
        self.there = threading.Event()
        self.fault: Exception | None = None
        self.tries = 0

    def open(self) -> Registry:
        self.tries += 1
        if not self.there.is_set():
            raise AWAY
        if self.fault is not None:
            raise self.fault
        return Registry.open(self.url, custodian())


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path)


def client_of(address: str) -> httpx.Client:
    """One that tries again until somebody listens."""
    return httpx.Client(base_url=address, transport=httpx.HTTPTransport(retries=20), timeout=PATIENCE)


def meanwhile(do: Callable[[str], None], listen: Listen, database: Database) -> Registry | None:
    """What came of waiting, while another thread did this at the address."""
    with listen.open() as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        other = threading.Thread(target=do, args=(address,))
        other.start()
        try:
            registry = opened(database.open, listen, listener, every=0.05)
            listener.getsockname()  # still open, for the service itself
            return registry
        finally:
            other.join()


def test_it_says_that_it_is_not_ready_and_opens_the_database_when_it_is_there(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    responses: dict[str, httpx.Response] = {}

    def look(address: str) -> None:
        with client_of(address) as client:
            for path in ("/health/live", "/health/ready", "/api/v1/readers", "/counter"):
                responses[path] = client.get(path)
        database.there.set()

    with caplog.at_level(logging.INFO):
        registry = meanwhile(look, Listen(port=0), database)
    assert registry is not None
    with registry:
        assert registry.batches.all() == []
    assert {path: answer.status_code for path, answer in responses.items()} == {
        "/health/live": 200,
        "/health/ready": 503,
        "/api/v1/readers": 503,
        "/counter": 503,
    }
    assert responses["/health/ready"].json() == {"ready": False, "parts": {"database": "away"}}
    assert responses["/api/v1/readers"].json()["code"] == "unavailable"
    assert "正在等待数据库" in responses["/counter"].text
    assert "waits for its database" in responses["/counter"].text
    assert all(answer.headers["Retry-After"] == "2" for path, answer in responses.items() if path != "/health/live")
    assert all("default-src 'none'" in answer.headers["Content-Security-Policy"] for answer in responses.values())
    lines = [record.getMessage() for record in caplog.records if record.name == "reader_service.waiting"]
    assert len(lines) == 2
    assert lines[0].startswith("the registry database x on y does not answer")
    assert lines[1] == "the database is there"


def test_what_no_waiting_mends_is_reported_at_once(database: Database) -> None:
    database.there.set()
    database.fault = SchemaTooNew("changed by a newer version")
    with pytest.raises(SchemaTooNew):
        meanwhile(lambda address: None, Listen(port=0), database)
    assert database.tries == 1


@pytest.mark.parametrize("fault", [SchemaTooNew("changed by a newer version"), LookupError("nobody foresaw it")])
def test_what_the_database_turns_out_to_be_ends_the_waiting(database: Database, fault: Exception) -> None:
    database.fault = fault

    def later(address: str) -> None:
        with client_of(address) as client:
            client.get(f"{address}/health/live")
        database.there.set()

    with pytest.raises(type(fault)):
        meanwhile(later, Listen(port=0), database)
    assert database.tries >= 2


def test_it_ends_while_it_waits(database: Database) -> None:
    def end(address: str) -> None:
        with client_of(address) as client:
            client.get(f"{address}/health/live")
        os.kill(os.getpid(), signal.SIGTERM)

    assert meanwhile(end, Listen(port=0), database) is None
