"""The web server itself: where it listens, TLS, dawdlers, broken requests, and its end; and what it logs."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from fastapi import FastAPI

from reader_service import connections, logs, serving
from reader_service.errors import Invalid
from reader_service.listen import Listen
from reader_service.principal import Role
from tests.support.service.accounts import AccountsApp, accounts_app
from tests.support.service.authority import Authority
from tests.support.service.web import Web
from tests.support.waiting import PATIENCE


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    rig = accounts_app(tmp_path_factory.mktemp("serving"))
    rig.person("admin", Role.ADMINISTRATOR)
    yield rig
    rig.registry.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def refusal(listen: Listen) -> str:
    with pytest.raises(Invalid) as refused:
        listen.check()
    return str(refused.value)


def test_without_tls_it_listens_on_this_machine_only(authority: Authority) -> None:
    for host in ("127.0.0.1", "::1", "localhost", "127.3.2.1"):
        Listen(host).check()
    for host in ("0.0.0.0", "::", "192.0.2.1", "station.example"):  # noqa: S104
        assert "--tls-cert" in refusal(Listen(host))
    cert, key = authority.issue("station.example")
    Listen("0.0.0.0", cert=cert, key=key).check()  # noqa: S104


def test_tls_files_that_do_not_fit_are_reported_before_anything_begins(authority: Authority, tmp_path: Path) -> None:
    cert, key = authority.issue("one.example")
    _, other = authority.issue("two.example")
    assert "both" in refusal(Listen(cert=cert))
    assert "only over TLS" in refusal(Listen(client_ca=authority.ca))
    assert "do not fit" in refusal(Listen(cert=cert, key=other))
    assert "cannot read" in refusal(Listen(cert=cert, key=tmp_path / "missing"))
    assert "do not fit" in refusal(Listen(cert=key, key=key))
    locked = tmp_path / "locked.key"
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    encrypted = serialization.BestAvailableEncryption(b"password")
    locked.write_bytes(loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encrypted))
    assert "do not fit" in refusal(Listen(cert=cert, key=locked))


def test_over_tls_it_answers_to_the_names_of_its_certificate_and_cookies_are_secure(
    authority: Authority, tmp_path: Path
) -> None:
    cert, key = authority.issue("station.example", x509.IPAddress(ip_address("127.0.0.1")))
    listen = Listen(port=0, cert=cert, key=key, names=("Alias.example",))
    settings = listen.access_settings()
    assert settings.tls
    assert {"station.example", "127.0.0.1", "alias.example", "localhost"} <= set(settings.hosts)
    rig = accounts_app(tmp_path, settings)
    rig.person("admin", Role.ADMINISTRATOR)
    trust = ssl.create_default_context(cafile=str(authority.ca))
    with Web(rig.app, listen) as web, httpx.Client(verify=trust, base_url=web.address, timeout=PATIENCE) as client:
        assert web.address.startswith("https://")
        answer = client.post("/api/v1/session", json={"name": "admin", "password": "a sentence of somebody"})
        assert answer.status_code == 201
        assert "strict-transport-security" in answer.headers
        assert client.get("/api/v1/session").json()["name"] == "admin"
    rig.registry.close()


def test_with_a_client_ca_only_stations_with_its_certificate_come_in(
    authority: Authority, rig: AccountsApp, tmp_path: Path
) -> None:
    cert, key = authority.issue("here.example", x509.IPAddress(ip_address("127.0.0.1")))
    station, stranger = authority.issue("till-3.example"), Authority(tmp_path).issue("till-4.example")
    with Web(rig.app, Listen(port=0, cert=cert, key=key, client_ca=authority.ca)) as web:
        for chain, status in ((station, 200), (stranger, None), (None, None)):
            context = ssl.create_default_context(cafile=str(authority.ca))
            if chain is not None:
                context.load_cert_chain(*chain)
            with httpx.Client(verify=context, base_url=web.address, timeout=PATIENCE) as client:
                if status is None:
                    with pytest.raises(httpx.TransportError):
                        client.get("/health/live")
                else:
                    assert client.get("/health/live").status_code == status


def reply_to(web: Web, sent: bytes, *, then: bytes = b"", seconds: float = PATIENCE) -> bytes:
    """What comes back on a bare connection until the server closes it."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=seconds) as line:
        line.sendall(sent)
        received = b""
        while piece := line.recv(65536):
            received += piece
            if then:
                line.sendall(then)
                then = b""
        return received


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)


