"""Bytes of clients that are no request, or too many: answered in order, in words, and held within limits."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from uvicorn.protocols.utils import ClientDisconnected

from reader_service import connections
from reader_service.principal import Role
from tests.support.service.accounts import AccountsApp, accounts_app
from tests.support.service.web import Web
from tests.support.waiting import PATIENCE, eventually

HEAD = "Host: localhost\r\n"
LIVE = f"GET /health/live HTTP/1.1\r\n{HEAD}\r\n".encode()
HANDSHAKE = f"{HEAD}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
CHUNKED = f"{HEAD}Transfer-Encoding: chunked\r\n\r\n"
FIELD = b"X: yyyyyy\r\n"
MANY = "X: y\r\n" * 300


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    rig = accounts_app(tmp_path_factory.mktemp("connections"))
    rig.person("admin", Role.ADMINISTRATOR)
    router = APIRouter()

    @router.get("/slow")
    def slow(request: Request) -> Response:
        assert request.app.state.go_on.wait(PATIENCE)
        return Response(b"slow answer")

    rig.app.include_router(router)
    rig.app.state.go_on = threading.Event()
    yield rig
    rig.registry.close()


@pytest.fixture
def web(rig: AccountsApp) -> Iterator[Web]:
    rig.app.state.go_on.clear()
    with Web(rig.app) as running:
        yield running
        rig.app.state.go_on.set()


@contextlib.contextmanager
def connected(web: Web, sent: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE) as line:
        line.sendall(sent)
        yield line


def rest(line: socket.socket) -> bytes:
    """All that comes until the connection is closed."""
    received = b""
    while piece := line.recv(65536):
        received += piece
    return received


def reply(web: Web, sent: bytes) -> bytes:
    with connected(web, sent) as line:
        return rest(line)


def statuses(received: bytes) -> list[int]:
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize(
    "head",
    [
        f"POST /api/v1/events HTTP/1.1\r\n{HANDSHAKE}{KEY}Content-Length: 3\r\n\r\nabc",
        f"GET /api/v1/events HTTP/1.1\r\n{HANDSHAKE}{KEY}Content-Length: 300\r\n\r\n",
        f"GET /api/v1/events HTTP/1.1\r\n{HANDSHAKE}{KEY}X: {'y' * 20_000}\r\n\r\n",
        f"GET /api/v1/events HTTP/1.1\r\n{HANDSHAKE}{KEY}{MANY}\r\n",
        f"GET /api/v1/events HTTP/1.1\r\n{HANDSHAKE}\r\n",
    ],
    ids=["post", "body", "long header", "many headers", "no key"],
)
def test_a_handshake_that_is_none_gets_an_answer_and_the_end(web: Web, head: str) -> None:
    assert statuses(reply(web, head.encode())) == [400]
    assert eventually(lambda: not web.server.server_state.connections)


def test_a_refused_websocket_is_no_fault_in_the_log(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert statuses(reply(web, f"GET /api/v1/events HTTP/1.1\r\n{HANDSHAKE}{KEY}\r\n".encode())) == [401]
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("first", [f"POST /api/v1/session HTTP/1.1\r\n{CHUNKED}", f"GET /slow HTTP/1.1\r\n{CHUNKED}"])
@pytest.mark.parametrize("endless", [b"0\r\n" + FIELD * 20_000, b"0\r\nX" + b"y" * 200_000, b"5;" + b"y" * 200_000])
def test_trailers_and_extensions_without_end_are_refused(web: Web, first: str, endless: bytes) -> None:
    assert statuses(reply(web, first.encode() + endless)) == [431]


def test_endless_trailers_behind_an_answer_end_the_connection(web: Web) -> None:
    first = f"GET /health/live HTTP/1.1\r\n{CHUNKED}0\r\n".encode()
    with connected(web, first) as line:
        assert line.recv(65536).startswith(b"HTTP/1.1 200 ")
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                line.sendall(FIELD * 20_000)
        assert eventually(lambda: not web.server.server_state.connections)


def test_empty_lines_without_end_are_refused(web: Web) -> None:
    assert statuses(reply(web, b"\r\n" * 100_000)) == [431]


def test_a_trailer_is_no_header(web: Web, rig: AccountsApp) -> None:
    token = rig.token(Role.OPERATOR, label="trailer")
    body = f"0\r\nAuthorization: Bearer {token}\r\n\r\n"
    received = reply(web, f"GET /api/v1/readers HTTP/1.1\r\nConnection: close\r\n{CHUNKED}{body}".encode())
    assert statuses(received) == [401]


@pytest.mark.parametrize(
    "behind", [b"no request\r\n\r\n", b"\x00\x01", f"GET / HTTP/1.1\r\n{HANDSHAKE}{KEY}\r\n".encode()]
)
def test_what_is_no_request_is_answered_behind_the_requests_before_it(
    web: Web, rig: AccountsApp, behind: bytes
) -> None:
    slow = f"GET /slow HTTP/1.1\r\n{HEAD}\r\n".encode()
    with connected(web, slow + LIVE + behind + LIVE) as line:
        assert eventually(lambda: bool(web.server.server_state.tasks))
        rig.app.state.go_on.set()
        received = rest(line)
    assert statuses(received) == [200, 200, 400]
    assert received.index(b"slow answer") < received.index(b'{"live":true}') < received.index(b"bad-request")


def test_a_request_with_a_broken_body_is_not_done_and_those_before_it_are(web: Web, rig: AccountsApp) -> None:
    slow = f"GET /slow HTTP/1.1\r\n{HEAD}\r\n".encode()
    broken = f"POST /api/v1/session HTTP/1.1\r\n{CHUNKED}-5\r\nabcde\r\n".encode()
    with connected(web, slow + broken + LIVE) as line:
        assert eventually(lambda: bool(web.server.server_state.tasks))
        rig.app.state.go_on.set()
        assert statuses(rest(line)) == [200, 400]
    assert statuses(reply(web, broken)) == [400]


def test_many_requests_at_once_are_all_answered_and_too_many_are_refused(web: Web) -> None:
    last = f"GET /health/live HTTP/1.1\r\nConnection: close\r\n{HEAD}\r\n".encode()
    assert statuses(reply(web, LIVE * (connections.PIPELINED - 1) + last)) == [200] * connections.PIPELINED
    received = statuses(reply(web, LIVE * 1000))
    assert received[-1] == 400
    assert set(received[:-1]) == {200}


def test_requests_that_wait_let_no_others_in(web: Web, rig: AccountsApp) -> None:
    slow = f"GET /slow HTTP/1.1\r\n{HEAD}\r\n".encode()
    rig.app.state.go_on.set()
    with connected(web, b"") as line:
        for _ in range(20):  # never more than fits, and always more than is answered
            line.sendall((slow + LIVE) * 20)
            received = line.recv(65536)
            assert received.startswith(b"HTTP/1.1 200 ")
            (connection,) = web.server.server_state.connections
            assert len(getattr(connection, "pipeline", ())) <= connections.PIPELINED
            while received.count(b'{"live":true}') < 20:
                received += line.recv(65536)


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://localhost/health/live", "localhost", 200),
        ("http://localhost:8765/health/live?x=1", "evil.example", 200),
        ("http://[::1]:8765/health/live", "localhost", 200),
        ("http://evil.example/health/live", "localhost", 421),
        ("http://user@localhost/health/live", "localhost", 421),
        ("http://localhost@evil.example/health/live", "localhost", 421),
        ("http://localhost:99999999/health/live", "localhost", 400),
        ("http://localhost", "localhost", 303),
    ],
)
def test_the_host_in_an_address_counts(web: Web, target: str, host: str, status: int) -> None:
    received = reply(web, f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert statuses(received) == [status]


def test_the_end_of_the_service_closes_a_websocket_with_1001(
    web: Web, rig: AccountsApp, caplog: pytest.LogCaptureFixture
) -> None:
    token = rig.token(Role.OPERATOR, label="listener")
    head = f"GET /api/v1/events HTTP/1.1\r\nAuthorization: Bearer {token}\r\n{HANDSHAKE}{KEY}\r\n"
    with connected(web, head.encode()) as line:
        assert line.recv(65536).startswith(b"HTTP/1.1 101 ")
        assert eventually(lambda: bool(rig.service.bus._waiting))
        web.stop()
        assert rest(line) == b"\x88\x02" + (1001).to_bytes(2, "big")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_websocket_that_ends_with_the_connection_is_no_fault_in_the_log(
    web: Web, rig: AccountsApp, caplog: pytest.LogCaptureFixture
) -> None:
    token = rig.token(Role.OPERATOR, label="gone")
    head = f"GET /api/v1/events HTTP/1.1\r\nAuthorization: Bearer {token}\r\n{HANDSHAKE}{KEY}\r\n"
    with connected(web, head.encode()) as line:
        assert line.recv(65536).startswith(b"HTTP/1.1 101 ")
        assert eventually(lambda: bool(rig.service.bus._waiting))
        for connection in list(web.server.server_state.connections):
            connection.loop.call_soon_threadsafe(connection.shutdown)  # where it lives
        rig.service.bus.publish("reader.state", "r1", {})
        assert eventually(lambda: not web.server.server_state.tasks)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_what_is_sent_while_the_service_ends_finds_the_client_gone(web: Web, rig: AccountsApp) -> None:
    """In the same moment as the end: the library alone takes it for a fault of the application."""
    faults: list[BaseException] = []

    def end(connection: Any) -> None:
        connection.shutdown()
        try:
            connection.send({"type": "websocket.send", "text": "[]"}).send(None)
        except (OSError, RuntimeError) as fault:
            faults.append(fault)

    token = rig.token(Role.OPERATOR, label="gone meanwhile")
    head = f"GET /api/v1/events HTTP/1.1\r\nAuthorization: Bearer {token}\r\n{HANDSHAKE}{KEY}\r\n"
    with connected(web, head.encode()) as line:
        assert line.recv(65536).startswith(b"HTTP/1.1 101 ")
        assert eventually(lambda: bool(rig.service.bus._waiting))
        for connection in list(web.server.server_state.connections):
            connection.loop.call_soon_threadsafe(end, connection)
        assert eventually(lambda: bool(faults))
    assert [type(fault) for fault in faults] == [ClientDisconnected]
