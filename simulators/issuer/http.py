"""The test bank over HTTP: POST a JSON object with data objects in hex as ``data``; so is the response.

``{"data": "9F2608..."}`` gives ``{"approved": true, "code": "00", "reason": "approved", "data": "8A023030910A..."}``.
Data that are no request get response code 30. Anything but JSON of this shape is an HTTP 400 with ``{"error": ...}``,
like every other fault, and ends the connection.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any, Final

from simulators.issuer.host import IssuerHost
from terminal.errors import CodecError

PATH: Final = "/authorize"
MAX_REQUEST: Final = 65_536
"""Bytes of a request, far above what a card transaction needs."""
_TIMEOUT: Final = 10.0


class _Handler(BaseHTTPRequestHandler):
    server: IssuerServer
    timeout = _TIMEOUT
    protocol_version = "HTTP/1.1"
    server_version = "issuer"
    sys_version = ""

    def do_POST(self) -> None:
        if self.path != PATH:
            self.send_error(404)
            return
        try:
            body = self.rfile.read(self._length())
            data = bytes.fromhex(_field(json.loads(body)))
        except (ValueError, RecursionError):
            self.send_error(400)
            return
        response = self.server.host.answer(data)
        self.server.report(f"{response.code} {response.reason}")
        self._send(
            200,
            {
                "approved": response.approved,
                "code": response.code,
                "reason": response.reason,
                "data": response.data.hex().upper(),
            },
        )

    def _length(self) -> int:
        length = int(self.headers.get("Content-Length", ""))
        if not 0 <= length <= MAX_REQUEST:
            raise ValueError("too long")
        return length

    def _send(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Any refusal, also those of http.server: other methods, malformed headers. The connection closes, because the
        rest of the refused request may follow on it."""
        self.close_connection = True
        self._send(
            code, {"error": f'POST {PATH} {{"data": "..."}}: data objects in hex, their length in Content-Length'}
        )

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: ``report`` gets the decision, and a request holds personal data."""


class IssuerServer(ThreadingHTTPServer):
    """Listens on a loopback address only, as it has no encryption. ``report`` gets one line for each response.

    Raises CodecError for another address, OSError when the port is taken.
    """

    daemon_threads = True

    def __init__(
        self,
        host: IssuerHost,
        address: str = "127.0.0.1",
        port: int = 0,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        if not _loopback(address):
            raise CodecError(f"{address} is no loopback address, and this issuer speaks without encryption")
        self.host = host
        self.report = report
        super().__init__((address, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a client that disconnects in one line; other errors go to http.server."""
        if isinstance(sys.exception(), ConnectionError):
            self.report("a caller went away before the answer")
        else:
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}{PATH}"


def _field(value: Any) -> str:
    if not isinstance(value, dict) or not isinstance(value.get("data"), str):
        raise ValueError("no data")
    return str(value["data"])


def _loopback(address: str) -> bool:
    try:
        return ip_address(address).version == 4 and ip_address(address).is_loopback
    except ValueError:
        return False
