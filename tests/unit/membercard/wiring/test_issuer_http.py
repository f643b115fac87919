"""The issuer over HTTP, with servers that misbehave: one deadline; a reversal where a request may have arrived."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from membercard.errors import SettingsError
from membercard.wiring.bounded_http import MOST_BODY, MOST_INTERIM, Endpoint, ExchangeFault, post
from membercard.wiring.issuer_http import HttpIssuer
from reader_service.access.addresses import is_loopback
from terminal.emv.transaction.outcome import Result
from terminal.emv.transaction.protocols import OnlineRequest, OnlineResponse, Unable
from terminal.errors import CodecError
from tests.support.cards.toys.emv_toy_card import PAN, ToyCard, tlv
from tests.support.cards.toys.emv_toy_terminal import OVER, run
from tests.support.misbehaving_server import Behaviour, misbehaving, says, silent, without_end
from tests.support.waiting import PATIENCE

REQUEST = OnlineRequest(PAN, 1, {0x9F26: bytes(8)}, None)
SHORT = 1.0
"""Seconds for an exchange that never ends by itself."""
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
YES = json.dumps({"data": tlv("8A", b"00").hex()}).encode()
APPROVED = OnlineResponse(b"00")


def sized(body: bytes, status: bytes = OK) -> bytes:
    return status + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def authorized(behaviour: Behaviour, timeout: float = PATIENCE) -> OnlineResponse | Unable:
    with misbehaving(behaviour) as server:
        return HttpIssuer(server.url(), timeout).authorize(REQUEST)


@pytest.mark.parametrize(
    "reply",
    [
        sized(YES),
        OK + b"\r\n" + YES,
        CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(YES), YES),
        CHUNKED + b"1\r\n{\r\n%X;x=y\r\n%s\r\n0\r\nTrailer: 1\r\n\r\n" % (len(YES) - 1, YES[1:]),
        b"HTTP/1.1 100 Continue\r\n\r\n" * MOST_INTERIM + sized(YES),
        b"HTTP/1.0 200 fine\r\n\r\n" + YES,
    ],
)
def test_every_way_to_send_a_body_is_read(reply: bytes) -> None:
    assert authorized(says(reply)) == APPROVED


ENDLESS = {
    "silence": silent,
    "status line": without_end(piece=b"H", pause=0.02),
    "header line": without_end(head=OK, piece=b"x", pause=0.02),
    "headers, slowly": without_end(head=OK, piece=b"A: b\r\n", pause=0.02),
    "interim responses, slowly": without_end(piece=b"HTTP/1.1 100 Continue\r\n\r\n", pause=SHORT / 4),
    "an interim response": without_end(head=b"HTTP/1.1 100 Continue\r\n", piece=b"A", pause=0.02),
    "body without length": without_end(head=OK + b"\r\n", piece=b" ", pause=0.02),
    "body of a length": without_end(head=OK + b"Content-Length: 60000\r\n\r\n", piece=b" ", pause=0.02),
    "chunks": without_end(head=CHUNKED, piece=b"1\r\n \r\n", pause=0.02),
    "chunk size": without_end(head=CHUNKED, piece=b"0", pause=0.2),
    "chunk extension": without_end(head=CHUNKED + b"1;", piece=b"a", pause=0.02),
    "trailers": without_end(head=CHUNKED + b"0\r\n", piece=b"A: b\r\n", pause=0.02),
}


@pytest.fixture(scope="module")
def endless() -> Iterator[dict[str, Future[OnlineResponse | Unable]]]:
    """All of these servers are asked at once: each takes the whole time."""
    with ThreadPoolExecutor(len(ENDLESS)) as pool:
        yield {name: pool.submit(authorized, behaviour, SHORT) for name, behaviour in ENDLESS.items()}


@pytest.mark.parametrize("name", ENDLESS)
def test_no_server_outlives_the_deadline(endless: dict[str, Future[OnlineResponse | Unable]], name: str) -> None:
    assert endless[name].result(PATIENCE) == Unable("no complete answer within 1 s", sent=True)


FLOODS = {
    "headers": (without_end(head=OK, piece=b"A: b\r\n" * 100), "RemoteProtocolError"),
    "header line": (without_end(head=OK, piece=b"x" * 1000), "RemoteProtocolError"),
    "interim responses": (without_end(piece=b"HTTP/1.1 100 Continue\r\n\r\n" * 10), "8 interim responses"),
    "other interim responses": (without_end(piece=b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10), "8 interim responses"),
    "body": (without_end(head=OK + b"\r\n", piece=b" " * 1000), f"{MOST_BODY} bytes"),
    "chunks": (without_end(head=CHUNKED, piece=b"3E8\r\n" + b" " * 1000 + b"\r\n"), f"{MOST_BODY} bytes"),
    "trailers": (without_end(head=CHUNKED + b"0\r\n", piece=b"A: b\r\n" * 100), "RemoteProtocolError"),
    "announced": (says(OK + b"Content-Length: 1000000000000\r\n\r\n" + b" " * (MOST_BODY + 1)), f"{MOST_BODY} bytes"),
}


@pytest.mark.parametrize(("behaviour", "reason"), FLOODS.values(), ids=FLOODS)
def test_a_flood_is_cut_short(behaviour: Behaviour, reason: str) -> None:
    response = authorized(behaviour)
    assert isinstance(response, Unable)
    assert reason in response.reason
    assert response.sent


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + YES,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        OK + b"Content-Length: -5\r\n\r\n" + YES,
        OK + b"Content-Length: +5\r\n\r\n" + YES,
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + YES,
        OK + b"Content-Length: 4000\r\n\r\n" + YES,
        OK + b"Content-Length: 1\xc2\xb2\r\n\r\n" + YES,
        OK + b"Transfer-Encoding: gzip\r\n\r\n" + YES,
        OK + b"a b: c\r\n\r\n" + YES,
        *[
            CHUNKED + size + b"\r\n" + YES
            for size in (b"-5", b"+5", b"0x5", b"", b" ", b"Z", b"5 5", b"F" * 40, b"\xb2")
        ],
        CHUNKED + b"7FFFFFFFFFFFFFFF\r\n" + YES,
        CHUNKED + b"%x\r\n%s" % (len(YES), YES),
        CHUNKED + b"%x\r\n%sXX0\r\n\r\n" % (len(YES), YES),
    ],
)
def test_a_reply_out_of_form_is_none_and_the_request_was_sent(reply: bytes) -> None:
    response = authorized(says(reply))
    assert isinstance(response, Unable)
    assert response.sent


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 308, 401, 404, 500, 503])
def test_no_redirect_is_followed_and_only_200_is_an_answer(status: int) -> None:
    with misbehaving(says(sized(YES))) as other:
        head = b"HTTP/1.1 %d x\r\nLocation: %s\r\n" % (status, other.url().encode())
        assert authorized(says(sized(YES, head))) == Unable(f"it answered HTTP {status}", sent=True)
    assert other.connections == 0


def test_a_reset_after_the_request_may_have_been_sent() -> None:
    def reset(connection: socket.socket, over: threading.Event) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    response = authorized(reset)
    assert isinstance(response, Unable)
    assert response.sent


def test_a_server_that_never_reads_holds_nobody() -> None:
    with misbehaving(silent, read=False) as server, pytest.raises(ExchangeFault, match="within 1 s") as fault:
        post(Endpoint.parse(server.url()), bytes(50_000_000), "application/json", SHORT)
    assert fault.value.sent


@pytest.mark.parametrize(
    "answer", [b'{"data": ""}', b'{"data": "8A00"}', b'{"data": "8A0230308A023035"}x', b"9" * 5000]
)
def test_an_answer_without_a_response_code_is_none(answer: bytes) -> None:
    response = authorized(says(sized(answer)))
    assert isinstance(response, Unable)
    assert response.sent


@pytest.mark.parametrize(
    "behaviour",
    [
        without_end(piece=b"H", pause=0.02),
        says(CHUNKED + b"-5\r\n"),
        says(b""),
        says(sized(YES, b"HTTP/1.1 302 x\r\n")),
    ],
)
def test_a_bad_bank_leads_to_a_declined_payment_and_a_reversal(behaviour: Behaviour) -> None:
    with misbehaving(behaviour) as server:
        outcome = run(ToyCard(), OVER, host=HttpIssuer(server.url(), SHORT))
    assert (outcome.result, outcome.response_code, outcome.reversal) == (Result.DECLINED_OFFLINE, "Z3", True)


def test_an_unreachable_bank_leads_to_no_reversal() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        outcome = run(ToyCard(), OVER, host=HttpIssuer(f"http://127.0.0.1:{taken.getsockname()[1]}/"))
    assert (outcome.result, outcome.response_code, outcome.reversal) == (Result.DECLINED_OFFLINE, "Z3", False)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "https://",
        "http:///authorize",
        "http://:8583/",
        "https://user@/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:-1/",
        "http://127.0.0.1:x/",
        "http://127.0.0.1 /",
        "http://127.0.0.1/\r\nX: y",
        "http://127.0.0.1/\x00",
        "http://[::1",
        "http://[::1].evil/",
        "http://[::1]evil/",
        "http://[v1.x]/",
        "https://a..b/",
        "https://.example.com/",
        "https://-a.example/",
        "https://" + "a" * 64 + ".example/",
        "https://" + "abc." * 64 + "example/",
        "https://银\u0001行.cn/",
        "https://\u2024/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "unix:/run/bank",
        "//127.0.0.1/",
        "127.0.0.1:8583",
        "javascript:1",
    ],
)
def test_a_url_that_is_none_is_refused_before_any_payment(url: str) -> None:
    with pytest.raises(SettingsError, match="--online"):
        HttpIssuer(url)


@pytest.mark.parametrize(
    "host",
    [
        "bank.example",
        "192.0.2.1",
        "0.0.0.0",  # noqa: S104 - refused
        "[::]",
        "[2001:db8::1]",
        "[::ffff:192.0.2.1]",
        "localhost.example",
        "127.0.0.1.example",
        "a.localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "127.0.0.1@bank.example",
        "１２７.0.0.2.example",
        "ⓛocalhost.example",
    ],
)
def test_clear_text_goes_to_no_other_machine(host: str) -> None:
    with pytest.raises(SettingsError, match="needs https"):
        HttpIssuer(f"http://{host}/authorize")
    Endpoint.parse(f"https://{host}/authorize")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST."])
def test_clear_text_is_fine_on_this_machine(host: str) -> None:
    assert not Endpoint.parse(f"http://{host}:8583/").tls


def test_what_a_loopback_address_is() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "10.0.0.1", "")] == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_a_name_is_judged_by_the_address_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def lying(host: str, *args: object, **kwargs: object) -> object:
        return real("192.0.2.1" if host == "localhost" else host, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", lying)
    assert HttpIssuer("http://localhost:8583/").authorize(REQUEST) == Unable(
        "localhost is not there (it is no loopback address)"
    )


def test_a_resolver_that_never_answers_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def stuck(*args: object, **kwargs: object) -> list[object]:
        over.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    try:
        response = HttpIssuer("http://localhost:8583/", 0.2).authorize(REQUEST)
    finally:
        over.set()
    assert response == Unable("localhost is not there (no connection in time)")


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://bank.example", "bank.example", "/"),
        ("https://BANK.example:443/A?b=c#d", "bank.example", "/A?b=c"),
        ("https://bank.example:8443/", "bank.example:8443", "/"),
        ("https://bücher.example/", "xn--bcher-kva.example", "/"),
        ("https://银行.example/授权?卡=1", "xn--jn2a72x.example", "/%E6%8E%88%E6%9D%83?%E5%8D%A1=1"),
        ("https://[2001:DB8::1]/a%20b", "[2001:db8::1]", "/a%20b"),
        ("http://127.0.0.1:80/", "127.0.0.1", "/"),
    ],
)
def test_what_is_sent_of_a_url(url: str, host: str, target: str) -> None:
    endpoint = Endpoint.parse(url)
    assert (endpoint.host_header, endpoint.target) == (host, target)


def test_a_request_has_everything_a_server_needs() -> None:
    with misbehaving(says(sized(YES))) as server:
        url = server.url(host="till%40shop:p%C3%A4ss@127.0.0.1", path="/授权")
        assert HttpIssuer(url).authorize(REQUEST) == APPROVED
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /%E6%8E%88%E6%9D%83 HTTP/1.1",
        b"Host: 127.0.0.1:%d" % server.port,
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        b"Connection: close",
        b"Authorization: Basic dGlsbEBzaG9wOnDDpHNz",
    ]
    assert "Basic" not in repr(Endpoint.parse("http://a:p@127.0.0.1/"))


def test_ipv6_is_reached() -> None:
    with misbehaving(says(sized(YES)), family=socket.AF_INET6) as server:
        assert HttpIssuer(server.url(host="[::1]")).authorize(REQUEST) == APPROVED


@contextmanager
def trusted_server(
    monkeypatch: pytest.MonkeyPatch, path: Path, behaviour: Behaviour, address: str = "127.0.0.1", *, trust: bool = True
) -> Iterator[str]:
    """A TLS server with a certificate for ``address``, which the process trusts."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bank")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, keyfile = path / "bank.pem", path / "bank.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    keyfile.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    if trust:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, keyfile)
    with misbehaving(behaviour, tls=context) as server:
        yield server.url("https")


