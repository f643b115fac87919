"""One HTTP/1.1 request over a fresh connection, under one deadline for all of it. RFC 9110, RFC 9112.

The deadline covers name resolution, connection, TLS, sending and reading, whatever the other side does. Without TLS
only loopback addresses are reached, judged by the address that is connected and not by a name. Redirects are not
followed, proxies of the environment are not used.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes, urlsplit

import h11
import idna

from reader_service.access.addresses import is_loopback
from terminal.errors import CodecError

MOST_BODY: Final = 65_536
"""Bytes of a response body, if a request does not expect more."""
MOST_INTERIM: Final = 8
"""Interim responses (1xx) before the final one."""
_PIECE: Final = 16_384
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LABEL: Final = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME: Final = re.compile(rf"(?=.{{1,253}}\.?\Z){_LABEL}(\.{_LABEL})*\.?")
_IN_BRACKETS: Final = re.compile(r"\[[^\[\]]+\](:[0-9]*)?")
_IN_TARGET: Final = "/%:@!$&'()*+,;=~-._?"


class ExchangeFault(Exception):
    """The exchange failed. ``sent``: at least a part of the request may have reached the other side."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class Request(NamedTuple):
    """What is asked of an endpoint. ``headers`` come behind Host and Connection; ``target`` goes behind that of the
    endpoint; ``body_of_refusals``: the body of a response is read whatever its status is; ``most``: its bytes at
    most."""

    method: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    target: str = ""
    body_of_refusals: bool = False
    most: int = MOST_BODY


class Reply(NamedTuple):
    """A final response; the body is read for status 200 only, if nothing else was asked for. ``replayed``: it is that
    to an earlier request with this Idempotency-Key. ``date`` is its Date header, empty where it has none."""

    status: int
    body: bytes
    replayed: bool = False
    date: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go. ``host`` is an IP address without brackets or a name in its ASCII form."""

    tls: bool
    host: str
    port: int
    target: str
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Raises CodecError for a URL that is not http or https, has no valid host or port, or sends clear text to
        anything but ``localhost`` or a loopback address. A user and password become basic authentication (RFC 7617)."""
        if not url or any(character.isspace() or not character.isprintable() for character in url):
            raise CodecError("a URL without spaces and control characters is needed")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise CodecError("its host or port is out of form") from None
        if parts.scheme not in _DEFAULT_PORTS:
            raise CodecError("only http and https are spoken")
        if port == 0:
            raise CodecError("port 0 is no port")
        if "[" in parts.netloc and not _IN_BRACKETS.fullmatch(parts.netloc.rpartition("@")[2]):
            raise CodecError("its host is out of form")
        tls = parts.scheme == "https"
        host = _host(parts.hostname or "")
        if not tls and host.removesuffix(".") != "localhost" and not is_loopback(host):
            raise CodecError("a host other than a loopback address needs https")
        target = quote(parts.path or "/", safe=_IN_TARGET) + (
            f"?{quote(parts.query, safe=_IN_TARGET)}" if parts.query else ""
        )
        return cls(tls, host, port or _DEFAULT_PORTS[parts.scheme], target, _authorization(parts.netloc))

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _DEFAULT_PORTS["https" if self.tls else "http"] else f"{name}:{self.port}"


def post(to: Endpoint, body: bytes, content_type: str, seconds: float) -> Reply:
    """POST a body and read the final response. Raises ExchangeFault, no later than ``seconds`` from now."""
    return exchange(to, Request("POST", body, (("Content-Type", content_type),)), seconds)


def exchange(to: Endpoint, request: Request, seconds: float) -> Reply:
    """Send a request and read the final response. Raises ExchangeFault, no later than ``seconds`` from now."""
    end = time.monotonic() + seconds
    connection = _connect(to, end)
    try:
        return _exchange(connection, to, request, end)
    except TimeoutError:
        raise ExchangeFault(f"no complete answer within {seconds:g} s", sent=True) from None
    except (OSError, h11.ProtocolError) as fault:
        raise ExchangeFault(f"the line broke ({type(fault).__name__})", sent=True) from fault
    finally:
        connection.close()


def _host(name: str) -> str:
    """The host in ASCII, lower case. Raises CodecError."""
    try:
        return str(ip_address(name))
    except ValueError:
        pass
    try:
        ascii_name = name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise CodecError("its host is out of form") from None
    if not _HOST_NAME.fullmatch(ascii_name.lower()):
        raise CodecError("its host is out of form")
    return ascii_name.lower()


