"""The test bank over HTTP."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from socket import SO_LINGER, SOL_SOCKET, create_connection

import pytest

from simulators.issuer.host import IssuerHost
from simulators.issuer.http import IssuerServer
from terminal.errors import CodecError
from tests.support.cards.simulated_bank import Card, account, bank
from tests.support.waiting import PATIENCE, eventually

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@contextmanager
def server(host: IssuerHost) -> Iterator[tuple[IssuerServer, list[str]]]:
    lines: list[str] = []
    with IssuerServer(host, report=lines.append) as server_:
        thread = threading.Thread(target=server_.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server_, lines
        finally:
            server_.shutdown()
            thread.join()


def post(to: IssuerServer, body: bytes, path: str = "/authorize", **headers: str) -> tuple[int, dict[str, object]]:
    connection = HTTPConnection("127.0.0.1", to.server_address[1], timeout=PATIENCE)
    try:
        connection.request("POST", path, body, headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def test_http_responds_as_the_function_does() -> None:
    request = Card().says()
    with server(bank(account())) as (http, lines):
        status, reply = post(http, json.dumps({"data": request.hex()}).encode())
    expected = bank(account()).answer(request)
    assert status == 200
    assert reply == {"approved": True, "code": "00", "reason": "approved", "data": expected.data.hex().upper()}
    assert lines == ["00 approved"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"data": 5}', b'{"data": "5"}', b'{"Data": ""}', b"[" * 5000])
def test_what_is_not_the_jsons_shape_is_refused(body: bytes) -> None:
    with server(bank(account())) as (http, lines):
        status, reply = post(http, body)
        assert (status, list(reply)) == (400, ["error"])
        assert post(http, b'{"data": ""}')[0] == 200
    assert lines == ["30 the request has neither a card number (5A) nor track 2 data (57)"]


def test_other_paths_and_lengths_are_refused() -> None:
    with server(bank(account())) as (http, _):
        assert post(http, b"{}", path="/")[0] == 404
        assert post(http, b"", **{"Content-Length": "70000"})[0] == 400


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\nPOST /authorize HTTP/1.1\r\nContent-Length: 12\r\n\r\n", 404),
        (b"GET /authorize HTTP/1.1\r\n\r\n", 501),
        (b"POST /authorize HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /authorize HTTP/1.1\r\n" + b"A: 1\r\n" * 200 + b"\r\n", 431),
    ],
    ids=["path", "method", "chunks", "headers"],
)
def test_a_refusal_is_json_and_the_last_word_on_a_connection(sent: bytes, status: int) -> None:
    with server(bank(account())) as (http, lines):
        with create_connection(("127.0.0.1", http.server_address[1]), timeout=PATIENCE) as line:
            line.sendall(sent + b'{"data": ""}')
            with line.makefile("rb") as reader:
                head, _, body = reader.read().partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close" in head
    assert list(json.loads(body)) == ["error"]
    assert lines == []


def test_a_client_that_disconnects_is_reported_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with server(bank(account())) as (http, lines):
        with create_connection(("127.0.0.1", http.server_address[1]), timeout=PATIENCE) as line:
            line.sendall(b"POST /authorize HTTP/1.1\r\nContent-Length: 12\r\n\r\n{")
            line.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
        assert eventually(lambda: lines)
    assert lines == ["a caller went away before the answer"]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "localhost", "::1"])  # noqa: S104
def test_only_loopback_addresses_are_listened_on(address: str) -> None:
    with pytest.raises(CodecError, match="loopback"):
        IssuerServer(bank(), address)
