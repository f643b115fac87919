"""Room for one more connection: the limit of open files, listeners within it, and idle connections that give way."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Iterator

import httpx
import pytest

from reader_service import process
from reader_service.access.settings import LISTENERS, AccessSettings
from reader_service.listen import Listen
from reader_service.principal import Role
from tests.support.service.accounts import AccountsApp, accounts_app
from tests.support.service.web import Web
from tests.support.waiting import PATIENCE, eventually

HEAD = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    rig = accounts_app(tmp_path_factory.mktemp("accepting"), AccessSettings(listeners=6))
    yield rig
    rig.registry.close()


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for eight connections."""
    monkeypatch.setattr(process, "connections", lambda: 8)


def limit(monkeypatch: pytest.MonkeyPatch, soft: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, soft))


@pytest.mark.parametrize(
    ("soft", "connections", "listeners"),
    [(1024, 896, 672), (8192, 8064, 6048), (100, 16, 12), (resource.RLIM_INFINITY, 1_000_000, 750_000)],
)
def test_listeners_leave_a_quarter_of_the_connections_to_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, soft: int, connections: int, listeners: int
) -> None:
    limit(monkeypatch, soft)
    assert (process.connections(), process.listeners()) == (connections, listeners)
    assert Listen().access_settings().listeners == min(listeners, LISTENERS)
    assert ("room for" in caplog.text) is (listeners < LISTENERS)


def test_the_limit_of_open_files_is_raised_as_far_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda which, new: limits.append(new))
    process.raise_limit()
    assert limits == [(4096, 4096)]

    def forbidden(which: int, new: tuple[int, int]) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(resource, "setrlimit", forbidden)
    process.raise_limit()


def opened(web: Web, sent: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE)
    line.sendall(sent)
    return line


@pytest.mark.parametrize("sent", [HEAD, b"GET /health/live HTTP/1.1\r\nX: "], ids=["idle", "arriving"])
def test_who_is_idle_or_slow_gives_way_to_a_new_client(rig: AccountsApp, eight: None, sent: bytes) -> None:
    with Web(rig.app) as web:
        web.server.config.timeout_keep_alive = 600
        lines = [opened(web, sent) for _ in range(30)]
        for _ in range(5):
            assert web.get("/health/live").status_code == 200
        assert eventually(lambda: len(web.server.server_state.connections) <= 8)
        for line in lines:
            line.close()


def test_listeners_never_shut_out_health_and_api(rig: AccountsApp, eight: None) -> None:
    headers = {"Authorization": f"Bearer {rig.token(Role.OPERATOR)}"}
    with Web(rig.app) as web, httpx.Client(base_url=web.address, headers=headers, timeout=PATIENCE) as client:
        ask = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "localhost", **headers}.items())
        listening, answers = [], []
        for _ in range(12):  # one after the other: eight requests at work would leave no room for a ninth
            listening.append(opened(web, f"GET /api/v1/events/stream HTTP/1.1\r\n{ask}\r\n".encode()))
            answers.append(listening[-1].recv(100)[:12])
        assert sorted(set(answers)) == [b"HTTP/1.1 200", b"HTTP/1.1 429"]
        assert answers.count(b"HTTP/1.1 200") == 6
        for _ in range(3):
            assert client.get("/health/live").status_code == 200
            assert client.get("/api/v1/readers").status_code == 200
        for line in listening:
            line.close()
        client.close()
        assert eventually(lambda: not web.server.server_state.connections)


def test_where_everybody_is_at_work_a_new_client_is_turned_away(
    rig: AccountsApp, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "connections", lambda: 4)
    headers = {"Host": "localhost", "Authorization": f"Bearer {rig.token(Role.OPERATOR, label='more')}"}
    ask = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with Web(rig.app) as web:
        listening = []
        for _ in range(4):
            listening.append(opened(web, f"GET /api/v1/events/stream HTTP/1.1\r\n{ask}\r\n".encode()))
            assert listening[-1].recv(100).startswith(b"HTTP/1.1 200")
        with opened(web, b"") as turned_away:
            assert turned_away.recv(100) == b""
        for line in listening:
            line.close()
        assert eventually(lambda: not web.server.server_state.connections)
        assert web.get("/health/live").status_code == 200
    assert "a connection was refused: too many connections are open" in caplog.text


class FullListener:
    """A listener of a process that has no file descriptor left for a while."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.faults = 3

    def __getattr__(self, name: str) -> object:
        return getattr(self._listener, name)

    def fileno(self) -> int:
        return self._listener.fileno()

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        if self.faults:
            self.faults -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return self._listener.accept()


def test_a_service_without_file_descriptors_accepts_again_when_it_has_some(
    rig: AccountsApp, caplog: pytest.LogCaptureFixture
) -> None:
    web = Web(rig.app)
    full = FullListener(web._listener)
    web._thread._args = ([full],)  # type: ignore[attr-defined]
    with web:
        assert web.get("/health/live").status_code == 200
    assert full.faults == 0
    assert "accepting fails: Too many open files" in caplog.text