def test_tls_with_a_trusted_certificate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with trusted_server(monkeypatch, tmp_path, says(sized(YES))) as url:
        assert HttpIssuer(url).authorize(REQUEST) == APPROVED


@pytest.mark.parametrize(("address", "trust"), [("127.0.0.1", False), ("127.0.0.2", True)])
def test_a_bank_that_cannot_prove_its_name_gets_no_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str, trust: bool
) -> None:
    with trusted_server(monkeypatch, tmp_path, says(sized(YES)), address, trust=trust) as url:
        response = HttpIssuer(url).authorize(REQUEST)
    assert isinstance(response, Unable)
    assert "certificate verify failed" in response.reason.lower()
    assert not response.sent


def test_tls_that_trickles_after_the_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with trusted_server(monkeypatch, tmp_path, without_end(head=OK + b"\r\n", piece=b" ", pause=0.02)) as url:
        assert HttpIssuer(url, SHORT).authorize(REQUEST) == Unable("no complete answer within 1 s", sent=True)


@pytest.mark.parametrize(
    "behaviour", [silent, without_end(head=b"\x16\x03\x03\x20\x00", piece=b"\x02", pause=0.02), says(sized(YES))]
)
def test_a_handshake_that_fails_or_never_ends_sent_nothing(behaviour: Behaviour) -> None:
    with misbehaving(behaviour, read=False) as server:
        response = HttpIssuer(server.url("https"), SHORT).authorize(REQUEST)
    assert isinstance(response, Unable)
    assert not response.sent


def test_an_endpoint_says_what_is_wrong_with_a_url() -> None:
    with pytest.raises(CodecError, match="only http and https"):
        Endpoint.parse("gopher://127.0.0.1/")
