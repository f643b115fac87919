"""A server on a loopback socket that reads one HTTP request and then does whatever a test wants, also without end."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Behaviour = Callable[[socket.socket, threading.Event], None]
"""Speaks on the connection; the event is set when the test is over. A client that leaves ends it by an OSError."""


@dataclass
class Misbehaving:
    """``requests`` are the bytes of each request, ``connections`` how many clients connected."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    def url(self, scheme: str = "http", host: str = "127.0.0.1", path: str = "/authorize") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@contextmanager
def misbehaving(
    behaviour: Behaviour, *, tls: ssl.SSLContext | None = None, read: bool = True, family: int = socket.AF_INET
) -> Iterator[Misbehaving]:
    """``read`` False: the behaviour begins before the request is read."""
    over = threading.Event()
    address = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with socket.socket(family) as listener:
        listener.bind((address, 0))
        listener.listen()
        server = Misbehaving(listener.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    if over.is_set():
                        return
                    server.connections += 1
                    spoken = connection if tls is None else tls.wrap_socket(connection, server_side=True)
                    with spoken:
                        if read:
                            server.requests.append(_request(spoken))
                        behaviour(spoken, over)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            over.set()
            with suppress(OSError), socket.create_connection((address, server.port), timeout=1):
                pass
            thread.join()


def _request(connection: socket.socket) -> bytes:
    """One request with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536) or _gone()
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65_536) or _gone()
    return head + b"\r\n\r\n" + body


def _gone() -> bytes:
    raise ConnectionError


def says(answer: bytes) -> Behaviour:
    """Sends these bytes and closes."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(answer)

    return behave


def without_end(*, head: bytes = b"", piece: bytes, pause: float = 0) -> Behaviour:
    """Sends ``head``, then ``piece`` for ever, with a pause after each."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(head)
        while not over.wait(pause) if pause else not over.is_set():
            connection.sendall(piece)

    return behave


def silent(connection: socket.socket, over: threading.Event) -> None:
    """Never says anything."""
    over.wait()