def _authorization(netloc: str) -> str | None:
    user_info, at, _ = netloc.rpartition("@")
    if not at:
        return None
    user, _, password = user_info.partition(":")
    credentials = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return f"Basic {base64.b64encode(credentials).decode('ascii')}"


def _left(end: float) -> float:
    """Seconds that are left. Raises TimeoutError for none."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connect(to: Endpoint, end: float) -> socket.socket:
    """A connection, with TLS where the URL says so. Raises ExchangeFault (nothing was sent)."""
    last: Exception = TimeoutError()
    try:
        addresses = _addresses(to, end)
        if not to.tls:
            addresses = [address for address in addresses if is_loopback(address)]
            last = OSError(0, "it is no loopback address")
        for address in addresses:
            try:
                return _connect_one(to, address, end)
            except (OSError, ValueError) as fault:
                last = fault
    except (OSError, ValueError) as fault:
        last = fault
    detail = getattr(last, "strerror", None) or ("no connection in time" if isinstance(last, TimeoutError) else "")
    raise ExchangeFault(f"{to.host} is not there ({detail or type(last).__name__})", sent=False) from last


def _connect_one(to: Endpoint, address: str, end: float) -> socket.socket:
    plain = socket.create_connection((address, to.port), timeout=_left(end))
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not to.tls:
            return plain
        plain.settimeout(_left(end))
        return ssl.create_default_context().wrap_socket(plain, server_hostname=to.host.removesuffix("."))
    except BaseException:
        plain.close()
        raise


def _addresses(to: Endpoint, end: float) -> list[str]:
    """The addresses of the host. The resolver of the system knows no deadline: it runs on a thread that is left behind
    when it is late. Raises OSError."""
    results: SimpleQueue[list[str] | Exception] = SimpleQueue()

    def resolve() -> None:
        try:
            resolved = socket.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM)
            results.put(list(dict.fromkeys(str(address[0]) for *_, address in resolved)))
        except (OSError, ValueError) as fault:
            results.put(fault)

    threading.Thread(target=resolve, name="resolve", daemon=True).start()
    try:
        resolved = results.get(timeout=_left(end))
    except Empty:
        raise TimeoutError from None
    if isinstance(resolved, Exception):
        raise resolved
    return resolved


def _exchange(connection: socket.socket, to: Endpoint, wanted: Request, end: float) -> Reply:
    """Raises OSError and h11.ProtocolError, TimeoutError at the deadline, and ExchangeFault for too long an answer."""
    protocol = h11.Connection(h11.CLIENT)
    headers = [
        ("Host", to.host_header),
        *wanted.headers,
        ("Content-Length", str(len(wanted.body))),
        ("Connection", "close"),
    ]
    if to.authorization is not None:
        headers.append(("Authorization", to.authorization))
    request = h11.Request(method=wanted.method, target=to.target + wanted.target, headers=headers)
    parts = (protocol.send(request), protocol.send(h11.Data(data=wanted.body)), protocol.send(h11.EndOfMessage()))
    outgoing = memoryview(b"".join([part for part in parts if part]))
    while outgoing:
        connection.settimeout(_left(end))
        outgoing = outgoing[connection.send(outgoing) :]
    status, content, interim, replayed, date = 0, bytearray(), 0, False, ""
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            connection.settimeout(_left(end))
            protocol.receive_data(connection.recv(_PIECE))
        elif isinstance(event, h11.InformationalResponse):
            interim += 1
            if interim > MOST_INTERIM:
                raise ExchangeFault(f"more than {MOST_INTERIM} interim responses", sent=True)
        elif isinstance(event, h11.Response):
            status = event.status_code
            replayed = (b"idempotency-replayed", b"true") in list(event.headers)
            date = next((value.decode("latin-1") for name, value in event.headers if name == b"date"), "")
            if status != 200 and not wanted.body_of_refusals:
                return Reply(status, b"")
        elif isinstance(event, h11.Data):
            content += event.data
            if len(content) > wanted.most:
                raise ExchangeFault(f"an answer of more than {wanted.most} bytes", sent=True)
        elif isinstance(event, h11.EndOfMessage):
            return Reply(status, bytes(content), replayed, date)
        else:
            raise ExchangeFault(f"the line broke ({type(event).__name__})", sent=True)
