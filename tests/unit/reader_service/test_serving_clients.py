"""Clients that come over the wire in ways of their own: they take nothing of what they get, change to a WebSocket late,
send bodies of every length; and the headers of answers that never reach the application."""

from __future__ import annotations

import base64
import os
import socket
import time
from collections.abc import Iterator

import pytest
from fastapi import APIRouter
from starlette.responses import Response

from reader_service import connections
from reader_service.http.middleware import API_POLICY
from reader_service.principal import Role
from tests.support.service.accounts import AccountsApp, accounts_app
from tests.support.service.web import Web
from tests.support.waiting import PATIENCE, eventually

LARGE = 16 * 1024 * 1024
"""More than the buffers of both kernels."""
LONG = "x" * 1_000_000


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    rig = accounts_app(tmp_path_factory.mktemp("clients"))
    rig.person("admin", Role.ADMINISTRATOR)
    router = APIRouter()

    @router.get("/large")
    async def large() -> Response:
        return Response(b"x" * LARGE)

    rig.app.include_router(router)
    yield rig
    rig.registry.close()


@pytest.fixture
def web(rig: AccountsApp) -> Iterator[Web]:
    with Web(rig.app) as running:
        yield running


def connected(web: Web, room: int = 4096) -> socket.socket:
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    line.settimeout(PATIENCE)
    line.connect(("127.0.0.1", web.port))
    return line


def test_whoever_takes_nothing_of_an_answer_is_cut_off(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.3)
    present = web.server.server_state.connections
    with connected(web) as line:
        line.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert eventually(lambda: len(present) == 1)
        assert eventually(lambda: not present)


def test_whoever_takes_it_slowly_gets_all_of_it(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 1.5)
    with connected(web, 500_000) as line:
        line.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received, begun = 0, time.monotonic()
        while piece := line.recv(1024 * 1024):
            received += len(piece)
            if time.monotonic() - begun < 3.5:
                time.sleep(0.1)
    assert received > LARGE


def upgrade(token: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def test_a_websocket_on_a_connection_that_was_used_before_stays(rig: AccountsApp, web: Web) -> None:
    web.server.config.timeout_keep_alive = 1
    with connected(web) as line:
        line.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        line.sendall(upgrade(rig.token(Role.OPERATOR, label="late")))
        assert line.recv(65536).startswith(b"HTTP/1.1 101")
        time.sleep(1.3)
        rig.service.bus.publish("reader.state", "r1", {"still": "here"})
        assert b'"still":"here"' in line.recv(65536)


def test_a_websocket_whose_client_takes_nothing_is_cut_off(
    rig: AccountsApp, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 0.3)
    present = web.server.server_state.connections
    with connected(web) as line:
        line.sendall(upgrade(rig.token(Role.OPERATOR, label="mute")))
        assert line.recv(200).startswith(b"HTTP/1.1 101")
        assert eventually(lambda: len(present) == 1)

        def cut_off() -> bool:
            # Again and again: it may not listen yet when its handshake is answered.
            rig.service.bus.publish("reader.state", "r1", {"long": LONG})
            return not present

        assert eventually(cut_off)


PIECE = b"x" * (1024 * 1024)
TOO_MANY = 17


def signed(rig: AccountsApp, *more: str) -> bytes:
    """The head of an upload by somebody who is signed in."""
    client = rig.signed_in("admin")
    lines = (
        "POST /api/v1/rosters HTTP/1.1",
        "Host: localhost",
        f"Cookie: membercard={client.cookies['membercard']}",
        f"X-CSRF-Token: {client.headers['X-CSRF-Token']}",
        "Content-Type: multipart/form-data; boundary=b",
        *more,
    )
    return "\r\n".join((*lines, "", "")).encode()


def refusal(line: socket.socket) -> str:
    """All that comes until the connection is closed."""
    received = b""
    while piece := line.recv(65536):
        received += piece
    return received.decode()


@pytest.mark.parametrize("chunked", [True, False])
def test_an_upload_that_is_too_large_is_refused_while_it_is_still_sent(
    rig: AccountsApp, web: Web, chunked: bool
) -> None:
    how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {TOO_MANY * len(PIECE)}"
    with connected(web, 65536) as line:
        line.sendall(signed(rig, how))
        for _ in range(TOO_MANY):
            line.sendall(b"%x\r\n%s\r\n" % (len(PIECE), PIECE) if chunked else PIECE)
        if chunked:
            line.sendall(b"0\r\n\r\n")
        received = refusal(line)
    assert received.startswith("HTTP/1.1 413 ")
    assert '"code": "too-large"' in received


def test_an_upload_that_is_too_large_is_not_requested(rig: AccountsApp, web: Web) -> None:
    with connected(web, 65536) as line:
        line.sendall(signed(rig, f"Content-Length: {TOO_MANY * len(PIECE)}", "Expect: 100-continue"))
        received = refusal(line)
    assert received.startswith("HTTP/1.1 413 ")


def test_an_upload_that_stops_in_the_middle_leaves_nothing(rig: AccountsApp, web: Web) -> None:
    present = web.server.server_state.connections
    with connected(web, 65536) as line:
        line.sendall(signed(rig, "Content-Length: 1000000") + b"--b\r\n")
        assert eventually(lambda: bool(present))
    assert eventually(lambda: not present and not web.server.server_state.tasks)


@pytest.mark.parametrize("sent", [b"no request\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000])
def test_what_is_refused_before_the_application_has_the_same_headers(web: Web, sent: bytes) -> None:
    with connected(web) as line:
        line.sendall(sent)
        received = line.recv(65536).decode()
    assert f"content-security-policy: {API_POLICY}" in received
    for header in ("x-content-type-options: nosniff", "cache-control: no-store", "x-frame-options: DENY"):
        assert header in received