@pytest.mark.parametrize("sent", [b"", b"GET / HTT", b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: "])
def test_a_connection_whose_request_does_not_get_on_is_closed(rig: AccountsApp, hurried: None, sent: bytes) -> None:
    with Web(rig.app) as web:
        begun = time.monotonic()
        assert reply_to(web, sent) == b""
        assert time.monotonic() - begun > 0.2


def test_an_idle_connection_is_closed_even_if_it_babbles_after_the_answer(rig: AccountsApp) -> None:
    ask = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nsome"
    with Web(rig.app) as web:
        web.server.config.timeout_keep_alive = 1
        assert b'{"live":true}' in reply_to(web, ask, then=b"more")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "bad-request"),
        (b"GET / HTTP/9.9\r\n\r\n", 400, "bad-request"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Long: " + b"x" * 200_000, 431, "too-large"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000, 431, "too-large"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "bad-request"),
    ],
)
def test_what_is_no_request_gets_a_problem_and_the_end(rig: AccountsApp, sent: bytes, status: int, code: str) -> None:
    with Web(rig.app) as web:
        head, _, body = reply_to(web, sent).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["code"] == code


def test_whoever_still_sends_a_body_that_is_too_large_sees_why_not(rig: AccountsApp) -> None:
    client = rig.signed_in("admin")
    sent = {"Cookie": f"membercard={client.cookies['membercard']}", "X-CSRF-Token": client.headers["X-CSRF-Token"]}
    with Web(rig.app) as web:
        answer = httpx.post(web.address + "/api/v1/users", content=b"x" * 20_000_000, headers=sent, timeout=PATIENCE)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def test_the_server_names_no_program_and_believes_no_proxy(rig: AccountsApp) -> None:
    with Web(rig.app) as web:
        headers = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
        answer = httpx.get(web.address + "/metrics", headers=headers, timeout=PATIENCE)
    assert answer.status_code == 200
    assert "server" not in answer.headers


def test_at_the_end_the_service_is_stopped_before_connections_are_closed(rig: AccountsApp) -> None:
    web = Web(rig.app)
    finishing, answered = threading.Event(), threading.Event()

    def stop() -> None:
        """A lane with a card in hand: it ends when the card is done, and pages see it until then."""
        finishing.set()
        assert answered.wait(PATIENCE)

    web.server._stop = stop
    with web:
        ending = threading.Thread(target=web.stop)
        ending.start()
        assert finishing.wait(PATIENCE)
        assert web.get("/health/live").status_code == 200
        answered.set()
        ending.join(PATIENCE)
        with pytest.raises(httpx.ConnectError):
            web.get("/health/live")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = False


SECRETS = ("mc_" + "A" * 43, "B" * 43, "130102197605153974", "13812345678", "hunter2", "6217000010001234567")


@pytest.mark.parametrize("as_json", [True, False])
def test_nothing_secret_or_personal_gets_into_the_log(logged: io.StringIO, as_json: bool) -> None:
    logs.set_up(logged, as_json=as_json)
    log = logging.getLogger("somewhere.else")
    token, cookie, id_number, mobile, password, card = SECRETS
    log.info("%s and %s", token, id_number, extra={"note": f"call {mobile}", "password": password, "n": 7})
    log.warning("cookie %s", cookie, extra={"Cookie": "x", "nested": {"secret": password, "list": [card, mobile]}})
    log.error("postgresql://clerk:hunter2@db/x")
    try:
        raise ValueError(f"{id_number} {password}")
    except ValueError:
        log.exception("it broke")
    text = logged.getvalue()
    for secret in SECRETS:
        assert secret not in text
    assert "ValueError" in text
    assert "test_serving.py" in text
    if as_json:
        lines = [json.loads(line) for line in text.splitlines()]
        assert [line["level"] for line in lines] == ["info", "warning", "error", "error"]
        assert lines[0]["n"] == 7
        assert lines[0]["logger"] == "somewhere.else"


def test_a_request_is_logged_by_its_route_and_never_by_its_values(rig: AccountsApp, logged: io.StringIO) -> None:
    client = rig.signed_in("admin")
    logs.set_up(logged, as_json=True, level="debug")
    client.get("/api/v1/users/sun.bolei?query=130102197605153974")
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    entry = next(line for line in lines if line["event"] == "request")
    assert (entry["route"], entry["status"], entry["who"]) == ("/api/v1/users/{name}", 404, "admin")
    ours = [line for line in lines if not line["logger"].startswith("http")]
    assert "sun.bolei" not in str(ours)
    assert "130102197605153974" not in logged.getvalue()


def test_a_terminal_that_is_closed_ends_the_service_unless_that_signal_is_ignored() -> None:
    before = signal.getsignal(signal.SIGHUP)
    try:
        for handler, ends in ((signal.SIG_DFL, True), (signal.SIG_IGN, False)):
            signal.signal(signal.SIGHUP, handler)
            config = serving.config_of(FastAPI(), Listen(port=0))
            server = serving.Server(config, lambda: None, lambda address: None)
            with server.capture_signals():
                os.kill(os.getpid(), signal.SIGHUP)
                time.sleep(0.01)
            assert server.should_exit is ends
            assert signal.getsignal(signal.SIGHUP) is handler
    finally:
        signal.signal(signal.SIGHUP, before)
