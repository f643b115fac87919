"""TLS of the service: alerts and log lines for refused clients, the limit of a handshake, expiry, and renewal while it
runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtensionOID, NameOID
from fastapi import FastAPI

from reader_service import accepting, connections, process, serving
from reader_service.errors import Invalid
from reader_service.listen import Listen
from reader_service.principal import Role
from reader_service.tls import TlsFiles
from tests.support.service.accounts import AccountsApp, accounts_app
from tests.support.service.authority import DAY, Authority
from tests.support.service.web import Web
from tests.support.waiting import PATIENCE, eventually

HERE = x509.IPAddress(ip_address("127.0.0.1"))


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsApp]:
    rig = accounts_app(tmp_path_factory.mktemp("tls"))
    rig.person("admin", Role.ADMINISTRATOR)
    yield rig
    rig.registry.close()


@dataclass
class Station:
    """The files of a station in ``folder``; clients need a certificate of ``authority``."""

    folder: Path
    authority: Authority

    def install(self, authority: Authority, name: str = "station.example", **more: timedelta) -> None:
        """New files in the place of the old ones."""
        cert, key = authority.issue(name, HERE, **more)
        shutil.copy(cert, self.cert)
        shutil.copy(key, self.key)

    @property
    def cert(self) -> Path:
        return self.folder / "tls.pem"

    @property
    def key(self) -> Path:
        return self.folder / "tls.key"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def listen(self, *, clients: bool = False) -> Listen:
        return Listen(port=0, cert=self.cert, key=self.key, client_ca=self.ca if clients else None)

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.ca))


@pytest.fixture
def station(tmp_path: Path) -> Station:
    files = Station(tmp_path, Authority(tmp_path / "authority"))
    files.install(files.authority)
    shutil.copy(files.authority.ca, files.ca)
    return files


def ask(web: Web, context: ssl.SSLContext) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE) as line,
        context.wrap_socket(line, server_hostname="127.0.0.1") as wrapped,
    ):
        wrapped.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return wrapped.recv(100)


def alert(web: Web, context: ssl.SSLContext) -> str:
    """Why the server refuses a client, as the client hears it."""
    with pytest.raises(ssl.SSLError) as refused:
        ask(web, context)
    return refused.value.reason or ""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_refused_client_gets_an_alert_and_a_line_in_the_log(
    rig: AccountsApp, station: Station, tmp_path: Path, caplog: pytest.LogCaptureFixture, version: ssl.TLSVersion
) -> None:
    without, stranger = station.trusting(), station.trusting()
    stranger.load_cert_chain(*Authority(tmp_path / "foreign").issue("till-4.example"))
    for context in (without, stranger):
        context.maximum_version = version
    with Web(rig.app, station.listen(clients=True)) as web:
        assert "ALERT" in alert(web, without)
        assert alert(web, stranger) == "TLSV1_ALERT_UNKNOWN_CA"
    lines = [(record.getMessage(), record.__dict__["address"]) for record in caplog.records if "refused" in record.msg]
    assert [address for _, address in lines] == ["127.0.0.1"] * 2
    assert lines[0][0] == "a connection was refused: TLS: peer did not return a certificate"
    assert lines[1][0].startswith(
        "a connection was refused: TLS: certificate verify failed (unable to get local issuer"
    )


def test_a_client_that_does_not_trust_the_certificate_is_a_line_in_the_log(
    rig: AccountsApp, station: Station, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = ssl.create_default_context(cafile=str(Authority(tmp_path / "foreign").ca))
    with Web(rig.app, station.listen()) as web:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(web.address, verify=foreign, timeout=PATIENCE)
        assert eventually(lambda: "TLS: tlsv1 alert unknown ca" in caplog.text)


def test_plain_http_at_a_tls_port_gets_a_sentence_in_both_languages(
    rig: AccountsApp, station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    with Web(rig.app, station.listen()) as web:
        for method in ("GET", "POST", "HEAD", "PUT"):
            answer = httpx.request(method, f"http://127.0.0.1:{web.port}/health/live", timeout=PATIENCE)
            assert answer.status_code == 400
        page = httpx.get(f"http://127.0.0.1:{web.port}/health/live", timeout=PATIENCE).text
    assert "本端口只接受 HTTPS" in page
    assert "This port takes HTTPS only" in page
    assert caplog.text.count("plain HTTP at a TLS port") == 1


@pytest.mark.parametrize("sent", [b"\x00" * 50, b"SSH-2.0-client\r\n", b"DELETE / HTTP/1.1\r\n\r\n"])
def test_what_is_no_tls_gets_an_alert_and_the_end(
    rig: AccountsApp, station: Station, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    with Web(rig.app, station.listen()) as web:
        with socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE) as line:
            line.sendall(sent)
            received = line.recv(100)
            assert line.recv(100) == b""
    assert received[:2] == b"\x15\x03"  # a record of the type alert: RFC 8446, 5.1
    assert "a connection was refused: TLS: " in caplog.text


def test_refused_connections_do_not_fill_the_log(
    rig: AccountsApp, station: Station, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accepting, "_NOTED_SECONDS", 2.0)
    with Web(rig.app, station.listen()) as web:
        for _ in range(12):
            httpx.get(f"http://127.0.0.1:{web.port}/", timeout=PATIENCE)
        assert eventually(lambda: "more connections were refused in the last minute" in caplog.text)
    assert caplog.text.count("plain HTTP at a TLS port") < 12


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_a_handshake_that_does_not_get_on_is_cut(
    rig: AccountsApp, station: Station, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    with Web(rig.app, station.listen()) as web:
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", web.port), timeout=30) as line:
            line.sendall(sent)
            assert line.recv(100) == b""
        assert time.monotonic() - begun > 0.4
    assert "no handshake within 0.5 seconds" in caplog.text


def test_the_handshake_counts_for_the_limit_of_the_first_head(
    rig: AccountsApp, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 600.0)
    with Web(rig.app, station.listen()) as web:
        with socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE) as line:
            assert web.server._acceptor is not None
            handshakes = web.server._acceptor._handshakes
            (accepted_at,) = eventually(lambda: list(handshakes.values()))
            time.sleep(0.5)
            with station.trusting().wrap_socket(line, server_hostname="127.0.0.1") as wrapped:
                (one,) = eventually(lambda: list(web.server.server_state.connections))
                assert one._deadline.when() == pytest.approx(accepted_at + 600, abs=0.1)
                wrapped.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert wrapped.recv(100).startswith(b"HTTP/1.1 200")


def served_certificate(web: Web, context: ssl.SSLContext) -> int:
    """The serial number of the certificate that a new connection gets."""
    with (
        socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE) as line,
        context.wrap_socket(line, server_hostname="127.0.0.1") as wrapped,
    ):
        shown = wrapped.getpeercert()
        assert shown is not None
        return int(str(shown["serialNumber"]), 16)


def serial(cert: Path) -> int:
    return x509.load_pem_x509_certificate(cert.read_bytes()).serial_number


def renew(web: Web) -> None:
    """As SIGHUP, which only the main thread gets, and wait until it is done."""
    web.server.hang_up(signal.SIGHUP, None)
    assert eventually(lambda: not web.server._renew)
    assert web.server._acceptor is not None
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), web.server._acceptor._loop).result(PATIENCE)


def test_sighup_renews_the_certificate_and_no_connection_is_dropped(
    rig: AccountsApp, station: Station, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "has_terminal", lambda: False)
    caplog.set_level("INFO")
    first = serial(station.cert)
    with (
        Web(rig.app, station.listen()) as web,
        httpx.Client(verify=station.trusting(), base_url=web.address, timeout=PATIENCE) as client,
    ):
        web.server.config.timeout_keep_alive = 600
        assert client.get("/health/live").status_code == 200
        assert served_certificate(web, station.trusting()) == first
        before = {one for one in web.server.server_state.connections if one.idle}
        assert len(before) == 1
        station.install(station.authority)
        renew(web)
        assert eventually(lambda: "the TLS files were renewed" in caplog.text)
        assert served_certificate(web, station.trusting()) == serial(station.cert) != first
        assert client.get("/health/live").status_code == 200
        assert before <= set(web.server.server_state.connections)


def test_files_that_do_not_fit_leave_the_old_ones_in_use(
    rig: AccountsApp, station: Station, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = serial(station.cert)
    with Web(rig.app, station.listen()) as web:
        web.server._terminal = False
        good = station.cert.read_bytes()
        for number, content in enumerate((b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n", good)):
            station.cert.write_bytes(content)
            if content == good:
                station.key.unlink()
            renew(web)
            assert eventually(lambda n=number: caplog.text.count("the TLS files were not renewed") == n + 1)
            assert served_certificate(web, station.trusting()) == first
    assert "cannot read a TLS file: No such file or directory" in caplog.text
    assert "do not fit together or are not PEM" in caplog.text


def test_another_client_ca_is_in_force_for_new_connections(rig: AccountsApp, station: Station, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    old, new = station.trusting(), station.trusting()
    old.load_cert_chain(*station.authority.issue("till-1.example"))
    new.load_cert_chain(*other.issue("till-2.example"))
    with Web(rig.app, station.listen(clients=True)) as web:
        web.server._terminal = False
        assert served_certificate(web, old)
        shutil.copy(other.ca, station.ca)
        renew(web)
        assert eventually(lambda: served_certificate(web, new))
        assert alert(web, old) == "TLSV1_ALERT_UNKNOWN_CA"


def test_a_renewed_certificate_brings_its_host_names(station: Station) -> None:
    tls = TlsFiles(station.cert, station.key)
    settings = station.listen().access_settings(tls)
    assert "station.example" in settings.hosts
    station.install(station.authority, "New.example")
    tls.renew()
    assert "new.example" in settings.renewed_hosts()
    assert "station.example" in settings.hosts


def test_a_new_certificate_that_is_not_valid_does_not_replace_one_that_is(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    tls = TlsFiles(station.cert, station.key)
    left = tls.seconds_left()["certificate"]
    station.install(station.authority, since=-2 * DAY, until=-DAY)
    tls.renew()
    assert "the new certificate has expired, or is not valid yet" in caplog.text
    assert tls.seconds_left()["certificate"] == pytest.approx(left, abs=60)


def test_an_unexpected_fault_of_a_renewal_is_logged_without_its_text(
    station: Station, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = TlsFiles(station.cert, station.key)
    before = tls.context
    monkeypatch.setattr(tls, "_load", lambda: {}["what a file holds"])
    tls.renew()
    (record,) = [record for record in caplog.records if "were not renewed" in record.message]
    assert "what a file holds" not in record.message
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError
    assert tls.context is before


@pytest.mark.parametrize(
    ("days", "level", "words"),
    [
        (-3.5, "ERROR", "expired on"),
        (1.5, "WARNING", "in 1 days"),
        (20.5, "WARNING", "in 20 days; renew it and send SIGHUP"),
        (31.5, "", ""),
    ],
)
def test_the_log_warns_of_a_certificate_that_expires_once_a_day(
    station: Station, caplog: pytest.LogCaptureFixture, days: float, level: str, words: str
) -> None:
    station.install(station.authority, since=-100 * DAY, until=days * DAY)
    now = datetime.now(UTC)
    tls = TlsFiles(station.cert, station.key, clock=lambda: now)
    assert tls.seconds_left() == {"certificate": pytest.approx(days * 86400, abs=60)}
    for hours in (0, 1, 23, 24, 25):
        now = datetime.now(UTC) + timedelta(hours=hours)
        tls.warn()
    expected = [(level, True)] * 2 if level else []
    assert [
        (record.levelname, "TLS certificate (station.example)" in record.getMessage()) for record in caplog.records
    ] == expected
    assert words in caplog.text


def test_a_client_ca_that_expires_is_warned_of_too(
    station: Station, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = Authority(tmp_path / "old", until=3.5 * DAY)
    station.ca.write_bytes(station.authority.ca.read_bytes() + old.ca.read_bytes())
    station.install(station.authority, until=90 * DAY)
    tls = TlsFiles(station.cert, station.key, station.ca)
    tls.warn()
    assert "the CA of client certificates (old) expires on" in caplog.text
    assert "in 3 days" in caplog.text
    assert tls.seconds_left()["client-ca"] == pytest.approx(86400, abs=60)


def test_a_certificate_that_is_not_valid_yet_is_named(station: Station, caplog: pytest.LogCaptureFixture) -> None:
    station.install(station.authority, since=DAY, until=90 * DAY)
    TlsFiles(station.cert, station.key).warn()
    assert "the TLS certificate is not valid before" in caplog.text


def test_the_metrics_have_the_time_that_is_left(rig: AccountsApp, station: Station) -> None:
    station.install(station.authority, until=10 * DAY)
    tls = TlsFiles(station.cert, station.key, station.ca)
    assert "membercard_tls_expiry_seconds{" not in rig.client().get("/metrics").text
    rig.app.state.tls = tls
    try:
        lines = rig.client().get("/metrics").text.splitlines()
    finally:
        rig.app.state.tls = None
    figures = {
        line.split("{")[1].split("}")[0]: float(line.split()[-1])
        for line in lines
        if line.startswith("membercard_tls_")
    }
    assert figures == {
        'kind="certificate"': pytest.approx(10 * 86400, abs=120),
        'kind="client-ca"': pytest.approx(86400, abs=120),
    }


def test_with_tls_a_closed_terminal_ends_the_service_and_another_hangup_does_not(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGHUP)
    try:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        for at_start, later, ends in ((True, False, True), (True, True, False), (False, False, False)):
            monkeypatch.setattr(process, "has_terminal", partial(bool, at_start))
            server = serving.Server(serving.config_of(FastAPI(), station.listen()), lambda: None, lambda address: None)
            monkeypatch.setattr(process, "has_terminal", partial(bool, later))
            with server.capture_signals():
                os.kill(os.getpid(), signal.SIGHUP)
                time.sleep(0.01)
            assert (server.should_exit, server._renew) == (ends, not ends)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_hangup_that_was_held_back_renews_and_is_held_back_again_at_the_end(station: Station) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        server = serving.Server(serving.config_of(FastAPI(), station.listen()), lambda: None, lambda address: None)
        server._terminal = False
        signal.pthread_kill(threading.get_ident(), signal.SIGHUP)  # other threads of the tests do not hold it back
        with server.capture_signals():
            time.sleep(0.01)
            assert (server.should_exit, server._renew) == (False, True)
        assert signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_a_file_that_cannot_be_read_is_named(station: Station) -> None:
    station.ca.unlink()
    with pytest.raises(Invalid, match=f"No such file or directory: {station.ca}"):
        TlsFiles(station.cert, station.key, station.ca)
    os.mkfifo(station.ca)
    with pytest.raises(Invalid, match=f"{station.ca} is no regular file"):
        TlsFiles(station.cert, station.key, station.ca)


def test_files_behind_symbolic_links_are_renewed_with_the_links(station: Station, tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.mkdir()
    for name in ("tls.pem", "tls.key"):
        (live / name).symlink_to(station.folder / name)
    tls = TlsFiles(live / "tls.pem", live / "tls.key")
    cert, key = station.authority.issue("next.example")
    for name, target in (("tls.pem", cert), ("tls.key", key)):
        (live / name).unlink()
        (live / name).symlink_to(target)
    tls.renew()
    assert tls.names() == ("next.example",)


@pytest.mark.parametrize("names", [b"no names", bytes.fromhex("3004a3023000")], ids=["malformed", "x400Address"])
def test_a_certificate_with_an_unreadable_extension_is_refused_in_words(station: Station, names: bytes) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "odd.example")])
    odd = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, names)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, datetime.now(UTC) - DAY, datetime.now(UTC) + DAY)
    station.ca.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    station.cert.write_bytes(builder.add_extension(odd, False).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    station.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(Invalid, match="do not fit together or are not PEM"):
        TlsFiles(station.cert, station.key, station.ca)


def test_clients_that_never_close_their_side_do_not_delay_the_end(
    rig: AccountsApp, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_GRACE_SECONDS", 10 * PATIENCE)
    token = rig.token(Role.OPERATOR, label="quiet")
    handshake = (
        f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    requests = ("", "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", handshake)
    with Web(rig.app, station.listen()) as web, contextlib.ExitStack() as open_lines:
        web.server.config.timeout_keep_alive = 600
        for sent in requests:
            plain = open_lines.enter_context(socket.create_connection(("127.0.0.1", web.port), timeout=PATIENCE))
            line = open_lines.enter_context(station.trusting().wrap_socket(plain, server_hostname="127.0.0.1"))
            line.sendall(sent.encode())
            assert not sent or line.recv(100)
        web.stop()


def test_files_without_a_certificate_are_refused_at_the_start(station: Station) -> None:
    station.ca.write_bytes(b"nothing")
    with pytest.raises(Invalid, match="do not fit together or are not PEM"):
        TlsFiles(station.cert, station.key, station.ca)
